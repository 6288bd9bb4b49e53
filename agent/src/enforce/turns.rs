//! Whose turn it is: the graph of a catalog while it is worked through.
//!
//! The result of a resource flows along the edges to those after it: failures, changes that would be made, and
//! notifications. How far a failure goes depends on the edge: one that a manifest asks for always passes it on, one
//! that a type implies only to what needs it. Containers only pass things on: a notification of one reaches its
//! members, and a change of a member is a change of the container.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::sync::Arc;

use holdfast_catalog::catalog::{Catalog, Policy};
use holdfast_catalog::graph::{EdgeKind, NodeIndex};

use crate::provider::Notice;

/// The result of a node's turn, for those after it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct MemberResult {
    pub(super) changed: bool,
    /// Something would be changed if this were not an audit.
    pub(super) would: bool,
    pub(super) failed: bool,
    /// It was skipped, because of another's failure if one has reached it.
    pub(super) skipped: bool,
    /// It does not apply to this machine.
    pub(super) inapplicable: bool,
}

/// A notification that has reached a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notified {
    /// What is asked for.
    pub(super) notice: Notice,
    /// Whether something really changed, or only would have.
    pub(super) real: bool,
    pub(super) by: Arc<str>,
}

/// What has reached a node before its turn.
#[derive(Debug, Clone, Default)]
pub(super) struct Reached {
    /// The failure because of which it is skipped.
    pub(super) blocked: Option<Arc<str>>,
    /// The failure of something that contains it or that it consists of: it is not touched, and skipped if it is not as
    /// wanted.
    pub(super) needs: Option<Arc<str>>,
    /// The failure of something that may bring what it lacks: it is skipped if it lacks anything.
    pub(super) lacks: Option<Arc<str>>,
    /// Something before it would have changed.
    pub(super) anticipates: bool,
    /// Something before it that policy lets a run correct would have changed: in such a run it will have changed by
    /// then.
    pub(super) awaits: bool,
    /// Resources before it that do not apply to this machine, so what they would have brought will not come. All
    /// accounts, and the first of everything else.
    pub(super) without: Vec<Arc<str>>,
    pub(super) notified: Option<Notified>,
}

impl Reached {
    /// Adds a resource that does not apply to this machine.
    fn lose(&mut self, name: &Arc<str>) {
        let is_known = match account(name) {
            Some(_) => self.without.contains(name),
            None => self.without.iter().any(|other| account(other).is_none()),
        };
        if !is_known {
            self.without.push(name.clone());
        }
    }

    /// The failure of something that it depends on.
    pub(super) fn failed_base(&self) -> Option<&Arc<str>> {
        self.needs.as_ref().or(self.lacks.as_ref())
    }
}

/// The name of the account if `name` is a user or group resource.
pub(super) fn account(name: &str) -> Option<&str> {
    let (type_name, title) = name.split_once('[')?;
    ["user", "group"].contains(&type_name).then(|| title.trim_end_matches(']'))
}

/// The graph while it is worked through.
pub(super) struct Turns<'a> {
    catalog: &'a Catalog,
    after: Vec<Vec<(NodeIndex, EdgeKind)>>,
    waiting: Vec<u32>,
    reached: Vec<Reached>,
    /// For the ends of containers: the results of their members.
    members: Vec<MemberResult>,
    ready: BinaryHeap<Reverse<(u32, NodeIndex)>>,
}

impl<'a> Turns<'a> {
    pub(super) fn new(catalog: &'a Catalog) -> Self {
        let nodes = catalog.nodes();
        let mut turns = Self {
            catalog,
            after: vec![Vec::new(); nodes],
            waiting: vec![0; nodes],
            reached: vec![Reached::default(); nodes],
            members: vec![MemberResult::default(); nodes],
            ready: BinaryHeap::new(),
        };
        for edge in &catalog.edges {
            turns.after[edge.from as usize].push((edge.to, edge.kind));
            turns.waiting[edge.to as usize] += 1;
        }
        for node in 0..u32::try_from(nodes).unwrap_or(u32::MAX) {
            if turns.waiting[node as usize] == 0 {
                turns.make_ready(node);
            }
        }
        turns
    }

    /// The next resource, by its index; containers are passed on the way.
    pub(super) fn next(&mut self) -> Option<usize> {
        loop {
            let Reverse((_, node)) = self.ready.pop()?;
            if (node as usize) < self.catalog.resources.len() {
                return Some(node as usize);
            }
            let came = self.members[node as usize];
            self.finish_node(node, came);
        }
    }

    /// Takes further resources whose turn it is, if `wanted` is true of them.
    pub(super) fn also_ready(&mut self, wanted: impl Fn(usize, &Reached) -> bool) -> Vec<usize> {
        let resources = self.catalog.resources.len();
        let reached = &self.reached;
        let is_wanted =
            |node: NodeIndex| (node as usize) < resources && wanted(node as usize, &reached[node as usize]);
        let entries = std::mem::take(&mut self.ready).into_sorted_vec();
        let (taken, left): (Vec<_>, Vec<_>) =
            entries.into_iter().rev().partition(|Reverse((_, n))| is_wanted(*n));
        self.ready = left.into();
        taken.into_iter().map(|Reverse((_, node))| node as usize).collect()
    }

    /// What has reached a resource.
    pub(super) fn reached(&self, resource: usize) -> &Reached {
        &self.reached[resource]
    }

