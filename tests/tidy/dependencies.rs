//! What the programs are made of, by `deny.toml`: licences, and one version of each.
//!
//! `make deny` looks at more, and at advisories, with a tool that a machine may not have.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use super::{assert_none, root};

#[test]
fn only_licences_of_the_list_are_built_into_anything() {
    let rules = rules();
    let allowed = strings(&rules["licenses"]["allow"]);
    let exceptions = rules["licenses"]["exceptions"].as_array().unwrap().iter();
    let exceptions: BTreeMap<&str, Vec<&str>> =
        exceptions.map(|rule| (rule["crate"].as_str().unwrap(), strings(&rule["allow"]))).collect();
    let packages = packages(&["--workspace"], "normal,build,dev");
    let wrong = packages.iter().filter(|package| {
        let excepted = exceptions.get(&*package.name);
        let may = |licence: &str| {
            allowed.contains(&licence) || excepted.is_some_and(|excepted| excepted.contains(&licence))
        };
        !is_met(&package.licence, &may)
    });
    let wrong: Vec<_> = wrong.map(|package| format!("{}: `{}`", package.name, package.licence)).collect();
    assert_none("a licence is in deny.toml, or the dependency is not used", &wrong);
    let is_used = |name: &&&str| packages.iter().any(|package| package.name == **name);
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
    for package in packages(&programs, "normal,no-proc-macro") {
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
fn a_licence_is_met_by_its_whole_expression() {
    let may = |licence: &str| ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].contains(&licence);
    for met in
        ["MIT", "GPL-3.0 OR MIT", "MIT/Apache-2.0", "MIT AND (ISC OR X)", "Apache-2.0 WITH LLVM-exception"]
    {
        assert!(is_met(met, &may), "{met}");
    }
    for not in ["", "X", "MIT AND X", "(MIT OR ISC) AND X", "Apache-2.0"] {
        assert!(!is_met(not, &may), "{not}");
    }
}

/// A dependency as it is resolved.
struct Package {
    name: String,
    version: String,
    licence: String,
}

/// What some packages are made of on this machine, by kinds of edges.
fn packages(of: &[&str], edges: &str) -> Vec<Package> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut tree = Command::new(cargo);
    tree.args(["tree", "--locked", "--offline", "--prefix", "none", "--format", "{p}\t{l}"]);
    let said = tree.args(["--edges", edges]).args(of).current_dir(root()).output().expect("cargo is there");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let text = String::from_utf8(said.stdout).expect("cargo writes UTF-8");
    let lines: BTreeSet<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let package = |line: &str| {
        let line = line.trim_end_matches(" (*)");
        let (what, licence) = line.split_once('\t').expect("a licence, or nothing, is after the tab");
        let mut words = what.split_whitespace();
        let (name, version) = (words.next()?.to_owned(), words.next()?.trim_start_matches('v').to_owned());
        Some(Package { name, version, licence: licence.to_owned() })
    };
    lines.into_iter().filter_map(package).collect()
}

fn rules() -> toml::Table {
    let text = std::fs::read_to_string(root().join("deny.toml")).expect("the file is there");
    text.parse().expect("it is TOML")
}

fn strings(list: &toml::Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

/// Whether an expression of licences allows a use: one side of `OR`, both of `AND`.
fn is_met(expression: &str, may: &impl Fn(&str) -> bool) -> bool {
    let split = |by: &str| outside_of_parentheses(expression, by);
    if let Some((one, other)) = split(" OR ").or_else(|| split("/")) {
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

/// Both sides of the first such word that is in no parentheses.
fn outside_of_parentheses<'t>(text: &'t str, word: &str) -> Option<(&'t str, &'t str)> {
    let is_outside = |at: &usize| text[..*at].matches('(').count() == text[..*at].matches(')').count();
    let at = text.match_indices(word).map(|(at, _)| at).find(is_outside)?;
    Some((&text[..at], &text[at + word.len()..]))
}
