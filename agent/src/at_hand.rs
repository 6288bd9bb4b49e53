//! What a run is doing at the moment, told to anyone who watches it.

use std::fmt::Display;

/// What it is logged as.
pub(crate) const TARGET: &str = "holdfast_agent::work";

/// What it is logged as that a run begins.
pub(crate) const BEGINS: &str = "holdfast_agent::work::begins";

/// Says that a run begins: it has its lock, and the machine is known.
pub(crate) fn begins() {
    tracing::info!(target: BEGINS, "a run begins");
}

/// Says what is at hand, which may take its time.
pub(crate) fn tell(words: impl Display) {
    tracing::info!(target: TARGET, "{words}");
}
