//! How far the clock of a machine can be trusted.

use std::time::Duration;

/// How far the clock of a machine can be trusted. By a clock that is ahead, new files look old and would be removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClockTrust {
    /// Nothing says that it is ahead.
    #[default]
    Plausible,
    /// It is this far ahead of the server's.
    Ahead(Duration),
    /// It seems to be ahead, and nobody can say how far.
    InDoubt,
}
