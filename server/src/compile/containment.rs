//! Determines what contains what, once everything is declared.
//!
//! What only one class or instance declares is contained in it. What several declare is contained in the nearest
//! container that all ways from the role to it lead through (their nearest common *dominator*), whatever the order in
//! which they are written. The order of the catalog, which breaks ties, follows from that: first the classes in a
//! container by name, then what its own blocks declare.

use std::collections::BTreeSet;

use super::declared::{Declarations, Declarer, ReferenceTarget};

/// The index of the role, which is declared first.
const ROLE: u32 = 0;

impl Declarations<'_> {
    /// Gives everything its container, its position in the catalog, and its tags.
    pub(super) fn settle(&mut self) {
        if self.containers.is_empty() {
            return;
        }
        let ways = DeclarationPaths::of(self);
        for index in &ways.outer_first {
            let parent = ways.parent(*index);
            let container = &mut self.containers[*index as usize];
            container.parent = parent;
            let orders =
                |by: &Declarer| Some(by.container) == parent || !ways.in_a_circle(by.container, *index);
            container.declarers.retain(orders);
            if let Some(parent) = parent.filter(|_| container.declarers.is_empty()) {
                container.declarers.push(Declarer { container: parent, origin: container.origin.clone() });
            }
        }
        for resource in &mut self.resources {
            let all = resource.declarers.iter().map(|by| by.container);
            resource.container = all.reduce(|one, other| ways.common(one, other)).unwrap_or_default();
        }
        self.outer_first = ways.outer_first;
        self.renumber();
        self.hand_down_tags();
    }

    /// Puts everything in the order of the catalog.
    fn renumber(&mut self) {
        let order = Renumbering::of(self);
        let container = |index: &mut u32| *index = order.container[*index as usize];
        let target = |target: &mut ReferenceTarget| match target {
            ReferenceTarget::Resource(index) => *index = order.resource[*index as usize],
            ReferenceTarget::Container(index) => container(index),
        };
        self.containers = arranged(std::mem::take(&mut self.containers), &order.container);
        self.resources = arranged(std::mem::take(&mut self.resources), &order.resource);
        self.index.values_mut().for_each(target);
        self.relations.iter_mut().for_each(|relation| target(&mut relation.from));
        self.outer_first.iter_mut().for_each(container);
        self.containers.iter_mut().filter_map(|inner| inner.parent.as_mut()).for_each(container);
        self.resources.iter_mut().for_each(|resource| container(&mut resource.container));
        let nested = self.containers.iter_mut().map(|inner| &mut inner.declarers);
        for declarers in nested.chain(self.resources.iter_mut().map(|resource| &mut resource.declarers)) {
            declarers.iter_mut().for_each(|by| container(&mut by.container));
            declarers.sort_by_key(|by| by.container);
            declarers.dedup_by_key(|by| by.container);
        }
    }

    /// Passes the tags of each container on to what it declares.
    fn hand_down_tags(&mut self) {
        for index in &self.outer_first {
            let tags = self.tags_of(&self.containers[*index as usize].declarers);
            self.containers[*index as usize].tags.extend(tags);
        }
        for index in 0..self.resources.len() {
            let tags = self.tags_of(&self.resources[index].declarers);
            self.resources[index].tags.extend(tags);
        }
    }

    fn tags_of(&self, declarers: &[Declarer]) -> BTreeSet<std::sync::Arc<str>> {
        declarers.iter().flat_map(|by| &self.containers[by.container as usize].tags).cloned().collect()
    }
}

/// The new indices of containers and resources: in each container first its classes by name, then what its blocks
/// declare, in the order written.
struct Renumbering {
    container: Vec<u32>,
    resource: Vec<u32>,
}

const NOWHERE: u32 = u32::MAX;

impl Renumbering {
    fn of(declared: &Declarations<'_>) -> Self {
        let [container, resource] =
            [declared.containers.len(), declared.resources.len()].map(|count| vec![NOWHERE; count]);
        let mut order = Self { container, resource };
        let (mut containers, mut resources) = (0, 0);
        let classes = classes_within(declared);
        let mut todo = vec![ReferenceTarget::Container(ROLE)];
        while let Some(target) = todo.pop() {
            let (slot, next) = match target {
                ReferenceTarget::Container(index) => (&mut order.container[index as usize], &mut containers),
                ReferenceTarget::Resource(index) => (&mut order.resource[index as usize], &mut resources),
            };
            if *slot != NOWHERE {
                continue;
            }
            *slot = *next;
            *next += 1;
            if let ReferenceTarget::Container(index) = target {
                todo.extend(declared.containers[index as usize].members.iter().rev());
                todo.extend(
                    classes[index as usize].iter().rev().map(|class| ReferenceTarget::Container(*class)),
                );
            }
        }
        order
    }
}

