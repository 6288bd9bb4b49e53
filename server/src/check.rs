//! Finds everything that is wrong with a control repository: in the operators' files, in the tenants' files, and in the
//! compile of each node.
//!
//! There is only this one judgement: `holdfast check` shows it, and the server decides by it whether to take a commit.
//! What happens to a commit depends on whose fault a problem is: a commit with broken code is refused as a whole, while
//! one tenant's bad value stops only that tenant's own nodes.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashSet};

use holdfast_catalog::certname::Certname;
use holdfast_catalog::origin::Origin;

use crate::compile::Program;
use crate::diagnose::share::limited;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::language::problems::sorted;
use crate::repo::Snapshot;

mod blame;
mod change;
mod emptiness; // a repository without machines
mod facts;
mod idle; // policies that no node uses
mod keys;
mod layout; // files that are never read
mod links;
mod nodes;
mod pointers; // files whose content is elsewhere
mod steps; // the limit on expressions in one judgement, by customer
mod stray;
#[cfg(test)]
mod tests;
mod unreached; // values of classes that are never read

pub use emptiness::is_control_repository;
pub use facts::{facts_of, read_facts};
pub(crate) use keys::LookupKeys;

use blame::Court;
pub(crate) use blame::at_tenants;
use nodes::NodeOutcomes;

/// The environment's name if there is no branch.
pub const ENVIRONMENT: &str = "directory";

/// The result of a check: what is wrong with a control repository.
#[derive(Debug, Clone, Default)]
pub struct CheckFindings {
    /// The operators' errors: in `holdfast.toml`, the inventory, the modules and the levels that operators own, and
    /// those that show only when a node is compiled. A commit that has any is refused: the last good commit stays in
    /// force for all nodes.
    pub fatal: Vec<Diagnostic>,
    /// Errors in the levels that tenants write. They stop only the nodes that read these levels.
    pub tenants: Vec<Diagnostic>,
    /// The errors of each node that cannot be compiled. Such a node keeps its last good catalog; the others are not
    /// affected.
    pub nodes: BTreeMap<Certname, Vec<Diagnostic>>,
    /// Warnings, which stop nothing.
    pub warnings: Vec<Diagnostic>,
    /// The number of nodes that compile; `None` if the repository was refused before any node was compiled.
    pub compiled: Option<usize>,
    /// Whether there were operators' errors even before any node was compiled.
    is_fatal_anyway: bool,
    /// The warnings that came from the compile of one node, by node.
    of_nodes: BTreeMap<Certname, Vec<Diagnostic>>,
    /// For each node that does not compile: the tenants' files as they were when it last did. Nodes of one commit share
    /// a snapshot.
    last_good: BTreeMap<Certname, Snapshot>,
}

/// The commit in force, and the result of its check.
#[derive(Debug, Clone, Copy)]
pub struct Baseline<'a> {
    pub program: &'a Program,
    pub checked: &'a CheckFindings,
}

impl CheckFindings {
    /// Whether the commit may come into force.
    pub fn is_usable(&self) -> bool {
        self.fatal.is_empty()
    }

    /// Whether there are no errors at all.
    pub fn is_clean(&self) -> bool {
        self.fatal.is_empty() && self.tenants.is_empty() && self.nodes.is_empty()
    }

    /// Whether the compile of this node found errors or warnings.
    fn tells_of(&self, certname: &Certname) -> bool {
        self.nodes.contains_key(certname) || self.of_nodes.contains_key(certname)
    }

    /// Adds a problem that shows without compiling a node.
    fn note(&mut self, program: &Program, problem: Diagnostic) {
        match (problem.severity, blame::is_in_tenants_file(program, &problem)) {
            (Severity::Warning, _) => self.warnings.push(problem),
            (Severity::Error, false) => self.fatal.push(problem),
            (Severity::Error, true) => self.tenants.push(problem),
        }
    }

    /// Whether the verdict depends on the commit in force. It does if nodes do not compile and no operators' error has
    /// been found otherwise: then the commit in force shows whose fault the failed compiles are.
    pub fn depends_on_the_one_before(&self) -> bool {
        !self.nodes.is_empty() && !self.is_fatal_anyway
    }

    /// All errors and warnings in the order of their places, each once. If there are very many, each tenant gets a
    /// share of the list. If the commit is refused, tenants' errors come last, since they are not the reason.
    pub fn all(&self) -> Vec<Diagnostic> {
        let others = self.tenants.iter().chain(self.nodes.values().flatten());
        let own = self.fatal.iter().chain(&self.warnings);
        if self.is_usable() {
            return limited(sorted(own.chain(others).cloned().collect()));
        }
        let mut all = sorted(own.cloned().collect());
        let told: HashSet<_> = all.iter().map(|problem| (&problem.origin, &problem.message)).collect();
        let is_new = |problem: &&Diagnostic| !told.contains(&(&problem.origin, &problem.message));
        let others = sorted(others.filter(is_new).cloned().collect());
        all.extend(others);
        limited(all)
    }
}

