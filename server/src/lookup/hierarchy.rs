//! `holdfast.toml`: the levels of the data, most specific first, and the other settings of a repository.

use std::collections::BTreeSet;
use std::sync::Arc;

use holdfast_catalog::manifest_words::Keyword;
use holdfast_catalog::origin::Origin;

use crate::diagnostic::{Code, Diagnostic};
use crate::language::document::{Document, DocumentEntry, Item, Table, unknown_key};
use crate::repo::Snapshot;

mod pattern;

pub use pattern::{FOLDER, Location, PathPattern, PathReading};

/// The settings file of a repository.
pub const FILE: &str = "holdfast.toml";

/// The content of [`FILE`], or its defaults.
#[derive(Debug, Clone)]
pub struct HierarchySettings {
    /// The hierarchy, most specific level first.
    pub levels: Vec<Level>,
    /// The labels that nodes may have.
    pub labels: BTreeSet<Arc<str>>,
    /// Whether every level could be read. If not, it is unknown whether a file that no level leads to is read.
    pub is_whole: bool,
}

/// A level of the hierarchy.
#[derive(Debug, Clone)]
pub struct Level {
    /// Its name, such as `customer`.
    pub name: Arc<str>,
    /// Its files below `hieradata/`, most specific first.
    pub paths: Vec<PathPattern>,
    pub writer: LevelWriter,
}

/// Who writes the files of a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LevelWriter {
    /// Operators: expressions may look up other keys.
    Operators,
    /// Tenants: expressions may use only `node.*` and `facts.*`.
    Tenants,
}

/// The default hierarchy.
pub const DEFAULT: &str = include_str!("hierarchy/default.toml");
/// The keys of [`FILE`].
pub const WORDS: &[Keyword; 2] = &[
    Keyword::new(
        "hierarchy",
        "`[[hierarchy]]` tables",
        "The levels of the data, most specific first, instead of the default ones.",
    ),
    Keyword::new("labels", "a list of names", "The labels that machines in the inventory may have."),
];
/// The keys of a level.
pub const LEVEL_WORDS: &[Keyword; 4] = &[
    Keyword::new("name", "a string", "The name of the level in explanations of values."),
    Keyword::new(
        "path",
        "a path below `hieradata/`",
        "Its file; can contain `${node.…}`, `${facts.…}`, `${profile}`.",
    ),
    Keyword::new("paths", "a list of such paths", "Several files instead of one, most specific first."),
    Keyword::new(
        "tenant",
        "true or false",
        "Whether tenants write it: expressions in it see only `node` and `facts`, and its path cannot contain a fact.",
    ),
];
const KEYS: [&str; 2] = Keyword::names(WORDS);
const LEVEL_KEYS: [&str; 4] = Keyword::names(LEVEL_WORDS);

impl HierarchySettings {
    /// Reads `holdfast.toml`. A repository without it has the default hierarchy and no labels.
    pub fn read(snapshot: &Snapshot) -> (Self, Vec<Diagnostic>) {
        let text: &[u8] = snapshot.get(FILE).map_or(b"", |file| file.bytes());
        let (document, mut problems) = Document::parse(&FILE.into(), text, None);
        for entry in document.root.entries.iter().filter(|e| !KEYS.contains(&&*e.key)) {
            problems.push(unknown_key(entry, FILE, KEYS, &[]));
        }
        // A part that cannot be read may have contained levels.
        let before = if document.root.get("hierarchy").is_some() { problems.len() } else { 0 };
        let levels = match document.root.get("hierarchy") {
            Some(entry) => read_levels(&entry.item, &mut problems),
            None => Self::default().levels,
        };
        let is_whole = problems.len() == before;
        let labels = document.root.get("labels").map(|e| read_labels(e, &mut problems)).unwrap_or_default();
        let paths = levels.iter().flat_map(|level| &level.paths);
        problems.extend(paths.flat_map(|path| undeclared_labels(path, &labels)));
        (Self { levels, labels, is_whole }, problems)
    }
}

/// The errors for labels in a path that no node can have.
fn undeclared_labels<'a>(
    path: &'a PathPattern,
    labels: &'a BTreeSet<Arc<str>>,
) -> impl Iterator<Item = Diagnostic> + 'a {
    path.labels().filter(|label| !labels.contains(*label)).map(|label| {
        let message = format!("label `{label}` is not declared, so no node has it");
        Diagnostic::error(Code::UnknownLabel, message, Origin::clone(&path.origin))
            .help(format!("declare it above the first [[hierarchy]]: labels = [\"{label}\"]"))
            .did_you_mean(label, labels.iter().map(|label| &**label))
    })
}

