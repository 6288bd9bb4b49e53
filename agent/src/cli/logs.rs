//! What the agent logs, and how: lines for people or objects of JSON, on standard error.

use std::io::{self, IsTerminal as _, Write};
use std::panic::PanicHookInfo;
use std::sync::atomic::Ordering;

use holdfast_catalog::certname::Certname;
use holdfast_catalog::log::{self, Format, Wanted};
use holdfast_catalog::report::Report;
use tracing::Subscriber;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, Targets, filter_fn};
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::progress::{self, Progress};
use super::{Common, Style};
use crate::at_hand;
use crate::enforce::EVENTS;
use crate::talk;

/// What the agent says to whoever runs it, where its log is for programs: as lines of it.
pub(super) const SAID: &str = "holdfast_agent::said";

/// Logs go to standard error, from warnings on, without the events of a run: those are in its own output.
/// `HOLDFAST_LOG=info` shows them as they happen; without it, a terminal shows what is at hand. Elsewhere that is kept for the
/// line that a long wait is worth. In JSON the events of a run are in the log too, and so is what a run says.
pub(super) fn listen(common: &Common, is_run: bool) {
    // What is wrong with the settings is said by whoever needs them.
    let config = common.place().map(|place| place.config).unwrap_or_default();
    let environment = |name: &str| std::env::var(name).ok();
    let wanted = Wanted::of(config.log.as_deref(), config.log_format, environment);
    let Wanted { filter, format, refused } = wanted;
    super::IS_JSON.store(is_run && format == Format::Json, Ordering::Relaxed);
    let is_terminal = io::stderr().is_terminal() && format == Format::Text;
    let shown = match (is_terminal, &filter) {
        (false, _) => Some(Progress::Kept),
        (true, None) => Some(Progress::Shown),
        (true, Some(_)) => None,
    };
    let lines = lines(format, Style::of(&io::stderr()) == Style::Terminal, || {
        progress::clear();
        Standard
    });
    // One who watches a run knows which; in a journal each line has to say it.
    let spans = filter_fn(move |at| !is_terminal || at.is_event());
    let lines = lines.with_filter(filter.unwrap_or_else(|| usual(format)).and(spans));
    // A second listener is refused, as in tests that call this twice: the first one goes on.
    // A layer without a filter would have all that is logged looked at.
    let work = if shown.is_some() { LevelFilter::INFO } else { LevelFilter::OFF };
    let progress = shown.unwrap_or(Progress::Shown);
    let progress = progress.with_filter(Targets::new().with_target(at_hand::TARGET, work));
    let is_first = tracing_subscriber::registry().with(lines).with(progress).try_init().is_ok();
    if is_first && format == Format::Json {
        std::panic::set_hook(Box::new(panicked));
    }
    for why in refused {
        tracing::warn!("{why}");
    }
}

/// What is logged where nobody asks for more.
fn usual(format: Format) -> Targets {
    let warnings = Targets::new().with_default(LevelFilter::WARN);
    match format {
        Format::Text => warnings.with_target(EVENTS, LevelFilter::OFF),
        Format::Json => [EVENTS, SAID, at_hand::BEGINS]
            .into_iter()
            .fold(warnings, |filter, target| filter.with_target(target, LevelFilter::INFO)),
    }
}

/// Each line of the log, written at once.
fn lines<S, W>(
    format: Format,
    colours: bool,
    writer: impl Fn() -> W + Send + Sync + 'static,
) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: Write + 'static,
{
    let lines = fmt::layer().with_ansi(colours);
    match format {
        Format::Text => {
            let fields = debug_fn(|out, field, value| log::write_field(out, field.name(), value));
            let lines = lines.with_target(false).without_time();
            lines.with_writer(writer).fmt_fields(fields.delimited(" ")).boxed()
        }
        // The list of spans has the current one.
        Format::Json => lines.json().with_current_span(false).with_writer(move || Json(writer())).boxed(),
    }
}

/// Standard error, for one line of the log at a time.
struct Standard;

