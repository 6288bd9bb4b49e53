//! Which machines leave a customer with a commit: those that it removes from the inventory, and those that it gives to
//! another customer. That is not an error, but nothing else in a commit is as hard to undo.

use holdfast_catalog::certname::Certname;
use holdfast_catalog::count::counted;
use serde::{Deserialize, Serialize};

use super::{Inventory, Node};

/// The most names in one line.
const MAX_NAMED: usize = 20;

/// The machines that the earlier of two inventories has, and the later one does not have, or has elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departures {
    /// Machines that are no longer in the inventory.
    pub removed: Vec<Certname>,
    /// Machines that belong to another customer now.
    pub moved: Vec<MovedNode>,
}

/// A machine that belongs to another customer now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedNode {
    pub certname: Certname,
    /// The customer that it belonged to, as `RESELLER/CUSTOMER`.
    pub from: String,
    pub to: String,
}

impl Departures {
    /// The machines that leave between two inventories.
    pub fn between(before: &Inventory, now: &Inventory) -> Self {
        let mut leaving = Self::default();
        for was in before.nodes() {
            let certname = was.certname.clone();
            match now.get(&certname) {
                None => leaving.removed.push(certname),
                Some(is) if place(is) == place(was) => {}
                Some(is) => leaving.moved.push(MovedNode { certname, from: place(was), to: place(is) }),
            }
        }
        leaving
    }

    /// The changes in words: a line for what is removed, and a line for what goes to another customer.
    pub fn lines(&self) -> Vec<String> {
        let removed = self.removed.iter().map(ToString::to_string);
        let moved =
            self.moved.iter().map(|MovedNode { certname, from, to }| format!("{certname} ({from} to {to})"));
        let told = [
            ("no longer in the inventory", removed.collect::<Vec<_>>()),
            ("moved to another customer", moved.collect()),
        ];
        let told = told.into_iter().filter(|(_, names)| !names.is_empty());
        told.map(|(whither, names)| {
            format!("{} {whither}: {}", counted(names.len(), "machine", "machines"), listed(&names))
        })
        .collect()
    }
}

fn place(node: &Node) -> String {
    format!("{}/{}", node.reseller, node.customer)
}

fn listed(names: &[String]) -> String {
    match names.split_at_checked(MAX_NAMED) {
        Some((some, rest)) if !rest.is_empty() => format!("{} and {} more", some.join(", "), rest.len()),
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookup::hierarchy::HierarchySettings;
    use crate::repo::Snapshot;

    fn inventory(files: &[(&str, &str)]) -> Inventory {
        let entry = |name: &str| format!("[\"{name}\"]\nrole = \"web\"\nstage = \"test\"\n");
        let text = |names: &str| names.split(' ').map(entry).collect::<String>().into_bytes();
        let files = files.iter().map(|(place, names)| (format!("inventory/{place}.toml"), text(names)));
        let snapshot = Snapshot::of_files(files);
        let (inventory, problems) = Inventory::read(&snapshot, &HierarchySettings::read(&snapshot).0.labels);
        assert!(problems.is_empty(), "{problems:?}");
        inventory
    }

    #[test]
    fn who_goes_and_who_moves_is_named() {
        let before = inventory(&[("a/acme", "db1.example web1.example"), ("a/birch", "web2.example")]);
        let now =
            inventory(&[("a/acme", "new.example"), ("b/cedar", "web1.example"), ("a/birch", "web2.example")]);
        let leaving = Departures::between(&before, &now);
        assert_eq!(
            leaving.lines(),
            [
                "1 machine no longer in the inventory: db1.example",
                "1 machine moved to another customer: web1.example (a/acme to b/cedar)"
            ]
        );
        assert_eq!(Departures::between(&now, &now), Departures::default());
        assert!(Departures::default().lines().is_empty());
    }

    #[test]
    fn of_very_many_it_is_said_how_many() {
        let names = |many: usize| (10..10 + many).map(|n| format!("w{n}.example")).collect::<Vec<_>>();
        for (many, end) in [(20, "w29.example"), (21, "w29.example and 1 more")] {
            let before = inventory(&[("a/acme", &names(many).join(" ")), ("a/birch", "x.example")]);
            let lines = Departures::between(&before, &inventory(&[("a/birch", "x.example")])).lines();
            assert!(
                lines[0].starts_with(&format!("{many} machines no longer")) && lines[0].ends_with(end),
                "{lines:?}"
            );
        }
    }
}
