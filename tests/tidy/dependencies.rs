//! The dependencies of the programs, checked by the rules in `deny.toml`: licences, and one version of each.
//!
//! `make deny` checks more, including advisories, with a tool that a machine may not have.

use std::collections::{BTreeMap, BTreeSet};

use harness::made_of::{bill_of_materials, made_of};

use super::{assert_none, root};

#[test]
fn only_licences_of_the_list_are_built_into_anything() {
    let rules = rules();
    let allowed = strings(&rules["licenses"]["allow"]);
    let exceptions = rules["licenses"]["exceptions"].as_array().unwrap().iter();
    let exceptions: BTreeMap<&str, Vec<&str>> =
        exceptions.map(|rule| (rule["crate"].as_str().unwrap(), strings(&rule["allow"]))).collect();
    let packages = made_of(&["--workspace"], "normal,build,dev").unwrap();
    let wrong = packages.keys().filter(|package| {
        let excepted = exceptions.get(&*package.name);
        let may = |licence: &str| {
            allowed.contains(&licence) || excepted.is_some_and(|excepted| excepted.contains(&licence))
        };
        !is_met(&package.licence, &may)
    });
    let wrong: Vec<_> = wrong.map(|package| format!("{}: `{}`", package.name, package.licence)).collect();
    assert_none("a licence is in deny.toml, or the dependency is not used", &wrong);
    let is_used = |name: &&&str| packages.keys().any(|package| package.name == **name);
    let idle: Vec<_> =
        exceptions.keys().filter(|name| !is_used(name)).map(|name| (*name).to_owned()).collect();
    assert_none("an exception of deny.toml is for what is used", &idle);
}

#[test]
fn the_programs_are_made_of_one_version_of_each() {
    let rules = rules();
    let skipped = rules["bans"]["skip"].as_array().unwrap();
    let skipped: Vec<&str> = skipped.iter().map(|rule| rule["crate"].as_str().unwrap()).collect();
    let programs = ["--package", "holdfast-server", "--package", "holdfast-agent"];
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in made_of(&programs, "normal,no-proc-macro").unwrap().into_keys() {
        let is_skipped = |rule: &&str| {
            let (name, version) = rule.split_once('@').expect("a version is skipped, not a crate");
            name == package.name && package.version.starts_with(&format!("{version}."))
        };
        if !skipped.iter().any(is_skipped) {
            versions.entry(package.name).or_default().insert(package.version);
        }
    }
    let twice = versions.iter().filter(|(_, versions)| versions.len() > 1);
    let twice: Vec<_> = twice.map(|(name, versions)| format!("{name}: {versions:?}")).collect();
    assert_none("one version of each, or a reason in deny.toml", &twice);
}

#[test]
fn a_bill_of_materials_has_each_part_of_a_program_with_its_source() {
    let bill = bill_of_materials("holdfast-agent").unwrap();
    let parts = bill["components"].as_array().unwrap();
    let named = |name: &str| parts.iter().find(|part| part["name"] == name);
    assert!(parts.len() > 100 && named("rustls").is_some() && named("serde_derive").is_none());
    for part in parts.iter().filter(|part| part["name"] != "holdfast-catalog") {
        assert_eq!(part["hashes"][0]["content"].as_str().map(str::len), Some(64), "{part}");
    }
    let ours = bill["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .find(|of| of["ref"] == bill["metadata"]["component"]["bom-ref"]);
    assert!(
        ours.unwrap()["dependsOn"]
            .as_array()
            .unwrap()
            .iter()
            .any(|uses| uses.as_str().unwrap().starts_with("pkg:cargo/rustls@"))
    );
}

#[test]
fn a_licence_is_met_by_its_whole_expression() {
    let may = |licence: &str| ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].contains(&licence);
    for met in ["MIT", "GPL-3.0 OR MIT", "MIT AND (ISC OR X)", "Apache-2.0 WITH LLVM-exception"] {
        assert!(is_met(met, &may), "{met}");
    }
    for not in ["", "X", "MIT AND X", "(MIT OR ISC) AND X", "Apache-2.0"] {
        assert!(!is_met(not, &may), "{not}");
    }
}

fn rules() -> toml::Table {
    let text = std::fs::read_to_string(root().join("deny.toml")).expect("the file is there");
    text.parse().expect("it is TOML")
}

fn strings(list: &toml::Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

/// Whether a licence expression allows a use: one side of `OR` does, or both sides of `AND` do.
fn is_met(expression: &str, may: &impl Fn(&str) -> bool) -> bool {
    let split = |by: &str| outside_of_parentheses(expression, by);
    if let Some((one, other)) = split(" OR ") {
        return is_met(one, may) || is_met(other, may);
    }
    if let Some((one, other)) = split(" AND ") {
        return is_met(one, may) && is_met(other, may);
    }
    let whole = expression.trim();
    match whole.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(inner) => is_met(inner, may),
        None => may(whole),
    }
}

/// Both sides of the first occurrence of this word outside parentheses.
fn outside_of_parentheses<'t>(text: &'t str, word: &str) -> Option<(&'t str, &'t str)> {
    let is_outside = |at: &usize| text[..*at].matches('(').count() == text[..*at].matches(')').count();
    let at = text.match_indices(word).map(|(at, _)| at).find(is_outside)?;
    Some((&text[..at], &text[at + word.len()..]))
}
