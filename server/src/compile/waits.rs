//! If everything that declares a thing waits for the same resource, the thing itself waits for it too.
//!
//! A thing that several containers declare is contained in none of them, so it does not wait for what only one of them
//! waits for. A relation that they all have is meant for the thing as well, unless the thing must itself come first.

use std::collections::BTreeMap;

use holdfast_catalog::graph::{EdgeKind, Graph, NodeIndex};

use super::declared::{Declarer, ReferenceTarget};
use super::edges::Edges;
use super::order::{Insertion, TopologicalOrder};

/// The nodes that something waits for, each with the kind and the index of the edge.
type WaitEdges = BTreeMap<NodeIndex, (EdgeKind, usize)>;

impl Edges<'_, '_> {
    /// Adds the waits that all declarers of a thing have in common. Call this once all relations have been added.
    pub(super) fn add_common_waits(&mut self) {
        let found = self.common_waits();
        if found.is_empty() {
            return;
        }
        let Ok(order) = Graph::new(self.nodes(), self.so_far()).order(|node| node) else {
            return; // the cycle is reported when the edges are put in order
        };
        let mut order = TopologicalOrder::new(&order, self.so_far().iter().map(|edge| (edge.from, edge.to)));
        for (first, waits) in found {
            for (from, (kind, by)) in waits {
                if order.add(from, first) == Insertion::Yes {
                    self.push_as(by, (from, first, kind));
                }
            }
        }
    }

    /// For each thing with several declarers, what all of them wait for within the container of the thing.
    fn common_waits(&self) -> Vec<(NodeIndex, WaitEdges)> {
        let declared = self.declared();
        let mut of_containers = self.waits_of_containers();
        let mut found = Vec::new();
        if of_containers.is_empty() {
            return found;
        }
        for index in &declared.outer_first {
            let container = &declared.containers[*index as usize];
            let common = self.common(&container.declarers, container.parent, &of_containers);
            if !common.is_empty() {
                found.push((self.ends(ReferenceTarget::Container(*index)).0, common.clone()));
                of_containers.entry(*index).or_default().extend(common);
            }
        }
        for (index, resource) in (0..).zip(&declared.resources) {
            let common = self.common(&resource.declarers, Some(resource.container), &of_containers);
            found.extend((!common.is_empty()).then_some((index, common)));
        }
        found
    }

    /// What each container waits for because of relations.
    fn waits_of_containers(&self) -> BTreeMap<u32, WaitEdges> {
        let resources = u32::try_from(self.declared().resources.len()).unwrap_or(u32::MAX);
        let mut all: BTreeMap<u32, WaitEdges> = BTreeMap::new();
        let relations = (0..).zip(self.so_far()).filter(|(_, edge)| edge.kind != EdgeKind::Contain);
        for (at, edge) in relations.filter(|(_, edge)| edge.to >= resources) {
            let waits = all.entry((edge.to - resources) / 2).or_default();
            keep_stronger(waits, [(edge.from, (edge.kind, at))]);
        }
        all
    }

    /// What all these declarers wait for, themselves or through containers around them within `within`.
    fn common(
        &self,
        declarers: &[Declarer],
        within: Option<u32>,
        waits: &BTreeMap<u32, WaitEdges>,
    ) -> WaitEdges {
        let mut common: Option<WaitEdges> = None;
        for by in declarers {
            let mut own = WaitEdges::new();
            let mut at = Some(by.container).filter(|at| Some(*at) != within);
            while let Some(index) = at {
                keep_stronger(
                    &mut own,
                    waits.get(&index).into_iter().flatten().map(|(from, how)| (*from, *how)),
                );
                at = self.declared().containers[index as usize]
                    .parent
                    .filter(|parent| Some(*parent) != within);
            }
            let both = match common {
                None => own,
                Some(common) => in_both(&common, &own),
            };
            if both.is_empty() {
                return both;
            }
            common = Some(both);
        }
        common.unwrap_or_default()
    }
}

/// How much a kind of edge demands, in increasing order: to come first, a reload, a refresh.
fn strength(kind: EdgeKind) -> u8 {
    match kind {
        EdgeKind::Order | EdgeKind::Contain | EdgeKind::After | EdgeKind::Provide | EdgeKind::Need => 0,
        EdgeKind::Reload => 1,
        EdgeKind::Notify => 2,
    }
}

fn keep_stronger(all: &mut WaitEdges, more: impl IntoIterator<Item = (NodeIndex, (EdgeKind, usize))>) {
    for (from, how) in more {
        let kept = all.entry(from).or_insert(how);
        if strength(how.0) > strength(kept.0) {
            *kept = how;
        }
    }
}

/// What is in both; if their kinds differ, the one that demands less.
fn in_both(one: &WaitEdges, other: &WaitEdges) -> WaitEdges {
    let both = one.iter().filter_map(|(from, how)| Some((*from, *how, *other.get(from)?)));
    both.map(|(from, one, other)| (from, if strength(other.0) < strength(one.0) { other } else { one }))
        .collect()
}
