//! What a run is doing at the moment. On a terminal it is one line, which the next one replaces and which is gone at
//! the end. Elsewhere (a pipe, a journal, a mail from cron) it is a heading, and a line whenever nothing was printed
//! for a while.

use std::fmt::Debug;
use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::style::harmless;
use crate::{at_hand, state, talk};

/// The longest line, in characters. A longer one would not be replaced as a whole on a narrow terminal.
const WIDTH: usize = 70;

/// The longest of the lines that stay, in characters.
const MAX_LINE: usize = 200;

/// How often something is printed if there is no terminal, so no silence is longer than ten seconds.
const EVERY: Duration = Duration::from_secs(9);

/// After this long, the agent's state is what a run waits for.
const SILENT: Duration = Duration::from_secs(3);

/// Moves to the beginning of the line and clears it.
const CLEAR: &str = "\r\x1b[K";

/// Whether the line is shown at the moment.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// The latest thing that the run was doing, if there is no terminal.
static LATEST: Mutex<String> = Mutex::new(String::new());

/// What is printed when a run begins, if there is no terminal.
static HEADING: Mutex<Option<String>> = Mutex::new(None);

/// What happens to reports of progress.
pub(super) enum Progress {
    /// Shown on standard error, which is a terminal.
    Shown,
    /// Kept until a wait is long.
    Kept,
}

impl<S: Subscriber> Layer<S> for Progress {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == at_hand::BEGINS {
            heading().iter().for_each(|words| super::say(words));
            return;
        }
        let mut told = Message::default();
        event.record(&mut told);
        match self {
            Self::Shown => {
                SHOWN.store(true, Ordering::Relaxed);
                talk::error(format!("{CLEAR}{}", line(&told.0)).as_bytes());
            }
            Self::Kept => *LATEST.lock().unwrap_or_else(PoisonError::into_inner) = told.0,
        }
    }
}

/// Prints a line for each long wait of a run, until this is dropped.
pub(super) struct ProgressThread {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Announces a run once it begins, and from then on what it waits for. `None` on a terminal, which shows that anyway.
pub(super) fn watched(begins: &str) -> Option<ProgressThread> {
    if std::io::stderr().is_terminal() {
        return None;
    }
    // The log for programs has its own record of the beginning of a run.
    let heading = (!super::is_json()).then(|| harmless(begins));
    *HEADING.lock().unwrap_or_else(PoisonError::into_inner) = heading;
    Some(ProgressThread::every(EVERY, super::say))
}

/// The heading, taken once, when a run begins.
fn heading() -> Option<String> {
    HEADING.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl ProgressThread {
    fn every(pause: Duration, say: impl Fn(&str) + Send + 'static) -> Self {
        let (end, ended) = mpsc::channel();
        let began = Instant::now();
        let tell = move || {
            while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let latest = LATEST.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let silent = state::silent_for(SILENT).map(|path| format!("waiting for {}", path.display()));
                let latest = silent.unwrap_or(latest);
                say(&still(began.elapsed(), &latest));
            }
        };
        // If no thread can be started, the run continues in silence.
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(tell).ok();
        Self { end: Some(end), thread }
    }
}

impl Drop for ProgressThread {
    fn drop(&mut self) {
        self.end.take();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The line that is printed during a long wait.
fn still(passed: Duration, latest: &str) -> String {
    let latest: String = harmless(latest).chars().take(MAX_LINE).collect();
    let what = if latest.is_empty() { String::new() } else { format!(": {latest}") };
    format!("still running after {} s{what}", passed.as_secs())
}

/// Clears the line before something else is printed.
pub(super) fn clear() {
    if SHOWN.swap(false, Ordering::Relaxed) {
        talk::error(CLEAR.as_bytes());
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
struct Message(String);

impl Visit for Message {
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
    fn a_long_wait_is_told_again_and_again_with_what_is_waited_for() {
        let (heard, told) = mpsc::channel();
        let watched =
            ProgressThread::every(Duration::from_millis(5), move |words| drop(heard.send(words.to_owned())));
        for _ in 0..3 {
            assert!(
                told.recv_timeout(Duration::from_secs(60)).unwrap().starts_with("still running after 0 s")
            );
        }
        drop(watched);
        assert!(told.iter().count() < 1_000, "it has ended with the run");
        let words = still(Duration::from_secs(18), &format!("exec[\u{1b}{}]", "x".repeat(500)));
        assert!(words.starts_with("still running after 18 s: exec[\\u{1b}x") && words.len() < 250, "{words}");
        assert!(EVERY < Duration::from_secs(10));
    }

    #[test]
    fn a_line_is_short_and_steers_nothing() {
        assert_eq!(line("package[nginx]"), "package[nginx] …");
        assert_eq!(line(&"x".repeat(100)).chars().count(), WIDTH + 1);
        assert_eq!(line("file[\u{1b}[2J]"), "file[\\u{1b}[2J] …");
    }
}
