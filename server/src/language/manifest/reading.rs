//! What is needed to read a manifest, whichever part is being read.

use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::Value;

use super::Binding;
use crate::diagnostic::{Code, Diagnostic};
use crate::language::document::{Document, DocumentEntry, Item, Table};
use crate::language::fault::Fault;
use crate::language::formula::Formula;
use crate::language::types::Type;

/// The document that is being read, and the problems so far.
pub(super) struct ReadContext<'a> {
    pub document: &'a Document,
    pub problems: Vec<Diagnostic>,
    /// Whether a block was left out because it is unknown which resources it declares.
    pub has_left_out: bool,
}

impl ReadContext<'_> {
    /// A name and its parsed value.
    pub(super) fn binding(&mut self, entry: &DocumentEntry) -> Option<Binding> {
        Some(Binding {
            name: entry.key.clone(),
            key_origin: entry.key_origin.clone(),
            origin: entry.item.origin.clone(),
            value: self.item(&entry.item)?,
        })
    }

    /// Parses a value, as written.
    pub(super) fn item(&mut self, item: &Item) -> Option<Formula> {
        self.read(Formula::of_item(item))
    }

    pub(super) fn formula(&mut self, value: &Value) -> Option<Formula> {
        self.read(Formula::parse(value))
    }

    fn read(&mut self, formula: Result<Formula, Vec<Fault>>) -> Option<Formula> {
        let text = &self.document.text;
        let problems = match formula {
            Ok(formula) => return Some(formula),
            Err(faults) => faults.into_iter().map(|fault| fault.diagnostic(Some(text))),
        };
        self.problems.extend(problems);
        None
    }

    pub(super) fn table<'e>(&mut self, entry: &'e DocumentEntry, wanted: &str) -> Option<&'e Table> {
        let table = entry.item.as_table();
        if table.is_none() {
            self.problems.push(entry.item.not(&entry.key, wanted));
        }
        table
    }

    pub(super) fn text(&mut self, entry: &DocumentEntry) -> Option<Arc<str>> {
        let text = entry.item.as_str();
        if text.is_none() {
            self.problems.push(entry.item.not(&entry.key, "a string"));
        }
        text.cloned()
    }

    pub(super) fn later(&mut self, entry: &DocumentEntry) {
        let message = format!("`{}` is not supported in this version", entry.key);
        self.problems.push(Diagnostic::error(Code::Unsupported, message, Origin::clone(&entry.key_origin)));
    }
}

/// Reads the type under the key `type`, with its text.
pub(crate) fn read_type(
    item: &Item,
    document: &Document,
    problems: &mut Vec<Diagnostic>,
) -> Option<(Type, Arc<str>)> {
    let Some(text) = item.as_str() else {
        problems.push(item.not("type", "a string such as \"Integer[1, 10]\""));
        return None;
    };
    match Type::parse(text) {
        Ok(of) => Some((of, text.clone())),
        Err(fault) => {
            problems.push(fault.within(Some(&item.origin)).diagnostic(Some(&document.text)));
            None
        }
    }
}
