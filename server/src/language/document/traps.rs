//! Common mistakes in TOML, and how to fix them.
//!
//! TOML itself accepts most of these, or refuses them with a message that does not help; for a manifest, they are errors.

use std::sync::Arc;

use holdfast_catalog::origin::Origin;

use super::DocumentEntry;
use crate::diagnostic::{Code, Diagnostic};
use crate::language::keyword::is_plain;
use crate::language::name::is_name;

/// Whether a message may quote what is under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quoting {
    /// It may: there is no secret.
    Allowed,
    /// It may not: there may be a secret.
    Withheld,
}

impl Quoting {
    /// Whether a line of a file may be quoted: not if it is a value in data, nor if it may be a secret in a manifest.
    pub(super) fn of(file: &str, level: Option<&Arc<str>>, line: &str) -> Self {
        let key = line.split('=').next().unwrap_or_default().trim();
        match level.is_none() && (!file.starts_with("modules/") || is_plain(key)) {
            true => Self::Allowed,
            false => Self::Withheld,
        }
    }

    fn of_value(self, value: &str) -> String {
        if self == Self::Allowed { format!(": \"{value}\"") } else { ", in quotes".to_owned() }
    }
}

/// What the parser says is wrong, where more is to be said of it. It gives no codes: its words are read here, and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trap {
    /// A key or a header is written twice.
    Twice,
    /// A backslash begins nothing.
    Escape,
    /// A string does not end on its line.
    OpenString,
    /// A key has to be quoted.
    BareKey,
    /// Something follows the value on its line.
    AfterValue,
}

impl Trap {
    pub(super) fn of(said: &str) -> Option<Self> {
        if said.contains("duplicate key") {
            Some(Self::Twice)
        } else if said.starts_with("missing escaped value") {
            Some(Self::Escape)
        } else if said.contains("invalid basic string") && said.contains("expected `\"`") {
            Some(Self::OpenString)
        } else if said.contains("unquoted key") {
            Some(Self::BareKey)
        } else if said.contains("expected newline") {
            Some(Self::AfterValue)
        } else {
            None
        }
    }
}

/// The message for an invalid escape, in our own words: the parser's message lists the letters that may follow a
/// backslash, which would be masked if one of them equals a secret.
pub(super) const NO_ESCAPE: &str =
    "in double quotes, a backslash begins an escape, and there is no such escape";

/// The cure for a syntax error, by what the parser says and the line.
pub(super) fn cure(trap: Option<Trap>, line: &str, found: &str, quoting: Quoting) -> Option<String> {
    if trap == Some(Trap::Twice) {
        return Some(match quoting {
            Quoting::Allowed => format!("`{}` is written twice; merge the two", found.trim()),
            Quoting::Withheld => "it is written twice; merge the two".to_owned(),
        });
    }
    if trap == Some(Trap::OpenString) {
        return Some(
            "a string ends on its line: close it with `\"`, or write several lines in \"\"\"".to_owned(),
        );
    }
    if line.contains(['\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}']) {
        return Some("these are typographic quotes; write strings in straight ones, \" or '".to_owned());
    }
    if trap == Some(Trap::Escape) {
        return Some(
            "double the backslash, or use single quotes, in which it has no special meaning".to_owned(),
        );
    }
    let begins = |text: &str| ["//", "/*", "-- ", ";"].iter().any(|sign| text.trim_start().starts_with(sign));
    // after a value, what follows the last quote is outside of strings
    let rest = line.rsplit(['"', '\'']).next().unwrap_or_default();
    let ends = trap == Some(Trap::AfterValue) && (rest.contains("//") || rest.contains("/*"));
    if begins(line) || ends {
        return Some("a comment begins with `#`".to_owned());
    }
    let Some((key, value)) = line.split_once('=') else { return colon(line) };
    let value = value.trim();
    if let Some((class, parameter)) = key.trim().rsplit_once("::").filter(|(class, _)| is_name(class)) {
        let table = class.replace("::", ".");
        return Some(format!(
            "in data, a class is a table: [{table}], and below it {} = …",
            parameter.trim()
        ));
    }
    if trap == Some(Trap::BareKey) {
        return Some(match quoting {
            Quoting::Allowed => format!("quote the key: \"{}\"", key.trim()),
            Quoting::Withheld => "quote the key".to_owned(),
        });
    }
    cure_of_value(key.trim(), value, quoting)
}

