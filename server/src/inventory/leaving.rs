//! Which machines leave a customer by a commit: those that it takes out of the inventory, and those that it gives to
//! another. Nothing is wrong with that, and nothing else of a commit is as hard to take back.

use holdfast_catalog::certname::Certname;
use holdfast_catalog::count::counted;
use serde::{Deserialize, Serialize};

use super::{Inventory, Node};

/// So many names are said in a line.
const NAMED: usize = 20;

/// The machines that one inventory has and the next has not, or has elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// Those that are in it no more.
    pub removed: Vec<Certname>,
    /// Those of another customer now.
    pub moved: Vec<Moved>,
}

/// A machine that is another customer's now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    pub certname: Certname,
    /// Whose it was, as `RESELLER/CUSTOMER`.
    pub from: String,
    pub to: String,
}

impl Leaving {
    /// Who leaves between two inventories.
    pub fn between(before: &Inventory, now: &Inventory) -> Self {
        let mut leaving = Self::default();
        for was in before.nodes() {
            let certname = was.certname.clone();
            match now.get(&certname) {
                None => leaving.removed.push(certname),
                Some(is) if place(is) == place(was) => {}
                Some(is) => leaving.moved.push(Moved { certname, from: place(was), to: place(is) }),
            }
        }
        leaving
    }

    /// In words, a line each: what leaves the inventory, and what goes to another customer.
    pub fn lines(&self) -> Vec<String> {
        let removed = self.removed.iter().map(ToString::to_string);
        let moved =
            self.moved.iter().map(|Moved { certname, from, to }| format!("{certname} ({from} to {to})"));
        let told =
            [("out of the inventory", removed.collect::<Vec<_>>()), ("to another customer", moved.collect())];
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
    match names.split_at_checked(NAMED) {
        Some((some, rest)) if !rest.is_empty() => format!("{} and {} more", some.join(", "), rest.len()),
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookup::hierarchy::Settings;
    use crate::repo::Snapshot;

    fn inventory(files: &[(&str, &str)]) -> Inventory {
        let entry = |name: &str| format!("[\"{name}\"]\nrole = \"web\"\nstage = \"test\"\n");
        let text = |names: &str| names.split(' ').map(entry).collect::<String>().into_bytes();
        let files = files.iter().map(|(place, names)| (format!("inventory/{place}.toml"), text(names)));
        let snapshot = Snapshot::of_files(files);
        let (inventory, problems) = Inventory::read(&snapshot, &Settings::read(&snapshot).0.labels);
        assert!(problems.is_empty(), "{problems:?}");
        inventory
    }

    #[test]
    fn who_goes_and_who_moves_is_named() {
        let before = inventory(&[("a/acme", "db1.example web1.example"), ("a/birch", "web2.example")]);
        let now =
            inventory(&[("a/acme", "new.example"), ("b/cedar", "web1.example"), ("a/birch", "web2.example")]);
        let leaving = Leaving::between(&before, &now);
        assert_eq!(
            leaving.lines(),
            [
                "1 machine out of the inventory: db1.example",
                "1 machine to another customer: web1.example (a/acme to b/cedar)"
            ]
        );
        assert_eq!(Leaving::between(&now, &now), Leaving::default());
        assert!(Leaving::default().lines().is_empty());
    }

    #[test]
    fn of_very_many_it_is_said_how_many() {
        let names = |many: usize| (10..10 + many).map(|n| format!("w{n}.example")).collect::<Vec<_>>();
        for (many, end) in [(20, "w29.example"), (21, "w29.example and 1 more")] {
            let before = inventory(&[("a/acme", &names(many).join(" ")), ("a/birch", "x.example")]);
            let lines = Leaving::between(&before, &inventory(&[("a/birch", "x.example")])).lines();
            assert!(
                lines[0].starts_with(&format!("{many} machines out")) && lines[0].ends_with(end),
                "{lines:?}"
            );
        }
    }
}
