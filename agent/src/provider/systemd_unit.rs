//! `systemd_unit`: unit definitions and drop-ins, which systemd reads again once for all that changed. Below another
//! root they are only files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use holdfast_catalog::resource::attribute::{FileContent, Presence};
use holdfast_catalog::resource::{File, SystemdUnit};

use super::file;
use super::file::{Change, Plan, Property};
use super::service::{Bus, BusError, Unusable, cannot_be_told, unread_by_systemd};
use super::text::whole_file;
use super::{
    Applied, CatalogClaims, ChangeKind, Error, Job, Left, Provider, Reading, Taken, Writing, unit_path,
};
use crate::system::{FileKind, Inspect, Invocation, Liveness};

mod links;
mod overruled;
mod unread;

use overruled::Overruled;
use unread::UnreadUnits;

/// How long systemd's own verification of a unit may take.
const JUDGEMENT: Duration = Duration::from_secs(20);

/// The most lines of it that are reported.
const MAX_LINES: usize = 5;

/// The provider of `systemd_unit`.
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
        // If systemd cannot be asked, the files are still put in place.
        let single = all.iter().filter(|want| want.ensure == Presence::Present && !want.title.is_of_many());
        let single: BTreeSet<&str> = single.map(|want| want.title.unit()).collect();
        let asked = Bus::connect().and_then(|bus| {
            seen.unusable = bus.unusable(single.iter().copied())?;
            seen.drop_ins = bus.drop_ins_of(single.into_iter())?;
            bus.stale(units.into_iter())
        });
        let stale = match asked {
            Ok(stale) => stale,
            Err(error) => {
                seen.unasked = Some(error);
                return Ok(seen);
            }
        };
        for unit in stale {
            let files = unit.files(reading.machine);
            // systemd reports a unit that it refuses as not read, however often it reads it.
            let is_refused = seen.unusable.get(&unit.unit) == Some(&Unusable::Refused);
            if is_refused && files.as_ref().is_ok_and(Vec::is_empty) {
                continue;
            }
            let files = files.map(|files| foreign(&files, reading.named));
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
        refuse_hidden(want, reading.machine)?;
        let missed = match seen.stale.get(want.title.unit()) {
            _ if seen.unread.holds(want.title.path()) => Some(unread_change(want)),
            // A package may still bring the bus.
            _ if matches!(seen.unasked, Some(BusError::Unreachable(_))) => {
                return Ok(Plan::pending(not_asked(seen.unasked.as_ref())));
            }
            _ if seen.unasked.is_some() => return Err(Error::Refused(not_asked(seen.unasked.as_ref()))),
            Some(Err(why)) => return Err(cannot_be_told(want.title.unit(), why)),
            Some(Ok(foreign)) if foreign.is_empty() => Some(unread_change(want)),
            Some(Ok(foreign)) => told_here(want, reading.named).then(|| unread_foreign(want, foreign)),
            None => match seen.unusable.get(want.title.unit()) {
                _ if want.ensure == Presence::Absent => None,
                Some(Unusable::Refused) => return Err(refused(want, reading.machine)),
                Some(Unusable::Missing) => Some(without_unit(want)),
                None => {
                    let drop_ins = seen.drop_ins.get(want.title.unit()).map(Vec::as_slice);
                    overruled::by(want, drop_ins.unwrap_or_default(), reading)?
                        .map(|by| told_over(want, by))
                        .transpose()?
                }
            },
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
    /// Definitions that this agent wrote and systemd has not read.
    unread: UnreadUnits,
    /// Units that differ on disk, with the files that caused it and that no resource has; empty if a file of the
    /// catalog did. Or why that is unknown.
    stale: BTreeMap<String, Result<Vec<String>, Error>>,
    /// Units that cannot be loaded from their definitions.
    unusable: BTreeMap<String, Unusable>,
    /// The loaded drop-ins of units, in the order in which systemd applies them.
    drop_ins: BTreeMap<String, Vec<String>>,
    /// Why systemd could not be asked.
    unasked: Option<BusError>,
}

/// The note that it is unknown which definition systemd uses.
fn not_asked(why: Option<&BusError>) -> String {
    let why = why.map(ToString::to_string).unwrap_or_default();
    format!("its file is correct, but it is not known whether systemd uses it: {why}")
}

/// The error if systemd refuses the unit, with its reasons.
fn refused(want: &SystemdUnit, machine: &dyn Inspect) -> Error {
    let unit = want.title.unit();
    let said = machine.probe(&verify(unit)).map(|output| output.stderr).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    // What it prints about other units, and about the unit in general at the end, is not a cause.
    let is_cause = |line: &&str| line.contains(unit) && !line.starts_with("Unit ");
    let why: Vec<&str> = said.lines().filter(is_cause).take(MAX_LINES).collect();
    let why = if why.is_empty() { format!("see `systemctl status {unit}`") } else { why.join("; ") };
    Error::ByItself(format!("its file is correct, but systemd refuses the unit `{unit}`: {why}"))
}

/// The command that makes systemd verify a unit without starting it.
fn verify(unit: &str) -> Invocation {
    Invocation::new(["systemd-analyze", "verify", "--man=no", "--", unit]).timeout(JUDGEMENT)
}

/// The note that a drop-in changes nothing, since there is no such unit.
fn without_unit(want: &SystemdUnit) -> Change {
    let unit = want.title.unit();
    let words = format!("there is no unit `{unit}`, so this changes nothing");
    Change::new(Property::Ensure, want.ensure, want.ensure).kind(ChangeKind::Note).note(words)
}

/// Somebody else's drop-in overrules the definition: an error if it is for this unit, and a remark if it is for several.
fn told_over(want: &SystemdUnit, by: Overruled) -> Result<Change, Error> {
    if by.is_of_unit {
        return Err(Error::Conflict(format!("{}: remove that line there, or change it here", by.words)));
    }
    Ok(Change::new(Property::Ensure, want.ensure, want.ensure).kind(ChangeKind::Note).note(by.words))
}

/// What systemd ignores in a file that it has read: names and values that it does not know.
fn passed_over(want: &SystemdUnit, machine: &dyn Inspect) -> Option<String> {
    let target = if want.title.is_of_many() { want.title.path() } else { want.title.unit() };
    let is_for_all = want.title.is_drop_in() && want.title.is_of_many();
    if want.ensure == Presence::Absent || is_for_all {
        return None;
    }
    let output = machine.probe(&verify(target)).ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let of_file = |line: &str| {
        let line = line.strip_prefix(want.title.path())?.strip_prefix(':')?;
        line.starts_with(|letter: char| letter.is_ascii_digit()).then(|| format!("line {line}"))
    };
    let lines: Vec<String> = said.lines().filter_map(of_file).take(MAX_LINES).collect();
    (!lines.is_empty()).then(|| format!("systemd reports: {}", lines.join("; ")))
}

/// Those of these files that no resource has; empty if a resource has one of them: then all are read because of it.
fn foreign(files: &[PathBuf], named: &CatalogClaims<'_>) -> Vec<String> {
    if files.iter().any(|path| is_managed(path, named)) {
        Vec::new()
    } else {
        files.iter().map(|path| path.display().to_string()).collect()
    }
}

/// Whether a resource has a file.
fn is_managed(path: &Path, named: &CatalogClaims<'_>) -> bool {
    let of_unit = named.of_type::<SystemdUnit>().any(|unit| Path::new(unit.title.path()) == path);
    of_unit || named.of_type::<File>().any(|file| Path::new(file.title.as_str()) == path)
}

/// Whether this is the first resource of its unit, which reports for the unit.
fn told_here(want: &SystemdUnit, named: &CatalogClaims<'_>) -> bool {
    let first = named.of_type::<SystemdUnit>().find(|other| other.title.unit() == want.title.unit());
    first.is_none_or(|first| first.title == want.title)
}

/// The change if others changed the unit. That is not drift: systemd reads it, as it would when the next package is
/// installed.
fn unread_foreign(want: &SystemdUnit, foreign: &[String]) -> Change {
    let files = format!("{}, which no resource manages,", foreign.join(", "));
    unread_change(want).kind(ChangeKind::Unread).note(unread_by_systemd(&files))
}

fn content(want: &SystemdUnit) -> Option<&FileContent> {
    want.content.as_ref().filter(|_| want.ensure == Presence::Present)
}

fn as_file(want: &SystemdUnit) -> File {
    whole_file::as_file(want.title.path(), want.ensure, content(want))
}

/// Whether the unit is masked, by a link in place of its file. That belongs to `service` and is not a definition.
fn is_masked(want: &SystemdUnit, machine: &dyn Inspect) -> Result<bool, Error> {
    let path = Path::new(want.title.path());
    let is_link = machine.lstat(path)?.is_some_and(|stat| stat.kind == FileKind::Symlink);
    Ok(is_link && machine.read_link(path)? == Path::new("/dev/null"))
}

/// The change if the file is as wanted, but systemd has not read it.
fn unread_change(want: &SystemdUnit) -> Change {
    match content(want) {
        Some(content) => {
            Change::new(Property::Content, "not yet read by systemd", file::content_left(content))
        }
        None => Change::new(Property::Ensure, "still known to systemd", want.ensure),
    }
}

/// Fails if the file is as wanted, but systemd uses another one with its name.
fn refuse_hidden(want: &SystemdUnit, machine: &dyn Inspect) -> Result<(), Error> {
    let own = want.title.path();
    let name = own.strip_prefix("/etc/systemd/system/").filter(|_| want.ensure == Presence::Present);
    let hiding = name.map(|name| unit_path::hiding_own(name, machine)).transpose()?.flatten();
    hiding.map_or(Ok(()), |hiding| {
        Err(Error::Conflict(format!(
            "systemd reads {} instead of {own}: remove it, then run `systemctl daemon-reload`",
            hiding.display()
        )))
    })
}

/// Writes the files, each on its own, then calls `reload` once for all. Until that has succeeded, they are recorded as
/// unread.
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
    for (job, answer) in jobs.iter().zip(&mut answers) {
        if let Ok(applied) = answer {
            applied.said.extend(passed_over(job.want, writing.machine).map(|words| (0, words)));
        }
    }
    answers
}

/// Whether systemd runs, by the test that its own programs use.
fn has_systemd(machine: &dyn Inspect) -> bool {
    machine.liveness() == Liveness::Live
        && machine.stat(Path::new("/run/systemd/system")).is_ok_and(|stat| stat.is_some())
}

#[cfg(test)]
mod tests;
