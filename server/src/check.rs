//! Everything wrong with a control repository: what operators write, what tenants write, and each node's compile.
//!
//! This is the one judgement: `holdfast check` shows it, and the server takes a commit by it. Whose fault a problem is
//! decides what becomes of the commit: broken code is refused as a whole, while one tenant's bad value stops nothing but
//! that tenant's own nodes.

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
mod emptiness; // a tree that holds no machine
mod facts;
mod idle; // policies of what no node has
mod keys;
mod layout; // files that nobody reads
mod links;
mod nodes;
mod pointers; // files whose content is elsewhere
mod steps; // of one judgement, by customer
mod stray;
#[cfg(test)]
mod tests;
mod unreached; // values of classes that no reader has

pub use emptiness::is_control_repository;
pub use facts::{facts_of, read_facts};
pub(crate) use keys::Lookups;

use blame::Court;
use nodes::Outcomes;

/// The environment's name where there is no branch.
pub const ENVIRONMENT: &str = "directory";

/// What is wrong with a control repository.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    /// The operators' faults: in `holdfast.toml`, inventory, modules and the levels that are theirs, and what shows
    /// only when a node is compiled. A commit that has any is not taken: the last good stays in force for all nodes.
    pub fatal: Vec<Diagnostic>,
    /// In the levels that tenants write. It stops the nodes that read them and no others.
    pub tenants: Vec<Diagnostic>,
    /// For each node that cannot be compiled, why. That node keeps its last good catalog; the others go on.
    pub nodes: BTreeMap<Certname, Vec<Diagnostic>>,
    /// What is worth a look and stops nothing.
    pub warnings: Vec<Diagnostic>,
    /// How many nodes compile; none where the repository was refused before any was compiled.
    pub compiled: Option<usize>,
    /// Whether the operators' faults show without a compile.
    is_fatal_anyway: bool,
    /// The part of the warnings that came from the compile of one node.
    of_nodes: BTreeMap<Certname, Vec<Diagnostic>>,
    /// For nodes that do not compile: what tenants had written when they last did. Nodes of one commit share it.
    last_good: BTreeMap<Certname, Snapshot>,
}

/// The commit in force, and what was found wrong with it.
#[derive(Debug, Clone, Copy)]
pub struct Before<'a> {
    pub program: &'a Program,
    /// What is wrong with it.
    pub checked: &'a Checked,
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

    /// Whether the compile of a node found anything to say.
    fn tells_of(&self, certname: &Certname) -> bool {
        self.nodes.contains_key(certname) || self.of_nodes.contains_key(certname)
    }

    /// Adds a problem that shows without a compile.
    fn note(&mut self, program: &Program, problem: Diagnostic) {
        match (problem.severity, blame::is_in_tenants_file(program, &problem)) {
            (Severity::Warning, _) => self.warnings.push(problem),
            (Severity::Error, false) => self.fatal.push(problem),
            (Severity::Error, true) => self.tenants.push(problem),
        }
    }

    /// Whether the commit in force has a say in what becomes of it: all that may be the operators' shows in a compile, and
    /// that is held against the one before.
    pub fn depends_on_the_one_before(&self) -> bool {
        !self.nodes.is_empty() && !self.is_fatal_anyway
    }

    /// All errors and warnings, in the order of their places, each once; of very many, to each their share. Where the commit is
    /// refused, tenants' errors come last: they are not what it is refused for.
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

/// Checks a repository: that everything can be read and every name is known, and that each node of the inventory
/// compiles, with its facts from `facts/NAME.json`, else `facts/default.json`, else none.
pub fn check(program: &Program) -> Checked {
    judge(program, None, &|| false).unwrap_or_default()
}

/// Whether nobody wants to know any more.
pub type Stopped<'a> = &'a (dyn Fn() -> bool + Sync);

/// The same of the commit that is to follow the one in force, where there is one: what it did not change is not compiled
/// again, and what is gone because a tenant took it away is that tenant's fault. None where it was stopped before its end.
pub fn judge(program: &Program, before: Option<Before<'_>>, stopped: Stopped<'_>) -> Option<Checked> {
    if let Some((path, reason)) = program.snapshot().refusal() {
        // Nothing was read: all else that could be said would follow from that.
        let origin = path.map(|path| Origin::locate(path, "", 0..0));
        return Some(Checked {
            fatal: vec![Diagnostic::error(Code::Limit, &**reason, origin)],
            ..Checked::default()
        });
    }
    if let Some(problem) = emptiness::of(program) {
        return Some(Checked { fatal: vec![problem], ..Checked::default() });
    }
    let lookups = Lookups::of(program);
    let mut checked = check_sources(program, &lookups);
    checked.warnings.extend(before.and_then(|before| emptiness::of_inventory(program, before.program)));
    let shelf = facts::Shelf::new(program.snapshot());
    let Outcomes { facts, failed, warnings } = nodes::compile_all(program, &shelf, before, stopped)?;
    // whose facts cannot be read is compiled as little as one that fails
    checked.compiled = Some(program.inventory().nodes().count() - failed.len() - facts.len());
    checked.fatal.extend(facts);
    checked.warnings.extend(facts::missing(program));
    for problem in program.redacted(keys::check(program, &shelf, &lookups)) {
        checked.note(program, problem);
    }
    // a value that is not of its type shows in the data and again in a compile, which says more: where in it
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

/// What does not take a compile.
fn check_sources(program: &Program, lookups: &Lookups) -> Checked {
    let mut checked = Checked { fatal: program.problems(), ..Checked::default() };
    let known = stray::Known::of(program);
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
        // With its place, so that what a tenant has a thousand of counts as that tenant's.
        let origin = Origin::locate(&ignored.path.as_str().into(), "", 0..0);
        checked.warnings.push(Diagnostic::warning(Code::UnreadFile, message, origin));
    }
    checked.warnings.extend(links::that_lead_out(program.snapshot()));
    checked.warnings.extend(program.warnings());
    checked
}

fn last_good<'n>(
    failed: impl Iterator<Item = &'n Certname>,
    before: Option<Before<'_>>,
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
