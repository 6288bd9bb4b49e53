//! Finds what is secret in a manifest: defaults of parameters with a secret type, values that are given to secrets of
//! classes, defines and resources, and the `let`s, defaults and loops that such values are made from.

use std::sync::Arc;

use holdfast_catalog::resource::{AttributeDef, AttributeKind, TypeDef, definitions};
use holdfast_catalog::value::Kind;

use super::ValueMasker;
use crate::excerpt::masked::{HiddenReason, HiddenSpan};
use crate::language::document::{Document, DocumentEntry, Item, ItemContent};
use crate::language::keyword::{TOP, may_be_secret};
use crate::language::manifest::Manifest;
use crate::language::types::Type;
use crate::modules::Modules;

/// Everything that must not be shown of a manifest.
pub(in crate::excerpt) fn in_manifest(document: &Document, modules: &Modules) -> Vec<HiddenSpan> {
    let named = |key: &str| document.root.get(key).and_then(|entry| entry.item.as_table());
    let parameters = named("parameters").map(|table| &table.entries[..]).unwrap_or_default();
    let lets = named("let").map(|table| &table.entries[..]).unwrap_or_default();
    let own = parameters.iter().chain(lets).map(|entry| entry.key.clone());
    let mut hiding = ValueMasker::new(document, modules);
    hiding.names = own.chain(["each", "title", "node", "facts"].map(Arc::from)).collect();
    loop {
        let known = hiding.flows.len();
        hiding.hidden.clear();
        for entry in &document.root.entries {
            hiding.top_level(entry);
        }
        if hiding.flows.len() == known {
            let secret = secret_names(parameters, lets, modules);
            hiding.compared(&document.root.entries, &secret);
            return hiding.hidden;
        }
    }
}

/// The parameters with a secret type, and the names made from them.
fn secret_names(parameters: &[DocumentEntry], lets: &[DocumentEntry], modules: &Modules) -> Vec<Arc<str>> {
    let is_secret = |entry: &&DocumentEntry| {
        let of = entry.item.as_table().and_then(|table| table.get("type"));
        let of = of.and_then(|of| Type::parse(of.item.as_str()?).ok());
        of.is_none_or(|of| of.holds_secrets(modules))
    };
    let mut names: Vec<_> = parameters.iter().filter(is_secret).map(|entry| entry.key.clone()).collect();
    loop {
        let made = |entry: &&DocumentEntry| {
            !names.contains(&entry.key) && entry.item.as_str().is_some_and(|text| mentions(text, &names))
        };
        let more: Vec<_> = lets.iter().filter(made).map(|entry| entry.key.clone()).collect();
        if more.is_empty() {
            return names;
        }
        names.extend(more);
    }
}

/// Whether an expression in a text uses one of these names.
fn mentions(text: &str, names: &[Arc<str>]) -> bool {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    text.contains("${") && words.any(|word| names.iter().any(|name| **name == *word))
}

/// The keys that refer to other resources.
const REFERENCES: [&str; 5] = ["require", "before", "notify", "subscribe", "tag"];

/// Whether anything else takes a secret by this name: a block that has lost its header is below the header of another.
fn takes_secrets_elsewhere(name: &str, modules: &Modules) -> bool {
    let of_types = definitions().iter().filter_map(|def| def.attribute(name));
    let of_modules = modules.manifests().filter_map(|manifest| manifest.parameter(name));
    of_types.into_iter().any(|attribute| may_be_secret(attribute.kind))
        || of_modules.into_iter().any(|parameter| parameter.of.holds_secrets(modules))
}

/// What the values of a block are given to.
#[derive(Clone, Copy)]
enum BlockTarget<'a> {
    Resource(&'static TypeDef),
    Manifest(&'a Manifest),
    Nobody,
}

impl BlockTarget<'_> {
    fn holds_secrets(self, modules: &Modules) -> bool {
        match self {
            Self::Resource(def) => def.attributes.iter().any(|attribute| may_be_secret(attribute.kind)),
            Self::Manifest(manifest) => manifest.parameters.iter().any(|p| p.of.holds_secrets(modules)),
            Self::Nobody => true,
        }
    }
}

impl<'a> ValueMasker<'a> {
    fn top_level(&mut self, entry: &DocumentEntry) {
        match (&*entry.key, entry.item.as_table()) {
            ("parameters", Some(table)) => table.entries.iter().for_each(|entry| self.parameter(entry)),
            ("let", Some(table)) => {
                let flows = self.flows.clone();
                let secret = table.entries.iter().filter(|entry| flows.contains(&entry.key));
                secret.for_each(|entry| self.hide(&entry.item, HiddenReason::Secret));
            }
            ("class", Some(table)) => {
                for entry in &table.entries {
                    let class = self.modules.class(&entry.key);
                    self.block(
                        class.map_or(BlockTarget::Nobody, |class| BlockTarget::Manifest(class)),
                        &entry.item,
                    );
                }
            }
            ("defaults", Some(table)) => {
                table.entries.iter().for_each(|entry| self.block(self.taker(&entry.key), &entry.item));
            }
            (key, _) if TOP.iter().any(|word| word.name == key) => {}
            (key, Some(table)) => {
                let taker = self.taker(key);
                table.entries.iter().for_each(|entry| self.block(taker, &entry.item));
            }
            (_, None) => self.hide(&entry.item, HiddenReason::Unknown),
        }
    }