impl Write for Standard {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        talk::error(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lines of JSON on their way.
struct Json<W>(W);

impl<W: Write> Write for Json<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(&log::json_line(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What a run came to, as a line of the log: what it did is in its events.
pub(super) fn ended(report: &Report, node: Option<&Certname>, summary: &str) {
    let counts = &report.counts;
    tracing::info!(
        target: SAID,
        run = %report.run,
        node = node.map(tracing::field::display),
        commit = report.commit,
        unchanged = counts.unchanged,
        changed = counts.changed,
        would_change = counts.would_change,
        failed = counts.failed,
        skipped = counts.skipped,
        note = report.error,
        "{summary}"
    );
}

/// A panic is a line like any other, of the run and the resource that it happened at.
fn panicked(panic: &PanicHookInfo<'_>) {
    let (at, words) = (panic.location().map(ToString::to_string), panic.payload_as_str());
    tracing::error!(at, "internal error: {}", words.unwrap_or("a panic without a message"));
}

#[cfg(test)]
pub(crate) mod kept {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use holdfast_catalog::log::Format;
    use serde_json::Value;
    use tracing::subscriber::DefaultGuard;
    use tracing_subscriber::filter::Targets;
    use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};

    /// What this thread has logged since.
    pub(crate) struct Kept {
        bytes: Arc<Mutex<Vec<u8>>>,
        _listening: DefaultGuard,
    }

    impl Kept {
        /// Keeps what is logged from now on, for as long as this lives: what is logged by itself, where no filter is named.
        pub(crate) fn by(format: Format, filter: Option<&str>) -> Self {
            let bytes = Arc::new(Mutex::new(Vec::new()));
            let writer = Bytes(bytes.clone());
            let lines = super::lines(format, false, move || writer.clone());
            let filter: Targets =
                filter.map_or_else(|| super::usual(format), |filter| filter.parse().unwrap());
            let logs = tracing_subscriber::registry().with(lines.with_filter(filter));
            Self { bytes, _listening: tracing::subscriber::set_default(logs) }
        }

        /// The whole of it.
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.bytes.lock().unwrap().clone()).unwrap()
        }

        /// Its lines, each of which is an object of JSON.
        pub(crate) fn objects(&self) -> Vec<Value> {
            self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
    }

    #[derive(Clone)]
    struct Bytes(Arc<Mutex<Vec<u8>>>);

    impl Write for Bytes {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(line)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::harmless;
    use tracing::Level;

    use super::kept::Kept;
    use super::*;

    #[test]
    fn events_are_logged_only_where_asked_for_and_in_json() {
        let logged = |format: Format, asked: Option<&str>| {
            let _kept = Kept::by(format, asked);
            (
                tracing::enabled!(target: EVENTS, Level::INFO),
                tracing::enabled!(Level::WARN),
                tracing::enabled!(Level::INFO),
            )
        };
        assert_eq!(logged(Format::Text, None), (false, true, false));
        assert_eq!(logged(Format::Text, Some("info")), (true, true, true));
        assert_eq!(logged(Format::Json, None), (true, true, false));
        assert_eq!(logged(Format::Json, Some("error")), (false, false, false));
    }

    #[test]
    fn what_a_machine_says_is_one_line_that_steers_nothing() {
        let hostile = "a\u{1b}[2J\u{202e}\r\nWARN all is well\u{9b}31m";
        for format in [Format::Text, Format::Json] {
            let kept = Kept::by(format, None);
            let _run = tracing::error_span!("run", run = 7, node = hostile).entered();
            tracing::warn!(path = %hostile, "it is {hostile}");
            let text = kept.text();
            let (line, rest) = text.split_once('\n').unwrap();
            assert!(rest.is_empty() && !line.chars().any(harmless::steers), "{text:?}");
            match format {
                Format::Text => assert!(line.starts_with(" WARN run{run=7 node="), "{line}"),
                Format::Json => {
                    let line = &kept.objects()[0];
                    let (message, path) = (&line["fields"]["message"], &line["fields"]["path"]);
                    assert_eq!((message, path), (&format!("it is {hostile}").into(), &hostile.into()));
                    assert_eq!(
                        (&line["spans"][0]["run"], &line["spans"][0]["node"]),
                        (&7.into(), &hostile.into())
                    );
                }
            }
        }
    }
}
