//! `systemd_unit`: definitions of units and drop-ins, which systemd reads again once for all that changed. Below another root
//! they are files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_catalog::resource::attribute::{Content, Presence};
use holdfast_catalog::resource::{File, SystemdUnit};

use super::file;
use super::file::{Change, Plan, Property};
use super::service::{Bus, BusError, cannot_be_told, unread_by_systemd};
use super::text::whole_file;
use super::{Applied, CatalogClaims, ChangeKind, Error, Job, Left, Provider, Reading, Taken, Writing};
use crate::system::{FileKind, Inspect, Liveness};

mod links;
mod unread;

use unread::UnreadUnits;

/// Units of systemd.
pub struct SystemdUnits;

impl Provider for SystemdUnits {
    type Want = SystemdUnit;
    type Seen = Seen;
    type Property = Property;
    const ACTS_ANYWHERE: bool = true;

    const TAKEN: Taken = Taken::Together;

    fn observe(&self, all: &[&SystemdUnit], reading: Reading<'_>) -> Result<Seen, Error> {
        let units: BTreeSet<&str> = all.iter().map(|want| want.title.unit()).collect();
        let mut seen = Seen { unread: UnreadUnits::of(reading.machine)?, ..Seen::default() };
        if !has_systemd(reading.machine) {
            return Ok(seen);
        }
        // Where systemd cannot be asked, files are put in their places all the same.
        let stale = match Bus::connect().and_then(|bus| bus.stale(units.into_iter())) {
            Ok(stale) => stale,
            Err(error) => {
                seen.unasked = Some(error);
                return Ok(seen);
            }
        };
        for unit in stale {
            let files = unit.files(reading.machine).map(|files| foreign(&files, reading.named));
            seen.stale.insert(unit.unit, files);
        }
        Ok(seen)
    }

    fn plan(&self, want: &SystemdUnit, seen: &Seen, reading: Reading<'_>) -> Result<Plan, Error> {
        let changes = match want.ensure {
            Presence::Absent if is_masked(want, reading.machine)? => Vec::new(),
            _ => whole_file::plan(&as_file(want), reading)?,
        };
        if changes.is_empty() && !links::left_behind(want, reading.machine)?.is_empty() {
            return Ok(Plan::of(vec![Change::new(Property::Ensure, "linked still", want.ensure)]));
        }
        if !changes.is_empty() {
            return Ok(Plan::of(changes));
        }
        let missed = match seen.stale.get(want.title.unit()) {
            _ if seen.unread.holds(want.title.path()) => Some(unread_change(want)),
            // A package may bring the bus yet.
            _ if matches!(seen.unasked, Some(BusError::Unreachable(_))) => {
                return Ok(Plan::Pending(not_asked(seen.unasked.as_ref())));
            }
            _ if seen.unasked.is_some() => return Err(Error::Refused(not_asked(seen.unasked.as_ref()))),
            Some(Err(why)) => return Err(cannot_be_told(want.title.unit(), why)),
            Some(Ok(foreign)) if foreign.is_empty() => Some(unread_change(want)),
            Some(Ok(foreign)) => told_here(want, reading.named).then(|| unread_foreign(want, foreign)),
            None => None,
        };
        Ok(Plan::of(missed.into_iter().collect()))
    }

    fn apply(&self, want: &SystemdUnit, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let mut answers = self.apply_together(&[Job { want, changes }], writing);
        answers.pop().unwrap_or_else(|| Ok(Applied::default()))
    }

    fn apply_together(
        &self,
        jobs: &[Job<'_, SystemdUnit, Property>],
        writing: Writing<'_>,
    ) -> Vec<Result<Applied, Error>> {
        write_and_reload(jobs, writing, || Ok(Bus::connect()?.reload_definitions()?))
    }

    fn names<'a>(&self, want: &'a SystemdUnit) -> Vec<&'a str> {
        vec![want.title.path()]
    }

    fn left<'a>(&self, want: &'a SystemdUnit) -> Left<'a> {
        whole_file::left(want.ensure, content(want))
    }
}

/// What systemd does not know yet.
#[derive(Debug, Default)]
pub struct Seen {
    /// Definitions that this agent wrote.
    unread: UnreadUnits,
    /// Units that are another on disk, with the files that no resource has and that made them so; without any, one of the
    /// catalog did. Or why that cannot be told.
    stale: BTreeMap<String, Result<Vec<String>, Error>>,
    /// Why systemd could not be asked.
    unasked: Option<BusError>,
}

