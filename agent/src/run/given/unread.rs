//! Why a file is neither a catalog nor a bundle, in words for the person who gave it: what it is, where, and what to
//! do.

use serde_json::Value;
use serde_json::error::Category;

/// The command that makes a file that can be applied.
const CURE: &str = "`holdfast compile --node NAME --bundle FILE` writes a bundle that can be applied";

/// Fields that identify a file as an intended catalog, whatever else is wrong with it.
const OF_A_CATALOG: [&str; 3] = ["resources", "certname", "edges"];

/// The part of the message after the file's name.
pub(super) fn words(text: &str, error: &serde_json::Error) -> String {
    if text.trim().is_empty() {
        return format!("is empty, not a catalog: {CURE}");
    }
    let place = format!("line {}, column {}", error.line(), error.column());
    match serde_json::from_str::<Value>(text) {
        Err(broken) if broken.classify() == Category::Eof => {
            format!(
                "is cut short: it ends at line {}, in the middle of its JSON; write it again ({CURE})",
                broken.line()
            )
        }
        Err(broken) => format!(
            "is not JSON, at line {}, column {}: {}; {CURE}",
            broken.line(),
            broken.column(),
            bare(&broken)
        ),
        Ok(value) if !is_meant(&value) => {
            format!("is JSON, but neither a catalog nor a bundle: {}; {CURE}", what(&value))
        }
        Ok(_) => format!(
            "is a catalog that this agent ({}) cannot read, at {place}: {}; if a newer `holdfast` wrote it, upgrade \
             the agent; if an older one did, write it again ({CURE})",
            env!("CARGO_PKG_VERSION"),
            fault(&bare(error))
        ),
    }
}

/// Whether the value is meant to be a catalog, or a bundle, which contains one.
fn is_meant(value: &Value) -> bool {
    let is_catalog = |value: &Value| OF_A_CATALOG.iter().any(|name| value.get(name).is_some());
    is_catalog(value) || value.get("catalog").is_some_and(is_catalog)
}

/// What it is, as far as a few words can say.
fn what(value: &Value) -> String {
    match value {
        Value::Object(fields) if fields.is_empty() => "it is an object without fields".to_owned(),
        Value::Object(fields) => {
            let names: Vec<&str> = fields.keys().map(String::as_str).take(3).collect();
            let more = if fields.len() > names.len() { ", …" } else { "" };
            format!("it is an object with `{}`{more}", names.join("`, `"))
        }
        Value::Array(_) => "it is a list".to_owned(),
        Value::String(_) => "it is a string".to_owned(),
        Value::Number(_) => "it is a number".to_owned(),
        Value::Bool(_) | Value::Null => format!("it is `{value}`"),
    }
}

/// The parser's message without the position, which is named once.
fn bare(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let end = words.rfind(" at line ").unwrap_or(words.len());
    words[..end].to_owned()
}

/// The parser's message about fields and values, in words for people.
fn fault(words: &str) -> String {
    let quoted = |start: &str| words.strip_prefix(start)?.split('`').next();
    if let Some(name) = quoted("unknown field `") {
        return format!("it has the field `{name}`, which this agent does not know");
    }
    if let Some(name) = quoted("missing field `") {
        return format!("it lacks the field `{name}`");
    }
    if let Some(name) = quoted("unknown variant `") {
        return format!("it has `{name}`, a word that this agent does not know");
    }
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::catalog::Catalog;

    use super::*;

    fn said(text: &str) -> String {
        let words = words(text, &serde_json::from_str::<Catalog>(text).unwrap_err());
        assert!(words.contains("holdfast compile --node NAME --bundle FILE"), "what to do: {words}");
        words
    }

    #[test]
    fn what_a_file_is_not_is_said_with_its_place_and_what_to_do() {
        for (text, words) in [
            ("", "is empty"),
            ("  \n", "is empty"),
            ("hello", "is not JSON, at line 1, column 1: expected value;"),
            ("{\"resources\": [\n  1,", "is cut short: it ends at line 2"),
            ("[]", "neither a catalog nor a bundle: it is a list;"),
            ("\"x\"", "it is a string;"),
            ("null", "it is `null`;"),
            ("{}", "it is an object without fields;"),
            ("{\"a\":1,\"b\":2,\"c\":3,\"d\":4}", "it is an object with `a`, `b`, `c`, …;"),
        ] {
            let said = said(text);
            assert!(said.contains(words), "{text}: {said}");
        }
    }

    #[test]
    fn a_catalog_of_another_version_is_said_to_be_one() {
        let lacks = said("{\"certname\": \"a.example\",\n \"resources\": []}");
        assert!(
            lacks.contains("is a catalog that this agent (") && lacks.contains("at line 2, column"),
            "{lacks}"
        );
        assert!(lacks.contains("it lacks the field `") && lacks.contains("upgrade the agent"), "{lacks}");
        let newer = said("{\"certname\": \"a.example\", \"colour\": 1}");
        assert!(newer.contains("it has the field `colour`, which this agent does not know"), "{newer}");
        let bundle = said("{\"catalog\": {\"resources\": []}, \"contents\": {}}");
        assert!(bundle.contains("is a catalog that this agent ("), "{bundle}");
    }
}
