//! What the agent knows of what is at an archive's path: by its own record, or by the marker in it.
//!
//! A marker counts only where nobody but the agent's own user can have written it: anyone who owns a directory could name another
//! version in it than the one that it holds, and keep that off the machine.

use std::path::Path;

use holdfast_catalog::resource::Archive;

use super::marker::{self, Marker};
use super::record::{self, ArchiveRecord};
use crate::provider::{Error, Reading};
use crate::system::Inspect;

/// What is known.
pub enum KnownArchive {
    /// The agent's own record.
    Recorded(ArchiveRecord),
    /// The marker that an agent left in it, and whether that can be nobody else's.
    Marked(Marker, bool),
}

impl KnownArchive {
    /// Of an archive; none where this resource made nothing there.
    pub fn of(want: &Archive, reading: Reading<'_>) -> Result<Option<Self>, Error> {
        if let Some(record) = ArchiveRecord::read(want, reading.state_dir) {
            return Ok(Some(Self::Recorded(record)));
        }
        let path = Path::new(want.title.as_str());
        let Some(marker) = Marker::read(path, reading.machine)? else { return Ok(None) };
        let is_ours = is_ours(path, reading.machine)? && is_ours(&path.join(marker::NAME), reading.machine)?;
        Ok(Some(Self::Marked(marker, is_ours)))
    }

    /// The record, where there is one.
    pub fn record(&self) -> Option<&ArchiveRecord> {
        match self {
            Self::Recorded(record) => Some(record),
            Self::Marked(..) => None,
        }
    }

    /// The SHA-256 and the leading directories that were left out.
    pub fn version(&self) -> (&str, u32) {
        match self {
            Self::Recorded(record) => (&record.sha256, record.strip),
            Self::Marked(marker, _) => (&marker.sha256, marker.strip),
        }
    }

    /// Whether it can be nobody else's word.
    pub fn is_trusted(&self) -> bool {
        !matches!(self, Self::Marked(_, false))
    }
}

/// Whether nobody but the agent's own user can write it.
fn is_ours(path: &Path, machine: &dyn Inspect) -> Result<bool, Error> {
    let (uid, _) = record::own();
    Ok(machine.lstat(path)?.is_some_and(|stat| stat.uid == uid && stat.mode & 0o022 == 0))
}