/// The classes in each container, by name.
fn classes_within(declared: &Declarations<'_>) -> Vec<Vec<u32>> {
    let mut within = vec![Vec::new(); declared.containers.len()];
    for (index, class) in (0..).zip(&declared.containers).filter(|(_, inner)| inner.is_class()) {
        if let Some(parent) = class.parent {
            within[parent as usize].push(index);
        }
    }
    let name = |index: &u32| &declared.containers[*index as usize].reference.title;
    within.iter_mut().for_each(|classes| classes.sort_by_key(name));
    within
}

/// Moves each thing to its new index.
fn arranged<T>(things: Vec<T>, places: &[u32]) -> Vec<T> {
    let mut arranged: Vec<(u32, T)> = places.iter().copied().zip(things).collect();
    arranged.sort_unstable_by_key(|(place, _)| *place);
    arranged.into_iter().map(|(_, thing)| thing).collect()
}

/// The ways on which declarations lead from the role to each container.
struct DeclarationPaths {
    /// All containers, each after the one that all its ways lead through, and after all that lead to it except in a circle.
    outer_first: Vec<u32>,
    /// The position of each container in that order.
    place: Vec<u32>,
    /// The nearest container that all ways lead through; for the role, itself.
    through: Vec<u32>,
    /// Containers with the same number lead to each other.
    circle: Vec<u32>,
}

impl DeclarationPaths {
    /// Follows Cooper, Harvey and Kennedy, "A simple, fast dominance algorithm" (2001).
    fn of(declared: &Declarations<'_>) -> Self {
        let count = declared.containers.len();
        let outer_first = outer_first(declared);
        let mut place = vec![0; count];
        for (at, index) in (0..).zip(&outer_first) {
            place[*index as usize] = at;
        }
        let mut ways = Self {
            circle: circles(declared, &outer_first),
            outer_first,
            place,
            through: vec![NOWHERE; count],
        };
        let role = ways.outer_first[0];
        ways.through[role as usize] = role;
        let mut changed = true;
        while changed {
            changed = false;
            for at in 1..ways.outer_first.len() {
                let index = ways.outer_first[at];
                let by = declared.containers[index as usize].declarers.iter().map(|by| by.container);
                let known = by.filter(|by| ways.through[*by as usize] != NOWHERE);
                let through = known.reduce(|one, other| ways.common(one, other)).unwrap_or(role);
                changed |= std::mem::replace(&mut ways.through[index as usize], through) != through;
            }
        }
        ways
    }

    /// The innermost container that contains both, or that is one of them and contains the other.
    fn common(&self, mut one: u32, mut other: u32) -> u32 {
        while one != other {
            while self.place[one as usize] > self.place[other as usize] {
                one = self.through[one as usize];
            }
            while self.place[other as usize] > self.place[one as usize] {
                other = self.through[other as usize];
            }
        }
        one
    }

    fn parent(&self, index: u32) -> Option<u32> {
        Some(self.through[index as usize]).filter(|parent| *parent != index)
    }

    /// Whether two containers lead to each other, in which case neither can wait for the other.
    fn in_a_circle(&self, one: u32, other: u32) -> bool {
        self.circle[one as usize] == self.circle[other as usize]
    }
}

/// The containers in reverse postorder from the role.
fn outer_first(declared: &Declarations<'_>) -> Vec<u32> {
    let mut inner = vec![Vec::new(); declared.containers.len()];
    for (index, container) in (0..).zip(&declared.containers) {
        container.declarers.iter().for_each(|by| inner[by.container as usize].push(index));
    }
    let mut seen = vec![false; inner.len()];
    seen[ROLE as usize] = true;
    let mut order = Vec::with_capacity(inner.len());
    let mut way = vec![(ROLE, 0)];
    while let Some((index, next)) = way.last_mut() {
        match inner[*index as usize].get(*next) {
            Some(found) => {
                *next += 1;
                if !std::mem::replace(&mut seen[*found as usize], true) {
                    way.push((*found, 0));
                }
            }
            None => {
                order.push(*index);
                way.pop();
            }
        }
    }
    order.reverse();
    order
}

/// Which containers lead to each other. Uses Kosaraju's algorithm: walks back from each container, in the order of the
/// ways from the role.
fn circles(declared: &Declarations<'_>, outer_first: &[u32]) -> Vec<u32> {
    let mut circle = vec![NOWHERE; declared.containers.len()];
    for start in outer_first {
        let mut todo = vec![*start];
        while let Some(index) = todo.pop() {
            if circle[index as usize] == NOWHERE {
                circle[index as usize] = *start;
                todo.extend(declared.containers[index as usize].declarers.iter().map(|by| by.container));
            }
        }
    }
    circle
}