/// Checks a repository: that every file can be read, that every name is known, and that each node of the inventory
/// compiles. A node's facts come from `facts/NAME.json`, or else from `facts/default.json`; without either it has none.
pub fn check(program: &Program) -> CheckFindings {
    judge(program, None, &|| false).unwrap_or_default()
}

/// Returns whether the result is no longer wanted.
pub type StopCheck<'a> = &'a (dyn Fn() -> bool + Sync);

/// Like [`check`], for a commit that is to follow the one in force, if there is one. What the commit does not change is
/// not compiled again, and if something is missing because a tenant removed it, the fault is that tenant's. `None` if
/// the judgement was stopped before its end.
pub fn judge(
    program: &Program,
    before: Option<Baseline<'_>>,
    stopped: StopCheck<'_>,
) -> Option<CheckFindings> {
    if let Some((path, reason)) = program.snapshot().refusal() {
        // Nothing was read, so any other problem would only follow from this one.
        let origin = path.map(|path| Origin::locate(path, "", 0..0));
        return Some(CheckFindings {
            fatal: vec![Diagnostic::error(Code::Limit, &**reason, origin)],
            ..CheckFindings::default()
        });
    }
    if let Some(problem) = emptiness::of(program) {
        return Some(CheckFindings { fatal: vec![problem], ..CheckFindings::default() });
    }
    let lookups = LookupKeys::of(program);
    let mut checked = check_sources(program, &lookups);
    checked.warnings.extend(before.and_then(|before| emptiness::of_inventory(program, before.program)));
    let shelf = facts::FactsCache::new(program.snapshot());
    let NodeOutcomes { facts, failed, warnings } = nodes::compile_all(program, &shelf, before, stopped)?;
    // a node whose facts cannot be read does not compile either
    checked.compiled = Some(program.inventory().nodes().count() - failed.len() - facts.len());
    checked.fatal.extend(facts);
    checked.warnings.extend(facts::missing(program));
    for problem in program.redacted(keys::check(program, &shelf, &lookups)) {
        checked.note(program, problem);
    }
    // a value of the wrong type shows in the data and again in a compile, which reports the exact place inside the value
    let is_told = |problem: &Diagnostic| {
        let same = |other: &Diagnostic| other.code == problem.code && other.origin == problem.origin;
        problem.code == Code::WrongType && failed.values().flatten().any(same)
    };
    checked.fatal.retain(|problem| !is_told(problem));
    checked.tenants.retain(|problem| !is_told(problem));
    checked.is_fatal_anyway = !checked.fatal.is_empty();
    let mut court = Court::new(program, before);
    for (certname, problems) in &failed {
        let (Some(node), Ok(facts)) = (program.inventory().get(certname), shelf.of(certname)) else {
            continue;
        };
        checked.fatal.extend(court.of_operators(node, &facts, problems).into_iter().cloned());
    }
    checked.last_good = last_good(failed.keys(), before);
    checked.warnings.extend(idle::of_all(program, &shelf, &failed, &warnings));
    checked.nodes = failed;
    checked.of_nodes = warnings;
    checked.fatal = sorted(checked.fatal);
    checked.tenants = sorted(checked.tenants);
    checked.warnings = sorted(checked.warnings);
    Some(checked)
}

/// The problems that show without compiling a node.
fn check_sources(program: &Program, lookups: &LookupKeys) -> CheckFindings {
    let mut checked = CheckFindings { fatal: program.problems(), ..CheckFindings::default() };
    let known = stray::KnownNames::of(program);
    if checked.fatal.is_empty() {
        checked.warnings.extend(unreached::find(program, &known, lookups));
    }
    let data = program.data();
    let of_data = data.check(program.snapshot()).into_iter().chain(data.refused(program.snapshot()));
    for problem in program.redacted(of_data.chain(pointers::find(program)).collect()) {
        checked.note(program, problem);
    }
    checked.warnings.extend(stray::find(program, &known));
    checked.warnings.extend(layout::find(program));
    checked.warnings.extend(program.snapshot().remarks().iter().cloned());
    for ignored in program.snapshot().ignored() {
        let message = format!("{} is {}, and is ignored", ignored.path, ignored.what);
        // With its place, so that thousands of them in one tenant's files count as that tenant's.
        let origin = Origin::locate(&ignored.path.as_str().into(), "", 0..0);
        checked.warnings.push(Diagnostic::warning(Code::UnreadFile, message, origin));
    }
    checked.warnings.extend(links::that_lead_out(program.snapshot()));
    checked.warnings.extend(program.warnings());
    checked
}

fn last_good<'n>(
    failed: impl Iterator<Item = &'n Certname>,
    before: Option<Baseline<'_>>,
) -> BTreeMap<Certname, Snapshot> {
    let Some(before) = before else { return BTreeMap::new() };
    let of_tenants = OnceCell::new();
    let now = || {
        let is_tenants = |path: &str| blame::is_tenants_file(before.program, path);
        of_tenants.get_or_init(|| before.program.snapshot().with(is_tenants, None)).clone()
    };
    let last = |certname: &Certname| match before.checked.nodes.contains_key(certname) {
        true => before.checked.last_good.get(certname).cloned(),
        false => Some(now()),
    };
    failed.filter_map(|certname| Some((certname.clone(), last(certname)?))).collect()
}
