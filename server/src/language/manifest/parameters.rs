//! `[parameters]`, inline or as tables of their own.

use std::sync::Arc;

use holdfast_catalog::manifest_words::{Keyword, METAPARAMETERS, RESERVED};
use holdfast_catalog::origin::Origin;

use super::reading::{ReadContext, read_type};
use super::{ManifestKind, Parameter};
use crate::diagnostic::{Code, Diagnostic};
use crate::language::document::{DocumentEntry, Table, unknown_key};
use crate::language::keyword::{PARAMETER, TOP_NAMES};
use crate::language::merge::Merge;
use crate::language::name::is_segment;
use crate::language::types::Type;

const KEYS: [&str; 4] = Keyword::names(PARAMETER);
const LATER: [&str; 4] = ["secret", "deprecated", "renamed_from", "set_by"];

pub(super) fn read(
    reading: &mut ReadContext<'_>,
    entry: &DocumentEntry,
    kind: ManifestKind,
) -> Vec<Parameter> {
    let Some(table) = reading.table(entry, "a table of parameters") else { return Vec::new() };
    table.entries.iter().filter_map(|entry| read_one(reading, entry, kind)).collect()
}

fn read_one(reading: &mut ReadContext<'_>, entry: &DocumentEntry, kind: ManifestKind) -> Option<Parameter> {
    let Some(table) = entry.item.as_table() else {
        let problem = entry.item.not(&entry.key, "a parameter: { type = \"…\", doc = \"…\" }");
        reading.problems.push(if TOP_NAMES.contains(&&*entry.key) {
            problem.help(format!(
                "in TOML everything that follows [parameters] belongs to it; move `{}` above the first header",
                entry.key
            ))
        } else {
            problem
        });
        return None;
    };
    check_name(reading, entry);
    for other in table.entries.iter().filter(|e| !KEYS.contains(&&*e.key)) {
        if LATER.contains(&&*other.key) {
            reading.later(other);
        } else {
            reading.problems.push(unknown_key(other, "a parameter", KEYS, &TOP_NAMES));
        }
    }
    let merge = merge_of(reading, table, kind);
    let doc = table.get("doc").and_then(|doc| reading.text(doc));
    let default = table.get("default").map(|default| reading.item(&default.item));
    let (of, type_text) = type_of(reading, entry, table);
    if let Some(written) = table.get("merge").filter(|_| kind == ManifestKind::Class) {
        reading.problems.extend(merge.misfit(&of, &written.item.origin));
    }
    let (name, origin) = (entry.key.clone(), entry.key_origin.clone());
    Some(Parameter { name, origin, of, type_text, default: default.flatten(), merge, doc })
}

/// Reads the type of a parameter. If it is missing or wrong, that is reported and the parameter is kept, so that its
/// uses are not errors.
fn type_of(reading: &mut ReadContext<'_>, entry: &DocumentEntry, table: &Table) -> (Type, Arc<str>) {
    let read = match table.get("type") {
        Some(of) => read_type(&of.item, reading.document, &mut reading.problems),
        None => {
            let message = format!("parameter `{}` has no `type`", entry.key);
            reading.problems.push(
                Diagnostic::error(Code::MissingKey, message, Origin::clone(&entry.key_origin))
                    .help("write type = \"String\", or Array[…], Optional[…], …"),
            );
            None
        }
    };
    read.unwrap_or((Type::Any, "Any".into()))
}

fn merge_of(reading: &mut ReadContext<'_>, table: &Table, kind: ManifestKind) -> Merge {
    let Some(entry) = table.get("merge") else { return Merge::First };
    let merge = Merge::read(&entry.item, &mut reading.problems);
    if kind == ManifestKind::Define && merge != Merge::First {
        reading.problems.push(
            Diagnostic::error(
                Code::BadValue,
                "a define's parameter has no `merge`: it is not looked up in data",
                Origin::clone(&entry.key_origin),
            )
            .help("set `merge` on the parameter of the class that declares the define"),
        );
    }
    merge
}

/// Whether a name can be used in an expression and has no other meaning there.
pub(super) fn check_name(reading: &mut ReadContext<'_>, entry: &DocumentEntry) -> bool {
    let word = &*entry.key;
    let taken = METAPARAMETERS.contains(&word) || RESERVED.contains(&word);
    if is_segment(word) && !taken {
        return true;
    }
    let message =
        if taken { format!("`{word}` is a reserved word") } else { format!("`{word}` is not a name") };
    reading
        .problems
        .push(Diagnostic::error(Code::BadName, message, Origin::clone(&entry.key_origin)).help(
            "use lower-case letters, digits and `_`, beginning with a letter, and not a reserved word",
        ));
    false
}
