//! Holds that are released for a transaction. They are recorded before, so a run that is killed in between loses none.

use std::collections::BTreeSet;
use std::path::Path;

use holdfast_catalog::resource::Package;

use super::{asked_hold, dpkg_status::DpkgStatus};
use crate::system::{self, Inspect as _, Machine, Permissions, System as _, write_durably};

const FILE: &str = "/holds.json";
const MAX_BYTES: u64 = 1024 * 1024;
const PRIVATE: Permissions = Permissions { mode: 0o600, uid: None, gid: None };

/// The note about a package whose hold was not set again.
pub const NOTE: &str = "it was on hold until a run released the hold to change its version, and ended before it set the hold again";

/// The names of packages that must be put on hold again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Released(BTreeSet<String>);

impl Released {
    /// Reads the record. One that cannot be read counts as empty, and the next one that is written replaces it.
    pub fn read(state_dir: &Path) -> Self {
        let read = || Machine::open(state_dir)?.read(Path::new(FILE), MAX_BYTES);
        let bytes = read().ok().flatten().unwrap_or_default();
        Self(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// Adds these titles.
    #[must_use]
    pub fn and<'a>(mut self, titles: impl IntoIterator<Item = &'a str>) -> Self {
        self.0.extend(titles.into_iter().map(str::to_owned));
        self
    }

    /// Writes the record; removes it if it is empty.
    ///
    /// # Errors
    /// Fails if the state directory cannot be written.
    pub fn write(&self, state_dir: &Path) -> system::Result<()> {
        let dir = Machine::open(state_dir)?;
        if self.0.is_empty() {
            dir.remove(Path::new(FILE))?;
            return dir.settle();
        }
        let bytes = serde_json::to_vec(&self.0).unwrap_or_default();
        write_durably(&dir, Path::new(FILE), PRIVATE, &bytes)
    }

    /// The packages to put on hold again: those that are installed and whose hold the catalog does not set itself.
    pub fn titles<'a>(&'a self, catalog: &[&Package], status: &DpkgStatus) -> Vec<&'a str> {
        let all = self.0.iter().map(String::as_str);
        all.filter(|title| {
            let says = |package: &&Package| package.title.as_str() == *title;
            let of_catalog = catalog.iter().copied().find(says).and_then(asked_hold);
            status.installed(title).is_some() && of_catalog.is_none()
        })
        .collect()
    }
}
