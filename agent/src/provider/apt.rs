//! Whether this machine has apt. If not, nothing reads the files that are written for it.

use std::path::Path;

use super::Error;
use crate::system::{Inspect, Liveness};

/// The program of apt that is meant for scripts.
pub(super) const APT: &str = "/usr/bin/apt-get";

/// Why nothing for apt applies to this machine. Below a root other than `/`, files are written whether or not apt is
/// there yet.
///
/// # Errors
/// Fails if the machine cannot be looked at.
pub(super) fn missing(machine: &dyn Inspect) -> Result<Option<String>, Error> {
    let is_missing = machine.liveness() == Liveness::Live && machine.stat(Path::new(APT))?.is_none();
    Ok(is_missing.then(no_apt))
}

/// The reason if a machine has no apt.
pub(super) fn no_apt() -> String {
    format!("this machine has no {APT}: apt comes with Debian and its relatives")
}
