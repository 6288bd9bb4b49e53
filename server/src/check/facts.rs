//! The facts that a repository contains for work without a server: `facts/NAME.json`, or else `facts/default.json`.
//!
//! A commit is judged with these facts only: what one machine reports about itself must not stop a commit for all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_catalog::certname::Certname;
use holdfast_catalog::facts::Facts;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::Value;

use crate::compile::Program;
use crate::diagnostic::{Code, Diagnostic};
use crate::inventory::Node;
use crate::lookup::hierarchy;
use crate::repo::Snapshot;

/// The folder of the facts.
pub const FOLDER: &str = "facts";

const DEFAULT: &str = "facts/default.json";

/// The file of a node's facts; `None` if the repository has none for it.
pub(super) fn file_of(snapshot: &Snapshot, certname: &Certname) -> Option<Arc<str>> {
    let own = format!("{FOLDER}/{certname}.json");
    [&*own, DEFAULT].into_iter().find(|path| snapshot.get(path).is_some()).map(Arc::from)
}

/// A node's facts in the repository; `None` if it has none.
///
/// # Errors
/// Returns an error if the file is not JSON, or does not contain facts.
pub fn facts_of(snapshot: &Snapshot, certname: &Certname) -> Result<Option<Facts>, Diagnostic> {
    let Some(path) = file_of(snapshot, certname) else { return Ok(None) };
    let Some(file) = snapshot.get(&path) else { return Ok(None) };
    read_facts(&path, file.bytes()).map(Some)
}

/// Reads facts from JSON.
///
/// # Errors
/// Returns an error if the text is not JSON, or does not contain facts.
pub fn read_facts(path: &str, bytes: &[u8]) -> Result<Facts, Diagnostic> {
    let text = String::from_utf8_lossy(bytes);
    let problem = |message: String, at: usize| {
        Diagnostic::error(Code::BadFact, message, Origin::locate(&Arc::from(path), &text, at..at))
    };
    let json: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| {
        let line_start =
            text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
        problem(format!("not JSON: {error}"), line_start + error.column().saturating_sub(1))
    })?;
    Facts::new(Value::from_json(&json)).map_err(|error| problem(error.to_string(), 0))
}

/// Warnings about data that a check does not read for any node, because its level depends on a fact and the repository
/// has no facts at all.
pub(super) fn missing(program: &Program) -> Vec<Diagnostic> {
    let snapshot = program.snapshot();
    let has_facts = |node: &Arc<Node>| file_of(snapshot, &node.certname).is_some();
    if program.inventory().nodes().any(has_facts) || program.inventory().nodes().next().is_none() {
        return Vec::new();
    }
    let levels = program.data().settings().levels.iter();
    let by_fact: Vec<_> = levels.flat_map(|level| &level.paths).filter(|path| path.holds_fact()).collect();
    let is_skipped = |path: &&Arc<str>| by_fact.iter().any(|pattern| pattern.could_be(path));
    let first = snapshot.under(hierarchy::FOLDER).map(|(path, _)| path).find(is_skipped);
    let warning = |path: &Arc<str>| {
        let message = "the repository has no facts, so a check skips every level whose path contains one";
        Diagnostic::warning(Code::NoFacts, message, Origin::locate(path, "", 0..0))
            .label("no node reads this here")
            .help(format!("put the facts that most machines have into {DEFAULT}"))
    };
    first.map(warning).into_iter().collect()
}

/// The facts in a file, or why they cannot be read.
type FactsResult = Result<Arc<Facts>, Diagnostic>;

/// The facts of many nodes; a file that many of them share is read only once.
pub(super) struct FactsCache<'a> {
    snapshot: &'a Snapshot,
    read: Mutex<HashMap<Arc<str>, FactsResult>>,
    none: Arc<Facts>,
}

impl<'a> FactsCache<'a> {
    pub(super) fn new(snapshot: &'a Snapshot) -> Self {
        Self { snapshot, read: Mutex::default(), none: Arc::new(Facts::none()) }
    }

    /// A node's facts; empty if the repository has none for it.
    pub(super) fn of(&self, certname: &Certname) -> FactsResult {
        let Some(path) = file_of(self.snapshot, certname) else { return Ok(self.none.clone()) };
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = read.get(&path) {
            return known.clone();
        }
        let facts = match self.snapshot.get(&path) {
            Some(file) => read_facts(&path, file.bytes()).map(Arc::new),
            None => Ok(self.none.clone()),
        };
        read.insert(path, facts.clone());
        facts
    }
}
