//! Definitions on disk that are others than those that systemd has read: what runs goes by the old one, and who starts it
//! again by hand is warned. systemd reads them again; a restart is for who asks for one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use holdfast_catalog::resource::{Service, SystemdUnit};

use super::systemd::Bus;
use super::unit::Unit;
use super::{Activity, Change, Property, alias, definition, is_template};
use crate::provider::{ChangeKind, Error, Reading};
use crate::system::Inspect;

/// Files that make a unit's definition another than the one by which it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newer {
    pub(super) files: Vec<PathBuf>,
    /// Whether systemd has read them.
    pub(super) is_read: bool,
}

impl Newer {
    fn unread(files: Vec<PathBuf>) -> Self {
        Self { files, is_read: false }
    }
}

/// Those of these units whose definition on disk is another than the one by which they run, with the files that make it so. A
/// unit of a `systemd_unit` says itself what was not read, but for what systemd does not see.
pub(super) fn of<'a>(
    units: impl Iterator<Item = &'a Unit>,
    bus: &Bus,
    reading: Reading<'_>,
) -> Result<BTreeMap<String, Newer>, Error> {
    let units: Vec<&Unit> = units.collect();
    let running: Vec<&Unit> =
        units.iter().copied().filter(|unit| unit.activity == Activity::Running).collect();
    let mut unread = BTreeMap::new();
    for unit in units.iter().filter(|unit| !is_template(&unit.name)) {
        if let Some(link) = alias::unread_link(unit, reading.machine)? {
            unread.insert(unit.name.clone(), Newer::unread(vec![link]));
        }
    }
    for stale in bus.stale(running.iter().map(|unit| &*unit.name))? {
        let says = |definition: &SystemdUnit| definition.title.unit() == stale.unit;
        if !reading.named.of_type::<SystemdUnit>().any(says) {
            unread.insert(stale.unit.clone(), Newer::unread(stale.files(reading.machine)?));
        }
    }
    for unit in running {
        let new = new_drop_ins(bus, unit, reading.machine)?;
        if !new.is_empty() {
            unread.entry(unit.name.clone()).or_insert(Newer::unread(new));
        }
        if !unread.contains_key(&unit.name)
            && let Some(started) = bus.started_at(unit)?
        {
            let files = started.newer(reading.machine)?;
            if !files.is_empty() {
                unread.insert(unit.name.clone(), Newer { files, is_read: true });
            }
        }
    }
    Ok(unread)
}

/// That systemd is to read a definition again, or that the unit does not run by what it has read. What others made of it is
/// nobody's drift.
pub(super) fn change(want: &Service, unit: &Unit, newer: &Newer) -> Change {
    let files: Vec<_> = newer.files.iter().map(|path| path.display().to_string()).collect();
    let files = if files.is_empty() { "its definition".to_owned() } else { files.join(", ") };
    let should = want.ensure.map_or_else(|| unit.activity.words().to_owned(), |ensure| ensure.to_string());
    let is = format!("{}, by an older definition", unit.activity.words());
    let change = Change::new(Property::Ensure, is, should);
    match newer.is_read {
        false => change.kind(ChangeKind::Unread).note(told(&files)),
        true => change.kind(ChangeKind::Note).note(format!(
            "{files} was written after {unit} was started: it takes that when it is next started (`systemctl restart {unit}`)",
            unit = unit.name
        )),
    }
}

/// What is said where systemd is to read files that others changed.
pub(in crate::provider) fn told(files: &str) -> String {
    format!(
        "systemd had not read {files} as it is on disk: it reads it again, and what runs takes it when it is next started"
    )
}

/// Has systemd read drop-ins that it does not see.
pub(super) fn read_new_drop_ins(bus: &Bus, unit: &Unit, machine: &dyn Inspect) -> Result<(), Error> {
    if new_drop_ins(bus, unit, machine)?.is_empty() { Ok(()) } else { Ok(bus.reload_definitions()?) }
}

/// systemd sees by itself that a definition changed that it has read, but not that a unit got its first drop-in: it
/// remembers which directories there are.
fn new_drop_ins(bus: &Bus, unit: &Unit, machine: &dyn Inspect) -> Result<Vec<PathBuf>, Error> {
    let mut on_disk = definition::drop_ins(&[&unit.name], machine)?;
    if !on_disk.is_empty() {
        let read = bus.drop_ins(unit);
        let is_read =
            |path: &PathBuf| read.iter().any(|read| PathBuf::from(read).file_name() == path.file_name());
        on_disk.retain(|path| !is_read(path));
    }
    Ok(on_disk)
}