/// The fix for a value that TOML does not have.
fn cure_of_value(key: &str, value: &str, quoting: Quoting) -> Option<String> {
    if value.starts_with("${") {
        return Some(format!("expressions go in strings{}", quoting.of_value(value)));
    }
    if value.starts_with('0') && value.len() > 1 && value.bytes().all(|b| b.is_ascii_digit()) {
        return Some(leading_zero(key, value, quoting));
    }
    if matches!(value.trim_end_matches(','), "null" | "Null" | "NULL" | "None" | "nil" | "undef" | "~") {
        return Some("TOML cannot express a missing value: leave the line out".to_owned());
    }
    if matches!(value, "True" | "False" | "yes" | "no" | "on" | "off") {
        return Some("booleans are `true` and `false`".to_owned());
    }
    if let Some((of, rest)) =
        value.split_once('[').filter(|(of, _)| of.starts_with(|c: char| c.is_ascii_uppercase()))
    {
        let title = rest.trim_end_matches(',').trim_end_matches(']').trim_matches(['"', '\'']);
        let reference = match quoting {
            Quoting::Allowed => format!(": \"{}[{title}]\"", of.to_ascii_lowercase()),
            Quoting::Withheld => " such as \"package[nginx]\"".to_owned(),
        };
        return Some(format!("references are strings{reference}"));
    }
    if value.parse::<f64>().is_ok() || matches!(value, "true" | "false") {
        return None;
    }
    let bare = |b: u8| b.is_ascii_alphanumeric() || b"_-./:".contains(&b);
    (!value.is_empty() && value.bytes().all(bare))
        .then(|| format!("strings are quoted{}", quoting.of_value(value)))
}

/// The fix for a number with a leading zero: permission bits if it looks like them, otherwise a decimal number.
fn leading_zero(key: &str, value: &str, quoting: Quoting) -> String {
    let is_octal = value.bytes().all(|b| b.is_ascii_digit() && b < b'8');
    if is_octal && (key.contains("mode") || key.contains("umask") || value.len() == 4) {
        return format!("permission bits are a string{}", quoting.of_value(value));
    }
    let number = value.trim_start_matches('0');
    let written = match quoting {
        Quoting::Allowed => format!(": {}", if number.is_empty() { "0" } else { number }),
        Quoting::Withheld => String::new(),
    };
    format!("a number has no leading zeros{written}; quote it if it is a string, such as permission bits")
}

/// The fix for a colon, as in YAML.
fn colon(line: &str) -> Option<String> {
    let (key, _) = line.split_once(':')?;
    let key = key.trim();
    let is_key = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    is_key.then(|| format!("TOML uses `=`: {key} = …, and a [header] where YAML indents"))
}

/// The error for an unknown key inside the table `inside`, with the most similar of `known` suggested. If the key
/// belongs to the top level of the file (`outer`), the help names the common mistake: in TOML, everything after a
/// header belongs to that header.
pub fn unknown_key<'a>(
    entry: &DocumentEntry,
    inside: &str,
    known: impl IntoIterator<Item = &'a str>,
    outer: &[&str],
) -> Diagnostic {
    let origin: &Arc<Origin> = &entry.key_origin;
    let problem = Diagnostic::error(
        Code::UnknownKey,
        format!("`{}` is not a key of {inside}", entry.key),
        Origin::clone(origin),
    )
    .label("unknown key");
    if outer.contains(&&*entry.key) {
        return problem.help(format!(
            "in TOML everything that follows a `[header]` belongs to it; move `{}` above the first header",
            entry.key
        ));
    }
    problem.did_you_mean(&entry.key, known)
}
