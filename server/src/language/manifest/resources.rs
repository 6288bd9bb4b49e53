//! Reads resource blocks, `[TYPE."NAME"]`, and separates attributes from metaparameters.

use holdfast_catalog::manifest_words::METAPARAMETERS;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::resource::{AttributeKind, TypeDef};
use holdfast_catalog::synonym;
use holdfast_catalog::value::{Kind, Value};

use super::reading::ReadContext;
use super::{Block, Relation, RelationWord, unknown};
use crate::diagnostic::{Code, Diagnostic};
use crate::language::document::{DocumentEntry, ItemContent, Table, TableForm};
use crate::language::name::is_name;

pub(super) fn read(reading: &mut ReadContext<'_>, entry: &DocumentEntry) -> Vec<Block> {
    if !check_type(reading, entry) {
        return Vec::new();
    }
    let Some(table) = reading.table(entry, "a table of resources") else { return Vec::new() };
    table.entries.iter().filter_map(|named| read_block(reading, entry, named)).collect()
}

/// Checks whether the key of a table can be the name of a type or define. Which defines exist is not known here.
pub(super) fn check_type(reading: &mut ReadContext<'_>, entry: &DocumentEntry) -> bool {
    let ok = TypeDef::find(&entry.key).is_some() || (entry.key.contains("::") && is_name(&entry.key));
    if !ok {
        let message = format!("`{}` is neither a resource type nor a name of a define", entry.key);
        let types = holdfast_catalog::resource::definitions().iter().map(|def| def.name);
        let problem = Diagnostic::error(Code::UnknownType, message, Origin::clone(&entry.key_origin));
        reading.problems.push(match synonym::of_type(&entry.key) {
            Some(advice) => problem.help(advice),
            None => problem.did_you_mean(&entry.key, types),
        });
    }
    ok
}

fn read_block(
    reading: &mut ReadContext<'_>,
    type_entry: &DocumentEntry,
    entry: &DocumentEntry,
) -> Option<Block> {
    let ItemContent::Table(table, form) = &entry.item.content else {
        let problem = entry.item.not(&entry.key, "a resource's table");
        let help = format!("a resource has a name: [{}.NAME]", quoted(&type_entry.key));
        reading.problems.push(problem.help(help));
        return None;
    };
    if *form == TableForm::Dotted && splits_a_name(&type_entry.key, table) {
        let rest = table.entries.first().map(|inner| &*inner.key).unwrap_or_default();
        let message = format!("`{}` and `{rest}` look like one name, split at its dot", entry.key);
        reading.problems.push(
            Diagnostic::error(Code::SplitName, message, Origin::clone(&entry.key_origin)).help(format!(
                "a name with dots is quoted: [{}.\"{}.{rest}\"]",
                quoted(&type_entry.key),
                entry.key
            )),
        );
        return None;
    }
    let name = Value::from(entry.key.clone()).at(entry.key_origin.clone());
    let mut block = Block {
        type_name: type_entry.key.clone(),
        type_origin: type_entry.key_origin.clone(),
        name: entry.key.clone(),
        name_formula: reading.formula(&name)?,
        origin: if *form == TableForm::Header { entry.item.origin.clone() } else { entry.key_origin.clone() },
        title: None,
        when: None,
        for_each: None,
        splat: None,
        relations: Vec::new(),
        tag: None,
        attributes: Vec::new(),
        meant: Vec::new(),
    };
    if let Some(def) = TypeDef::find(&type_entry.key) {
        let is_unknown =
            |entry: &&DocumentEntry| !METAPARAMETERS.contains(&&*entry.key) && !unknown::has(def, &entry.key);
        block.meant =
            unknown::tell(reading, def, &table.entries.iter().filter(is_unknown).collect::<Vec<_>>());
    }
    let mut is_clear = true;
    for attribute in &table.entries {
        let is_read = read_attribute(reading, &mut block, attribute);
        is_clear &= is_read || !DECISIVE.contains(&&*attribute.key);
    }
    reading.has_left_out |= !is_clear;
    is_clear.then_some(block)
}

