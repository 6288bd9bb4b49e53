//! The marker in an unpacked directory, which says what archive it comes from.
//!
//! It contains nothing secret. Anyone who owns the directory may change it, so it counts only if the agent's own record
//! is gone, and only as a sign that an archive was unpacked there.

use std::path::Path;

use crate::provider::Error;
use crate::system::{Inspect, Permissions, System};

/// The name of the marker file.
pub const NAME: &str = ".holdfast-archive";

/// The most bytes of a marker that are read.
const MAX_BYTES: u64 = 4096;

/// The version of an unpacked archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// The SHA-256 of the archive.
    pub sha256: String,
    /// The number of leading directories that were stripped.
    pub strip: u32,
}

impl Marker {
    /// The marker in a directory; `None` if nothing was unpacked there.
    pub fn read(dir: &Path, machine: &dyn Inspect) -> Result<Option<Self>, Error> {
        let Ok(Some(bytes)) = machine.read(&dir.join(NAME), MAX_BYTES) else { return Ok(None) };
        Ok(std::str::from_utf8(&bytes).ok().and_then(Self::parse))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let mut after = |name| words.next().filter(|word| *word == name).and_then(|_| words.next());
        let sha256 = after("sha256")?.to_owned();
        Some(Self { sha256, strip: after("strip")?.parse().ok()? })
    }

    /// Writes the marker into a directory.
    pub fn write(&self, dir: &Path, machine: &dyn System) -> Result<(), Error> {
        let text = format!("sha256 {}\nstrip {}\n", self.sha256, self.strip);
        let access = Permissions { mode: 0o644, uid: None, gid: None };
        let _ = machine.stage(&dir.join(NAME), access, &mut text.as_bytes())?.commit()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_was_unpacked_and_nothing_else_counts() {
        let marker = Marker { sha256: "ab".to_owned(), strip: 2 };
        assert_eq!(Marker::parse("sha256 ab\nstrip 2\n"), Some(marker));
        for bad in ["", "sha256 ab", "strip 2\nsha256 ab\n", "sha256 ab\nstrip x\n"] {
            assert_eq!(Marker::parse(bad), None, "{bad}");
        }
    }
}
