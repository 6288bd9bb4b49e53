//! Edges: from containment, from metaparameters, and those that types imply. Each has the place that asked for it, for
//! reporting cycles.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;

use holdfast_catalog::graph::{Cycle, Edge, EdgeKind, Graph, NodeIndex};
use holdfast_catalog::origin::Origin;
use holdfast_catalog::resource::implied::{First, goes, is_at};
use holdfast_catalog::resource::{Bond, Implied, ResourceRef};
use holdfast_catalog::spelling::nearest;
use holdfast_catalog::value::Value;

use crate::diagnostic::{Code, Diagnostic};
use crate::language::manifest::RelationWord;

use super::declared::{Declarations, DeclaredResource, ReferenceTarget, RequestedEdge};
use super::order::{Insertion, TopologicalOrder};
use super::pass::Pass;
use super::reference::Refresh;

/// The most cycles to report.
const MAX_CYCLES: usize = 5;

/// The edges of a catalog, each with the place that asked for it.
pub(super) struct Edges<'d, 'a> {
    declared: &'d Declarations<'a>,
    edges: Vec<Edge>,
    places: Vec<(Arc<Origin>, &'static str)>,
}

impl<'d, 'a> Edges<'d, 'a> {
    /// Makes the edges of containment and of relations. Problems with references are reported.
    pub(super) fn explicit(declared: &'d Declarations<'a>, pass: &Pass<'a>) -> Self {
        let mut edges = Self { declared, edges: Vec::new(), places: Vec::new() };
        edges.contain();
        for relation in &declared.relations {
            match declared.find(&relation.to.target) {
                Some(target) => edges.relate(relation, target),
                None => edges.missing(relation, pass),
            }
        }
        edges.add_common_waits();
        edges
    }

    /// Adds the edges that types imply, except those that close a cycle, and returns all edges, sorted.
    ///
    /// Of implied edges that close a cycle together, those that mean more are kept, then those that come first by name:
    /// the result does not depend on the order in which resources are written.
    pub(super) fn with_implied(mut self, pass: &Pass<'a>) -> Vec<Edge> {
        let Some(order) = self.ordered(pass) else { return Vec::new() };
        let mut order = TopologicalOrder::new(&order, self.edges.iter().map(|edge| (edge.from, edge.to)));
        let mut known: HashSet<(NodeIndex, NodeIndex)> =
            self.edges.iter().map(|edge| (edge.from, edge.to)).collect();
        let mut implied = Vec::new();
        for (index, resource) in (0..).zip(&self.declared.resources) {
            self.check_parts(resource, pass);
            implied.extend(resource.implied.iter().flat_map(|implied| self.ends_of(index, implied)));
        }
        let name = |node: NodeIndex| &self.declared.resources[node as usize].reference;
        let rank = |edge: &Edge| (Reverse(edge.kind), name(edge.from), name(edge.to));
        implied.sort_by(|one, other| rank(one).cmp(&rank(other)));
        for edge in implied {
            let is_new = edge.from != edge.to && known.insert((edge.from, edge.to));
            if is_new && order.add(edge.from, edge.to) == Insertion::Yes {
                self.edges.push(edge);
            }
        }
        self.edges.sort_unstable();
        self.edges.dedup();
        self.edges
    }

    /// The edges that an implied edge of the resource `index` becomes in this catalog.
    fn ends_of(&self, index: NodeIndex, implied: &Implied) -> Vec<Edge> {
        let find = |reference| match self.declared.find(reference) {
            Some(ReferenceTarget::Resource(found)) => Some(found),
            _ => None,
        };
        let all_of = |type_name: &'static str| {
            let all = (0..).zip(&self.declared.resources);
            all.filter(move |(_, other)| &*other.reference.type_name == type_name).map(|(other, _)| other)
        };
        match implied {
            Implied::On(list, bond) => {
                list.iter().find_map(find).map(|base| self.hang(base, index, *bond)).into_iter().collect()
            }
            Implied::OnAll(type_name) => {
                all_of(type_name).map(|base| self.hang(base, index, Bond::Order)).collect()
            }
            Implied::OnAllAt(type_name, places) => {
                let is_there = |base: &NodeIndex| {
                    let base = &self.declared.resources[*base as usize];
                    is_at(&base.reference.title, &base.attributes, places)
                };
                all_of(type_name).filter(is_there).map(|base| self.hang(base, index, Bond::Order)).collect()
            }
            Implied::Under(reference, bond) => {
                find(reference).map(|other| self.hang(index, other, *bond)).into_iter().collect()
            }
            Implied::AfterAll(type_name) => {
                all_of(type_name).map(|from| Edge { from, to: index, kind: EdgeKind::After }).collect()
            }
            Implied::PartOf(whole, _) => {
                let edge = |to| Edge { from: index, to, kind: EdgeKind::Need };
                find(whole).map(edge).into_iter().collect()
            }
        }
    }

