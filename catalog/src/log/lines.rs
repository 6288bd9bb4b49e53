//! The lines of a log as they are written: a stranger's text stays on its line, whatever it contains.

use std::io::{self, Write};

use tracing::Subscriber;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

use super::{LogFormat, json_line, write_field};

/// Writes each line of the log at once. A text line has its time and target only if `is_dated`.
pub fn lines<S, W>(
    format: LogFormat,
    colours: bool,
    is_dated: bool,
    writer: impl Fn() -> W + Send + Sync + 'static,
) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: Write + 'static,
{
    let lines = fmt::layer().with_ansi(colours);
    let fields = || debug_fn(|out, field, value| write_field(out, field.name(), value)).delimited(" ");
    match format {
        LogFormat::Text if is_dated => lines.with_writer(writer).fmt_fields(fields()).boxed(),
        LogFormat::Text => {
            let lines = lines.with_target(false).without_time();
            lines.with_writer(writer).fmt_fields(fields()).boxed()
        }
        // The list of spans includes the current one.
        LogFormat::Json => lines.json().with_current_span(false).with_writer(move || Json(writer())).boxed(),
    }
}

/// A writer that makes lines of JSON harmless.
struct Json<W>(W);

impl<W: Write> Write for Json<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(&json_line(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
