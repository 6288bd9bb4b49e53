//! The places in the data that decided whether a resource is declared, and under which title. If titles from data
//! collide, the manifest is not wrong: the author of the data must see the place.

use std::sync::Arc;

use holdfast_catalog::origin::Origin;

use crate::diagnostic::Diagnostic;

/// The most places to keep for one resource.
const MAX_PLACES: usize = 4;

/// What a place in the data decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decides {
    Title,
    /// It is an element of the loop.
    Loop,
    /// The condition depends on it.
    Condition,
    /// A value other than these.
    Value,
}

impl Decides {
    fn words(self) -> &'static str {
        match self {
            Self::Title => "its title comes from here",
            Self::Loop => "it is declared for this element",
            Self::Condition => "its condition depends on this",
            Self::Value => "the value is from here",
        }
    }
}

/// The places in the data that decided that something is declared.
#[derive(Debug, Clone, Default)]
pub(super) struct Whence(Vec<(Arc<Origin>, Decides)>);

impl Whence {
    /// Adds places; those outside the data are left out.
    pub(super) fn add<'o>(&mut self, places: impl IntoIterator<Item = &'o Arc<Origin>>, decides: Decides) {
        for place in places {
            let is_known = self.0.iter().any(|(known, _)| known == place);
            if self.0.len() < MAX_PLACES && place.level.is_some() && !is_known {
                self.0.push((place.clone(), decides));
            }
        }
    }

    /// Adds the places that decided about what this is in.
    pub(super) fn within(&mut self, around: &Self) {
        for (place, decides) in &around.0 {
            self.add([place], *decides);
        }
    }

    /// The problem with these places, without those that it names already.
    pub(super) fn told(&self, mut problem: Diagnostic) -> Diagnostic {
        for (place, decides) in &self.0 {
            let is_told = problem.origin.iter().chain(problem.related.iter().map(|(other, _)| other));
            if !is_told.into_iter().any(|other| *other == **place) {
                problem = problem.related(Origin::clone(place), decides.words());
            }
        }
        problem
    }
}
