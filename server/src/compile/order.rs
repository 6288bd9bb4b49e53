//! An order that is maintained while edges are added. It tells which implied edges would close a cycle.
//!
//! It knows nothing about resources. It follows Pearce and Kelly, "A dynamic topological sort algorithm" (2006): only
//! what is between the two ends of a new edge is examined, so edges that follow the written order cost nothing.

use holdfast_catalog::graph::NodeIndex;

/// Nodes in an order that respects every edge added so far.
pub(super) struct TopologicalOrder {
    before: Vec<Vec<NodeIndex>>,
    after: Vec<Vec<NodeIndex>>,
    place: Vec<u32>,
}

/// Whether an edge was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Insertion {
    Yes,
    /// No: it would have closed a cycle.
    Cycle,
}

impl TopologicalOrder {
    /// Starts with `order`, which must respect `edges`.
    pub(super) fn new(order: &[NodeIndex], edges: impl IntoIterator<Item = (NodeIndex, NodeIndex)>) -> Self {
        let mut place = vec![0; order.len()];
        for (at, node) in (0..).zip(order) {
            place[*node as usize] = at;
        }
        let mut kept =
            Self { before: vec![Vec::new(); order.len()], after: vec![Vec::new(); order.len()], place };
        for (from, to) in edges {
            kept.link(from, to);
        }
        kept
    }

    /// Adds an edge, unless it closes a cycle.
    pub(super) fn add(&mut self, from: NodeIndex, to: NodeIndex) -> Insertion {
        let (first, last) = (self.place[to as usize], self.place[from as usize]);
        if last > first {
            let forward = self.reach(to, &self.after, |place| place <= last);
            if forward.contains(&from) {
                return Insertion::Cycle;
            }
            let backward = self.reach(from, &self.before, |place| place >= first);
            self.reorder(backward, forward);
        } else if from == to {
            return Insertion::Cycle;
        }
        self.link(from, to);
        Insertion::Yes
    }

    fn link(&mut self, from: NodeIndex, to: NodeIndex) {
        self.after[from as usize].push(to);
        self.before[to as usize].push(from);
    }

    fn reach(
        &self,
        start: NodeIndex,
        next: &[Vec<NodeIndex>],
        within: impl Fn(u32) -> bool,
    ) -> Vec<NodeIndex> {
        let mut seen = std::collections::HashSet::from([start]);
        let mut found = vec![start];
        let mut at = 0;
        while let Some(&node) = found.get(at) {
            at += 1;
            let fresh = |&&node: &&NodeIndex| within(self.place[node as usize]) && seen.insert(node);
            let fresh: Vec<_> = next[node as usize].iter().filter(fresh).copied().collect();
            found.extend(fresh);
        }
        found
    }

    /// Puts the nodes of both sides into the places that they had together: those before the new edge first, each side
    /// in its own order.
    fn reorder(&mut self, mut backward: Vec<NodeIndex>, mut forward: Vec<NodeIndex>) {
        backward.sort_by_key(|node| self.place[*node as usize]);
        forward.sort_by_key(|node| self.place[*node as usize]);
        backward.append(&mut forward);
        let mut places: Vec<_> = backward.iter().map(|node| self.place[*node as usize]).collect();
        places.sort_unstable();
        for (node, place) in backward.into_iter().zip(places) {
            self.place[node as usize] = place;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_edge_is_refused_exactly_where_it_closes_a_cycle(pairs in prop::collection::vec((0u32..9, 0u32..9), 0..40)) {
            use holdfast_catalog::graph::{Edge, EdgeKind, Graph};
            let nodes: Vec<_> = (0..9).collect();
            let mut order = TopologicalOrder::new(&nodes, []);
            let mut edges: Vec<Edge> = Vec::new();
            for (from, to) in pairs {
                let closes = from == to || Graph::new(9, &edges).reaches(to, from);
                prop_assert_eq!(order.add(from, to) == Insertion::Cycle, closes);
                if !closes {
                    edges.push(Edge { from, to, kind: EdgeKind::Order });
                    prop_assert!(edges.iter().all(|e| order.place[e.from as usize] < order.place[e.to as usize]));
                }
            }
        }
    }
}
