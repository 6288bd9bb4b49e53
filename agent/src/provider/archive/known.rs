//! What the agent knows of what is at an archive's path: by its own record, or by the marker in it.
//!
//! The marker names a version and nothing of what is in it, and anyone who owns the directory can write another: where the record
//! is lost, nobody knows what was changed in place, and what is there is compared with the archive again.

use std::path::Path;

use holdfast_catalog::resource::Archive;

use super::marker::Marker;
use super::record::ArchiveRecord;
use crate::provider::{Error, Reading};

/// What is known.
pub enum KnownArchive {
    /// The agent's own record.
    Recorded(ArchiveRecord),
    /// The marker that an agent left in it.
    Marked(Marker),
}

impl KnownArchive {
    /// Of an archive; none where this resource made nothing there.
    pub fn of(want: &Archive, reading: Reading<'_>) -> Result<Option<Self>, Error> {
        if let Some(record) = ArchiveRecord::read(want, reading.state_dir) {
            return Ok(Some(Self::Recorded(record)));
        }
        Ok(Marker::read(Path::new(want.title.as_str()), reading.machine)?.map(Self::Marked))
    }

    /// The record, where there is one.
    pub fn record(&self) -> Option<&ArchiveRecord> {
        match self {
            Self::Recorded(record) => Some(record),
            Self::Marked(_) => None,
        }
    }

    /// The SHA-256 and the leading directories that were left out.
    pub fn version(&self) -> (&str, u32) {
        match self {
            Self::Recorded(record) => (&record.sha256, record.strip),
            Self::Marked(marker) => (&marker.sha256, marker.strip),
        }
    }
}
