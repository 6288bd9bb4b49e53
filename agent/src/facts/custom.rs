//! An operator's own facts: TOML and JSON files in [`super::CUSTOM_DIR`]. They add names and never replace one.

use std::collections::btree_map::Entry;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::{Map, Value};

use super::CUSTOM_DIR;
use super::tree::Tree;

/// The most files that are read.
const MAX_FILES: usize = 64;

/// Adds each file's entries; returns what was left out, and why.
pub(super) fn collect(tree: &Tree, facts: &mut Map) -> Vec<String> {
    let mut warnings = Vec::new();
    let names = tree.names(CUSTOM_DIR);
    if names.len() > MAX_FILES {
        warnings.push(format!("{CUSTOM_DIR}: only the first {MAX_FILES} of {} files are read", names.len()));
    }
    for name in names.iter().take(MAX_FILES) {
        let path = format!("{CUSTOM_DIR}/{name}");
        match read(tree, &path) {
            Ok(entries) => add(&path, entries, facts, &mut warnings),
            Err(why) => warnings.push(format!("{path} is left out: {why}")),
        }
    }
    warnings
}

fn read(tree: &Tree, path: &str) -> Result<Map, String> {
    let text = || tree.operators(path).map_err(|error| error.to_string());
    let json: serde_json::Value = match path.rsplit_once('.') {
        Some((_, "toml")) => {
            let text = text()?;
            toml::from_str(&text).map_err(|error| at_line(&text, error.message(), error.span()))?
        }
        Some((_, "json")) => serde_json::from_str(&text()?).map_err(|error| error.to_string())?,
        _ => return Err("facts are .toml or .json files".to_owned()),
    };
    let value = Value::from_json(&json);
    value.as_map().cloned().ok_or_else(|| format!("it contains {}, not a map", value.noun()))
}

/// The first line of a parser's message, with its position.
fn at_line(text: &str, said: &str, span: Option<std::ops::Range<usize>>) -> String {
    let place = Origin::locate(&"".into(), text, span.unwrap_or_default());
    format!("{} at line {} column {}", said.lines().next().unwrap_or_default(), place.line, place.column)
}

fn add(path: &str, entries: Map, facts: &mut Map, warnings: &mut Vec<String>) {
    for (name, value) in entries {
        match facts.entry(name) {
            Entry::Vacant(place) => drop(place.insert(value)),
            Entry::Occupied(fact) => {
                warnings
                    .push(format!("{path}: the fact `{}` already exists and is not replaced", fact.key()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn collected(files: &[(&str, &str, u32)]) -> (Map, Vec<String>) {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("etc/holdfast/facts.d");
        std::fs::create_dir_all(&dir).unwrap();
        for (name, content, mode) in files {
            std::fs::write(dir.join(name), content).unwrap();
            std::fs::set_permissions(dir.join(name), std::fs::Permissions::from_mode(*mode)).unwrap();
        }
        let mut facts = Map::from([("os".into(), "mine".into())]);
        let warnings = collect(&Tree::open(root.path()).unwrap(), &mut facts);
        (facts, warnings)
    }

    #[test]
    fn files_add_their_entries() {
        let (facts, warnings) =
            collected(&[("a.toml", "rack = 7\n", 0o644), ("b.json", r#"{"site":{"name":"fra1"}}"#, 0o600)]);
        assert_eq!(facts["rack"], 7.into());
        assert_eq!(facts["site"].get("name"), Some(&"fra1".into()));
        assert!(warnings.is_empty(), "{warnings:?}");
    }

    #[test]
    fn what_cannot_be_used_is_left_out_and_named() {
        let long = format!("x = \"{}\"", "y".repeat(70_000));
        let (facts, warnings) = collected(&[
            ("a.toml", "os = \"theirs\"", 0o644),
            ("b.toml", "open = 1", 0o666),
            ("c.toml", "broken =", 0o644),
            ("d.sh", "#!/bin/sh", 0o755),
            ("e.toml", &long, 0o644),
            ("f.json", "[1]", 0o644),
        ]);
        assert_eq!(facts.keys().map(|k| &**k).collect::<Vec<_>>(), ["os"]);
        assert_eq!(facts["os"], "mine".into());
        assert_eq!(warnings.len(), 6, "{warnings:?}");
        assert!(warnings.iter().all(|warning| !warning.contains('\n')), "{warnings:?}");
        assert!(warnings[2].contains(" at line 1 column "), "{warnings:?}");
    }
}
