//! Removes old releases. What a deployment did not make is left alone.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Place;
use super::marker::{self, Finished};
use crate::provider::Error;
use crate::system::System;

/// Removes the oldest finished releases, and what killed runs left half made; never the live one or its predecessor.
pub fn prune(place: Place<'_>, previous: Option<&str>, machine: &dyn System) -> Result<(), Error> {
    let names = machine.list(&place.layout.releases())?;
    let names: Vec<_> = names.iter().filter_map(|name| name.to_str()).collect();
    let marked = |ending: &str| -> Vec<String> {
        let version = |name: &&str| Some(name.strip_prefix('.')?.strip_suffix(ending)?.to_owned());
        names.iter().filter_map(version).collect()
    };
    let stays = |version: &str| version == place.version() || Some(version) == previous;
    let finished = marked(".finished");
    for version in marked(".building") {
        if stays(&version) || finished.contains(&version) {
            marker::remove(&place.layout.building(&version), machine)?;
        } else {
            remove(place, &version, machine)?;
        }
    }
    let kept = kept(place, finished.clone(), &stays, machine)?;
    for version in finished.iter().filter(|version| !kept.contains(*version)) {
        remove(place, version, machine)?;
    }
    for version in marked(".failed").iter().filter(|version| !stays(version)) {
        if machine.lstat(&place.layout.release(version))?.is_none() {
            machine.remove(&place.layout.failed(version))?;
        }
    }
    Ok(())
}

/// The releases to keep: those that must be kept, and then the newest.
fn kept(
    place: Place<'_>,
    finished: Vec<String>,
    stays: &dyn Fn(&str) -> bool,
    machine: &dyn System,
) -> Result<BTreeSet<String>, Error> {
    let mut all: Vec<(bool, Timestamp, String)> = Vec::new();
    for version in finished {
        let made: Option<Finished> = marker::read(&place.layout.finished(&version), machine)?;
        all.push((stays(&version), made.map_or(Timestamp::MIN, |made| made.at), version));
    }
    all.sort_unstable_by(|a, b| b.cmp(a));
    let must = all.iter().filter(|(must, ..)| *must).count();
    let keep = usize::try_from(place.want.keep).unwrap_or(usize::MAX).max(must);
    Ok(all.into_iter().take(keep).map(|(.., version)| version).collect())
}

/// Removes a release. If the run is killed on the way, the next one finishes it.
fn remove(place: Place<'_>, version: &str, machine: &dyn System) -> Result<(), Error> {
    marker::write(&place.layout.building(version), &version, machine)?;
    marker::remove(&place.layout.finished(version), machine)?;
    machine.remove_tree(&place.layout.release(version))?;
    machine.remove(&place.layout.failed(version))?;
    marker::remove(&place.layout.building(version), machine)
}
