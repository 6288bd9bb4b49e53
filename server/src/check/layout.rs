//! Finds files that are never read in folders that are: a manifest outside `manifests/`, a template of another tool,
//! facts of an unknown machine. Otherwise, a misspelled folder or file extension would go unnoticed.
//!
//! Files that people write for people are not reported: READMEs, licences, docs, examples and tests. Neither is
//! anything in `files/`, which goes to machines.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::spelling::nearest;

use super::facts::{self, read_facts};
use crate::compile::Program;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::lookup::hierarchy;
use crate::repo::{ModuleFolder, ModulePath};
use crate::{inventory, modules};

/// The folders of a module.
const FOLDERS: [&str; 3] = ["manifests", "templates", "files"];

/// Folders for people.
const FOR_PEOPLE: [&str; 13] = [
    "doc",
    "docs",
    "documentation",
    "example",
    "examples",
    "test",
    "tests",
    "spec",
    "script",
    "scripts",
    "tools",
    "images",
    "ci",
];

/// How the names of files for people begin.
const DOCUMENTS: [&str; 14] = [
    "readme",
    "license",
    "licence",
    "copying",
    "copyright",
    "notice",
    "changelog",
    "changes",
    "contributing",
    "authors",
    "maintainers",
    "codeowners",
    "security",
    "makefile",
];

/// The extensions of files for people.
const PROSE: [&str; 10] =
    [".md", ".txt", ".rst", ".adoc", ".html", ".pdf", ".png", ".svg", ".jpg", ".license"];

/// Folders of other tools, with what to use instead.
const OF_OTHERS: [(&[&str], &str); 3] = [
    (
        &["tasks", "handlers", "plans", "roles", "playbooks", "states"],
        "the resources of machines belong in `manifests/*.toml`",
    ),
    (
        &["vars", "defaults", "data", "hieradata", "group_vars", "host_vars", "pillar"],
        "values belong in `hieradata/`, and defaults beside the parameters, in `manifests/*.toml`",
    ),
    (
        &["lib", "functions", "types", "facts.d", "library", "filter_plugins", "meta"],
        "a module contains no code: everything that it does is in its manifests",
    ),
];

/// A warning about an entry of a module: its path, and what to do.
type LayoutRemark = (Arc<str>, String);

/// The warnings about files that are never read.
pub(super) fn find(program: &Program) -> Vec<Diagnostic> {
    let mut found = of_modules(program);
    found.extend(of_facts(program));
    found.extend(beside(program));
    found
}

fn of_modules(program: &Program) -> Vec<Diagnostic> {
    // for a folder that is never read, only the first file
    let mut told: BTreeMap<&str, LayoutRemark> = BTreeMap::new();
    for (path, _) in program.snapshot().under(modules::FOLDER) {
        if let Some((unread, help)) = unread(program, path) {
            told.entry(unread).or_insert_with(|| (path.clone(), help));
        }
    }
    let problem = |(unread, (path, help)): (&str, LayoutRemark)| nobody_reads(unread, &path).help(help);
    told.into_iter().map(problem).collect()
}

fn nobody_reads(what: &str, path: &Arc<str>) -> Diagnostic {
    let slash = if what.len() < path.len() { "/" } else { "" };
    let origin = Origin::locate(path, "", 0..0);
    Diagnostic::warning(Code::UnreadFile, format!("nothing reads `{what}{slash}`"), origin)
}

/// The part of a path below `modules/` that is never read, either the file itself or a folder of it, with what to do.
fn unread<'p>(program: &Program, path: &'p str) -> Option<(&'p str, String)> {
    let parts: Vec<&str> = path.split('/').collect();
    let name = parts.last()?;
    if is_for_people(name) {
        return None;
    }
    match parts[..] {
        [_, file] => Some((path, in_no_module(file))),
        [_, module, file] => Some((path, in_no_folder(module, file))),
        [_, _, "files", ..] => None,
        [_, _, "manifests", ..] => (!name.ends_with(".toml")).then(|| (path, no_manifest(name))),
        [_, _, "templates", ..] => {
            let is_read = name.ends_with(".hbs") || is_named(program, ModulePath::of(path)?);
            (!is_read).then(|| (path, no_template(name)))
        }
        [_, module, folder, ..] if !FOR_PEOPLE.contains(&folder) && !folder.starts_with('.') => Some((
            &path[..modules::FOLDER.len() + module.len() + folder.len() + 2],
            no_folder(module, folder),
        )),
        _ => None,
    }
}

/// Whether a file is for people, or belongs to a tool such as git.
fn is_for_people(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with('.')
        || DOCUMENTS.iter().any(|begin| name.starts_with(begin))
        || PROSE.iter().any(|end| name.ends_with(end))
}

