//! What a run is doing at the moment: one line on a terminal, which the next one replaces, and which is gone at the end.

use std::fmt::Debug;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::style::harmless;

/// A longer line would not be replaced whole where a terminal is narrow.
const WIDTH: usize = 70;

/// To the beginning of the line, and nothing on it.
const CLEAR: &str = "\r\x1b[K";

/// Whether there is such a line.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// Shows what is told on standard error, which is a terminal.
pub(super) struct Progress;

impl<S: Subscriber> Layer<S> for Progress {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut told = Told::default();
        event.record(&mut told);
        SHOWN.store(true, Ordering::Relaxed);
        let mut terminal = std::io::stderr().lock();
        // Nobody may be looking, which is no reason to end a run.
        let _ = write!(terminal, "{CLEAR}{}", line(&told.0)).and_then(|()| terminal.flush());
    }
}

/// Takes the line away, for whatever is to be printed.
pub(super) fn clear() {
    if SHOWN.swap(false, Ordering::Relaxed) {
        let _ = write!(std::io::stderr().lock(), "{CLEAR}");
    }
}

fn line(told: &str) -> String {
    let told = harmless(told);
    match told.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", &told[..end]),
        None => format!("{told} …"),
    }
}

#[derive(Default)]
struct Told(String);

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_short_and_steers_nothing() {
        assert_eq!(line("package[nginx]"), "package[nginx] …");
        assert_eq!(line(&"x".repeat(100)).chars().count(), WIDTH + 1);
        assert_eq!(line("file[\u{1b}[2J]"), "file[\\u{1b}[2J] …");
    }
}
