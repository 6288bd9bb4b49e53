//! Refuses what is not a control repository, such as an empty folder or a mount that is missing: in force, it would
//! take its catalog from every machine.

use crate::compile::Program;
use crate::diagnostic::{Code, Diagnostic};
use crate::repo::Snapshot;

/// The folder without which there are no machines.
const INVENTORY: &str = "inventory";

/// Whether a snapshot has one of the folders of a control repository.
pub fn is_control_repository(snapshot: &Snapshot) -> bool {
    [INVENTORY, "modules", "hieradata"].into_iter().any(|part| snapshot.under(part).next().is_some())
}

/// The error if there is no inventory, so that there is nothing to judge.
pub(super) fn of(program: &Program) -> Option<Diagnostic> {
    let snapshot = program.snapshot();
    if snapshot.under(INVENTORY).next().is_some() {
        return None;
    }
    let message = match is_control_repository(snapshot) {
        true => "there is no inventory/: no machine would get a catalog",
        false => "this is not a control repository: it has no inventory/, modules/ or hieradata/",
    };
    let help =
        "machines are in inventory/RESELLER/CUSTOMER.toml; was a folder renamed, or is a mount missing?";
    Some(Diagnostic::error(Code::NoInventory, message, None).help(help))
}

/// A warning if a commit removes the last machine.
pub(super) fn of_inventory(program: &Program, before: &Program) -> Option<Diagnostic> {
    let (now, then) = (program.inventory().nodes().count(), before.inventory().nodes().count());
    (now == 0 && then > 0).then(|| {
        let message = format!("the inventory has no machines; in the commit in force it has {then}");
        Diagnostic::warning(Code::NoInventory, message, None)
            .help("added machines keep their catalogs, and get no new ones")
    })
}
