//! What the server logs, and how: lines for people or objects of JSON, on standard error.

use std::io::{self, IsTerminal as _, Write};
use std::panic::PanicHookInfo;

use holdfast_catalog::log::{self, Format, Wanted};
use tracing::Subscriber;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, field::MakeExt as _, fmt};

use crate::config::Config;

/// What is logged where nobody asks for more. A stranger's invalid request is not an error of the server, and a line for
/// each would push the server's own lines out of the journal.
const USUAL: &str = "info,actix_server=warn,actix_http=off";

/// Logs from now on, as the environment and the settings ask for it. Returns how.
pub fn listen(config: &Config) -> Format {
    let wanted = Wanted::of(config.log.as_deref(), config.log_format, |name| std::env::var(name).ok());
    let Wanted { filter, format, refused } = wanted;
    let filter = filter.unwrap_or_else(|| EnvFilter::new(USUAL));
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = lines(format, colours, io::stderr);
    tracing_subscriber::registry().with(filter).with(lines).init();
    if format == Format::Json {
        std::panic::set_hook(Box::new(panicked));
    }
    for why in refused {
        tracing::warn!("{why}");
    }
    format
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
            lines.with_writer(writer).fmt_fields(fields.delimited(" ")).boxed()
        }
        // The list of spans has the current one.
        Format::Json => lines.json().with_current_span(false).with_writer(move || Json(writer())).boxed(),
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

/// A panic is a line like any other, within the request that it ends.
fn panicked(panic: &PanicHookInfo<'_>) {
    let (at, words) = (panic.location().map(ToString::to_string), panic.payload_as_str());
    tracing::error!(at, "internal error: {}", words.unwrap_or("a panic without a message"));
}

/// What is logged, kept for tests.
#[cfg(test)]
pub(crate) mod kept {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use holdfast_catalog::log::Format;
    use serde_json::Value;
    use tracing::subscriber::DefaultGuard;
    use tracing_subscriber::EnvFilter;
    use tracing_subscriber::layer::SubscriberExt as _;

    /// What this thread has logged since.
    pub(crate) struct Kept {
        bytes: Arc<Mutex<Vec<u8>>>,
        _listening: DefaultGuard,
    }

    impl Kept {
        /// Keeps what is logged from now on, for as long as this lives.
        pub(crate) fn by(format: Format, filter: &str) -> Self {
            let bytes = Arc::new(Mutex::new(Vec::new()));
            let writer = Bytes(bytes.clone());
            let lines = super::lines(format, false, move || writer.clone());
            let logs = tracing_subscriber::registry().with(EnvFilter::new(filter)).with(lines);
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

    use super::kept::Kept;
    use super::*;

    /// As a node's name of a file could be, and a line of the log that nobody wrote.
    const HOSTILE: &str = "a\u{1b}[2J\u{202e}\r\n2026-01-01T00:00:00Z  INFO all is well\u{9b}31m";

    fn logs_something_hostile() {
        let _span =
            tracing::error_span!("request", id = 7, of = HOSTILE, node = tracing::field::Empty).entered();
        tracing::Span::current().record("node", HOSTILE);
        tracing::warn!(path = %HOSTILE, said = HOSTILE, "it is {HOSTILE}");
    }

    #[test]
    fn what_others_say_is_one_line_of_text_that_steers_nothing() {
        let kept = Kept::by(Format::Text, "info");
        logs_something_hostile();
        let text = kept.text();
        let (line, rest) = text.split_once('\n').unwrap();
        assert!(rest.is_empty() && !line.chars().any(harmless::steers), "{text:?}");
        assert!(line.contains("WARN request{id=7 of=") && line.contains(" path=a\\u{1b}[2J"), "{line}");
    }

    #[test]
    fn what_others_say_is_one_object_of_json_with_the_same_value() {
        let kept = Kept::by(Format::Json, "info");
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