impl Default for HierarchySettings {
    fn default() -> Self {
        let (document, mut problems) = Document::parse(&FILE.into(), DEFAULT.as_bytes(), None);
        let levels = document.root.get("hierarchy").map(|entry| read_levels(&entry.item, &mut problems));
        Self { levels: levels.unwrap_or_default(), labels: BTreeSet::new(), is_whole: true }
    }
}

fn read_labels(entry: &DocumentEntry, problems: &mut Vec<Diagnostic>) -> BTreeSet<Arc<str>> {
    let words = entry.item.as_list().map(|list| list.iter().map(Item::as_str).collect::<Option<Vec<_>>>());
    match words {
        Some(Some(words)) => words.into_iter().cloned().collect(),
        _ => {
            problems.push(entry.item.not("labels", "a list of names"));
            BTreeSet::new()
        }
    }
}

fn read_levels(item: &Item, problems: &mut Vec<Diagnostic>) -> Vec<Level> {
    let Some(list) = item.as_list() else {
        problems.push(item.not("hierarchy", "a list of levels: [[hierarchy]]"));
        return Vec::new();
    };
    let mut levels: Vec<Level> = Vec::new();
    for item in list {
        let Some(table) = item.as_table() else {
            problems.push(item.not("hierarchy", "a list of tables"));
            continue;
        };
        let Some(level) = read_level(item, table, problems) else { continue };
        if levels.iter().any(|other| other.name == level.name) {
            let message = format!("level `{}` is listed twice", level.name);
            problems.push(Diagnostic::error(Code::Duplicate, message, Origin::clone(&item.origin)));
        }
        levels.push(level);
    }
    levels
}

fn read_level(item: &Item, table: &Table, problems: &mut Vec<Diagnostic>) -> Option<Level> {
    for entry in table.entries.iter().filter(|e| !LEVEL_KEYS.contains(&&*e.key)) {
        problems.push(match &*entry.key {
            "glob" => Diagnostic::error(
                Code::Unsupported,
                "`glob` is not supported in this version",
                Origin::clone(&entry.key_origin),
            )
            .help("list the files under `paths`"),
            _ => unknown_key(entry, "a level", LEVEL_KEYS, &KEYS),
        });
    }
    let name = table.get("name").and_then(|entry| entry.item.as_str());
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        problems.push(
            Diagnostic::error(Code::MissingKey, "a level has a `name`", Origin::clone(&item.origin))
                .help("write name = \"customer\""),
        );
        return None;
    };
    let writer = match table.get("tenant").map(|entry| (entry.item.as_bool(), &entry.item)) {
        None | Some((Some(false), _)) => LevelWriter::Operators,
        Some((Some(true), _)) => LevelWriter::Tenants,
        Some((None, item)) => {
            problems.push(item.not("tenant", "true or false"));
            LevelWriter::Tenants
        }
    };
    let paths = read_paths(item, table, problems);
    for path in paths.iter().filter(|path| writer == LevelWriter::Tenants && path.holds_fact()) {
        let message = format!("level `{name}` is written by tenants, so its path must not contain a fact");
        problems.push(
            Diagnostic::error(Code::FactInTenantPath, message, Origin::clone(&path.origin))
                .help("a node reports its own facts: with them it could choose whose data it reads"),
        );
    }
    Some(Level { name: name.clone(), paths, writer })
}

fn read_paths(item: &Item, table: &Table, problems: &mut Vec<Diagnostic>) -> Vec<PathPattern> {
    let items: Vec<&Item> = match (table.get("path"), table.get("paths")) {
        (Some(path), None) => vec![&path.item],
        (None, Some(paths)) => match paths.item.as_list() {
            Some(list) => list.iter().collect(),
            None => {
                problems.push(paths.item.not("paths", "a list of paths"));
                return Vec::new();
            }
        },
        (one, _) => {
            let message = match one {
                Some(_) => "a level has `path` or `paths`, not both",
                None => "a level has a `path` or `paths`",
            };
            problems.push(Diagnostic::error(Code::BadValue, message, Origin::clone(&item.origin)));
            return Vec::new();
        }
    };
    items.into_iter().filter_map(|item| PathPattern::read(item, problems)).collect()
}