    /// The edge between a resource and one that depends on it.
    fn hang(&self, base: NodeIndex, dependent: NodeIndex, bond: Bond) -> Edge {
        let goes = |node: NodeIndex| goes(&self.declared.resources[node as usize].attributes);
        match bond.edge(goes(base), goes(dependent)) {
            (First::Base, kind) => Edge { from: base, to: dependent, kind },
            (First::Dependent, kind) => Edge { from: dependent, to: base, kind },
        }
    }

    /// Reports a resource that is part of another one if that one is missing, or does not accept the part.
    fn check_parts(&self, resource: &DeclaredResource, pass: &Pass<'a>) {
        for implied in &resource.implied {
            let Implied::PartOf(whole, taken_by) = implied else { continue };
            let message = format!("`{}` is a part of `{whole}`, which", resource.reference);
            let problem = |why: String| {
                Diagnostic::error(
                    Code::PartOfNothing,
                    format!("{message} {why}"),
                    Origin::clone(&resource.origin),
                )
                .label("not part of any file")
            };
            match self.declared.find(whole) {
                Some(ReferenceTarget::Resource(index)) => {
                    let whole = &self.declared.resources[index as usize];
                    if whole.attributes.get(*taken_by).and_then(Value::as_bool) != Some(true) {
                        let problem = problem(format!("has no `{taken_by} = true`"));
                        pass.report(
                            problem
                                .related(Origin::clone(&whole.origin), "it is declared here")
                                .help(format!("give it `{taken_by} = true` in place of a content")),
                        );
                    }
                }
                _ if self.declared.incomplete || self.declared.is_off(pass, whole) => {}
                _ => pass.report(
                    problem("is not declared for this node".to_owned())
                        .help(format!("declare `{whole}` with `{taken_by} = true`")),
                ),
            }
        }
    }

    fn push(
        &mut self,
        from: NodeIndex,
        to: NodeIndex,
        kind: EdgeKind,
        origin: &Arc<Origin>,
        word: &'static str,
    ) {
        self.edges.push(Edge { from, to, kind });
        self.places.push((origin.clone(), word));
    }

    /// Adds an edge with the place and the reason of another.
    pub(super) fn push_as(&mut self, other: usize, (from, to, kind): (NodeIndex, NodeIndex, EdgeKind)) {
        self.edges.push(Edge { from, to, kind });
        self.places.push(self.places[other].clone());
    }

    /// Adds the edges of containment: each thing is between the begin and the end of its container, and ends before
    /// each of those that declare it.
    fn contain(&mut self) {
        let declared = self.declared;
        let mut empty = vec![true; declared.containers.len()];
        let nested = (0..).zip(&declared.containers);
        let nested = nested
            .filter_map(|(at, c)| Some((ReferenceTarget::Container(at), c.parent?, &c.origin, &c.declarers)));
        let held = (0..).zip(&declared.resources);
        let held = held.map(|(at, r)| (ReferenceTarget::Resource(at), r.container, &r.origin, &r.declarers));
        for (member, container, origin, declarers) in nested.chain(held) {
            empty[container as usize] = false;
            let (begin, end) = self.ends(ReferenceTarget::Container(container));
            let (first, last) = self.ends(member);
            self.push(begin, first, EdgeKind::Contain, origin, "contains");
            self.push(last, end, EdgeKind::Contain, origin, "is contained in");
            for by in declarers.iter().filter(|by| by.container != container) {
                let (_, end) = self.ends(ReferenceTarget::Container(by.container));
                self.push(last, end, EdgeKind::Contain, &by.origin, "is a part of");
            }
        }
        for (index, container) in (0..).zip(&declared.containers) {
            if empty[index as usize] {
                let (begin, end) = self.ends(ReferenceTarget::Container(index));
                self.push(begin, end, EdgeKind::Contain, &container.origin, "is empty");
            }
        }
    }

    fn relate(&mut self, relation: &RequestedEdge, target: ReferenceTarget) {
        let (begin, end) = self.ends(relation.from);
        let (target_begin, target_end) = self.ends(target);
        let notify = match relation.to.refresh {
            Refresh::Usual => EdgeKind::Notify,
            Refresh::Reload => EdgeKind::Reload,
        };
        let (from, to, kind, word) = match relation.word {
            RelationWord::Require => (target_end, begin, EdgeKind::Order, "is required by"),
            RelationWord::Before => (end, target_begin, EdgeKind::Order, "comes before"),
            RelationWord::Notify => (end, target_begin, notify, "notifies"),
            RelationWord::Subscribe => {
                (target_end, begin, EdgeKind::Notify, "notifies, through its subscription,")
            }
        };
        self.push(from, to, kind, &relation.origin, word);
    }

