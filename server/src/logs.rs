//! What the server logs, and how: lines for people or JSON objects, on standard error.

use std::io::{self, IsTerminal as _};

use holdfast_catalog::log::{self, LogFormat, LogOptions};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::ServerConfig;

/// The default filter. An invalid request from a stranger is not an error of the server, and a line for each would push
/// the server's own lines out of the journal.
const USUAL: &str = "info,actix_server=warn,actix_http=off";

/// Starts logging, as the environment and the settings ask for it. Returns the format.
pub fn listen(config: &ServerConfig) -> LogFormat {
    let wanted = LogOptions::of(config.log.as_deref(), config.log_format, |name| std::env::var(name).ok());
    let LogOptions { filter, format, refused } = wanted;
    let filter = filter.unwrap_or_else(|| EnvFilter::new(USUAL));
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = log::lines(format, colours, true, io::stderr);
    tracing_subscriber::registry().with(filter).with(lines).init();
    if format == LogFormat::Json {
        log::take_panics();
    }
    for why in refused {
        tracing::warn!("{why}");
    }
    format
}

/// Collects what this thread logs from now on.
#[cfg(test)]
pub(crate) fn kept(format: LogFormat, filter: &str) -> log::LogCapture {
    log::LogCapture::by(|writer| {
        let lines = log::lines(format, false, true, move || writer.clone());
        tracing_subscriber::registry().with(EnvFilter::new(filter)).with(lines)
    })
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::harmless;

    use super::*;

    /// A hostile name, as a node or a file could have it: it contains what looks like a line of the log.
    const HOSTILE: &str = "a\u{1b}[2J\u{202e}\r\n2026-01-01T00:00:00Z  INFO all is well\u{9b}31m";

    fn logs_something_hostile() {
        let _span =
            tracing::error_span!("request", id = 7, of = HOSTILE, node = tracing::field::Empty).entered();
        tracing::Span::current().record("node", HOSTILE);
        tracing::warn!(path = %HOSTILE, said = HOSTILE, "it is {HOSTILE}");
    }

    #[test]
    fn what_others_say_is_one_line_of_text_that_steers_nothing() {
        let kept = kept(LogFormat::Text, "info");
        logs_something_hostile();
        let text = kept.text();
        let (line, rest) = text.split_once('\n').unwrap();
        assert!(rest.is_empty() && !line.chars().any(harmless::steers), "{text:?}");
        assert!(line.contains("WARN request{id=7 of=") && line.contains(" path=a\\u{1b}[2J"), "{line}");
    }

    #[test]
    fn what_others_say_is_one_object_of_json_with_the_same_value() {
        let kept = kept(LogFormat::Json, "info");
        logs_something_hostile();
        let text = kept.text();
        assert!(text.ends_with("}\n") && !text.trim_end().chars().any(harmless::steers), "{text:?}");
        let [line] = &kept.objects()[..] else { panic!("{text}") };
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["fields"]["message"], format!("it is {HOSTILE}"));
        assert_eq!((&line["fields"]["path"], &line["fields"]["said"]), (&HOSTILE.into(), &HOSTILE.into()));
        let span = &line["spans"][0];
        assert_eq!(
            (&span["name"], &span["id"], &span["node"]),
            (&"request".into(), &7.into(), &HOSTILE.into())
        );
        assert!(line["timestamp"].is_string() && line["target"] == "holdfast_server::logs::tests", "{line}");
    }
}
