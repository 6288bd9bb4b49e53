//! Records about releases, beside them: small JSON files for the next run and for people.

use std::path::Path;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::provider::Error;
use crate::system::{Inspect, Permissions, System};

/// The most bytes of a marker that are read.
const MAX_BYTES: u64 = 256 * 1024;

const PRIVATE: Permissions = Permissions { mode: 0o600, uid: None, gid: None };

/// A release is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    pub at: Timestamp,
    /// The fingerprint of what it was made from.
    pub content: String,
}

/// A release has failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedRelease {
    pub at: Timestamp,
    /// Why it failed, for people; without secrets.
    pub why: String,
    /// The salt of the fingerprint.
    pub salt: String,
    /// The fingerprint of everything that may have been the reason.
    pub attempt: String,
}

/// The link is being switched, or the release behind it is being tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switching {
    pub version: String,
    /// The link's text before.
    pub previous: Option<String>,
}

/// Reads a marker; `None` if it is missing or cannot be parsed.
pub fn read<T: DeserializeOwned>(path: &Path, machine: &dyn Inspect) -> Result<Option<T>, Error> {
    let bytes = machine.read(path, MAX_BYTES)?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Writes a marker durably: it lasts before anything else happens.
pub fn write(path: &Path, marker: &impl Serialize, machine: &dyn System) -> Result<(), Error> {
    let mut bytes = serde_json::to_vec_pretty(marker).unwrap_or_default();
    bytes.push(b'\n');
    Ok(crate::system::write_durably(machine, path, PRIVATE, &bytes)?)
}

/// Removes a marker durably.
pub fn remove(path: &Path, machine: &dyn System) -> Result<(), Error> {
    machine.remove(path)?;
    Ok(machine.settle()?)
}
