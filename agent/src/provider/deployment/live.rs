//! Makes a release the live one, and rolls that back if it fails.

use std::path::Path;

use super::layout::Layout;
use super::marker::{self, FailedRelease, Switching};
use super::release::{self, ReleaseFailure};
use super::{Place, attempt, command, look, prune, shared};
use crate::provider::{Error, Writing};
use crate::system::Permissions;

/// The link belongs to the agent itself.
const LINK: Permissions = Permissions { mode: 0o777, uid: None, gid: None };

/// Makes the wanted release the live one; returns a remark, if there is one.
pub fn deploy(place: Place<'_>, writing: Writing<'_>) -> Result<Option<String>, Error> {
    place.layout.make(writing.machine)?;
    if let Some(failed) = look::failed(place, writing.machine)? {
        // A run was killed while it rolled this release back.
        let came = take_back(place, writing)?;
        return Err(Error::Refused(look::report(place, &failed, &came)));
    }
    match bring(place, writing) {
        Ok(said) => Ok(said),
        Err(ReleaseFailure::Passing(error)) => Err(error),
        Err(ReleaseFailure::Release(why)) => {
            let failed = remember(place, &why, writing)?;
            let came = take_back(place, writing)?;
            Err(Error::Refused(look::report(place, &failed, &came)))
        }
    }
}

/// Records that the release failed, before anything is rolled back.
fn remember(place: Place<'_>, why: &str, writing: Writing<'_>) -> Result<FailedRelease, Error> {
    let failed = attempt::failed(place.want, why);
    marker::write(&place.layout.failed(place.version()), &failed, writing.machine)?;
    Ok(failed)
}

fn bring(place: Place<'_>, writing: Writing<'_>) -> Result<Option<String>, ReleaseFailure> {
    let (version, machine) = (place.version(), writing.machine);
    let of_content = if look::is_to_be_made(place, machine)? {
        release::make(place, writing)?
    } else {
        shared::link(place, shared::ReleaseState::Live, machine)?;
        None
    };
    let previous = switch(place, writing)?;
    activate(place, version, writing).map_err(ReleaseFailure::Release)?;
    marker::remove(&place.layout.switching(), machine)?;
    marker::remove(&place.layout.failed(version), machine)?;
    let previous = previous.as_deref().and_then(|target| place.layout.release_of(target));
    let kept = prune::prune(place, previous, machine);
    let of_old = kept.err().map(|error| format!("it is live; an old release could not be removed: {error}"));
    let said: Vec<_> = [of_content, of_old].into_iter().flatten().collect();
    Ok((!said.is_empty()).then(|| said.join("; ")))
}

/// Makes the link lead to the release; returns its previous text.
fn switch(place: Place<'_>, writing: Writing<'_>) -> Result<Option<String>, Error> {
    let (version, machine) = (place.version(), writing.machine);
    let live = place.layout.live(machine)?;
    let target = Layout::target(version);
    let under_way: Option<Switching> = marker::read(&place.layout.switching(), machine)?;
    let previous = match under_way {
        // What was live when a run was killed had not been proven yet.
        Some(switching) if live.is(&switching.version) => switching.previous,
        _ => live.target.clone(),
    };
    let previous = previous.filter(|previous| place.layout.release_of(previous) != Some(version));
    let switching = Switching { version: version.to_owned(), previous: previous.clone() };
    marker::write(&place.layout.switching(), &switching, machine)?;
    if !live.is(version) {
        machine.make_symlink(&place.layout.current(), Path::new(&target), LINK)?;
        machine.settle()?;
    }
    Ok(previous)
}

/// Runs `activate` for the live release, and checks its health. The error says why it is not well.
pub fn activate(place: Place<'_>, live: &str, writing: Writing<'_>) -> Result<(), String> {
    run_activate(place, writing).map_err(|why| format!("it could not be activated: {why}"))?;
    command::health(place.want, &place.layout.release(live), writing)
}

fn run_activate(place: Place<'_>, writing: Writing<'_>) -> Result<(), String> {
    match &place.want.activate {
        Some(activate) => command::run(&command::as_root(place.want, activate), writing),
        None => Ok(()),
    }
}

/// Makes the previous release live again; returns what came of it. If the link was not switched, nothing is done.
fn take_back(place: Place<'_>, writing: Writing<'_>) -> Result<String, Error> {
    let machine = writing.machine;
    let switching: Option<Switching> = marker::read(&place.layout.switching(), machine)?;
    let Some(switching) = switching.filter(|switching| switching.version == place.version()) else {
        return look::what_runs(place, machine);
    };
    let Some(target) = &switching.previous else {
        // Its `finished` marker is kept: the release is tried again once the record of its failure is gone.
        return look::what_runs(place, machine);
    };
    machine.make_symlink(&place.layout.current(), Path::new(target), LINK)?;
    machine.settle()?;
    let name = place.layout.release_of(target).unwrap_or(target);
    let came = match run_activate(place, writing) {
        Ok(()) => format!("{name} is live again"),
        Err(why) => {
            let why = attempt::masked(place.want, &why);
            format!("{name} is linked again, but could not be activated, so it may not be running: {why}")
        }
    };
    marker::remove(&place.layout.switching(), machine)?;
    Ok(came)
}