    /// The edges so far.
    pub(super) fn so_far(&self) -> &[Edge] {
        &self.edges
    }

    /// What was declared.
    pub(super) fn declared(&self) -> &'d Declarations<'a> {
        self.declared
    }

    /// The nodes of the graph at which a target begins and ends.
    pub(super) fn ends(&self, target: ReferenceTarget) -> (NodeIndex, NodeIndex) {
        match target {
            ReferenceTarget::Resource(index) => (index, index),
            ReferenceTarget::Container(index) => {
                let begin = u32::try_from(self.declared.resources.len()).unwrap_or(u32::MAX) + 2 * index;
                (begin, begin + 1)
            }
        }
    }

    pub(super) fn nodes(&self) -> usize {
        self.declared.resources.len() + 2 * self.declared.containers.len()
    }

    fn name(&self, node: NodeIndex) -> &ResourceRef {
        let resources = self.declared.resources.len();
        match self.declared.resources.get(node as usize) {
            Some(resource) => &resource.reference,
            None => &self.declared.containers[(node as usize - resources) / 2].reference,
        }
    }

    /// Reports a reference without a target, unless it is optional or its target is switched off here.
    fn missing(&self, relation: &RequestedEdge, pass: &Pass<'a>) {
        let target = &relation.to.target;
        if !relation.to.must_exist() || self.declared.incomplete || self.declared.is_off(pass, target) {
            return;
        }
        let message = format!("`{target}` is not declared for this node");
        let names: Vec<String> = self.declared.references().map(ToString::to_string).collect();
        let of_type = names.iter().filter(|name| name.starts_with(&format!("{}[", target.type_name)));
        // `nginx.service` is the unit of the service that is declared as `nginx`
        let stem = target.title.rsplit_once('.').map(|(stem, _)| format!("{}[{stem}]", target.type_name));
        let near = names
            .iter()
            .find(|name| stem.as_ref() == Some(name))
            .map(String::as_str)
            .or_else(|| nearest(&target.to_string(), of_type.map(String::as_str)))
            .or_else(|| nearest(&target.to_string(), names.iter().map(String::as_str)));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("declare it, or write `{target}?` if it may be missing"),
        };
        let problem = Diagnostic::error(Code::UnknownReference, message, Origin::clone(&relation.origin))
            .label("not declared")
            .help(help);
        pass.report(relation.whence.told(problem));
    }

    /// All nodes in an order that respects the edges; `None` if there are cycles, which are reported.
    fn ordered(&self, pass: &Pass<'_>) -> Option<Vec<NodeIndex>> {
        let resources = u32::try_from(self.declared.resources.len()).unwrap_or(u32::MAX);
        let mut edges = self.edges.clone();
        for _ in 0..MAX_CYCLES {
            let graph = Graph::new(self.nodes(), &edges);
            match graph.order(|node| if node < resources { node + 1 } else { 0 }) {
                Ok(order) if edges.len() == self.edges.len() => return Some(order),
                Ok(_) => return None,
                Err(cycle) => {
                    self.report_cycle(&cycle, pass);
                    let (from, to) = (cycle.0[0], cycle.0[1 % cycle.0.len()]);
                    edges.retain(|edge| (edge.from, edge.to) != (from, to));
                }
            }
        }
        None
    }

    fn report_cycle(&self, Cycle(nodes): &Cycle, pass: &Pass<'_>) {
        let mut names: Vec<String> = Vec::new();
        for node in nodes.iter().chain(nodes.first()) {
            let name = self.name(*node).to_string();
            if names.last() != Some(&name) {
                names.push(name);
            }
        }
        let message = format!("dependency cycle: {}", names.join(" -> "));
        let next = nodes.iter().cycle().skip(1);
        let mut places = nodes.iter().zip(next).filter_map(|(from, to)| {
            let at = self.edges.iter().position(|edge| (edge.from, edge.to) == (*from, *to))?;
            let (origin, word) = &self.places[at];
            Some((Origin::clone(origin), format!("{} {word} {}", self.name(*from), self.name(*to))))
        });
        let Some((origin, words)) = places.next() else { return };
        let mut problem = Diagnostic::error(Code::Cycle, message, origin).label(words);
        for (origin, words) in places {
            problem = problem.related(origin, words);
        }
        pass.report(problem.help("remove one of these edges: each resource must come before the next"));
    }
}
