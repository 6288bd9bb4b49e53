//! How a program logs, in the same way for server and agent: the variables and settings that control it, and its lines.
//!
//! Logs contain texts from strangers: names of files, the output of a command, the answer of a server. A log line stays
//! one line whatever they contain, and nothing in it controls a terminal, as text and as JSON.

use std::fmt::{self, Debug, Display};
use std::str::FromStr;

use serde::Deserialize;

use crate::harmless;

#[cfg(feature = "testing")]
mod capture;
mod lines;
mod panics;

#[cfg(feature = "testing")]
pub use capture::LogCapture;
pub use lines::lines;
pub use panics::take_panics;

/// The variable that says what is logged. It overrides the setting `log`.
pub const LEVEL: &str = "HOLDFAST_LOG";

/// The variable that says how. It overrides the setting `log_format`.
pub const FORMAT: &str = "HOLDFAST_LOG_FORMAT";

/// What the setting `log` takes.
pub const LEVEL_TAKES: &str =
    "a level such as \"info\", or levels by target, such as \"warn,holdfast=debug\"";

/// What the setting `log_format` takes.
pub const FORMAT_TAKES: &str = "\"text\" or \"json\"";

/// How a line is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text for people.
    #[default]
    Text,
    /// JSON for programs: each line is an object.
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("unknown format"),
        }
    }
}

/// How the user wants the log to be.
#[derive(Debug)]
pub struct LogOptions<F> {
    /// What is logged; `None` if nothing says so.
    pub filter: Option<F>,
    /// How it is logged.
    pub format: LogFormat,
    /// What is wrong with the variables, which never stops a program.
    pub refused: Vec<String>,
}

impl<F: FromStr<Err: Display>> LogOptions<F> {
    /// What the environment asks for or, where it does not, the settings file.
    pub fn of(filter: Option<&str>, format: LogFormat, environment: impl Fn(&str) -> Option<String>) -> Self {
        let mut refused = Vec::new();
        let said = |name: &str| environment(name).filter(|text| !text.is_empty());
        let level = said(LEVEL).and_then(|text| {
            let help = "write a level such as `info`, or `target=level`";
            let wrong = |error| refused.push(format!("{LEVEL} is `{text}`: {error}; {help}"));
            text.parse().map_err(wrong).ok()
        });
        let written = said(FORMAT).and_then(|text| {
            let wrong =
                |error| refused.push(format!("{FORMAT} is `{text}`: {error}; write `text` or `json`"));
            text.parse().map_err(wrong).ok()
        });
        Self { filter: level.or_else(|| filter?.parse().ok()), format: written.unwrap_or(format), refused }
    }
}

/// Writes a field of a text line: its name and value, or the message, which has no name.
///
/// # Errors
/// Fails if writing to `out` does.
pub fn write_field(out: &mut dyn fmt::Write, name: &str, value: &dyn Debug) -> fmt::Result {
    let value = format!("{value:?}");
    let value = harmless::line(&value);
    match name {
        "message" => out.write_str(&value),
        name => write!(out, "{name}={value}"),
    }
}

/// A log line in JSON with control characters escaped: the same value for a program.
pub fn json_line(line: &[u8]) -> Vec<u8> {
    harmless::json(&String::from_utf8_lossy(line)).into_owned().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_goes_over_the_file_and_what_it_says_wrong_is_told() {
        let of = |file: (Option<&str>, LogFormat), level: Option<&str>, format: Option<&str>| {
            let wanted = LogOptions::<u8>::of(file.0, file.1, |name| match name {
                LEVEL => level.map(str::to_owned),
                FORMAT => format.map(str::to_owned),
                _ => None,
            });
            (wanted.filter, wanted.format, wanted.refused.join("\n"))
        };
        let none = String::new();
        assert_eq!(of((None, LogFormat::Text), None, None), (None, LogFormat::Text, none.clone()));
        assert_eq!(of((Some("3"), LogFormat::Json), None, None), (Some(3), LogFormat::Json, none.clone()));
        assert_eq!(
            of((Some("3"), LogFormat::Json), Some("4"), Some("text")),
            (Some(4), LogFormat::Text, none.clone())
        );
        assert_eq!(of((Some("3"), LogFormat::Json), Some(""), Some("")), (Some(3), LogFormat::Json, none));
        let (filter, format, refused) = of((Some("3"), LogFormat::Json), Some("much"), Some("xml"));
        assert_eq!((filter, format), (Some(3), LogFormat::Json));
        assert!(refused.contains("HOLDFAST_LOG is `much`: invalid digit"), "{refused}");
        assert!(refused.contains("HOLDFAST_LOG_FORMAT is `xml`: unknown format; write"), "{refused}");
    }

    #[test]
    fn a_field_of_a_stranger_is_one_line_that_steers_nothing() {
        let hostile = "a\u{1b}[2J\u{202e}b\n2026-01-01 INFO forged\u{9b}1m";
        let written = |name: &str, value: &dyn Debug| {
            let mut out = String::new();
            write_field(&mut out, name, value).unwrap();
            out
        };
        for line in [written("message", &format_args!("{hostile}")), written("error", &hostile)] {
            assert!(!line.chars().any(harmless::steers), "{line}");
        }
        assert_eq!(written("node", &format_args!("web1")), "node=web1");
        let value = serde_json::json!({ "fields": { "message": hostile } });
        let line = String::from_utf8(json_line(format!("{value}\n").as_bytes())).unwrap();
        let (object, rest) = line.split_once('\n').unwrap();
        assert!(rest.is_empty() && !object.chars().any(harmless::steers), "{line}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(object).unwrap(), value);
    }
}
