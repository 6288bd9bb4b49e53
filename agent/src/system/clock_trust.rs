//! How far a machine may go by its clock.

use std::time::Duration;

/// How far the clock of the machine can be believed. What a clock that is ahead removes as old is new.
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
