//! The time as this machine has it.

use std::time::SystemTime;

use jiff::Timestamp;

/// Now; the epoch where the clock is before it.
pub(crate) fn now() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH)
}
