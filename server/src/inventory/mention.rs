//! Names in inventory entries with errors. The errors are reported, and no data file of such a machine is reported as
//! leading nowhere in addition.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::language::document::{Document, Item, Table};

/// What the inventory names in addition to its nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mentions {
    /// The keys in the place of a node's name.
    pub nodes: BTreeSet<String>,
    pub roles: BTreeSet<String>,
    pub labels: BTreeMap<String, BTreeSet<String>>,
    /// Values for unknown labels; it is unknown which label was meant.
    pub any_label: BTreeSet<String>,
    /// The words in the paths of misplaced files.
    pub owners: BTreeSet<String>,
    /// Whether some of it cannot be read at all, so that it may name anything.
    pub is_open: bool,
}

impl Mentions {
    /// Records a file that is not in its place.
    pub(super) fn file(&mut self, path: &str) {
        let words = path.split('/').skip(1).map(|part| part.split('.').next().unwrap_or(part));
        self.owners.extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
    }

    /// Records everything in a file.
    pub(super) fn document(&mut self, document: &Document, declared: &BTreeSet<Arc<str>>) {
        document.root.entries.iter().for_each(|entry| self.entry(&entry.key, &entry.item, declared));
    }

    /// Records everything in the entry of a node.
    pub(super) fn entry(&mut self, name: &str, item: &Item, declared: &BTreeSet<Arc<str>>) {
        self.nodes.insert(name.to_owned());
        let Some(table) = item.as_table() else { return };
        if is_dotted(item) {
            // a name without quotes, which TOML reads as nested tables
            for inner in &table.entries {
                self.entry(&format!("{name}.{}", inner.key), &inner.item, declared);
            }
            return;
        }
        for entry in &table.entries {
            // by its content, since its key may be misspelled
            match entry.item.as_table() {
                Some(labels) => self.labels(labels, declared),
                None => {
                    self.roles.extend(scalar(&entry.item));
                    self.any_label.extend(scalar(&entry.item));
                }
            }
        }
    }

    fn labels(&mut self, table: &Table, declared: &BTreeSet<Arc<str>>) {
        for entry in &table.entries {
            let Some(value) = scalar(&entry.item) else { continue };
            match declared.contains(&entry.key) {
                true => drop(self.labels.entry(entry.key.to_string()).or_default().insert(value)),
                false => drop(self.any_label.insert(value)),
            }
        }
    }
}

/// A value as the text that it would be in a path.
fn scalar(item: &Item) -> Option<String> {
    item.to_value().scalar_text().map(|text| text.to_string())
}

/// Whether an item is a name without quotes, as in `[web1.acme.example]`: nested tables without headers of their own.
pub(super) fn is_dotted(item: &Item) -> bool {
    use crate::language::document::{ItemContent, TableForm};
    matches!(&item.content, ItemContent::Table(table, TableForm::Dotted)
        if table.entries.iter().all(|entry| entry.item.as_table().is_some()))
}
