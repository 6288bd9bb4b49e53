//! The keys of `keys.toml`, whether a machine reads them or not: those that nobody reads or gives a value to are told, and
//! those that nobody reads are looked up for every node, since no compile does.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use holdfast_catalog::origin::Origin;

use super::ENVIRONMENT;
use super::facts::Shelf;
use crate::compile::Program;
use crate::diagnostic::{Code, Diagnostic};
use crate::lookup::{KEYS_FILE, Lookup, LookupError, hierarchy};

/// What is wrong with declared keys, and what is worth a look.
pub(super) fn check(program: &Program, shelf: &Shelf<'_>, lookups: &Lookups<'_>) -> Vec<Diagnostic> {
    let (given, unread) = (program.data().keys_with_data(program.snapshot()), unread(program, lookups));
    let mut problems = Vec::new();
    for (name, key) in program.data().keys() {
        let origin = Origin::clone(&key.origin);
        if unread.contains(name) {
            let message = format!("`{name}` is not used: no manifest and no data looks it up");
            problems.push(Diagnostic::warning(Code::UnusedKey, message, origin.clone()));
        }
        if !given.contains(name) && !key.of.takes_null() {
            let message = format!("no data file sets `{name}`");
            let problem = Diagnostic::warning(Code::NoData, message, origin);
            problems.push(
                problem.help("set it, for example in hieradata/common.toml, or make its type Optional"),
            );
        }
    }
    let wanted: Vec<_> = unread.intersection(&given).collect();
    if !wanted.is_empty() {
        problems.extend(looked_up(program, shelf, &wanted));
    }
    problems
}

fn looked_up(program: &Program, shelf: &Shelf<'_>, keys: &[&Arc<str>]) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for node in program.inventory().nodes() {
        let Ok(facts) = shelf.of(&node.certname) else { continue };
        let reader = program.snapshot().reader();
        let profiles = |class: Option<&str>| program.profiles(&node.role, class);
        // what keeps a node from reading its data is told with its compile
        let Ok(lookup) = Lookup::new(program.data(), &reader, node, &facts, ENVIRONMENT, &profiles) else {
            continue;
        };
        for key in keys {
            if let Err(LookupError::Data(found)) = lookup.get(key) {
                problems.extend(found);
            }
        }
    }
    problems
}

/// The declared keys that are named nowhere; none where some key is only known when it is looked up.
fn unread(program: &Program, lookups: &Lookups<'_>) -> BTreeSet<Arc<str>> {
    let keys = program.data().keys().map(|(name, _)| name);
    keys.filter(|key| !lookups.names_key(key)).cloned().collect()
}

/// What manifests and data look up by name.
pub(super) struct Lookups<'a> {
    /// Those in which something is looked up.
    texts: Vec<Cow<'a, str>>,
    /// Whether some key is only known when it is looked up.
    is_computed: bool,
}

/// How a string of an expression may begin.
const QUOTES: [&str; 3] = ["'", "\"", "\\\""];

impl<'a> Lookups<'a> {
    pub(super) fn of(program: &'a Program) -> Self {
        let manifests = program.modules().manifests().map(|manifest| Cow::Borrowed(&*manifest.text));
        let data = program.snapshot().under(hierarchy::FOLDER).filter(|(path, _)| &***path != KEYS_FILE);
        let data = data.map(|(_, file)| String::from_utf8_lossy(file.bytes()));
        let texts: Vec<Cow<'a, str>> = manifests.chain(data).filter(|text| text.contains("lookup")).collect();
        let is_computed = |text: &Cow<'a, str>| {
            let calls = text.split("lookup(").skip(1);
            let mut calls = calls.map(|rest| rest.trim_start().trim_start_matches('\\'));
            calls.any(|rest| !rest.starts_with(['\'', '"']))
        };
        Self { is_computed: texts.iter().any(is_computed), texts }
    }

    /// Whether a key may be looked up.
    fn names_key(&self, key: &str) -> bool {
        let has =
            |text: &Cow<'a, str>| QUOTES.iter().any(|quote| text.contains(&format!("{quote}{key}{quote}")));
        self.is_computed || self.texts.iter().any(has)
    }

    /// Whether a parameter of a class may be looked up.
    pub(super) fn names_class(&self, class: &str) -> bool {
        let has =
            |text: &Cow<'a, str>| QUOTES.iter().any(|quote| text.contains(&format!("{quote}{class}::")));
        self.is_computed || self.texts.iter().any(has)
    }
}
