//! Compiles a snapshot, a node and its facts to a catalog. Pure: it uses no clock, network, database or file.
//!
//! The steps of a compile: [`Program`] is the snapshot, read once for all nodes. A *pass* is the compile of one node;
//! it holds what was read and what went wrong. A *walk* goes from the role through classes (`class`), blocks
//! (`resource`, `metaparameter`, `define`) and attributes (`attribute`, `content`), with names from `scope` and
//! `parameter`. What it declares (`declared`) gets its containers (`containment`), is checked for double `claims`, gets
//! edges (`reference`, `edges`, `waits`, `order`) and becomes the catalog (`assemble`).
//!
//! None of these files names a resource type: they work only on kinds of attributes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holdfast_catalog::catalog::Catalog;
use holdfast_catalog::facts::Facts;
use holdfast_catalog::hash::ContentHash;
use holdfast_catalog::origin::Origin;

use crate::diagnose::share::of_node;
use crate::diagnostic::{Code, Diagnostic};
use crate::inventory::Node;
use crate::language::SharedBudget;
use crate::language::problems::sorted;
use crate::lookup::Lookup;
use crate::repo::{Presence, SnapshotFile};

mod assemble;
mod attribute;
mod claims;
mod class;
mod containment;
mod content;
mod declared;
mod define;
mod edges;
mod element;
mod class_parameter;
mod metaparameter;
mod order;
mod parameter;
mod pass;
mod program;
mod reference;
mod resource;
mod scope;
mod class_status;
mod turns;
mod unit;
mod unknown;
mod waits;
mod attribute_form;
mod whence;
mod words;

#[cfg(test)]
mod tests;

pub use assemble::NOT_HERE;
pub use class_parameter::parameter;
pub use class_status::{Absence, ClassStatus};
pub use program::Program;
pub(crate) use words::WORDS;

use class::{LateArguments, ManifestWalk};
use edges::Edges;
use pass::Pass;

/// The most walks. Another walk is needed if a class was given a parameter after it had been used.
const MAX_WALKS: usize = 4;

/// The most readings of the inclusions. Another one is needed if a class was given a parameter after it had been used.
/// A chain in which each class passes on what it was given needs one reading for each class.
const MAX_OPENINGS: usize = 64;

/// A catalog, and what it was made from.
#[derive(Debug)]
pub struct Compiled {
    pub catalog: Catalog,
    /// The files of modules that the catalog refers to, by hash, with their paths.
    pub contents: BTreeMap<ContentHash, (Arc<str>, SnapshotFile)>,
    /// What was read to make it.
    pub reads: Reads,
    pub warnings: Vec<Diagnostic>,
}

/// What a compile read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reads {
    /// Files that were opened, or looked for and not found, in the order of their paths. Manifests are not among them:
    /// they are read once for all nodes, and are the same for each.
    pub files: Vec<(Arc<str>, Presence)>,
    /// Facts, as dotted paths.
    pub facts: BTreeSet<Arc<str>>,
}

/// Compiles a node's catalog. `environment` is the branch; `key` is the node's own key, used to compute the catalog's id.
///
/// # Errors
/// Everything that is wrong, in the order of places.
pub fn compile(
    program: &Program,
    node: &Node,
    facts: &Facts,
    environment: &str,
    key: &[u8],
) -> Result<Compiled, Vec<Diagnostic>> {
    compile_within(program, node, facts, (environment, key), SharedBudget::default())
}

/// Like [`compile`], with a given allowance for the work that expressions may do.
///
/// # Errors
/// Everything that is wrong.
pub fn compile_within(
    program: &Program,
    node: &Node,
    facts: &Facts,
    (environment, key): (&str, &[u8]),
    allowance: SharedBudget,
) -> Result<Compiled, Vec<Diagnostic>> {
    let reader = program.snapshot().reader();
    let profiles = |class: Option<&str>| program.profiles(&node.role, class);
    let told = |problems| sorted(program.redacted(problems));
    let lookup = Lookup::new(program.data(), &reader, node, facts, environment, &profiles).map_err(told)?;
    let lookup = lookup.within(allowance);
    let policies = lookup.policies().map_err(told)?;
    let pass = Pass::new(program, facts, node.to_value(environment), &reader, &lookup);
    let (mut declared, _) = walk(&pass, node);
    claims::check(&mut declared, &pass);
    let edges = Edges::explicit(&declared, &pass).with_implied(&pass);
    let mut problems = pass.take_problems();
    if problems.iter().any(|problem| program.cannot_be_read(problem)) {
        problems.retain(|problem| program.cannot_be_read(problem)); // the other problems follow from these
    }
    if !problems.is_empty() {
        return Err(of_node(told(problems)));
    }
    let idle = assemble::idle_policies(&policies, &declared).into_iter();
    let warnings = idle.chain(sorted(pass.warnings.take())).collect();
    let catalog = assemble::assemble(declared, edges, &policies, &pass, (node, environment, key));
    let facts = pass.facts_read();
    let contents = pass.contents.take();
    Ok(Compiled { catalog, contents, reads: Reads { files: reader.reads(), facts }, warnings })
}

/// Declares everything that a node has, and returns it with the parameters that classes are given. One walk is enough,
/// unless a class is given something too late: what classes give each other is found before they are declared, and only
/// what comes from within their bodies needs another walk.
fn walk<'a>(pass: &Pass<'a>, node: &Node) -> (declared::Declarations<'a>, LateArguments) {
    let role = Arc::from(format!("role::{}", node.role));
    let mut seeds = LateArguments::new();
    let (mut openings, mut walks) = (1, 1);
    loop {
        let mut walk = ManifestWalk::new(pass, &seeds);
        walk.role(&role, &node.role_origin);
        if walk.late && openings < MAX_OPENINGS {
            openings += 1;
            pass.take_problems();
            seeds = walk.into_more_seeds();
            continue;
        }
        walk.fill_classes();
        let settled = !walk.late && !walk.seeds_are_stale();
        if !settled && walks < MAX_WALKS {
            walks += 1;
            pass.take_problems();
            seeds = walk.into_seeds();
            continue;
        }
        if !settled {
            let message = "the parameters that are given to these classes depend on each other";
            let problem = Diagnostic::error(Code::Cycle, message, Origin::clone(&node.origin));
            pass.report(problem.help("a class's `when` must not depend on what that class gives"));
        }
        walk.declared.settle();
        return walk.into_declared();
    }
}
