//! The facts that a repository keeps for work without a server: `facts/NAME.json`, else `facts/default.json`.
//!
//! A commit is judged by these and by no others: what a machine says about itself must not stop a commit for all.

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

/// The folder of them.
pub const FOLDER: &str = "facts";

const DEFAULT: &str = "facts/default.json";

/// The file of a node's facts; none where the repository keeps none for it.
pub(super) fn file_of(snapshot: &Snapshot, certname: &Certname) -> Option<Arc<str>> {
    let own = format!("{FOLDER}/{certname}.json");
    [&*own, DEFAULT].into_iter().find(|path| snapshot.get(path).is_some()).map(Arc::from)
}

/// A node's facts as the repository keeps them; none where it keeps none.
///
/// # Errors
/// The file is not JSON, or not facts.
pub fn facts_of(snapshot: &Snapshot, certname: &Certname) -> Result<Option<Facts>, Diagnostic> {
    let Some(path) = file_of(snapshot, certname) else { return Ok(None) };
    let Some(file) = snapshot.get(&path) else { return Ok(None) };
    read_facts(&path, file.bytes()).map(Some)
}

/// Reads facts from JSON.
///
/// # Errors
/// The text is not JSON, or not facts.
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

/// Data that no node reads in a check, since its level wants a fact and the repository keeps none for any node.
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

/// What a file of facts holds, or why it cannot be read.
type Read = Result<Arc<Facts>, Diagnostic>;

/// The facts of many nodes: a file that many share is read once.
pub(super) struct Shelf<'a> {
    snapshot: &'a Snapshot,
    read: Mutex<HashMap<Arc<str>, Read>>,
    none: Arc<Facts>,
}

impl<'a> Shelf<'a> {
    pub(super) fn new(snapshot: &'a Snapshot) -> Self {
        Self { snapshot, read: Mutex::default(), none: Arc::new(Facts::none()) }
    }

    /// A node's facts; where the repository has none, no facts.
    pub(super) fn of(&self, certname: &Certname) -> Read {
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
