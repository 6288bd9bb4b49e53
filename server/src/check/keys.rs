//! Checks the keys of `keys.toml`, whether or not a machine reads them. Keys that are never read or never given a value
//! are reported, and those that are never read are looked up for every node, since no compile does that.

use std::collections::BTreeSet;
use std::sync::Arc;

use holdfast_catalog::origin::Origin;

use super::ENVIRONMENT;
use super::facts::FactsCache;
use crate::compile::Program;
use crate::diagnostic::{Code, Diagnostic};
use crate::language::expression::CallUse;
use crate::lookup::{Lookup, LookupError};

/// The problems and warnings about declared keys.
pub(super) fn check(program: &Program, shelf: &FactsCache<'_>, lookups: &LookupKeys) -> Vec<Diagnostic> {
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

fn looked_up(program: &Program, shelf: &FactsCache<'_>, keys: &[&Arc<str>]) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for node in program.inventory().nodes() {
        let Ok(facts) = shelf.of(&node.certname) else { continue };
        let reader = program.snapshot().reader();
        let profiles = |class: Option<&str>| program.profiles(&node.role, class);
        // what keeps a node from reading its data is reported with its compile
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

/// The declared keys that are named nowhere; empty if some key is known only when it is looked up.
fn unread(program: &Program, lookups: &LookupKeys) -> BTreeSet<Arc<str>> {
    let keys = program.data().keys().map(|(name, _)| name);
    keys.filter(|key| !lookups.names_key(key)).cloned().collect()
}

/// The keys that manifests and data look up by name.
pub(crate) struct LookupKeys {
    /// The keys that are written as literals.
    keys: BTreeSet<Arc<str>>,
    /// Whether some key is known only when it is looked up, or something that looks up keys cannot be read.
    is_computed: bool,
}

impl LookupKeys {
    /// The look-ups of a repository.
    pub(crate) fn of(program: &Program) -> Self {
        let manifests = || program.modules().manifests();
        let of_manifests = manifests().flat_map(|manifest| manifest.formulas());
        let mut calls: Vec<CallUse> = of_manifests.flat_map(|formula| formula.calls("lookup")).collect();
        let of_data = program.data().calls(program.snapshot(), "lookup");
        let is_whole = of_data.is_some() && manifests().all(|manifest| manifest.complete);
        calls.extend(of_data.unwrap_or_default());
        let is_computed = !is_whole || calls.iter().any(|call| call.text.is_none());
        Self { keys: calls.into_iter().filter_map(|call| call.text).collect(), is_computed }
    }

    /// Whether a key may be looked up.
    pub(crate) fn names_key(&self, key: &str) -> bool {
        self.is_computed || self.keys.contains(key)
    }

    /// Whether a parameter of a class may be looked up.
    pub(super) fn names_class(&self, class: &str) -> bool {
        let is_of_it = |key: &Arc<str>| key.rsplit_once("::").is_some_and(|(of, _)| of == class);
        self.is_computed || self.keys.iter().any(is_of_it)
    }
}
