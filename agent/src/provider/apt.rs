//! Whether this machine has apt: what is written for it is read by nobody else.

use std::path::Path;

use super::Error;
use crate::system::{Inspect, Liveness};

/// The program that is apt for scripts.
pub(super) const APT: &str = "/usr/bin/apt-get";

/// Why nothing for apt applies to this machine. Below another root than `/` files are written, whatever is there yet.
///
/// # Errors
/// It cannot be looked at.
pub(super) fn missing(machine: &dyn Inspect) -> Result<Option<String>, Error> {
    let is_missing = machine.liveness() == Liveness::Live && machine.stat(Path::new(APT))?.is_none();
    Ok(is_missing.then(no_apt))
}

/// What is said of a machine without it.
pub(super) fn no_apt() -> String {
    format!("this machine has no {APT}: apt comes with Debian and its relatives")
}
