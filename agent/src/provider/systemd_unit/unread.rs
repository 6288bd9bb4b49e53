//! Which definitions were written and not yet read by systemd: a record that survives a run that is killed in between.
//! It is gone after the next boot, at which systemd reads everything.

use std::collections::BTreeSet;
use std::path::Path;

use crate::provider::Error;
use crate::provider::text::edit::PRIVATE;
use crate::provider::text::whole_file::make_parents;
use crate::system::{Inspect, System};

/// The file of the record, with one path per line.
const RECORD: &str = "/run/holdfast/units-unread";

/// Paths of definitions that systemd has not read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnreadUnits(BTreeSet<String>);

impl UnreadUnits {
    /// Reads the record.
    pub fn of(machine: &dyn Inspect) -> Result<Self, Error> {
        let text = machine.read_text(Path::new(RECORD))?.unwrap_or_default();
        Ok(Self(text.lines().map(str::to_owned).collect()))
    }

    /// Whether a path is recorded.
    pub fn holds(&self, path: &str) -> bool {
        self.0.contains(path)
    }

    /// Adds paths to the record.
    pub fn add<'a>(paths: impl Iterator<Item = &'a str>, machine: &dyn System) -> Result<Self, Error> {
        let mut unread = Self::of(machine)?;
        unread.0.extend(paths.map(str::to_owned));
        let text: String = unread.0.iter().map(|path| format!("{path}\n")).collect();
        make_parents(machine, Path::new(RECORD))?;
        let _ = machine.stage(Path::new(RECORD), PRIVATE, &mut text.as_bytes())?.commit()?;
        Ok(unread)
    }

    /// Clears the record: systemd has read all of them.
    pub fn clear(self, machine: &dyn System) -> Result<(), Error> {
        Ok(machine.remove(Path::new(RECORD))?)
    }
}
