//! A provider without its types, as the harness works with it.

use std::any::Any;
use std::borrow::Cow;

use holdfast_catalog::resource::TypedResource;

use super::{
    Alias, Applied, Change, Error, Job, Left, Notice, Plan, Planned, Property, Provider, Reading, Refreshed,
    Taken, Want, Writing,
};

/// The observation of a provider, which is only given back to that provider.
pub struct AnySeen(Box<dyn Any + Send + Sync>);

/// A [`Provider`] of any type; its methods correspond to those of the provider.
#[allow(clippy::missing_errors_doc)]
pub trait AnyProvider: Sync {
    fn planned(&self) -> Planned;
    fn taken(&self) -> Taken;
    fn acts_once(&self) -> bool;
    fn is_first(&self) -> bool;
    fn observe_all(&self, all: &[&TypedResource], reading: Reading<'_>) -> Result<AnySeen, Error>;
    fn plan_one(&self, want: &TypedResource, seen: &AnySeen, reading: Reading<'_>) -> Result<Plan, Error>;
    fn aliases_of(&self, want: &TypedResource, seen: &AnySeen, reading: Reading<'_>) -> Vec<Alias>;
    fn stand_of(&self, want: &TypedResource, seen: &AnySeen) -> Option<(&'static str, String)>;
    /// Returns one result for each job, in their order.
    fn apply_all(
        &self,
        jobs: &[(&TypedResource, &[Change])],
        writing: Writing<'_>,
    ) -> Vec<Result<Applied, Error>>;
    fn refresh_one(
        &self,
        want: &TypedResource,
        notice: Notice,
        corrected: &[Change],
        writing: Writing<'_>,
    ) -> Result<Refreshed, Error>;
    fn names_of<'a>(&self, want: &'a TypedResource) -> Vec<&'a str>;
    fn left_of<'a>(&self, want: &'a TypedResource) -> Left<'a>;
    /// Whether an attribute is a property: compared with the machine, and reported by its name.
    fn is_property(&self, attribute: &str) -> bool;
    fn acts_anywhere(&self) -> bool;
}

fn own<W: Want>(typed: &TypedResource) -> &W {
    W::of(typed).expect("`provider_of` gives each resource the provider of its own type")
}

/// A plan whose properties are replaced with their names.
fn named<P: Property>(plan: Plan<P>) -> Plan {
    let all = |changes: Vec<Change<P>>| {
        changes.into_iter().map(|change| change.of(|property| Cow::Borrowed(property.name()))).collect()
    };
    match plan {
        Plan::InSync(notes) => Plan::InSync(all(notes)),
        Plan::Changes(changes) => Plan::Changes(all(changes)),
        Plan::Pending(need) => Plan::Pending(need),
        Plan::NotApplicable(why) => Plan::NotApplicable(why),
    }
}

/// Changes with the property type of the provider that planned them.
fn typed<P: Property>(changes: &[Change]) -> Vec<Change<P>> {
    let own = |name: Cow<'static, str>| {
        P::named(&name).expect("the harness gives a provider only what it planned itself")
    };
    changes.iter().map(|change| change.clone().of(own)).collect()
}

impl<P: Provider> AnyProvider for P {
    fn planned(&self) -> Planned {
        P::PLANNED
    }

    fn taken(&self) -> Taken {
        P::TAKEN
    }

    fn is_first(&self) -> bool {
        P::FIRST
    }

    fn acts_once(&self) -> bool {
        P::ACTS_ONCE
    }

    fn observe_all(&self, all: &[&TypedResource], reading: Reading<'_>) -> Result<AnySeen, Error> {
        let own: Vec<&P::Want> = all.iter().map(|typed| own(typed)).collect();
        self.observe(&own, reading).map(|seen| AnySeen(Box::new(seen)))
    }

    fn plan_one(&self, want: &TypedResource, seen: &AnySeen, reading: Reading<'_>) -> Result<Plan, Error> {
        let seen = seen.0.downcast_ref().expect("the harness keeps what a type observed for that type");
        self.plan(own(want), seen, reading).map(named)
    }

    fn aliases_of(&self, want: &TypedResource, seen: &AnySeen, reading: Reading<'_>) -> Vec<Alias> {
        let seen = seen.0.downcast_ref().expect("the harness keeps what a type observed for that type");
        self.aliases(own(want), seen, reading)
    }

    fn stand_of(&self, want: &TypedResource, seen: &AnySeen) -> Option<(&'static str, String)> {
        let seen = seen.0.downcast_ref().expect("the harness keeps what a type observed for that type");
        self.stands_at(own(want), seen).map(|(property, value)| (property.name(), value))
    }

    fn apply_all(
        &self,
        jobs: &[(&TypedResource, &[Change])],
        writing: Writing<'_>,
    ) -> Vec<Result<Applied, Error>> {
        if let [(want, changes)] = jobs {
            return vec![self.apply(own(want), &typed::<P::Property>(changes), writing)];
        }
        let changes: Vec<_> = jobs.iter().map(|(_, changes)| typed::<P::Property>(changes)).collect();
        let pairs = jobs.iter().zip(&changes);
        let jobs: Vec<_> = pairs.map(|((want, _), changes)| Job { want: own(want), changes }).collect();
        self.apply_together(&jobs, writing)
    }

    fn refresh_one(
        &self,
        want: &TypedResource,
        notice: Notice,
        corrected: &[Change],
        writing: Writing<'_>,
    ) -> Result<Refreshed, Error> {
        self.refresh(own(want), notice, &typed::<P::Property>(corrected), writing)
    }

    fn names_of<'a>(&self, want: &'a TypedResource) -> Vec<&'a str> {
        self.names(own(want))
    }

    fn left_of<'a>(&self, want: &'a TypedResource) -> Left<'a> {
        self.left(own(want))
    }

    fn is_property(&self, attribute: &str) -> bool {
        P::Property::named(attribute).is_some()
    }

    fn acts_anywhere(&self) -> bool {
        P::ACTS_ANYWHERE
    }
}
