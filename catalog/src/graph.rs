//! The order of a catalog: edges between resources and containers, and the one order that respects them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};

/// A node of the graph: a resource, or the begin or end of a container.
///
/// With `r` resources and `c` containers: `0..r` are the resources in the order in which they are written, `r + 2i` is
/// where container `i` begins and `r + 2i + 1` where it ends.
pub type NodeIndex = u32;

/// What an edge means. A catalog's id includes the number of the kind, so new kinds are added at the end.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum EdgeKind {
    /// `from` comes first, because a manifest says so: if it fails, `to` is skipped.
    Order,
    /// `from` comes first, and a change of it refreshes `to`.
    Notify,
    /// `from` comes first, and a change of it reloads `to`.
    Reload,
    /// From a container's begin to a member, or from a member to its end: order, and notifications pass through.
    Contain,
    /// `from` comes first, and nothing more: `to` does not need it.
    After,
    /// `from` comes first, and may bring something that `to` requires: if it fails and `to` does lack something, `to`
    /// is skipped.
    Provide,
    /// `from` comes first, and contains `to` or is a part of it: if it fails and `to` is not as wanted, `to` is
    /// skipped.
    Need,
}

/// An edge between two nodes of the graph.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// The node that comes first.
    pub from: NodeIndex,
    /// The node that comes after it.
    pub to: NodeIndex,
    /// The kind of the edge.
    pub kind: EdgeKind,
}

/// The nodes of one cycle, each before the next, and the last before the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle(pub Vec<NodeIndex>);

/// Which nodes come before and after which.
#[derive(Debug)]
pub struct Graph {
    after: Vec<Vec<NodeIndex>>,
    before_count: Vec<u32>,
}

impl Graph {
    /// A graph with `nodes` nodes. Edges to other nodes are left out; [`crate::catalog::Catalog::validate`] refuses
    /// them.
    pub fn new<'a>(nodes: usize, edges: impl IntoIterator<Item = &'a Edge>) -> Self {
        let mut graph = Self { after: vec![Vec::new(); nodes], before_count: vec![0; nodes] };
        for edge in edges {
            if (edge.from as usize) < nodes && (edge.to as usize) < nodes {
                graph.after[edge.from as usize].push(edge.to);
                graph.before_count[edge.to as usize] += 1;
            }
        }
        graph
    }

    /// The nodes that come right after `node`.
    pub fn after(&self, node: NodeIndex) -> &[NodeIndex] {
        &self.after[node as usize]
    }

    /// The one order that respects every edge and otherwise follows `rank` (the order in which resources are written).
    ///
    /// # Errors
    /// Fails with a shortest cycle among the nodes that are left.
    pub fn order(&self, rank: impl Fn(NodeIndex) -> u32) -> Result<Vec<NodeIndex>, Cycle> {
        let mut waiting = self.before_count.clone();
        let entry = |node: NodeIndex| Reverse((rank(node), node));
        let mut ready: BinaryHeap<_> =
            self.indices().filter(|node| waiting[*node as usize] == 0).map(entry).collect();
        let mut order = Vec::with_capacity(self.after.len());
        while let Some(Reverse((_, node))) = ready.pop() {
            order.push(node);
            for &next in self.after(node) {
                waiting[next as usize] -= 1;
                if waiting[next as usize] == 0 {
                    ready.push(entry(next));
                }
            }
        }
        if order.len() == self.after.len() { Ok(order) } else { Err(self.cycle(&waiting)) }
    }

    /// Whether `to` comes after `from`, directly or not.
    #[cfg(any(test, feature = "testing"))]
    pub fn reaches(&self, from: NodeIndex, to: NodeIndex) -> bool {
        self.path(from, to, |_| true).is_some()
    }

    fn indices(&self) -> impl Iterator<Item = NodeIndex> + use<> {
        0..u32::try_from(self.after.len()).unwrap_or(u32::MAX)
    }

    /// A shortest cycle among the nodes that still wait: of the paths from each back to itself, the shortest.
    fn cycle(&self, waiting: &[u32]) -> Cycle {
        let stuck = |node: NodeIndex| waiting[node as usize] > 0;
        let cycles = self.indices().filter(|node| stuck(*node)).filter_map(|start| {
            let back = |&next: &NodeIndex| self.path(next, start, stuck);
            self.after(start).iter().filter_map(back).min_by_key(Vec::len)
        });
        Cycle(cycles.min_by_key(Vec::len).unwrap_or_default())
    }

    /// A shortest path from `from` to `to`, found breadth first; it begins with `from` and ends with `to`.
    fn path(&self, from: NodeIndex, to: NodeIndex, on: impl Fn(NodeIndex) -> bool) -> Option<Vec<NodeIndex>> {
        let mut came_from = vec![None; self.after.len()];
        let mut queue = std::collections::VecDeque::from([from]);
        came_from[from as usize] = Some(from);
        while let Some(node) = queue.pop_front() {
            if node == to {
                let back = |node: &NodeIndex| came_from[*node as usize].filter(|_| *node != from);
                let mut path: Vec<_> = std::iter::successors(Some(to), back).collect();
                path.reverse();
                return Some(path);
            }
            for &next in self.after(node) {
                if on(next) && came_from[next as usize].is_none() {
                    came_from[next as usize] = Some(node);
                    queue.push_back(next);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edges(pairs: &[(u32, u32)]) -> Vec<Edge> {
        pairs.iter().map(|&(from, to)| Edge { from, to, kind: EdgeKind::Order }).collect()
    }

    #[test]
    fn the_written_order_breaks_ties_only() {
        let graph = Graph::new(4, &edges(&[(3, 0)]));
        assert_eq!(graph.order(|n| n).unwrap(), [1, 2, 3, 0]);
    }

    #[test]
    fn a_cycle_names_its_members_and_no_others() {
        let graph = Graph::new(5, &edges(&[(0, 1), (1, 2), (2, 1), (2, 3), (3, 4)]));
        let mut cycle = graph.order(|n| n).unwrap_err().0;
        cycle.sort_unstable();
        assert_eq!(cycle, [1, 2]);
    }

    #[test]
    fn a_node_before_itself_is_a_cycle_of_one() {
        assert_eq!(Graph::new(1, &edges(&[(0, 0)])).order(|n| n), Err(Cycle(vec![0])));
    }

    proptest! {
        #[test]
        fn every_edge_is_respected(pairs in prop::collection::vec((0u32..30, 0u32..30), 0..80)) {
            let forward: Vec<_> = pairs.into_iter().filter(|(a, b)| a < b).collect();
            let order = Graph::new(30, &edges(&forward)).order(|n| 30 - n).unwrap();
            let place = |node| order.iter().position(|n| *n == node).unwrap();
            prop_assert_eq!(order.len(), 30);
            for (from, to) in forward {
                prop_assert!(place(from) < place(to));
            }
        }

        #[test]
        fn what_cannot_be_ordered_has_a_real_cycle(pairs in prop::collection::vec((0u32..8, 0u32..8), 0..30)) {
            let graph = Graph::new(8, &edges(&pairs));
            if let Err(Cycle(nodes)) = graph.order(|n| n) {
                prop_assert!(!nodes.is_empty());
                for (i, node) in nodes.iter().enumerate() {
                    let next = nodes[(i + 1) % nodes.len()];
                    prop_assert!(pairs.contains(&(*node, next)), "{:?} in {:?}", nodes, pairs);
                }
            }
        }
    }
}
