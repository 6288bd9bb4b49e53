//! Definitions on disk that differ from those that systemd has read: what runs uses the old one, and systemctl warns
//! anyone who restarts it by hand. systemd reads them again; a restart is left to whoever asks for one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use holdfast_catalog::resource::{Service, SystemdUnit};

use super::definition::is_newer;
use super::systemd::{Bus, StaleUnit};
use super::unit::{Enabling, Unit};
use super::{Change, Plan, Property, UnitActivity, alias, definition, is_template};
use crate::provider::{ChangeKind, Error, Reading};
use crate::system::{Inspect, Stat};

/// How much too early a kernel may date a change, in microseconds.
const TICK: i64 = 10_000;

/// Files that make a unit's definition differ from the one with which it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newer {
    pub(super) files: Vec<PathBuf>,
    pub(super) systemd: Systemd,
}

/// What systemd did with such files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Systemd {
    /// It has not read them.
    NotRead,
    /// It has read them since the unit was started.
    Read,
    /// It has read all definitions since they were written, and does not consider them part of this one.
    PassesOver,
}

impl Newer {
    fn some(files: Vec<PathBuf>, systemd: Systemd) -> Option<Self> {
        (!files.is_empty()).then_some(Self { files, systemd })
    }
}

/// Those of these units whose definition on disk differs from the one with which they run, with the files that make the
/// difference, or why that is unknown for a unit. A unit of a `systemd_unit` reports itself what was not read, except
/// what systemd does not notice.
pub(super) fn of<'a>(
    units: impl Iterator<Item = &'a Unit>,
    bus: &Bus,
    reading: Reading<'_>,
) -> Result<BTreeMap<String, Result<Newer, Error>>, Error> {
    let units: Vec<&Unit> = units.collect();
    let running = units.iter().filter(|unit| is_there(unit));
    let stale = bus.stale(running.map(|unit| &*unit.name))?;
    let mut newer = BTreeMap::new();
    for unit in units {
        let stale = stale.iter().find(|stale| stale.unit == unit.name);
        if let Some(of_it) = of_unit(unit, stale, bus, reading).transpose() {
            newer.insert(unit.name.clone(), of_it);
        }
    }
    Ok(newer)
}

/// Whether a unit runs, or is about to, from a definition.
fn is_there(unit: &Unit) -> bool {
    matches!(unit.activity, UnitActivity::Running | UnitActivity::Starting)
}

fn of_unit(
    unit: &Unit,
    stale: Option<&StaleUnit>,
    bus: &Bus,
    reading: Reading<'_>,
) -> Result<Option<Newer>, Error> {
    let machine = reading.machine;
    if !is_template(&unit.name)
        && let Some(link) = alias::unread_link(unit, machine)?
    {
        return Ok(Newer::some(vec![link], Systemd::NotRead));
    }
    if !is_there(unit) {
        return Ok(None);
    }
    if let Some(path) = other_definition(bus, unit, machine)? {
        return Ok(Newer::some(vec![path], Systemd::NotRead));
    }
    let says = |stale: &StaleUnit| {
        reading.named.of_type::<SystemdUnit>().any(|definition| definition.title.unit() == stale.unit)
    };
    if let Some(stale) = stale.filter(|stale| !says(stale)) {
        return Ok(Some(Newer { files: stale.files(machine)?, systemd: Systemd::NotRead }));
    }
    let (passed_over, new) = new_drop_ins(bus, unit, machine)?;
    let started = if new.is_empty() { bus.started_at(unit)? } else { None };
    let written = started.map(|started| started.newer(machine)).transpose()?.unwrap_or_default();
    Ok(Newer::some(new, Systemd::NotRead)
        .or_else(|| Newer::some(written, Systemd::Read))
        .or_else(|| Newer::some(passed_over, Systemd::PassesOver)))
}

