//! Decides whose fault it is that a node does not compile: its tenant's, or the operators'. The rule is in
//! `docs/decisions/0012-whose-fault-it-is.md`.
//!
//! A problem that also occurs with the tenants' data from when the node last compiled is the operators' fault.
//! Otherwise a problem in a tenant's file is that tenant's fault, and any other is the operators', unless it occurs
//! because of what the tenant wrote. That is not guessed but tried: by compiling the node without its tenant's data,
//! with samples of what the tenant must give, and with the tenant's data of the commit in force.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use holdfast_catalog::facts::Facts;
use holdfast_catalog::origin::Origin;

use super::Baseline;
use super::nodes::problems_in;
use crate::compile::Program;
use crate::diagnostic::{Code, Diagnostic};
use crate::inventory::Node;
use crate::lookup::hierarchy::{LevelWriter, Location};
use crate::repo::{CommitId, Snapshot};

/// The most earlier states to keep in memory at a time.
const MAX_EARLIER: usize = 8;

/// Decides for the problems of one commit.
pub(super) struct Court<'a> {
    program: &'a Program,
    before: Option<Baseline<'a>>,
    /// The repository as if tenants had written nothing.
    alone: OnceLock<Program>,
    /// The same, with samples of the values that are then missing.
    sampled: OnceLock<Program>,
    /// The repository with the tenants' data of earlier commits, by the ids of these commits.
    earlier: HashMap<CommitId, Arc<Program>>,
    /// Problems that were found to be the operators' fault, for other nodes that have them.
    operators: HashSet<ProblemKey>,
    /// Problems in tenants' files that were found to be the tenants' fault.
    tenants: HashSet<ProblemKey>,
}

/// The place and the kind of a problem.
type ProblemKey = (Code, Option<Origin>);

impl<'a> Court<'a> {
    pub(super) fn new(program: &'a Program, before: Option<Baseline<'a>>) -> Self {
        let (earlier, operators, tenants) = Default::default();
        let (alone, sampled) = Default::default();
        Self { program, before, alone, sampled, earlier, operators, tenants }
    }

    /// Those problems of one node that are the operators' fault.
    pub(super) fn of_operators<'p>(
        &mut self,
        node: &Node,
        facts: &Facts,
        problems: &'p [Diagnostic],
    ) -> Vec<&'p Diagnostic> {
        let open: Vec<&Diagnostic> = problems.iter().filter(|p| self.is_open(node, p)).collect();
        let (decided, undecided): (Vec<&Diagnostic>, Vec<_>) = open.iter().copied().partition(|problem| {
            let place = place(problem);
            self.operators.contains(&place) || self.tenants.contains(&place)
        });
        if undecided.is_empty() {
            return decided.into_iter().filter(|problem| self.operators.contains(&place(problem))).collect();
        }
        let found = self.tried(node, facts, open.clone());
        self.operators.extend(found.iter().map(|problem| place(problem)));
        let of_tenants = open.into_iter().filter(|problem| is_in_tenants_file(self.program, problem));
        let of_tenants = of_tenants.map(place).filter(|place| !self.operators.contains(place));
        self.tenants.extend(of_tenants.collect::<Vec<_>>());
        found
    }

    /// Whether a problem may be the operators' fault. It is not if the node has it in the commit in force already,
    /// since an operators' fault never comes into force, nor if it is in a tenant's file and the node never compiled.
    fn is_open(&self, node: &Node, problem: &Diagnostic) -> bool {
        let in_force = self.before.and_then(|before| before.checked.nodes.get(&node.certname));
        let is_known = in_force.is_some_and(|known| known.iter().any(|known| is_same(known, problem)));
        !is_known && (!is_in_tenants_file(self.program, problem) || self.has_compiled(node))
    }

    /// Whether the node compiled in an earlier commit that is known here.
    fn has_compiled(&self, node: &Node) -> bool {
        let was_there =
            self.before.is_some_and(|before| before.program.inventory().get(&node.certname).is_some());
        was_there && self.last_good(node).is_some()
    }

    /// The open problems that no change of the tenant's data would remove.
    fn tried<'p>(&mut self, node: &Node, facts: &Facts, open: Vec<&'p Diagnostic>) -> Vec<&'p Diagnostic> {
        let now = tenants_files(self.program, self.program.snapshot(), node, facts);
        let last = self.last_good(node);
        let earlier = last.filter(|then| tenants_files(self.program, then, node, facts) != now);
        if earlier.is_none() && self.has_compiled(node) {
            // it compiled with the same data, so anything new is not the tenant's fault
            return self.without_shares(node, facts, open);
        }
        if now.is_empty() && earlier.is_none() {
            return open;
        }
        let alone = problems_in(self.alone(), node, facts);
        let with_earlier = earlier.map(|then| problems_in(&self.with_earlier(&then), node, facts));
        let sampled = OnceLock::new();
        let sampled = || sampled.get_or_init(|| problems_in(self.sampled(), node, facts));
        let is_operators = |problem: &&Diagnostic| {
            let is_in = |others: &[Diagnostic]| others.iter().any(|other| place(other) == place(problem));
            let is_there = |others: &[Diagnostic]| others.iter().any(|other| is_same(other, problem));
            match &with_earlier {
                // the places in a tenant's file move with whatever the tenant writes
                earlier if is_in_tenants_file(self.program, problem) => {
                    earlier.as_deref().is_some_and(is_there)
                }
                // it occurs without the tenant's data, but not with what the tenant had written: because of what was
                // removed
                _ if is_in(&alone) => with_earlier.as_deref().is_none_or(is_in),
                _ if alone.is_empty() => false,
                // without the values that the tenant must give, not every problem shows
                Some(earlier) => is_in(earlier),
                None if !self.names_tenants(problem) && (self.before.is_some() || is_hidden(problem)) => true,
                None => {
                    sampled().iter().any(|other| other.origin == problem.origin && is_same(other, problem))
                }
            }
        };
        open.into_iter().filter(is_operators).collect()
    }

    /// Leaves out problems that the node has only because other nodes of its tenant took most of the steps.
    fn without_shares<'p>(
        &self,
        node: &Node,
        facts: &Facts,
        open: Vec<&'p Diagnostic>,
    ) -> Vec<&'p Diagnostic> {
        let is_limit = |problem: &Diagnostic| problem.code == Code::Limit;
        let is_of_shares = open.iter().any(|problem| is_limit(problem))
            && !problems_in(self.alone(), node, facts).iter().any(is_limit);
        open.into_iter().filter(|problem| !(is_of_shares && is_limit(problem))).collect()
    }

    /// Whether a related place of a problem is in a tenant's file.
    fn names_tenants(&self, problem: &Diagnostic) -> bool {
        problem.related.iter().any(|(origin, _)| is_tenants(self.program, origin))
    }

    /// The repository when the node last compiled.
    fn last_good(&self, node: &Node) -> Option<Snapshot> {
        let before = self.before?;
        match before.checked.nodes.contains_key(&node.certname) {
            true => before.checked.last_good.get(&node.certname).cloned(),
            false => Some(before.program.snapshot().clone()),
        }
    }

    fn alone(&self) -> &Program {
        self.alone.get_or_init(|| {
            let is_operators = |path: &str| !is_tenants_file(self.program, path);
            Program::new(&self.program.snapshot().with(is_operators, None), Some(self.program))
        })
    }

    fn sampled(&self) -> &Program {
        self.sampled.get_or_init(|| Program::new(self.alone().snapshot(), Some(self.program)).sampled())
    }

    fn with_earlier(&mut self, then: &Snapshot) -> Arc<Program> {
        let program = self.program;
        let make = || {
            let is_operators = |path: &str| !is_tenants_file(program, path);
            Arc::new(Program::new(&program.snapshot().with(is_operators, Some(then)), Some(program)))
        };
        // Each is as large as the repository, so only few are kept, even if nodes broke at many commits.
        if self.earlier.len() >= MAX_EARLIER && !self.earlier.contains_key(then.commit()) {
            self.earlier.clear();
        }
        self.earlier.entry(then.commit().clone()).or_insert_with(make).clone()
    }
}

