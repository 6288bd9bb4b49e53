//! What the agent logs, and how: lines for people or JSON objects, on standard error.

use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::Ordering;

use holdfast_catalog::certname::Certname;
use holdfast_catalog::log::{self, LogFormat, LogOptions};
use holdfast_catalog::report::Report;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, Targets, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use super::progress::{self, Progress};
use super::{Common, Style};
use crate::at_hand;
use crate::enforce::EVENTS;
use crate::talk;

/// The log target of what the agent tells its user, if its log is for programs: those messages become log lines.
pub(super) const SAID: &str = "holdfast_agent::said";

/// Starts logging to standard error, from warnings on, without the events of a run: its own output has those.
/// `HOLDFAST_LOG=info` shows them as they happen. Without it, a terminal shows what the run is doing. Elsewhere that is
/// kept for the line that is printed during a long wait. In JSON, the log also has the events and the messages of a
/// run.
pub(super) fn listen(common: &Common, is_run: bool) {
    // Whoever needs the settings reports what is wrong with them.
    let config = common.place().map(|place| place.config).unwrap_or_default();
    let environment = |name: &str| std::env::var(name).ok();
    let wanted = LogOptions::of(config.log.as_deref(), config.log_format, environment);
    let LogOptions { filter, format, refused } = wanted;
    super::IS_JSON.store(is_run && format == LogFormat::Json, Ordering::Relaxed);
    let is_terminal = io::stderr().is_terminal() && format == LogFormat::Text;
    let shown = match (is_terminal, &filter) {
        (false, _) => Some(Progress::Kept),
        (true, None) => Some(Progress::Shown),
        (true, Some(_)) => None,
    };
    let lines = log::lines(format, Style::of(&io::stderr()) == Style::Terminal, false, || {
        progress::clear();
        Standard
    });
    // Anyone who watches a run knows which one it is; in a journal each line has to say so.
    let spans = filter_fn(move |at| !is_terminal || at.is_event());
    let lines = lines.with_filter(filter.unwrap_or_else(|| usual(format)).and(spans));
    // A second subscriber is refused, as in tests that call this twice; the first one stays. A layer without a filter
    // would make every log call be evaluated.
    let work = if shown.is_some() { LevelFilter::INFO } else { LevelFilter::OFF };
    let progress = shown.unwrap_or(Progress::Shown);
    let progress = progress.with_filter(Targets::new().with_target(at_hand::TARGET, work));
    let is_first = tracing_subscriber::registry().with(lines).with(progress).try_init().is_ok();
    if is_first && format == LogFormat::Json {
        log::take_panics();
    }
    for why in refused {
        tracing::warn!("{why}");
    }
}

/// What is logged by default.
fn usual(format: LogFormat) -> Targets {
    let warnings = Targets::new().with_default(LevelFilter::WARN);
    match format {
        LogFormat::Text => warnings.with_target(EVENTS, LevelFilter::OFF),
        LogFormat::Json => [EVENTS, SAID, at_hand::BEGINS]
            .into_iter()
            .fold(warnings, |filter, target| filter.with_target(target, LevelFilter::INFO)),
    }
}

/// Writes one log line at a time to standard error.
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

/// Logs the result of a run in one line; what it did is in its events.
pub(super) fn ended(report: &Report, node: Option<&Certname>, summary: &str) {
    let counts = &report.counts;
    tracing::info!(
        target: SAID,
        run = %report.run,
        node = node.map(tracing::field::display),
        commit = report.commit.as_deref(),
        unchanged = counts.unchanged,
        changed = counts.changed,
        would_change = counts.would_change,
        failed = counts.failed,
        skipped = counts.skipped,
        note = report.notes(),
        "{summary}"
    );
}

/// Keeps what this thread logs from now on. Without a filter, the default one applies.
#[cfg(test)]
pub(crate) fn kept(format: LogFormat, filter: Option<&str>) -> log::LogCapture {
    let filter: Targets = filter.map_or_else(|| usual(format), |filter| filter.parse().unwrap());
    log::LogCapture::by(|writer| {
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
        let logged = |format: LogFormat, asked: Option<&str>| {
            let _kept = kept(format, asked);
            (
                tracing::enabled!(target: EVENTS, Level::INFO),
                tracing::enabled!(Level::WARN),
                tracing::enabled!(Level::INFO),
            )
        };
        assert_eq!(logged(LogFormat::Text, None), (false, true, false));
        assert_eq!(logged(LogFormat::Text, Some("info")), (true, true, true));
        assert_eq!(logged(LogFormat::Json, None), (true, true, false));
        assert_eq!(logged(LogFormat::Json, Some("error")), (false, false, false));
    }

    #[test]
    fn what_a_machine_says_is_one_line_that_steers_nothing() {
        let hostile = "a\u{1b}[2J\u{202e}\r\nWARN all is well\u{9b}31m";
        for format in [LogFormat::Text, LogFormat::Json] {
            let kept = kept(format, None);
            let _run = tracing::error_span!("run", run = 7, node = hostile).entered();
            tracing::warn!(path = %hostile, "it is {hostile}");
            let text = kept.text();
            let (line, rest) = text.split_once('\n').unwrap();
            assert!(rest.is_empty() && !line.chars().any(harmless::steers), "{text:?}");
            match format {
                LogFormat::Text => assert!(line.starts_with(" WARN run{run=7 node="), "{line}"),
                LogFormat::Json => {
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