/// The error if it is unknown whether a unit runs with its definition: nothing in the catalog would change that.
pub(in crate::provider) fn cannot_be_told(unit: &str, why: &Error) -> Error {
    Error::Refused(format!("cannot tell whether systemd has read the whole definition of {unit}: {why}"))
}

/// The plan for a unit, including what is newer on disk than the definition with which it runs or is starting. A unit
/// that does not come up may be waiting for something that its definition no longer asks for. So the definition is read
/// first, and then the unit is judged again.
pub(super) fn judged(
    want: &Service,
    unit: &Unit,
    plan: Result<Plan, Error>,
    newer: Option<&Result<Newer, Error>>,
) -> Result<Plan, Error> {
    match (plan, newer) {
        (Err(_), Some(Ok(newer)))
            if unit.activity == UnitActivity::Starting && newer.systemd == Systemd::NotRead =>
        {
            Ok(Plan::of(vec![change(want, unit, newer)]))
        }
        (Ok(Plan::InSync(_)), Some(Err(why))) => Err(cannot_be_told(&unit.name, why)),
        (Ok(Plan::InSync(said)), Some(Ok(newer))) => {
            Ok(Plan::of(said.into_iter().chain([change(want, unit, newer)]).collect()))
        }
        (plan, _) => plan,
    }
}

/// The change if systemd must read a definition again, or if the unit does not run with what systemd has read. A
/// definition that others changed is not drift.
pub(super) fn change(want: &Service, unit: &Unit, newer: &Newer) -> Change {
    let files: Vec<_> = newer.files.iter().map(|path| path.display().to_string()).collect();
    let files = if files.is_empty() { "its definition".to_owned() } else { files.join(", ") };
    let should = want.ensure.map_or_else(|| unit.activity.words().to_owned(), |ensure| ensure.to_string());
    let is = format!("{}, by an older definition", unit.activity.words());
    let change = Change::new(Property::Ensure, is, should);
    let (were, them) = if newer.files.len() > 1 { ("were", "them") } else { ("was", "it") };
    match newer.systemd {
        Systemd::NotRead => change.kind(ChangeKind::Unread).note(told(&files)),
        Systemd::Read => change.kind(ChangeKind::Note).note(format!(
            "{files} {were} written after {unit} was started: that takes effect at the next start (`systemctl restart {unit}`)",
            unit = unit.name
        )),
        Systemd::PassesOver => change.kind(ChangeKind::Note).note(format!(
            "systemd has read all definitions since {files} {were} written, and does not use {them} for {unit}: see `systemctl cat {unit}`",
            unit = unit.name
        )),
    }
}

/// The message if systemd reads files that others changed.
pub(in crate::provider) fn told(files: &str) -> String {
    format!(
        "systemd had not read {files} as it is on disk: it reads it again, and running units use it from their next start"
    )
}

/// Makes systemd read changes that it does not notice itself.
pub(super) fn read_what_is_new(bus: &Bus, unit: &Unit, machine: &dyn Inspect) -> Result<(), Error> {
    let (_, new) = new_drop_ins(bus, unit, machine)?;
    let is_new = !new.is_empty()
        || other_definition(bus, unit, machine)?.is_some()
        || clash(bus, unit, machine)?.is_some();
    if is_new { Ok(bus.reload_definitions()?) } else { Ok(()) }
}

/// The definition on disk, if it is another file or link than the one that systemd has read.
fn other_definition(bus: &Bus, unit: &Unit, machine: &dyn Inspect) -> Result<Option<PathBuf>, Error> {
    if matches!(unit.enabling, Enabling::Masked | Enabling::MaskedForNow) {
        return Ok(None);
    }
    match bus.fragment(unit) {
        Some(fragment) => definition::replaced(&unit.name, &fragment, bus.read_at(), machine),
        None => Ok(None),
    }
}

