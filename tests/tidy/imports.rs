//! Which modules use which, according to the paths in their code: no cycle among siblings, and no use against the order
//! of `lib.rs`.
//!
//! A module and its own children may use each other, as is common in Rust. Code for tests only is left out.

use std::collections::{BTreeMap, BTreeSet};

use super::{assert_none, sources, without_tests};

/// A module, as the names that lead to it; empty for the crate itself.
type Module = Vec<String>;

/// The modules of a crate, each with its code.
type CrateCode = BTreeMap<Module, String>;

/// The uses among the children of one module, each with a path that shows it.
type ModuleUses = BTreeMap<(String, String), String>;

#[test]
fn no_modules_beside_each_other_use_each_other_in_a_circle() {
    let circles = crates().iter().flat_map(|(name, code)| circles(name, code)).collect::<Vec<_>>();
    assert_none("what is in a circle can only be read and changed as one", &circles);
}

#[test]
fn each_module_uses_only_those_above_it_in_lib_rs() {
    let up = crates().iter().flat_map(|(name, code)| arrows_up(name, code)).collect::<Vec<_>>();
    assert_none("`lib.rs` lists modules from the ground up", &up);
}

#[test]
fn circles_and_arrows_up_are_found_and_children_may_use_their_parents() {
    let code = |files: &[(&str, &str)]| -> CrateCode {
        let module =
            |path: &str| path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        files.iter().map(|(path, text)| (module(path), (*text).to_owned())).collect()
    };
    let circle = code(&[
        ("", "mod one;\nmod two;\n"),
        ("one", "use crate::{two::{Two, Other}};"),
        ("two", "fn two() { crate::one::one() }"),
    ]);
    assert_eq!(circles("x", &circle).len(), 2);
    assert_eq!(arrows_up("x", &circle).len(), 1);
    let family = code(&[
        ("", "mod one;\nmod two;\n"),
        ("one", "mod child;\nuse child::Child;"),
        ("one/child", "use super::One;\nuse crate::one::Other;"),
        ("two", "use crate::one::One;"),
    ]);
    assert!(circles("x", &family).is_empty() && arrows_up("x", &family).is_empty());
    let cousins = code(&[
        ("", "mod a;\n"),
        ("a", "mod b;\nmod c;\n"),
        ("a/b", "use super::c::C;"),
        ("a/c", "mod d;"),
        ("a/c/d", "use super::super::b::B;"),
    ]);
    assert_eq!(circles("x", &cousins).len(), 2);
}

/// The crates of the workspace that others build on, without code for tests only.
fn crates() -> Vec<(&'static str, CrateCode)> {
    let sources = sources();
    let of = |name: &'static str| {
        let folder = format!("{name}/src/");
        let files = sources.iter().filter_map(|(path, text)| Some((path.strip_prefix(&folder)?, text)));
        let mut code: CrateCode = files
            .filter(|(path, _)| *path != "main.rs")
            .map(|(path, text)| (module_of(path), plain(without_tests(text))))
            .collect();
        let tests: Vec<Module> = sources
            .iter()
            .filter_map(|(path, text)| Some((module_of(path.strip_prefix(&folder)?), text)))
            .flat_map(|(module, text)| {
                test_modules(text).map(move |name| [module.clone(), vec![name]].concat())
            })
            .collect();
        code.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        (name, code)
    };
    ["catalog", "agent", "server"].map(of).into()
}

fn module_of(path: &str) -> Module {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    if path == "lib" { Module::new() } else { path.split('/').map(str::to_owned).collect() }
}

/// The names of modules that a file declares for tests only.
pub(super) fn test_modules(text: &str) -> impl Iterator<Item = String> {
    let declared = text.split("#[cfg(test)]\n").skip(1).filter_map(|rest| rest.lines().next());
    declared.filter_map(|line| {
        let name = line.strip_suffix(';')?.rsplit_once("mod ")?.1;
        Some(name.to_owned())
    })
}