    /// Adds a notification from outside the run: one that the last run owed.
    pub(super) fn notify(&mut self, resource: usize, notified: Notified) {
        join(&mut self.reached[resource].notified, notified);
    }

    /// Ends a resource's turn.
    pub(super) fn finish(&mut self, resource: usize, came: MemberResult) {
        self.finish_node(u32::try_from(resource).unwrap_or(u32::MAX), came);
    }

    /// The resources that a change of `resource` notifies, directly or through containers.
    pub(super) fn notifies(&self, resource: usize) -> Vec<(usize, Notice)> {
        let mut found = BTreeSet::new();
        let mut visited = BTreeSet::new();
        // Upwards to the containers that this change belongs to, then along their notifications, then down to their
        // members.
        let mut todo: Vec<(NodeIndex, Option<Notice>)> =
            vec![(u32::try_from(resource).unwrap_or(u32::MAX), None)];
        while let Some((node, notice)) = todo.pop() {
            if !visited.insert((node, notice)) {
                continue;
            }
            for &(to, kind) in &self.after[node as usize] {
                let next = match (kind, notice) {
                    (EdgeKind::Notify, None) => Some(Notice::Refresh),
                    (EdgeKind::Reload, None) => Some(Notice::Reload),
                    (EdgeKind::Contain, None) if self.is_end(to) => None,
                    (EdgeKind::Contain, Some(notice)) if self.is_begin(node) => Some(notice),
                    _ => continue,
                };
                match next {
                    Some(notice) if (to as usize) < self.catalog.resources.len() => {
                        found.insert((to as usize, notice));
                    }
                    _ => todo.push((to, next)),
                }
            }
        }
        found.into_iter().collect()
    }

    fn is_begin(&self, node: NodeIndex) -> bool {
        (node as usize)
            .checked_sub(self.catalog.resources.len())
            .is_some_and(|offset| offset.is_multiple_of(2))
    }

    fn is_end(&self, node: NodeIndex) -> bool {
        (node as usize)
            .checked_sub(self.catalog.resources.len())
            .is_some_and(|offset| !offset.is_multiple_of(2))
    }

    fn make_ready(&mut self, node: NodeIndex) {
        let resources = u32::try_from(self.catalog.resources.len()).unwrap_or(u32::MAX);
        // Resources in the catalog's own order; containers hold nothing back.
        let rank = if node < resources { node + 1 } else { 0 };
        self.ready.push(Reverse((rank, node)));
    }

    fn finish_node(&mut self, node: NodeIndex, came: MemberResult) {
        let here = self.reached[node as usize].clone();
        let name: Arc<str> = self.catalog.node_name(node).into();
        let resource = self.catalog.resources.get(node as usize);
        let is_resource = resource.is_some();
        let will = came.would && resource.is_some_and(|resource| resource.policy == Policy::Enforce);
        let blocked = here.blocked.clone();
        let blocked = blocked.or_else(|| (came.failed && is_resource).then(|| name.clone()));
        let blocked = blocked.or_else(|| here.failed_base().filter(|_| came.skipped).cloned());
        let without = here.without.iter().chain((came.inapplicable && is_resource).then_some(&name));
        let without: Vec<_> = without.cloned().collect();
        for (to, kind) in std::mem::take(&mut self.after[node as usize]) {
            let passed = self.passed(node, kind, came, &here, &name);
            let next = &mut self.reached[to as usize];
            next.anticipates |= here.anticipates || came.would;
            next.awaits |= here.awaits || will;
            let reason = match kind {
                EdgeKind::After => None,
                EdgeKind::Provide => Some(&mut next.lacks),
                EdgeKind::Need => Some(&mut next.needs),
                EdgeKind::Order | EdgeKind::Notify | EdgeKind::Reload | EdgeKind::Contain => {
                    Some(&mut next.blocked)
                }
            };
            if let Some(reason @ None) = reason {
                reason.clone_from(&blocked);
            }
            without.iter().for_each(|name| next.lose(name));
            if let Some(notified) = passed {
                join(&mut next.notified, notified);
            }
            if kind == EdgeKind::Contain && self.is_end(to) {
                let all = &mut self.members[to as usize];
                all.changed |= came.changed;
                all.would |= came.would;
            }
            self.waiting[to as usize] -= 1;
            if self.waiting[to as usize] == 0 {
                self.make_ready(to);
            }
        }
    }

    /// The notification that goes along an edge.
    fn passed(
        &self,
        node: NodeIndex,
        kind: EdgeKind,
        came: MemberResult,
        here: &Reached,
        name: &Arc<str>,
    ) -> Option<Notified> {
        let notice = match kind {
            EdgeKind::Notify => Notice::Refresh,
            EdgeKind::Reload => Notice::Reload,
            EdgeKind::Contain if self.is_begin(node) => return here.notified.clone(),
            EdgeKind::Contain | EdgeKind::Order | EdgeKind::After | EdgeKind::Provide | EdgeKind::Need => {
                return None;
            }
        };
        (came.changed || came.would).then(|| Notified { notice, real: came.changed, by: name.clone() })
    }
}

/// Of two notifications the stronger one counts: real before anticipated, then refresh before reload.
fn join(slot: &mut Option<Notified>, new: Notified) {
    match slot {
        Some(old) if (old.real, old.notice) >= (new.real, new.notice) => {}
        _ => *slot = Some(new),
    }
}