    fn taker(&self, word: &str) -> BlockTarget<'a> {
        match TypeDef::find(word) {
            Some(def) => BlockTarget::Resource(def),
            None => {
                self.modules.define(word).map_or(BlockTarget::Nobody, |define| BlockTarget::Manifest(define))
            }
        }
    }

    fn parameter(&mut self, entry: &DocumentEntry) {
        let Some(table) = entry.item.as_table() else {
            // A key of the top level that is below the header by mistake contains no secret.
            if TOP.iter().all(|word| word.name != &*entry.key) {
                self.hide(&entry.item, HiddenReason::Unknown);
            }
            return;
        };
        let of = table.get("type").and_then(|of| Type::parse(of.item.as_str()?).ok());
        for word in &table.entries {
            match &*word.key {
                "type" | "doc" | "merge" => {}
                "default" if self.flows.contains(&entry.key) => self.hide(&word.item, HiddenReason::Secret),
                key => match &of {
                    Some(of) if key == "default" || !of.holds_secrets(self.modules) => {
                        self.typed(of, &word.item);
                    }
                    _ => self.hide(&word.item, HiddenReason::Unknown),
                },
            }
        }
    }

    /// Hides texts with a literal beside a secret, wherever they are: the secret may be compared with it.
    fn compared(&mut self, entries: &[DocumentEntry], secret: &[Arc<str>]) {
        for entry in entries {
            match REFERENCES.contains(&&*entry.key) {
                true => self.named(&entry.item, secret),
                false => self.compared_item(&entry.item, secret),
            }
        }
    }

    /// Hides references that contain a secret, since their title has text beside it.
    fn named(&mut self, item: &Item, secret: &[Arc<str>]) {
        match &item.content {
            ItemContent::List(items) => items.iter().for_each(|item| self.named(item, secret)),
            ItemContent::Scalar(Kind::String(text)) if mentions(text, secret) => {
                self.hide(item, HiddenReason::Secret);
            }
            ItemContent::Table(..) | ItemContent::Scalar(_) => self.compared_item(item, secret),
        }
    }

    fn compared_item(&mut self, item: &Item, secret: &[Arc<str>]) {
        match &item.content {
            ItemContent::Table(table, _) => self.compared(&table.entries, secret),
            ItemContent::List(items) => items.iter().for_each(|item| self.compared_item(item, secret)),
            ItemContent::Scalar(Kind::String(text))
                if text.contains(['\'', '"']) && mentions(text, secret) =>
            {
                let span = item.origin.start as usize..item.origin.end as usize;
                self.hidden.push(HiddenSpan { span, why: HiddenReason::Secret });
            }
            ItemContent::Scalar(_) => {}
        }
    }

    /// Hides secrets among the attributes of a resource, or the parameters of a class or define.
    fn block(&mut self, taker: BlockTarget<'_>, item: &Item) {
        let ItemContent::Table(table, _) = &item.content else {
            return self.hide(item, HiddenReason::Unknown);
        };
        for entry in &table.entries {
            match &*entry.key {
                "*" => self.spread(taker, &entry.item),
                "for_each" => {
                    if taker.holds_secrets(self.modules) {
                        self.hide(&entry.item, HiddenReason::Unknown);
                    }
                }
                "title" | "when" | "require" | "before" | "notify" | "subscribe" | "tag" => {}
                _ => self.given(taker, entry),
            }
        }
    }

    fn spread(&mut self, taker: BlockTarget<'_>, item: &Item) {
        match item.as_table() {
            Some(table) => table.entries.iter().for_each(|entry| self.given(taker, entry)),
            None if taker.holds_secrets(self.modules) => self.hide(item, HiddenReason::Unknown),
            None => {}
        }
    }

    fn given(&mut self, taker: BlockTarget<'_>, entry: &DocumentEntry) {
        let modules = self.modules;
        match taker {
            BlockTarget::Manifest(manifest) => match manifest.parameter(&entry.key) {
                Some(parameter) => self.typed(&parameter.of, &entry.item),
                None if taker.holds_secrets(modules) => self.hide(&entry.item, HiddenReason::Unknown),
                None if takes_secrets_elsewhere(&entry.key, modules) => {
                    self.hide(&entry.item, HiddenReason::Unknown);
                }
                None => {}
            },
            BlockTarget::Resource(def) => match def.attribute(&entry.key) {
                Some(AttributeDef { kind: AttributeKind::TextMap, .. }) => match entry.item.as_table() {
                    Some(table) => {
                        table.entries.iter().for_each(|entry| self.hide(&entry.item, HiddenReason::Unknown));
                    }
                    None => self.hide(&entry.item, HiddenReason::Unknown),
                },
                Some(attribute) if may_be_secret(attribute.kind) => {
                    self.hide(&entry.item, HiddenReason::Unknown);
                }
                Some(_) => {}
                None if taker.holds_secrets(modules) => self.hide(&entry.item, HiddenReason::Unknown),
                None if takes_secrets_elsewhere(&entry.key, modules) => {
                    self.hide(&entry.item, HiddenReason::Unknown);
                }
                None => {}
            },
            BlockTarget::Nobody => self.hide(&entry.item, HiddenReason::Unknown),
        }
    }
}
