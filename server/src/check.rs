//! Everything wrong with a control repository: what operators write, what tenants write, and each node's compile.
//!
//! The three are told apart, so that broken code is refused as a whole while one tenant's bad value stops nothing but
//! that tenant's own nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holdfast_catalog::certname::Certname;
use holdfast_catalog::diagnostic::{Diagnostic, Severity};
use holdfast_catalog::facts::Facts;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::Value;

use crate::compile::{Program, compile};
use crate::lookup::hierarchy::Writer;
use crate::repo::Snapshot;

/// What is wrong with a control repository.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    /// In what operators write: `holdfast.toml`, inventory, modules, and the levels that are theirs. A commit that has
    /// any is not taken: the last good stays in force for all nodes.
    pub fatal: Vec<Diagnostic>,
    /// In the levels that tenants write. It stops the nodes that read them and no others.
    pub tenants: Vec<Diagnostic>,
    /// For each node that cannot be compiled, why. That node keeps its last good catalog; the others go on.
    pub nodes: BTreeMap<Certname, Vec<Diagnostic>>,
    /// What is worth a look and stops nothing.
    pub warnings: Vec<Diagnostic>,
}

impl Checked {
    /// Whether the commit may come into force.
    pub fn is_usable(&self) -> bool {
        self.fatal.is_empty()
    }

    /// Whether nothing at all is wrong.
    pub fn is_clean(&self) -> bool {
        self.fatal.is_empty() && self.tenants.is_empty() && self.nodes.is_empty()
    }

    /// All errors and warnings, in the order of their places, each once.
    pub fn all(&self) -> Vec<Diagnostic> {
        let nodes = self.nodes.values().flatten();
        let all = self.fatal.iter().chain(&self.tenants).chain(nodes).chain(&self.warnings);
        crate::compile::sorted(all.cloned().collect())
    }
}

/// Checks a repository: that everything can be read and every name is known, and that each node of the inventory
/// compiles, with its facts from `facts/NAME.json`, else `facts/default.json`, else none.
pub fn check(program: &Program) -> Checked {
    let mut checked = check_sources(program);
    check_nodes(program, &mut checked);
    checked
}

/// Checks what does not take a compile: enough to tell whether a commit may come into force, in a moment even where
/// there are many nodes.
pub fn check_sources(program: &Program) -> Checked {
    let mut checked = Checked { fatal: program.problems(), ..Checked::default() };
    for problem in program.data().check(program.snapshot()) {
        match written_by(program, &problem) {
            Writer::Operators => checked.fatal.push(problem),
            Writer::Tenants => checked.tenants.push(problem),
        }
    }
    for ignored in program.snapshot().ignored() {
        let message = format!("{} is {}, and is left out", ignored.path, ignored.what);
        checked.warnings.push(Diagnostic::warning("ignored", message, None));
    }
    checked.fatal = crate::compile::sorted(checked.fatal);
    checked.tenants = crate::compile::sorted(checked.tenants);
    checked
}

fn check_nodes(program: &Program, checked: &mut Checked) {
    for node in program.inventory().nodes() {
        let facts = match facts_of(program.snapshot(), &node.certname) {
            Ok(facts) => facts.unwrap_or_else(Facts::none),
            Err(problem) => {
                checked.fatal.push(problem);
                continue;
            }
        };
        match compile(program, node, &facts, ENVIRONMENT, b"") {
            Ok(compiled) => checked.warnings.extend(compiled.warnings),
            Err(problems) => {
                checked.nodes.insert(node.certname.clone(), problems);
            }
        }
    }
    checked.fatal = crate::compile::sorted(std::mem::take(&mut checked.fatal));
    checked.warnings = crate::compile::sorted(std::mem::take(&mut checked.warnings));
    checked.warnings.retain(|warning| warning.severity == Severity::Warning);
}

/// The environment's name where there is no branch.
pub const ENVIRONMENT: &str = "directory";

/// Who writes the file that a problem stands in.
fn written_by(program: &Program, problem: &Diagnostic) -> Writer {
    let level = problem.origin.as_ref().and_then(|origin| origin.level.as_ref());
    let levels = &program.data().settings().levels;
    let writer = |name: &Arc<str>| levels.iter().find(|level| level.name == *name).map(|level| level.writer);
    level.and_then(writer).unwrap_or(Writer::Operators)
}

/// A node's facts as the repository keeps them for work without a server; none where it keeps none.
///
/// # Errors
/// The file is no JSON, or not facts.
pub fn facts_of(snapshot: &Snapshot, certname: &Certname) -> Result<Option<Facts>, Diagnostic> {
    let own = format!("facts/{certname}.json");
    let Some((path, file)) = [own.as_str(), "facts/default.json"]
        .into_iter()
        .find_map(|path| snapshot.get(path).map(|file| (path, file)))
    else {
        return Ok(None);
    };
    read_facts(path, file.bytes()).map(Some)
}

/// Reads facts from JSON.
///
/// # Errors
/// The text is no JSON, or not facts.
pub fn read_facts(path: &str, bytes: &[u8]) -> Result<Facts, Diagnostic> {
    let text = String::from_utf8_lossy(bytes);
    let problem = |message: String, at: usize| {
        Diagnostic::error("facts", message, Origin::locate(&Arc::from(path), &text, at..at))
    };
    let json: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| {
        let line_start =
            text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
        problem(format!("not JSON: {error}"), line_start + error.column().saturating_sub(1))
    })?;
    Facts::new(Value::from_json(&json)).map_err(|error| problem(error.to_string(), 0))
}

/// The nodes that one problem stops.
pub fn nodes_stopped<'a>(checked: &'a Checked, problem: &Diagnostic) -> BTreeSet<&'a Certname> {
    let has = |problems: &Vec<Diagnostic>| {
        problems.iter().any(|other| other.message == problem.message && other.origin == problem.origin)
    };
    checked.nodes.iter().filter(|(_, problems)| has(problems)).map(|(name, _)| name).collect()
}