/// That nobody knows by what definition systemd goes.
fn not_asked(why: Option<&BusError>) -> String {
    let why = why.map(ToString::to_string).unwrap_or_default();
    format!("its file is as wanted, and whether systemd goes by it cannot be told: {why}")
}

/// Of files, those that no resource has; none where one of them is a resource's: with that, all are read.
fn foreign(files: &[PathBuf], named: &CatalogClaims<'_>) -> Vec<String> {
    let is_managed = |path: &PathBuf| {
        let of_unit = named.of_type::<SystemdUnit>().any(|unit| Path::new(unit.title.path()) == path);
        of_unit || named.of_type::<File>().any(|file| Path::new(file.title.as_str()) == path)
    };
    if files.iter().any(is_managed) {
        Vec::new()
    } else {
        files.iter().map(|path| path.display().to_string()).collect()
    }
}

/// Whether it is the first resource of its unit, which speaks for the unit.
fn told_here(want: &SystemdUnit, named: &CatalogClaims<'_>) -> bool {
    let first = named.of_type::<SystemdUnit>().find(|other| other.title.unit() == want.title.unit());
    first.is_none_or(|first| first.title == want.title)
}

/// What others did to the unit is theirs: systemd reads it, as it would with the next package, and it is not drift.
fn unread_foreign(want: &SystemdUnit, foreign: &[String]) -> Change {
    let files = format!("{}, which no resource manages,", foreign.join(", "));
    unread_change(want).kind(ChangeKind::Unread).note(unread_by_systemd(&files))
}

fn content(want: &SystemdUnit) -> Option<&Content> {
    want.content.as_ref().filter(|_| want.ensure == Presence::Present)
}

fn as_file(want: &SystemdUnit) -> File {
    whole_file::as_file(want.title.path(), want.ensure, content(want))
}

/// A unit is masked by a link in the place of its file: that is `service`'s, and no definition.
fn is_masked(want: &SystemdUnit, machine: &dyn Inspect) -> Result<bool, Error> {
    let path = Path::new(want.title.path());
    let is_link = machine.lstat(path)?.is_some_and(|stat| stat.kind == FileKind::Symlink);
    Ok(is_link && machine.read_link(path)? == Path::new("/dev/null"))
}

/// The file is as wanted, but systemd has not read that.
fn unread_change(want: &SystemdUnit) -> Change {
    match content(want) {
        Some(content) => {
            Change::new(Property::Content, "not read by systemd yet", file::content_left(content))
        }
        None => Change::new(Property::Ensure, "known to systemd still", want.ensure),
    }
}

/// Files first, each by itself; then `reload` once for all. Until that has succeeded they are on record as unread.
fn write_and_reload(
    jobs: &[Job<'_, SystemdUnit, Property>],
    writing: Writing<'_>,
    reload: impl FnOnce() -> Result<(), Error>,
) -> Vec<Result<Applied, Error>> {
    let write = |job: &Job<'_, SystemdUnit, Property>| {
        let applied = whole_file::apply(&as_file(job.want), job.changes, writing)?;
        for link in links::left_behind(job.want, writing.machine)? {
            writing.machine.remove(&link)?;
        }
        Ok(applied)
    };
    if !has_systemd(writing.machine) {
        return jobs.iter().map(write).collect();
    }
    let paths = jobs.iter().map(|job| job.want.title.path());
    let unread = match UnreadUnits::add(paths, writing.machine) {
        Ok(unread) => unread,
        Err(error) => {
            let error = Arc::new(error);
            return jobs.iter().map(|_| Err(error.clone().into())).collect();
        }
    };
    let mut answers: Vec<_> = jobs.iter().map(write).collect();
    if let Err(error) = reload().and_then(|()| unread.clear(writing.machine)) {
        for answer in answers.iter_mut().filter(|answer| answer.is_ok()) {
            let why = format!(
                "its file is in place, but systemd has not read it yet; the next run asks again: {error}"
            );
            *answer = Err(Error::Unexpected(why));
        }
    }
    answers
}

/// The test that systemd's own programs use.
fn has_systemd(machine: &dyn Inspect) -> bool {
    machine.liveness() == Liveness::Live
        && machine.stat(Path::new("/run/systemd/system")).is_ok_and(|stat| stat.is_some())
}

#[cfg(test)]
mod tests;
