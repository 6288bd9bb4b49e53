//! What people trip over in TOML, and the cure.
//!
//! TOML itself accepts most of these, or refuses them in words that help nobody; language.md promises better.

use std::sync::Arc;

use holdfast_catalog::diagnostic::Diagnostic;
use holdfast_catalog::origin::Origin;

use super::Entry;

/// The cure for a syntax error, by the parser's words and the line.
pub(super) fn cure(message: &str, line: &str, found: &str) -> Option<String> {
    if message.contains("duplicate key") {
        return Some(format!("`{}` is written twice; join the two", found.trim()));
    }
    let (key, value) = line.split_once('=')?;
    let value = value.trim();
    if message.contains("unquoted key") {
        return Some(format!("quote the key: \"{}\"", key.trim()));
    }
    if value.starts_with("${") {
        return Some(format!("expressions stand in strings: \"{value}\""));
    }
    if value.starts_with('0') && value.len() > 1 && value.bytes().all(|b| b.is_ascii_digit()) {
        return Some(format!("permission bits are a string: \"{value}\""));
    }
    if matches!(value, "True" | "False" | "yes" | "no" | "on" | "off") {
        return Some("booleans are `true` and `false`".to_owned());
    }
    if value.parse::<f64>().is_ok() || matches!(value, "true" | "false") {
        return None;
    }
    let bare = |b: u8| b.is_ascii_alphanumeric() || b"_-./:".contains(&b);
    (!value.is_empty() && value.bytes().all(bare)).then(|| format!("strings are quoted: \"{value}\""))
}

/// An unknown key inside the table `inside`, with the nearest of `known`; where the key is one of the file's own
/// top level (`outer`), the trap of TOML is named: everything after a header belongs to it.
pub fn unknown_key<'a>(
    entry: &Entry,
    inside: &str,
    known: impl IntoIterator<Item = &'a str>,
    outer: &[&str],
) -> Diagnostic {
    let origin: &Arc<Origin> = &entry.key_origin;
    let problem = Diagnostic::error(
        "unknown-key",
        format!("`{}` is no key of {inside}", entry.key),
        Origin::clone(origin),
    )
    .label("unknown key");
    if outer.contains(&&*entry.key) {
        return problem.help(format!(
            "in TOML all that follows a `[header]` belongs to it; move `{}` above the first header",
            entry.key
        ));
    }
    problem.did_you_mean(&entry.key, known)
}
