//! What the agent knows about the content of an archive's path: from its own record, or from the marker in the
//! directory.
//!
//! The marker names a version and nothing of its content, and anyone who owns the directory can write another one. So
//! if the record is lost, it is unknown what was changed in place, and the content is compared with the archive again.

use std::path::Path;

use holdfast_catalog::resource::Archive;

use super::marker::Marker;
use super::record::ArchiveRecord;
use crate::provider::{Error, Reading};

/// What is known about an unpacked archive.
pub enum KnownArchive {
    /// The agent's own record.
    Recorded(ArchiveRecord),
    /// The marker that an agent left in it.
    Marked(Marker),
}

impl KnownArchive {
    /// What is known about an archive; `None` if this resource made nothing there.
    pub fn of(want: &Archive, reading: Reading<'_>) -> Result<Option<Self>, Error> {
        if let Some(record) = ArchiveRecord::read(want, reading.state_dir) {
            return Ok(Some(Self::Recorded(record)));
        }
        Ok(Marker::read(Path::new(want.title.as_str()), reading.machine)?.map(Self::Marked))
    }

    /// The record, if there is one.
    pub fn record(&self) -> Option<&ArchiveRecord> {
        match self {
            Self::Recorded(record) => Some(record),
            Self::Marked(_) => None,
        }
    }

    /// The SHA-256, and the number of leading directories that were stripped.
    pub fn version(&self) -> (&str, u32) {
        match self {
            Self::Recorded(record) => (&record.sha256, record.strip),
            Self::Marked(marker) => (&marker.sha256, marker.strip),
        }
    }
}