/// Whether a block has no header of its own and contains only headers that are not attributes, as in
/// `[package.python3.11]`.
fn splits_a_name(type_name: &str, table: &Table) -> bool {
    let known = |name: &str| TypeDef::find(type_name).is_none_or(|def| def.attribute(name).is_some());
    let is_header = |entry: &DocumentEntry| matches!(&entry.item.content, ItemContent::Table(_, form) if *form != TableForm::Inline);
    !table.entries.is_empty() && table.entries.iter().all(|entry| is_header(entry) && !known(&entry.key))
}

/// The keys that decide which resources a block declares: without them, it would declare others.
const DECISIVE: [&str; 3] = ["title", "when", "for_each"];

/// Reads an attribute into a block; returns false if it cannot be read.
fn read_attribute(reading: &mut ReadContext<'_>, block: &mut Block, entry: &DocumentEntry) -> bool {
    let is_meta = METAPARAMETERS.contains(&&*entry.key);
    if !is_meta && !check_attribute(reading, &block.type_name, entry) {
        return false;
    }
    let Some(binding) = reading.binding(entry) else { return false };
    match &*entry.key {
        "title" => block.title = Some(binding),
        "when" => block.when = Some(binding),
        "for_each" => block.for_each = Some(binding),
        "*" => block.splat = Some(binding),
        "tag" => block.tag = Some(binding),
        key => match RelationWord::named(key) {
            Some(word) => block.relations.push(Relation { word, to: binding }),
            None => block.attributes.push(binding),
        },
    }
    true
}

/// Checks whether a type has such an attribute and whether its value is written correctly. The parameters of a define
/// are not known here.
pub(super) fn check_attribute(reading: &mut ReadContext<'_>, type_name: &str, entry: &DocumentEntry) -> bool {
    let Some(def) = TypeDef::find(type_name) else { return true };
    if let Some(attribute) = def.attribute(&entry.key) {
        check_number(reading, attribute.kind, entry);
        check_sub_table(reading, def, entry);
        return true;
    }
    unknown::has(def, &entry.key)
}

/// Reports numbers where a text is meant, since TOML changes them: `version = 2.10` is 2.1, and `mode = 0o644` is 420.
fn check_number(reading: &mut ReadContext<'_>, kind: AttributeKind, entry: &DocumentEntry) {
    let takes_numbers = matches!(
        kind,
        AttributeKind::Integer { .. }
            | AttributeKind::TextOrInteger
            | AttributeKind::Duration
            | AttributeKind::List(_)
            | AttributeKind::TextMap
            | AttributeKind::BooleanOrInteger { .. }
            | AttributeKind::Setting
            | AttributeKind::Bytes
    );
    if takes_numbers || !matches!(&entry.item.content, ItemContent::Scalar(Kind::Int(_) | Kind::Float(_))) {
        return;
    }
    let origin = &entry.item.origin;
    let written = reading.document.text.get(origin.start as usize..origin.end as usize).unwrap_or_default();
    let digits = written.strip_prefix("0o").map_or(written.to_owned(), |octal| format!("{octal:0>4}"));
    let problem = entry.item.not(&entry.key, &kind.to_string());
    reading.problems.push(problem.help(format!("quote it: {} = \"{digits}\"", entry.key)));
}

/// Reports words of the type in a table such as `[exec.x.environment]`: everything after that header belongs to the
/// table, even an attribute of the resource.
fn check_sub_table(reading: &mut ReadContext<'_>, def: &TypeDef, entry: &DocumentEntry) {
    let ItemContent::Table(table, TableForm::Header) = &entry.item.content else { return };
    let is_word = |name: &str| def.attribute(name).is_some() || METAPARAMETERS.contains(&name);
    for inner in table.entries.iter().filter(|inner| is_word(&inner.key)) {
        let message = format!("`{}` belongs to `{}` here, not to the resource", inner.key, entry.key);
        reading.problems.push(
            Diagnostic::warning(Code::InSubTable, message, Origin::clone(&inner.key_origin))
                .help(format!("write it above the header of `{}`", entry.key)),
        );
    }
}

fn quoted(type_name: &str) -> String {
    if type_name.contains("::") { format!("\"{type_name}\"") } else { type_name.to_owned() }
}
