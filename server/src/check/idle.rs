//! Warnings about policies for something that a node does not have. A level that applies to many nodes may name what
//! only some of them have.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use holdfast_catalog::certname::Certname;
use holdfast_catalog::origin::Origin;

use super::facts::FactsCache;
use crate::compile::{NOT_HERE, Program};
use crate::diagnostic::{Code, Diagnostic};
use crate::inventory::Node;
use crate::lookup::hierarchy::Location;

/// How the message ends for all nodes together.
const NOWHERE: &str = "which no node that reads this has";

/// The warnings of each node, from its compile.
type ByNode = BTreeMap<Certname, Vec<Diagnostic>>;

/// The warnings of all nodes, without policies for what at least one node that reads them has.
pub(super) fn of_all(
    program: &Program,
    shelf: &FactsCache<'_>,
    failed: &ByNode,
    warnings: &ByNode,
) -> Vec<Diagnostic> {
    let (idle, mut all): (Vec<&Diagnostic>, Vec<&Diagnostic>) =
        warnings.values().flatten().partition(|problem| problem.code == Code::IdlePolicy);
    // Each with the number of nodes that report it.
    let mut told: BTreeMap<(&Origin, &str), (usize, &Diagnostic)> = BTreeMap::new();
    for problem in idle {
        match &problem.origin {
            Some(origin) => told.entry((origin, &problem.message)).or_insert((0, problem)).0 += 1,
            None => all.push(problem),
        }
    }
    let mut readers: HashMap<Arc<str>, usize> = HashMap::new();
    let mut is_of_all = |origin: &Origin, by: usize| {
        let count = || readers_of(program, shelf, failed, &origin.file);
        by >= *readers.entry(origin.file.clone()).or_insert_with(count)
    };
    let nowhere = told.into_iter().filter_map(|((origin, _), (by, problem))| {
        let message = problem.message.replace(NOT_HERE, NOWHERE);
        is_of_all(origin, by).then(|| Diagnostic { message, ..problem.clone() })
    });
    let nowhere: Vec<_> = nowhere.collect();
    all.into_iter().cloned().chain(nowhere).collect()
}

/// The number of nodes that compile and read a file of the data.
fn readers_of(program: &Program, shelf: &FactsCache<'_>, failed: &ByNode, file: &str) -> usize {
    let Some(level) = program.data().level_of(file) else { return 0 };
    let reads = |node: &&Arc<Node>| {
        let Ok(facts) = shelf.of(&node.certname) else { return false };
        let profiles = program.profiles(&node.role, None);
        level.paths.iter().any(|pattern| {
            let names: Vec<&str> = match pattern.holds_profile() {
                true => profiles.iter().map(|name| name.strip_prefix("profile::").unwrap_or(name)).collect(),
                false => vec![""],
            };
            names.iter().any(|name| {
                matches!(pattern.locate(node, &facts, name), Ok(Location::Path(path)) if *path == *file)
            })
        })
    };
    let compiles = |node: &&Arc<Node>| !failed.contains_key(&node.certname);
    program.inventory().nodes().filter(compiles).filter(reads).count()
}
