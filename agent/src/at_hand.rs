//! What a run is doing at the moment, reported to anyone who watches it.

use std::fmt::Display;

/// The log target of what a run is working on.
pub(crate) const TARGET: &str = "holdfast_agent::work";

/// The log target of the beginning of a run.
pub(crate) const BEGINS: &str = "holdfast_agent::work::begins";

/// Logs that a run begins: it holds its lock, and the machine is known.
pub(crate) fn begins() {
    tracing::info!(target: BEGINS, "a run begins");
}

/// Logs what the run is working on now, which may take a while.
pub(crate) fn tell(words: impl Display) {
    tracing::info!(target: TARGET, "{words}");
}
