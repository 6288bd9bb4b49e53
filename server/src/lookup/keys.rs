//! `hieradata/keys.toml`: the keys that `lookup()` may read, with their type, merge and doc.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast_catalog::manifest_words::Keyword;
use holdfast_catalog::origin::Origin;

use crate::diagnostic::{Code, Diagnostic};
use crate::language::document::{Document, DocumentEntry, unknown_key};
use crate::language::manifest::read_type;
use crate::language::merge::Merge;
use crate::language::name::is_segment;
use crate::language::types::Type;
use crate::modules::Modules;
use crate::repo::Snapshot;

/// The file that declares keys.
pub const FILE: &str = "hieradata/keys.toml";

/// The keys in the declaration of a key.
pub const KEY_WORDS: &[Keyword; 3] = &[
    Keyword::new("type", "a type", "The type of its values."),
    Keyword::new("merge", "a strategy, or a table with options", "How values of several levels become one."),
    Keyword::new("doc", "a string", "What it is for, in one sentence."),
];
const WORDS: [&str; 3] = Keyword::names(KEY_WORDS);

/// A declared key.
#[derive(Debug, Clone)]
pub struct DeclaredKey {
    /// The type of its values.
    pub of: Type,
    /// How values of several levels become one.
    pub merge: Merge,
    pub doc: Option<Arc<str>>,
    /// The place of the declaration.
    pub origin: Arc<Origin>,
}

pub(super) type DeclaredKeys = BTreeMap<Arc<str>, DeclaredKey>;

pub(super) fn read(snapshot: &Snapshot, modules: &Modules) -> (DeclaredKeys, Vec<Diagnostic>) {
    let Some(file) = snapshot.get(FILE) else { return (DeclaredKeys::new(), Vec::new()) };
    let (document, mut problems) = Document::parse(&FILE.into(), file.bytes(), None);
    let mut keys = DeclaredKeys::new();
    for entry in &document.root.entries {
        let taken = modules.is_namespace(&entry.key) || &*entry.key == "holdfast";
        if taken || !is_segment(&entry.key) {
            let message = match taken {
                true => {
                    format!("`{}` cannot be a key: the name belongs to a module or to Holdfast", entry.key)
                }
                false => format!("`{}` is not a valid key name", entry.key),
            };
            problems.push(
                Diagnostic::error(Code::BadName, message, Origin::clone(&entry.key_origin))
                    .help("use lower-case letters, digits and `_`, and no module's name"),
            );
            continue;
        }
        if let Some(key) = read_key(entry, &document, modules, &mut problems) {
            keys.insert(entry.key.clone(), key);
        }
    }
    (keys, problems)
}

fn read_key(
    entry: &DocumentEntry,
    document: &Document,
    modules: &Modules,
    problems: &mut Vec<Diagnostic>,
) -> Option<DeclaredKey> {
    let Some(table) = entry.item.as_table() else {
        problems.push(entry.item.not(&entry.key, "a table with type, merge and doc"));
        return None;
    };
    for unknown in table.entries.iter().filter(|e| !WORDS.contains(&&*e.key)) {
        problems.push(unknown_key(unknown, "a declared key", WORDS, &[]));
    }
    let doc = table.get("doc").and_then(|doc| {
        let text = doc.item.as_str();
        if text.is_none() {
            problems.push(doc.item.not("doc", "a string"));
        }
        text.cloned()
    });
    let merge = table.get("merge").map(|merge| Merge::read(&merge.item, problems)).unwrap_or_default();
    let Some(of) = table.get("type") else {
        let message = format!("key `{}` has no `type`", entry.key);
        problems.push(
            Diagnostic::error(Code::MissingKey, message, Origin::clone(&entry.key_origin))
                .help("write type = \"String\", or Array[…], Hash[…], …"),
        );
        return None;
    };
    let origin = &of.item.origin;
    let (of, _) = read_type(&of.item, document, problems)?;
    problems.extend(modules.unknown_defines(&of, origin));
    problems.extend(table.get("merge").and_then(|written| merge.misfit(&of, &written.item.origin)));
    Some(DeclaredKey { of, merge, doc, origin: entry.key_origin.clone() })
}
