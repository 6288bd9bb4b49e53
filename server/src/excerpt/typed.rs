//! Finds what must not be shown of a file that can be parsed, by the types that its keys refer to.

use std::sync::Arc;

use holdfast_catalog::value::Kind;

use super::masked::{HiddenReason, HiddenSpan};
use crate::language::document::{Document, DocumentEntry, Item, ItemContent, Table, TableForm};
use crate::language::name::is_segment;
use crate::language::types::{NoAlternative, Type};
use crate::lookup::{DataTree, KEY_WORDS};
use crate::modules::Modules;

mod manifest;

pub(super) use manifest::in_manifest;

/// The table of a data file that contains settings instead of values.
const SETTINGS: &str = "holdfast";

/// What is or may be secret in a data file.
pub(super) fn in_data(document: &Document, data: &DataTree) -> Vec<HiddenSpan> {
    let mut hiding = ValueMasker::new(document, data.modules());
    for entry in &document.root.entries {
        match data.key(&entry.key) {
            Some(key) => hiding.typed(&key.of, &entry.item),
            None if &*entry.key == SETTINGS => hiding.settings(&entry.item),
            None => hiding.below(&entry.key, entry),
        }
    }
    hiding.hidden
}

/// What in `hieradata/keys.toml` is not part of a declaration.
pub(super) fn in_keys(document: &Document, modules: &Modules) -> Vec<HiddenSpan> {
    let mut hiding = ValueMasker::new(document, modules);
    let is_word = |entry: &DocumentEntry| KEY_WORDS.iter().any(|word| word.name == &*entry.key);
    for entry in &document.root.entries {
        match entry.item.as_table() {
            Some(table) => table
                .entries
                .iter()
                .filter(|entry| !is_word(entry))
                .for_each(|entry| hiding.hide(&entry.item, HiddenReason::Unknown)),
            None => hiding.hide(&entry.item, HiddenReason::Unknown),
        }
    }
    hiding.hidden
}

/// Hides the values of one file.
struct ValueMasker<'a> {
    document: &'a Document,
    modules: &'a Modules,
    hidden: Vec<HiddenSpan>,
    /// In a manifest, the names that its expressions may use.
    names: Vec<Arc<str>>,
    /// The names among them that are used to make a secret.
    flows: Vec<Arc<str>>,
}

impl<'a> ValueMasker<'a> {
    fn new(document: &'a Document, modules: &'a Modules) -> Self {
        Self { document, modules, hidden: Vec::new(), names: Vec::new(), flows: Vec::new() }
    }

    /// Hides what is below the name of a class, or below a prefix of one.
    fn below(&mut self, name: &str, entry: &DocumentEntry) {
        let Some(table) = entry.item.as_table().filter(|_| self.modules.is_namespace(name)) else {
            return self.hide(&entry.item, HiddenReason::Unknown);
        };
        for entry in &table.entries {
            let below = format!("{name}::{}", entry.key);
            if is_segment(&entry.key) && self.modules.is_namespace(&below) {
                self.below(&below, entry);
                continue;
            }
            let modules = self.modules;
            match modules.class(name).and_then(|class| class.parameter(&entry.key)) {
                Some(parameter) => self.typed(&parameter.of, &entry.item),
                None => self.hide(&entry.item, HiddenReason::Unknown),
            }
        }
    }

    /// Hides what is not expected in `[holdfast]`: it may be in the wrong place.
    fn settings(&mut self, item: &Item) {
        let Some(table) = item.as_table() else { return self.hide(item, HiddenReason::Unknown) };
        for entry in &table.entries {
            let words = matches!((&*entry.key, &entry.item.content), ("policy", ItemContent::Scalar(_)))
                || (&*entry.key == "policies" && entry.item.as_table().is_some());
            if !words {
                self.hide(&entry.item, HiddenReason::Unknown);
            }
        }
    }

