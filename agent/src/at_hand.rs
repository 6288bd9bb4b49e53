//! What a run is doing at the moment, told to whoever watches it.

use std::fmt::Display;

/// What it is logged as.
pub(crate) const TARGET: &str = "holdfast_agent::work";

/// Says what is at hand, which may take its time.
pub(crate) fn tell(words: impl Display) {
    tracing::info!(target: TARGET, "{words}");
}