/// Whether the problem is not looked for if something else is missing: then its absence means nothing.
fn is_hidden(problem: &Diagnostic) -> bool {
    problem.code == Code::UnknownReference
}

fn place(problem: &Diagnostic) -> ProblemKey {
    (problem.code, problem.origin.clone())
}

/// Whether two problems are the same, apart from their places.
fn is_same(one: &Diagnostic, other: &Diagnostic) -> bool {
    one.code == other.code && one.message == other.message
}

/// Whether a problem is in a file that tenants write.
pub(super) fn is_in_tenants_file(program: &Program, problem: &Diagnostic) -> bool {
    problem.origin.as_ref().is_some_and(|origin| is_tenants(program, origin))
}

/// The problem at its tenant's place, if it has one: who reads that a tenant's data is wrong looks for that tenant's line.
pub(crate) fn at_tenants(program: &Program, mut problem: Diagnostic) -> Diagnostic {
    if is_in_tenants_file(program, &problem) {
        return problem;
    }
    let Some(at) = problem.related.iter().position(|(place, _)| is_tenants(program, place)) else {
        return problem;
    };
    let (place, words) = problem.related.remove(at);
    let label = std::mem::replace(&mut problem.label, words);
    if let Some(former) = problem.origin.replace(place) {
        let label = if label.is_empty() { "reported here".to_owned() } else { label };
        problem.related.insert(0, (former, label));
    }
    problem
}

/// Whether a place is in a level that tenants write.
fn is_tenants(program: &Program, origin: &Origin) -> bool {
    let Some(name) = &origin.level else { return false };
    let levels = &program.data().settings().levels;
    levels.iter().find(|level| level.name == *name).is_some_and(|level| level.writer == LevelWriter::Tenants)
}

/// Whether a file belongs to a level that tenants write.
pub(super) fn is_tenants_file(program: &Program, path: &str) -> bool {
    program.data().level_of(path).is_some_and(|level| level.writer == LevelWriter::Tenants)
}

/// The files that a node's tenants have written for it, by path and content.
fn tenants_files(program: &Program, snapshot: &Snapshot, node: &Node, facts: &Facts) -> Vec<String> {
    let levels = program.data().settings().levels.iter().filter(|level| level.writer == LevelWriter::Tenants);
    let profiles = program.profiles(&node.role, None);
    let mut files = Vec::new();
    for pattern in levels.flat_map(|level| &level.paths) {
        let names: Vec<&str> = match pattern.holds_profile() {
            true => profiles.iter().map(|name| name.strip_prefix("profile::").unwrap_or(name)).collect(),
            false => vec![""],
        };
        for name in names {
            let Ok(Location::Path(path)) = pattern.locate(node, facts, name) else { continue };
            files.extend(snapshot.get(&path).map(|file| format!("{path} {}", file.hash())));
        }
    }
    files
}