    /// Hides a value with a type. [`Type::sealed`] follows the same rule for values.
    fn typed(&mut self, of: &Type, item: &Item) {
        if !of.holds_secrets(self.modules) {
            return;
        }
        match (of, &item.content) {
            (Type::Optional(inner) | Type::NotUndef(inner), _) => self.typed(inner, item),
            (Type::Array(inner, _), ItemContent::List(items)) => {
                items.iter().for_each(|item| self.typed(inner, item));
            }
            (Type::Tuple(types), ItemContent::List(items)) => {
                let values: Vec<_> = items.iter().map(Item::to_value).collect();
                match Type::are_in_order(types, &values, self.modules) {
                    true => types.iter().zip(items).for_each(|(inner, item)| self.typed(inner, item)),
                    false => self.hide(item, HiddenReason::Secret),
                }
            }
            (Type::Hash(types, _), ItemContent::Table(table, _)) => {
                table.entries.iter().for_each(|entry| self.typed(&types[1], &entry.item));
            }
            (Type::Struct(fields), ItemContent::Table(table, _)) => {
                self.entries(table, &|key| fields.iter().find(|field| &*field.name == key).map(|f| &f.of));
            }
            (Type::Define(name), ItemContent::Table(table, _)) => match self.modules.get(name) {
                Some(define) => self.entries(table, &|key| define.parameter(key).map(|p| &p.of)),
                None => self.hide(item, HiddenReason::Unknown),
            },
            (Type::Variant(types), _) => {
                match Type::secret_alternatives(types, &item.to_value(), self.modules) {
                    Ok(secret) => secret.into_iter().for_each(|inner| self.typed(inner, item)),
                    Err(NoAlternative) => self.hide(item, HiddenReason::Secret),
                }
            }
            _ => self.hide(item, HiddenReason::Secret),
        }
    }

    /// Hides entries of which some are secret. An unknown entry may be one of those, misspelled.
    fn entries<'t>(&mut self, table: &Table, of: &dyn Fn(&str) -> Option<&'t Type>) {
        for entry in &table.entries {
            match of(&entry.key) {
                Some(of) => self.typed(of, &entry.item),
                None => self.hide(&entry.item, HiddenReason::Unknown),
            }
        }
    }

    /// Hides a value with everything in it; headers and keys are shown.
    fn hide(&mut self, item: &Item, why: HiddenReason) {
        let is_header = |item: &Item| {
            matches!(item.content, ItemContent::Table(_, TableForm::Header | TableForm::Dotted))
        };
        match &item.content {
            ItemContent::Table(table, _) if is_header(item) => {
                for entry in &table.entries {
                    if why == HiddenReason::Secret {
                        // In place of a scalar, the keys may be what was meant.
                        let origin = &entry.key_origin;
                        self.hidden
                            .push(HiddenSpan { span: origin.start as usize..origin.end as usize, why });
                    }
                    self.hide(&entry.item, why);
                }
            }
            ItemContent::List(items) if !items.is_empty() && items.iter().all(is_header) => {
                items.iter().for_each(|item| self.hide(item, why));
            }
            _ if self.passes_on(item) => {}
            _ => self
                .hidden
                .push(HiddenSpan { span: item.origin.start as usize..item.origin.end as usize, why }),
        }
    }

    /// Whether a text in a manifest is only a name, such as `${password}`: its value is secret, but the name is not.
    /// Records which names are used to make a secret.
    fn passes_on(&mut self, item: &Item) -> bool {
        if self.names.is_empty() {
            return false;
        }
        let (start, end) = (item.origin.start as usize, item.origin.end as usize);
        let raw = self.document.text.get(start..end).unwrap_or_default();
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        for word in raw.split(|c| !is_word(c)) {
            let name = self.names.iter().find(|name| &***name == word);
            if let Some(name) = name.filter(|name| !self.flows.contains(*name)).cloned() {
                self.flows.push(name);
            }
        }
        let ItemContent::Scalar(Kind::String(text)) = &item.content else { return false };
        let inner = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        inner.is_some_and(|inner| {
            let first = inner.split('.').next().unwrap_or_default();
            inner.chars().all(|c| is_word(c) || c == '.') && self.names.iter().any(|name| &**name == first)
        })
    }
}
