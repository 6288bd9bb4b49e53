//! Panics, as lines of the log.

use std::panic::{PanicHookInfo, set_hook};

/// From now on, a panic is a line like any other, within the spans that it happens in. Without this, it is several lines on
/// standard error, which is right where people read them.
pub fn take_panics() {
    set_hook(Box::new(panicked));
}

fn panicked(panic: &PanicHookInfo<'_>) {
    let (at, words) = (panic.location().map(ToString::to_string), panic.payload_as_str());
    tracing::error!(at, "internal error: {}", words.unwrap_or("a panic without a message"));
}