/// The link that makes a unit an alias of another, and the other's name, if systemd had loaded the other one before the
/// link was made.
fn clash(bus: &Bus, unit: &Unit, machine: &dyn Inspect) -> Result<Option<(PathBuf, String)>, Error> {
    let Some((link, own)) = alias::clashing_link(unit, machine)? else { return Ok(None) };
    Ok(if is_newer(&link, bus.read_at(), machine)? { Some((link, own)) } else { None })
}

/// Replaces aliases whose links systemd has not read with the units that they stand for. Returns these links. If that
/// is unknown for one, it has an error.
pub(super) fn aliases<'a>(
    units: impl Iterator<Item = &'a mut Result<Unit, Error>>,
    bus: &Bus,
    machine: &dyn Inspect,
) -> BTreeMap<String, Result<Newer, Error>> {
    let mut links = BTreeMap::new();
    for unit in units {
        let Ok(alias) = unit else { continue };
        match meant(bus, alias, machine) {
            Ok(None) => {}
            Ok(Some((link, own))) => {
                let newer = Newer { files: vec![link], systemd: Systemd::NotRead };
                links.insert(own.name.clone(), Ok(newer));
                *unit = Ok(own);
            }
            Err(error) => *unit = Err(error),
        }
    }
    links
}

/// The link that makes what systemd considers a broken unit an alias, and the unit that it stands for.
fn meant(bus: &Bus, alias: &Unit, machine: &dyn Inspect) -> Result<Option<(PathBuf, Unit)>, Error> {
    let Some((link, own)) = clash(bus, alias, machine)? else { return Ok(None) };
    Ok(Some((link, bus.unit(&own)?)))
}

/// Drop-ins on disk that systemd does not have: those that it ignores, and those that it has not read. It notices that
/// a definition which it has read changed, but not that a unit got its first drop-in: it remembers which directories
/// exist.
fn new_drop_ins(
    bus: &Bus,
    unit: &Unit,
    machine: &dyn Inspect,
) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Error> {
    let mut on_disk = definition::drop_ins(&[&unit.name], machine)?;
    if on_disk.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let read = bus.drop_ins(unit)?;
    on_disk.retain(|path| !read.paths.iter().any(|read| Path::new(read).file_name() == path.file_name()));
    // It takes no drop-ins for a unit that is masked or has no definition, and need not.
    if !read.is_loaded {
        return Ok((Vec::new(), Vec::new()));
    }
    let mut new = Vec::new();
    let mut passed_over = Vec::new();
    for path in on_disk {
        let is_older = was_there(&path, read.at, machine)?;
        if is_older { passed_over.push(path) } else { new.push(path) }
    }
    Ok((passed_over, new))
}

/// Whether a drop-in and its directory existed when definitions were last read, which was at `read_at` microseconds
/// since 1970.
fn was_there(path: &Path, read_at: Option<i64>, machine: &dyn Inspect) -> Result<bool, Error> {
    let Some(read_at) = read_at else { return Ok(false) };
    for path in [Some(path), path.parent()].into_iter().flatten() {
        let stat = machine.lstat(path)?;
        let changed =
            |stat: Stat| stat.times.changed * 1_000_000 + i64::from(stat.times.changed_nanos) / 1_000;
        if stat.is_none_or(|stat| changed(stat) + TICK > read_at) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::double::Double;

    #[test]
    fn a_drop_in_that_was_there_when_definitions_were_read_is_told_from_one_that_came_later() {
        let double = Double::new(|_| None);
        let path = Path::new("/etc/systemd/system/x.service.d/own.conf");
        double.put(path.to_str().unwrap(), "");
        let changed = double.lstat(path).unwrap().unwrap().times.changed * 1_000_000;
        let later = changed + 60_000_000;
        for (read_at, is_older) in [(later, true), (changed - 60_000_000, false)] {
            assert_eq!(was_there(path, Some(read_at), &double).unwrap(), is_older);
        }
        assert!(
            !was_there(Path::new("/etc/systemd/system/x.service.d/gone.conf"), Some(later), &double).unwrap()
        );
    }
}