/// The code without its comments.
fn plain(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

fn circles(name: &str, code: &CrateCode) -> Vec<String> {
    let mut found = Vec::new();
    for (parent, uses) in uses(code) {
        for ((from, to), shown) in &uses {
            if leads(to, from, &uses) {
                found.push(format!("{name}: {} -> {}: {shown}", joined(&parent, from), joined(&parent, to)));
            }
        }
    }
    found
}

fn joined(parent: &[String], child: &str) -> String {
    [parent, &[child.to_owned()]].concat().join("::")
}

/// Whether uses lead from one module to another.
fn leads(from: &str, to: &str, uses: &ModuleUses) -> bool {
    let mut seen = BTreeSet::new();
    let mut ahead = vec![from];
    while let Some(at) = ahead.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            ahead.extend(uses.keys().filter(|(user, _)| user == at).map(|(_, used)| used.as_str()));
        }
    }
    false
}

fn arrows_up(name: &str, code: &CrateCode) -> Vec<String> {
    let listed = code[&Module::new()].lines().filter_map(|line| {
        let name = line.trim_end().strip_suffix(';')?.rsplit_once("mod ")?.1;
        Some(name.to_owned())
    });
    let order: Vec<String> = listed.collect();
    let place = |module: &str| order.iter().position(|listed| listed == module);
    let root = uses(code).remove(&Module::new()).unwrap_or_default();
    let up = root.iter().filter(|((from, to), _)| place(to) > place(from));
    up.map(|((from, to), shown)| format!("{name}: {from} -> {to}: {shown}")).collect()
}

/// All uses, by the module whose children use each other.
fn uses(code: &CrateCode) -> BTreeMap<Module, ModuleUses> {
    let mut all: BTreeMap<Module, ModuleUses> = BTreeMap::new();
    for (module, text) in code {
        for path in paths(text) {
            let Some(used) = resolve(module, &path, code) else { continue };
            let common = module.iter().zip(&used).take_while(|(one, other)| one == other).count();
            if common < module.len() && common < used.len() {
                let pair = (module[common].clone(), used[common].clone());
                let shown = format!("{} uses {}", module.join("::"), path.join("::"));
                all.entry(module[..common].to_vec()).or_default().entry(pair).or_insert(shown);
            }
        }
    }
    all
}

/// The module that a path leads into.
fn resolve(module: &Module, path: &[String], code: &CrateCode) -> Option<Module> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    let (mut at, rest) = match path.first().map(String::as_str) {
        Some("crate") => (Module::new(), &path[1..]),
        _ => (module.get(..module.len().checked_sub(ups)?)?.to_vec(), &path[ups..]),
    };
    for part in rest {
        at.push(part.clone());
        if !code.contains_key(&at) {
            at.pop();
            break;
        }
    }
    Some(at)
}

/// All paths in a text that begin with `crate` or `super`; those in braces are returned one by one.
fn paths(text: &str) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(at) = ["crate::", "super::"].iter().filter_map(|word| rest.find(word)).min() {
        let is_whole = !rest[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
        let tail = &rest[at..];
        rest = if is_whole { branch(tail, &[], &mut all) } else { &tail["crate::".len()..] };
    }
    all
}

/// Reads a path, or a list of paths in braces; returns what follows.
fn branch<'t>(text: &'t str, before: &[String], all: &mut Vec<Vec<String>>) -> &'t str {
    let mut path = before.to_vec();
    let mut rest = text.trim_start();
    loop {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        if end > 0 {
            path.push(rest[..end].to_owned());
        }
        rest = &rest[end..];
        match rest.strip_prefix("::") {
            Some(after) if after.starts_with('{') => {
                rest = &after[1..];
                while !rest.starts_with('}') && !rest.is_empty() {
                    rest = branch(rest, &path, all);
                    // Before the next one there may be a comma, `as` with a name, or a star.
                    let next = rest.find([',', '}']).unwrap_or(rest.len());
                    rest = rest[next..].strip_prefix(',').unwrap_or(&rest[next..]).trim_start();
                }
                return rest.strip_prefix('}').unwrap_or(rest);
            }
            Some(after) => rest = after,
            None => break,
        }
        if rest.starts_with(|c: char| !(c.is_alphanumeric() || c == '_')) {
            break;
        }
    }
    all.push(path);
    rest
}