/// Whether a manifest of the template's module may refer to it.
fn is_named(program: &Program, template: ModulePath<'_>) -> bool {
    let mut own = program.modules().manifests().filter(|manifest| manifest.name.module() == template.module);
    own.any(|manifest| manifest.may_read_template(template.name))
}

fn in_no_module(file: &str) -> String {
    match file.strip_suffix(".toml") {
        Some(name) => format!("did you mean `modules/{name}/manifests/init.toml`?"),
        None => "a module is a folder: `modules/NAME/`".to_owned(),
    }
}

fn in_no_folder(module: &str, file: &str) -> String {
    match file.rsplit_once('.') {
        Some((_, "toml")) => format!("did you mean `modules/{module}/manifests/{file}`?"),
        Some((_, "hbs")) => format!("did you mean `modules/{module}/templates/{file}`?"),
        _ => "a module has the folders `manifests/`, `templates/` and `files/`".to_owned(),
    }
}

fn no_manifest(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((stem, "pp" | "yaml" | "yml" | "json")) => {
            format!("a manifest is a file of TOML: `{stem}.toml`")
        }
        Some((stem, _)) if stem.ends_with(".toml") => {
            "remove the copy: a manifest ends in `.toml`".to_owned()
        }
        _ => "a manifest ends in `.toml`".to_owned(),
    }
}

fn no_template(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((stem, "erb" | "epp" | "j2" | "jinja" | "jinja2" | "tmpl" | "tpl" | "mustache")) => {
            format!("a template is Handlebars: `{}.hbs`", stem.trim_end_matches(".hbs"))
        }
        _ => "a template ends in `.hbs`; files that are sent to machines unchanged belong in `files/`"
            .to_owned(),
    }
}

fn no_folder(module: &str, folder: &str) -> String {
    if let Some(right) = nearest(folder, FOLDERS) {
        return format!("did you mean `modules/{module}/{right}/`?");
    }
    let instead = OF_OTHERS.iter().find(|(names, _)| names.contains(&folder));
    let folders = "a module has the folders `manifests/`, `templates/` and `files/`";
    instead.map_or(folders, |(_, instead)| instead).to_owned()
}

fn of_facts(program: &Program) -> Vec<Diagnostic> {
    let mentions = program.inventory().mentions();
    let mut names: BTreeSet<&str> = program.inventory().nodes().map(|node| node.certname.as_str()).collect();
    names.extend(mentions.nodes.iter().map(String::as_str));
    names.insert("default");
    let mut found = Vec::new();
    for (path, file) in program.snapshot().under(facts::FOLDER) {
        let name = path.strip_prefix("facts/").unwrap_or(path);
        let problem = match name.strip_suffix(".json") {
            Some(name) if names.contains(name) || mentions.is_open => continue,
            Some(name) if !name.contains('/') => {
                let problem = Diagnostic::warning(
                    Code::LeadsNowhere,
                    format!("no machine has the facts of `{path}`: the inventory has no `{name}`"),
                    Origin::locate(path, "", 0..0),
                );
                // read anyway, so that problems in the file show before it has the right name
                found.extend(read_facts(path, file.bytes()).err().map(as_warning));
                match nearest(name, names.iter().copied()) {
                    Some(near) => problem.help(format!("did you mean `facts/{near}.json`?")),
                    None => problem,
                }
            }
            _ if is_for_people(name.rsplit('/').next().unwrap_or(name)) => continue,
            _ => nobody_reads(path, path).help("facts are `facts/CERTNAME.json`, or `facts/default.json`"),
        };
        found.push(problem);
    }
    found
}

fn as_warning(problem: Diagnostic) -> Diagnostic {
    Diagnostic { severity: Severity::Warning, ..problem }
}

/// Warnings about top-level folders that have nearly the name of one that is read, and similar content.
fn beside(program: &Program) -> Vec<Diagnostic> {
    let read = [modules::FOLDER, hierarchy::FOLDER, inventory::FOLDER, facts::FOLDER];
    let mut told: BTreeMap<&str, Diagnostic> = BTreeMap::new();
    for (path, _) in program.snapshot().files() {
        let Some((folder, inner)) = path.split_once('/') else { continue };
        if read.contains(&folder) || told.contains_key(folder) {
            continue;
        }
        let Some(right) = nearest(folder, read) else { continue };
        let fits = match right {
            modules::FOLDER => {
                ModulePath::inside(inner).is_some_and(|path| path.folder == ModuleFolder::Manifests)
                    && inner.ends_with(".toml")
            }
            facts::FOLDER => inner.ends_with(".json"),
            _ => inner.ends_with(".toml"),
        };
        if fits {
            told.insert(folder, nobody_reads(folder, path).help(format!("did you mean `{right}/`?")));
        }
    }
    told.into_values().collect()
}
