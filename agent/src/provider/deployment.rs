//! `deployment`: releases side by side, and one link that says which is live.
//!
//! A release is made while the old one runs, and is finished only when its marker says so. The link is switched by one
//! rename, between two records of what is in progress. A run that is killed at any point leaves the old or the new
//! release live, and the next one continues from there. A release that fails is rolled back, and remembered.

use std::path::Path;
use std::sync::Arc;

use holdfast_catalog::resource::Deployment;

use super::archive::owners::Owners;
use super::{
    Applied, Error, Left, Need, Notice, PathAliases, Provider, Reading, Refreshed, Writing, inside,
    properties,
};
use crate::system::{Accounts, Liveness};

mod attempt;
mod command;
mod layout;
mod live;
mod look;
mod marker;
mod prune;
mod release;
mod shared;
#[cfg(test)]
mod tests;

use layout::Layout;

/// The provider of `deployment`.
pub struct Deployments;

/// Whether a directory, given by its real path, contains releases of a deployment in the catalog, or is in one.
pub(super) fn holds_releases(place: &str, reading: Reading<'_>) -> bool {
    let mut ways = PathAliases::new(reading.machine);
    reading.named.of_type::<Deployment>().any(|want| {
        let releases = inside(&ways.place(want.title.as_str()), layout::RELEASES);
        Path::new(place).starts_with(releases)
    })
}

/// A deployment on this machine.
#[derive(Clone, Copy)]
struct Place<'a> {
    want: &'a Deployment,
    layout: Layout<'a>,
    owners: Owners,
}

impl<'a> Place<'a> {
    fn of(want: &'a Deployment, accounts: &Accounts) -> Result<Self, Need> {
        let owners = Owners::of_user(want.user.as_ref(), want.group.as_ref(), accounts)?;
        Ok(Self { want, layout: Layout::of(want), owners })
    }

    fn version(&self) -> &'a str {
        self.want.version.as_str()
    }
}

properties! {
    Version => "version",
    Shared => "shared",
}

impl Provider for Deployments {
    type Want = Deployment;
    type Seen = Arc<Accounts>;
    type Property = Property;
    const ACTS_ANYWHERE: bool = true;

    fn observe(&self, _: &[&Deployment], reading: Reading<'_>) -> Result<Arc<Accounts>, Error> {
        Ok(reading.machine.accounts()?)
    }

    fn plan(&self, want: &Deployment, accounts: &Arc<Accounts>, reading: Reading<'_>) -> Result<Plan, Error> {
        if reading.machine.liveness() != Liveness::Live {
            return Ok(Plan::NotApplicable("releases are made on a running system only".to_owned()));
        }
        match Place::of(want, accounts) {
            Ok(place) => look::plan(place, reading.machine),
            Err(need) => Ok(Plan::Pending(need)),
        }
    }

    fn apply(&self, want: &Deployment, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let place = Place::of(want, &*writing.machine.accounts()?).map_err(Error::Missing)?;
        let mut applied = Applied::default();
        match changes.iter().position(|change| change.property == Property::Version) {
            Some(at) => applied.said.extend(live::deploy(place, writing)?.map(|words| (at, words))),
            None => shared::link(place, shared::ReleaseState::Live, writing.machine)?,
        }
        Ok(applied)
    }

    fn refresh(
        &self,
        want: &Deployment,
        _: Notice,
        corrected: &[Change],
        writing: Writing<'_>,
    ) -> Result<Refreshed, Error> {
        if corrected.iter().any(|change| change.property == Property::Version) {
            return Ok(Refreshed::NotNeeded("it was already activated in this run".to_owned()));
        }
        if want.activate.is_none() {
            return Ok(Refreshed::NotNeeded("it has no command that activates it".to_owned()));
        }
        let place = Place::of(want, &*writing.machine.accounts()?).map_err(Error::Missing)?;
        let Some(release) = place.layout.live(writing.machine)?.release else {
            return Ok(Refreshed::NotNeeded("no release is live".to_owned()));
        };
        live::activate(place, &release, writing).map_err(Error::Refused)?;
        Ok(Refreshed::Done("activated again".to_owned()))
    }

    fn names<'a>(&self, want: &'a Deployment) -> Vec<&'a str> {
        vec![want.title.as_str()]
    }

    fn left<'a>(&self, want: &'a Deployment) -> Left<'a> {
        let mut left: Left<'a> = vec![("version".into(), want.version.as_str().into())];
        left.extend(
            (!want.shared.is_empty()).then(|| ("shared".into(), shared::joined(&want.shared).into())),
        );
        left
    }
}
