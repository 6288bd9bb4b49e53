//! Definitions on disk that are others than those that systemd has read: what runs goes by the old one, and who starts it
//! again by hand is warned. systemd reads them again; a restart is for who asks for one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use holdfast_catalog::resource::{Service, SystemdUnit};

use super::systemd::Bus;
use super::unit::Unit;
use super::{Change, Property, definition};
use crate::provider::{ChangeKind, Error, Reading};
use crate::system::Inspect;

/// Those of these units, which run, whose definition was not read as it is on disk, with the files that make it another. A
/// unit of a `systemd_unit` says so itself, but for what systemd does not see.
pub(super) fn of<'a>(
    running: impl Iterator<Item = &'a Unit>,
    bus: &Bus,
    reading: Reading<'_>,
) -> Result<BTreeMap<String, Vec<PathBuf>>, Error> {
    let running: Vec<&Unit> = running.collect();
    let mut unread = BTreeMap::new();
    for stale in bus.stale(running.iter().map(|unit| &*unit.name))? {
        let says = |definition: &SystemdUnit| definition.title.unit() == stale.unit;
        if !reading.named.of_type::<SystemdUnit>().any(says) {
            unread.insert(stale.unit.clone(), stale.files(reading.machine)?);
        }
    }
    for unit in running {
        let new = new_drop_ins(bus, unit, reading.machine)?;
        if !new.is_empty() {
            unread.entry(unit.name.clone()).or_insert(new);
        }
    }
    Ok(unread)
}

/// That systemd is to read a definition again. What others made of it is nobody's drift.
pub(super) fn change(want: &Service, unit: &Unit, files: &[PathBuf]) -> Change {
    let files: Vec<_> = files.iter().map(|path| path.display().to_string()).collect();
    let files = if files.is_empty() { "its definition".to_owned() } else { files.join(", ") };
    let should = want.ensure.map_or_else(|| unit.activity.words().to_owned(), |ensure| ensure.to_string());
    let is = format!("{}, by an older definition", unit.activity.words());
    Change::new(Property::Ensure, is, should).kind(ChangeKind::Unread).note(told(&files))
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
