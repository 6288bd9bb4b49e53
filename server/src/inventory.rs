//! The inventory: which machines there are and what they are. Operators write one file for each customer.
//!
//! A node's place comes from here and never from its facts. Whether the store agrees is up to the module that serves
//! the node.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use holdfast_catalog::certname::{Certname, Slug};
use holdfast_catalog::manifest_words::Keyword;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::{Map, Value};

use crate::diagnostic::Diagnostic;
use crate::language::document::Document;
use crate::repo::Snapshot;

mod departures; // who leaves with a commit
mod mention; // names in entries with errors
mod reader;
#[cfg(test)]
mod tests;

pub use departures::Departures;
pub use mention::Mentions;

/// The keys of a node.
pub const WORDS: &[Keyword] = reader::WORDS;

/// The folder of the inventory's files.
pub const FOLDER: &str = "inventory";

/// A machine, as the inventory has it.
#[derive(Debug, Clone)]
pub struct Node {
    pub certname: Certname,
    /// The reseller whose customer it belongs to.
    pub reseller: Slug,
    pub customer: Slug,
    /// What it does: its class is `role::ROLE`.
    pub role: Arc<str>,
    pub stage: Stage,
    /// Labels of the operators' own, declared in `holdfast.toml`.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// Where it is declared.
    pub origin: Arc<Origin>,
    /// Where its role is.
    pub role_origin: Arc<Origin>,
}

/// How much depends on a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Test,
    Integration,
    Production,
}

impl Stage {
    /// The names of all stages.
    pub const NAMES: [&str; 3] = ["test", "integration", "production"];

    /// The stage with this name; `None` if there is none.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "test" => Some(Self::Test),
            "integration" => Some(Self::Integration),
            "production" => Some(Self::Production),
            _ => None,
        }
    }

    /// The name of the stage, such as `production`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Integration => "integration",
            Self::Production => "production",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Node {
    /// Whether `other`, from another commit, is the same machine in the same place with the same function.
    pub fn is_same(&self, other: &Self) -> bool {
        let place = |node: &Self| (node.certname.clone(), node.reseller.clone(), node.customer.clone());
        place(self) == place(other)
            && (&self.role, self.stage, &self.labels) == (&other.role, other.stage, &other.labels)
    }

    /// The value of `node` in expressions.
    pub fn to_value(&self, environment: &str) -> Value {
        let labels = self.labels.iter().map(|(name, value)| (name.clone(), Value::from(value.clone())));
        Value::from([
            ("certname", self.certname.as_str().into()),
            ("reseller", self.reseller.as_str().into()),
            ("customer", self.customer.as_str().into()),
            ("role", self.role.clone().into()),
            ("stage", self.stage.name().into()),
            ("environment", environment.into()),
            ("labels", labels.collect::<Map>().into()),
        ])
    }
}

/// All machines of a snapshot, by name.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    nodes: BTreeMap<Certname, Arc<Node>>,
    mentions: Arc<Mentions>,
}

impl Inventory {
    /// Reads `inventory/RESELLER/CUSTOMER.toml`. `labels` are the labels that nodes may have. A node with an error is
    /// not in the inventory.
    pub fn read(snapshot: &Snapshot, labels: &BTreeSet<Arc<str>>) -> (Self, Vec<Diagnostic>) {
        let mut reader = reader::InventoryReader::new(labels);
        for (path, file) in snapshot.under(FOLDER) {
            let (document, problems) = Document::parse(path, file.bytes(), None);
            reader.problems.extend(problems);
            reader.file(path, &document);
        }
        (Self { nodes: reader.nodes, mentions: Arc::new(reader.mentions) }, reader.problems)
    }

    /// A node by its name.
    pub fn get(&self, certname: &Certname) -> Option<&Arc<Node>> {
        self.nodes.get(certname)
    }

    /// The names in entries with errors: they are not nodes, but not misspelled either.
    pub fn mentions(&self) -> &Mentions {
        &self.mentions
    }

    /// All nodes, in the order of their names.
    pub fn nodes(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes.values()
    }
}
