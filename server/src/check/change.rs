//! What a commit changed since the one before, and which nodes that can affect.
//!
//! A compile depends only on the modules, the hierarchy, the declared keys, the node, its facts and the files on its
//! own path ([`crate::lookup`] opens no others). If none of these changed, a node compiles as before. So a commit to
//! one customer's data costs only that customer's compiles, however many nodes there are.

use std::collections::HashSet;
use std::sync::Arc;

use holdfast_catalog::facts::Facts;

use super::facts;
use crate::compile::Program;
use crate::inventory::Node;
use crate::lookup::hierarchy::{Location, PathPattern};
use crate::repo::limits::part;
use crate::repo::{Snapshot, SnapshotFile};

/// What changed between two commits.
pub(super) struct CommitDiff<'a> {
    before: &'a Program,
    program: &'a Program,
    /// Whether manifests, templates, files of modules, the hierarchy or declared keys changed: then any result can differ.
    rules: bool,
    /// The other files that were added, removed or changed.
    paths: HashSet<Arc<str>>,
    /// Parts of the data that exceed a limit in only one of the two: everything that a node looks for there may differ.
    parts: HashSet<&'a str>,
    /// The patterns of the hierarchy that can lead to one of these.
    patterns: Vec<&'a PathPattern>,
}

impl<'a> CommitDiff<'a> {
    /// What `program` changes, compared with `before`.
    pub(super) fn new(before: &'a Program, program: &'a Program) -> Self {
        let (old, new) = (before.snapshot(), program.snapshot());
        let (paths, parts) = (differing(old, new), differing_parts(old, new));
        let levels = program.data().settings().levels.iter();
        let concerned =
            |pattern: &&PathPattern| !parts.is_empty() || paths.iter().any(|path| pattern.could_be(path));
        let patterns = levels.flat_map(|level| &level.paths).filter(concerned).collect();
        Self { rules: !Program::same_rules(old, new), before, program, paths, parts, patterns }
    }

    /// Whether a node's compile can have another result than before. `facts` are those in the repository now.
    pub(super) fn concerns(&self, node: &Node, facts: &Facts) -> bool {
        if self.rules || !self.has_same(node) {
            return true;
        }
        let own = format!("{}/{}.json", facts::FOLDER, node.certname);
        // In both, since the shared file may have been removed.
        let shared = [self.before, self.program].map(|of| facts::file_of(of.snapshot(), &node.certname));
        self.paths.contains(&*own)
            || shared.into_iter().flatten().any(|path| self.paths.contains(&path))
            || self.patterns.iter().any(|pattern| self.leads(pattern, node, facts))
    }

    fn has_same(&self, node: &Node) -> bool {
        self.before.inventory().get(&node.certname).is_some_and(|before| before.is_same(node))
    }

    /// Whether the inventory has a node at another line than before: its problems would have the old place.
    pub(super) fn moves(&self, node: &Node) -> bool {
        let places = |node: &Node| (node.origin.clone(), node.role_origin.clone());
        self.before.inventory().get(&node.certname).is_none_or(|before| places(before) != places(node))
    }

    /// Whether a pattern leads this node to a file that changed.
    fn leads(&self, pattern: &PathPattern, node: &Node, facts: &Facts) -> bool {
        let leads = |profile: &str| match pattern.locate(node, facts, profile) {
            Ok(Location::Path(path)) => {
                self.paths.contains(&path) || part(&path).is_some_and(|part| self.parts.contains(part))
            }
            Ok(Location::Skipped { .. }) => false,
            Err(_) => true,
        };
        if !pattern.holds_profile() {
            return leads("");
        }
        let profiles = self.program.profiles(&node.role, None);
        profiles.iter().any(|name| leads(name.strip_prefix("profile::").unwrap_or(name)))
    }
}

fn differing_parts<'a>(old: &'a Snapshot, new: &'a Snapshot) -> HashSet<&'a str> {
    let reasons = |snapshot: &'a Snapshot| {
        snapshot.refused_parts().map(|refused| (&**refused.part, refused.reason)).collect::<HashSet<_>>()
    };
    reasons(old).symmetric_difference(&reasons(new)).map(|(part, _)| *part).collect()
}

/// The files outside modules that differ.
fn differing(old: &Snapshot, new: &Snapshot) -> HashSet<Arc<str>> {
    let differ = |(path, file): &(&Arc<str>, &SnapshotFile), other: &Snapshot| {
        other.get(path).is_none_or(|other| other.hash() != file.hash())
    };
    let is_data = |path: &Arc<str>| !path.starts_with("modules/");
    let added = new.files().filter(|(path, _)| is_data(path)).filter(|entry| differ(entry, old));
    let gone = old.files().filter(|(path, _)| is_data(path)).filter(|entry| differ(entry, new));
    added.chain(gone).map(|(path, _)| path.clone()).collect()
}
