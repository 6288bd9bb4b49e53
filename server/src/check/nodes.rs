//! Compiles each node that a commit can affect, on all processors.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use holdfast_catalog::certname::Certname;
use holdfast_catalog::facts::Facts;

use super::change::CommitDiff;
use super::facts::FactsCache;
use super::steps::StepShares;
use super::{Baseline, ENVIRONMENT, StopCheck};
use crate::compile::{Program, compile, compile_within};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::inventory::Node;

/// The results of the compiles of all nodes.
#[derive(Debug, Default)]
pub(super) struct NodeOutcomes {
    /// Errors in files of facts.
    pub(super) facts: Vec<Diagnostic>,
    /// The errors of nodes that do not compile.
    pub(super) failed: BTreeMap<Certname, Vec<Diagnostic>>,
    /// The warnings of nodes that do.
    pub(super) warnings: BTreeMap<Certname, Vec<Diagnostic>>,
}

enum NodeOutcome {
    Same,
    NoFacts(Diagnostic),
    Compiled(Vec<Diagnostic>),
    Failed(Vec<Diagnostic>),
}

/// Compiles every node of the inventory whose result can differ from before; `None` if it was stopped.
pub(super) fn compile_all(
    program: &Program,
    shelf: &FactsCache<'_>,
    before: Option<Baseline<'_>>,
    stopped: StopCheck<'_>,
) -> Option<NodeOutcomes> {
    let nodes: Vec<&Arc<Node>> = program.inventory().nodes().collect();
    let change = before.map(|before| (before, CommitDiff::new(before.program, program)));
    let (next, steps) = (AtomicUsize::new(0), StepShares::default());
    let span = tracing::Span::current();
    let work = || {
        let _within = span.enter();
        let mut done = Vec::new();
        while let Some(node) = nodes.get(next.fetch_add(1, Ordering::Relaxed)).filter(|_| !stopped()) {
            done.push((node.certname.clone(), outcome(program, (shelf, &steps), change.as_ref(), node)));
        }
        done
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(nodes.len().div_ceil(8));
    let done: Vec<_> = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for other in others {
            // a compile that panicked is a bug in this program, and must not count as a node that compiles
            match other.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    (done.len() == nodes.len()).then(|| gather(done, before))
}

fn outcome(
    program: &Program,
    (shelf, steps): (&FactsCache<'_>, &StepShares),
    change: Option<&(Baseline<'_>, CommitDiff<'_>)>,
    node: &Node,
) -> NodeOutcome {
    let facts = match shelf.of(&node.certname) {
        Ok(facts) => facts,
        Err(problem) => return NodeOutcome::NoFacts(problem),
    };
    if let Some((before, change)) = change
        && !ran_short(before.checked.nodes.get(&node.certname))
        && !(before.checked.tells_of(&node.certname) && change.moves(node))
        && !change.concerns(node, &facts)
    {
        return NodeOutcome::Same;
    }
    let allowance = steps.allowance(&node.customer);
    let span = tracing::error_span!("compile", node = %node.certname);
    let compile = || compile_within(program, node, &facts, (ENVIRONMENT, b""), allowance.clone());
    let compiled = span.in_scope(compile);
    steps.note(&node.customer, &allowance);
    match compiled {
        Ok(compiled) => {
            let is_warning = |problem: &Diagnostic| problem.severity == Severity::Warning;
            NodeOutcome::Compiled(compiled.warnings.into_iter().filter(is_warning).collect())
        }
        Err(problems) => NodeOutcome::Failed(problems),
    }
}

/// Whether a compile may have failed because other nodes of its customer took most of the steps.
fn ran_short(problems: Option<&Vec<Diagnostic>>) -> bool {
    problems.is_some_and(|problems| problems.iter().any(|problem| problem.code == Code::Limit))
}

fn gather(done: Vec<(Certname, NodeOutcome)>, before: Option<Baseline<'_>>) -> NodeOutcomes {
    let mut outcomes = NodeOutcomes::default();
    for (certname, outcome) in done {
        match outcome {
            NodeOutcome::NoFacts(problem) => outcomes.facts.push(problem),
            NodeOutcome::Failed(problems) => drop(outcomes.failed.insert(certname, problems)),
            NodeOutcome::Compiled(warnings) if warnings.is_empty() => {}
            NodeOutcome::Compiled(warnings) => drop(outcomes.warnings.insert(certname, warnings)),
            NodeOutcome::Same => {
                let Some(Baseline { checked, .. }) = before else { continue };
                if let Some(warnings) = checked.of_nodes.get(&certname) {
                    outcomes.warnings.insert(certname.clone(), warnings.clone());
                }
                if let Some(problems) = checked.nodes.get(&certname) {
                    outcomes.failed.insert(certname, problems.clone());
                }
            }
        }
    }
    outcomes
}

/// The errors of a node's compile in another state of the repository.
pub(super) fn problems_in(program: &Program, node: &Node, facts: &Facts) -> Vec<Diagnostic> {
    compile(program, node, facts, ENVIRONMENT, b"").err().unwrap_or_default()
}
