//! The time according to this machine.

use std::time::SystemTime;

use jiff::Timestamp;

/// The current time, or the epoch if the clock is set to a time before it.
pub(crate) fn now() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH)
}
