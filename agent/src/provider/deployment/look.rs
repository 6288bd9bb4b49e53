//! What a deployment's directory has, and what would correct it.

use std::path::Path;

use super::marker::{self, FailedRelease, Switching};
use super::{Change, Plan, Property};
use super::{Place, attempt, release, shared};
use crate::provider::{ChangeKind, Error, Need};
use crate::system::Inspect;

/// The plan for a deployment.
pub fn plan(place: Place<'_>, machine: &dyn Inspect) -> Result<Plan, Error> {
    let version = place.version();
    let live = place.layout.live(machine)?;
    let switching: Option<Switching> = marker::read(&place.layout.switching(), machine)?;
    let switching = switching.filter(|switching| switching.version == version);
    if let Some(failed) = failed(place, machine)? {
        if switching.is_none_or(|switching| switching.previous.is_none()) {
            return Err(Error::Refused(report(place, &failed, &what_runs(place, machine)?)));
        }
        let change =
            Change::new(Property::Version, format!("{version}, which failed"), version).also([live.name()]);
        return Ok(Plan::of(vec![change.note("a run was interrupted while rolling it back")]));
    }
    if let Some(why) = shared::missing(place, machine)? {
        return Ok(Plan::pending(why));
    }
    if live.is(version) {
        return match switching {
            None => in_place(place, machine),
            Some(switching) => {
                let before = switching.previous.as_deref().unwrap_or("absent");
                let before = place.layout.release_of(before).unwrap_or(before).to_owned();
                let change = Change::new(Property::Version, format!("{version}, not activated"), version)
                    .also([before]);
                Ok(Plan::of(vec![change.note("a run was interrupted; it is activated now")]))
            }
        };
    }
    let note = if is_to_be_made(place, machine)? {
        if let Some(path) = place.want.source.as_ref().and_then(|source| source.path())
            && machine.stat(Path::new(path))?.is_none()
        {
            return Ok(Plan::pending(Need::path(path, format!("its source {path} is not there"))));
        }
        "it is built, and then goes live"
    } else {
        "it was built before, and is only linked"
    };
    Ok(Plan::of(vec![Change::new(Property::Version, live.name(), version).note(note)]))
}

/// The plan while the wanted release is live.
fn in_place(place: Place<'_>, machine: &dyn Inspect) -> Result<Plan, Error> {
    let mut changes = Vec::new();
    let (is, should) = (shared::joined(&shared::linked(place, machine)?), shared::joined(&place.want.shared));
    if is != should {
        changes.push(Change::new(Property::Shared, is, should));
    }
    let made = release::finished(place, machine)?;
    if made.is_some_and(|made| made.content != attempt::content(place.want)) {
        let version = place.version();
        let note = "the live release was made from a different source; each version is made only once: give the new \
                    content another `version`";
        changes.push(Change::new(Property::Version, version, version).kind(ChangeKind::Note).note(note));
    }
    Ok(Plan::of(changes))
}

/// Whether the release must be made: it is not there completely, or it was made from something else and is not live.
pub fn is_to_be_made(place: Place<'_>, machine: &dyn Inspect) -> Result<bool, Error> {
    if place.layout.live(machine)?.is(place.version()) {
        return Ok(false);
    }
    let made = release::finished(place, machine)?;
    Ok(made.is_none_or(|made| made.content != attempt::content(place.want)))
}

/// The record that the release has failed, if nothing has changed since that may have been the reason.
pub fn failed(place: Place<'_>, machine: &dyn Inspect) -> Result<Option<FailedRelease>, Error> {
    let failed: Option<FailedRelease> = marker::read(&place.layout.failed(place.version()), machine)?;
    Ok(failed.filter(|failed| attempt::is_same(place.want, failed)))
}

/// Which release runs now, in words.
pub fn what_runs(place: Place<'_>, machine: &dyn Inspect) -> Result<String, Error> {
    let live = place.layout.live(machine)?;
    Ok(match live.target {
        None => "no release is live".to_owned(),
        Some(_) if live.is(place.version()) => "there is no earlier release, so it stays live".to_owned(),
        Some(_) => format!("{} is live", live.name()),
    })
}

/// What an operator reads about a release that failed: what runs, what failed and why, and how to try it again.
pub fn report(place: Place<'_>, failed: &FailedRelease, came: &str) -> String {
    let (version, marker) = (place.version(), place.layout.failed(place.version()));
    format!(
        "release {version} failed at {:.0}, and {came}: {}\nit is not tried again until its `version`, source or commands \
         change, or until {} is removed",
        failed.at,
        failed.why,
        marker.display()
    )
}
