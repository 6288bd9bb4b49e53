//! What the agent logs, and how: lines for people or objects of JSON, on standard error.

use std::io::{self, IsTerminal as _, Write};
use std::panic::PanicHookInfo;
use std::sync::atomic::Ordering;

use holdfast_catalog::certname::Certname;
use holdfast_catalog::log::{self, Format, Wanted};
use holdfast_catalog::report::Report;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, Targets, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
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
    let lines = log::lines(format, Style::of(&io::stderr()) == Style::Terminal, false, || {
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

/// Keeps what this thread logs from now on: what is logged by itself, where no filter is named.
#[cfg(test)]
pub(crate) fn kept(format: Format, filter: Option<&str>) -> log::Kept {
    let filter: Targets = filter.map_or_else(|| usual(format), |filter| filter.parse().unwrap());
    log::Kept::by(|writer| {
        let lines = log::lines(format, false, false, move || writer.clone());
        tracing_subscriber::registry().with(lines.with_filter(filter))
    })
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::harmless;
    use tracing::Level;

    use super::*;

    #[test]
    fn events_are_logged_only_where_asked_for_and_in_json() {
        let logged = |format: Format, asked: Option<&str>| {
            let _kept = kept(format, asked);
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
            let kept = kept(format, None);
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
