//! The machines of the commit in force.

use holdfast_catalog::certname::Certname;
use holdfast_catalog::commit::CommitId;
use jiff::Timestamp;

use super::{CommitInForce, Control, CorrectedNodes, slot};
use crate::check::{self, CheckFindings};
use crate::compile::Program;
use crate::diagnostic::{Code, Diagnostic};
use crate::fleet::{InventoryView, KeptBackUpdate, NodeFunction};
use crate::store::fleet::KeptBackRow;
use crate::store::node::{NodeId, NodeRow, Tenancy};

impl InventoryView for Control {
    fn function(&self, node: &Certname, tenancy: &Tenancy) -> Option<NodeFunction> {
        let in_force = self.in_force()?;
        let node = in_force.program().inventory().get(node)?;
        if node.reseller != tenancy.reseller || node.customer != tenancy.customer {
            return None;
        }
        let labels = node.labels.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        Some(NodeFunction {
            role: node.role.to_string(),
            stage: node.stage.to_string(),
            labels: labels.collect(),
        })
    }

    fn machines(&self) -> Vec<(Certname, Tenancy)> {
        let Some(in_force) = self.in_force() else { return Vec::new() };
        let nodes = in_force.program().inventory().nodes();
        let tenancy = |node: &crate::inventory::Node| Tenancy {
            reseller: node.reseller.clone(),
            customer: node.customer.clone(),
        };
        nodes.map(|node| (node.certname.clone(), tenancy(node))).collect()
    }

    fn environment(&self) -> &str {
        self.environment()
    }

    fn heard(&self, node: NodeId) -> Option<Timestamp> {
        self.last_contacts.of(node)
    }

    fn broken(&self, node: &NodeRow) -> Option<KeptBackRow> {
        let in_force = self.in_force()?;
        if let Some(problem) = displaced(&in_force, &node.certname, &node.tenancy) {
            return Some(KeptBackRow::of(in_force.commit(), &[problem]));
        }
        let problems = self.found_in(&in_force, node)?;
        Some(KeptBackRow::of(in_force.commit(), problems))
    }

    fn problems_of(&self, node: &NodeRow) -> Option<(CommitId, Vec<Diagnostic>)> {
        let in_force = self.in_force()?;
        let displaced = displaced(&in_force, &node.certname, &node.tenancy).map(|problem| vec![problem]);
        let problems = displaced.or_else(|| {
            let found = self.found_in(&in_force, node)?.iter().cloned();
            Some(found.map(|problem| check::at_tenants(in_force.program(), problem)).collect())
        })?;
        Some((in_force.commit().clone(), problems))
    }

    fn since(&self, node: &NodeRow, kept_back: &KeptBackRow) -> Option<KeptBackUpdate> {
        let in_force = self.in_force().filter(|in_force| *in_force.commit() != kept_back.commit)?;
        let by_inventory = || match displaced(&in_force, &node.certname, &node.tenancy) {
            None if kept_back.is_of_place() => Some(in_force.commit().clone()),
            _ => None,
        };
        let corrected_by = in_force.corrected.get(&node.certname).cloned().or_else(by_inventory);
        let wait = node.seen_at.map(|seen| seen + slot::next_run(&node.certname, self.interval(), seen));
        Some(KeptBackUpdate { commit: in_force.commit().clone(), corrected_by, next_poll: wait })
    }
}

/// Why the inventory of a commit has no catalog for a node at this place; `None` if it has one.
pub(super) fn displaced(
    in_force: &CommitInForce,
    certname: &Certname,
    tenancy: &Tenancy,
) -> Option<Diagnostic> {
    let Some(node) = in_force.program().inventory().get(certname) else {
        return Some(not_in_inventory(certname, tenancy));
    };
    if node.reseller == tenancy.reseller && node.customer == tenancy.customer {
        return None;
    }
    let message = format!("`{certname}` was added for {tenancy}, but the inventory has it elsewhere");
    Some(Diagnostic::error(Code::PlaceDisagrees, message, None).help(format!(
        "move the node with `holdfast node move {certname}`, or move it back in the inventory"
    )))
}

pub(super) fn not_in_inventory(certname: &Certname, tenancy: &Tenancy) -> Diagnostic {
    let message = format!("`{certname}` is not in the inventory");
    let help =
        format!("add it to inventory/{tenancy}.toml, or remove it with `holdfast node remove {certname}`");
    Diagnostic::error(Code::NotInInventory, message, None).help(help)
}

impl CommitInForce {
    /// The nodes that did not compile in the commit before and compile in this one, and those for which that was so
    /// already, each with the commit that corrected it.
    pub(super) fn corrected(
        before: Option<&Self>,
        program: &Program,
        checked: &CheckFindings,
    ) -> CorrectedNodes {
        let Some(before) = before else { return CorrectedNodes::new() };
        let was_broken = before.checked.get().into_iter().flat_map(|checked| checked.nodes.keys());
        let commit = program.snapshot().commit().clone();
        let now = was_broken.map(|certname| (certname.clone(), commit.clone()));
        let mut corrected: CorrectedNodes = before.corrected.clone().into_iter().chain(now).collect();
        corrected.retain(|certname, _| {
            !checked.nodes.contains_key(certname) && program.inventory().get(certname).is_some()
        });
        corrected
    }
}

impl Control {
    /// The problems of a node that were found when the commit was judged, with the facts in the repository. If the
    /// machine's own facts gave a catalog of the same commit, there are none.
    fn found_in<'a>(&self, in_force: &'a CommitInForce, node: &NodeRow) -> Option<&'a [Diagnostic]> {
        let problems = in_force.checked.get()?.nodes.get(&node.certname)?;
        let is_there = in_force.tenancy(&node.certname).as_ref() == Some(&node.tenancy);
        let has_catalog = self.given().get(&node.id).is_some_and(|given| given.is_of(in_force.commit()));
        (is_there && !has_catalog).then_some(problems)
    }
}
