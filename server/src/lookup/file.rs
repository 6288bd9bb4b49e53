//! One data file: its keys, resolved against the classes and the declared keys of the repository.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use holdfast_catalog::origin::Origin;

use super::hierarchy::{Level, LevelWriter};
use super::keys::DeclaredKeys;
use super::policy::{self, FilePolicies};
use crate::diagnostic::{Code, Diagnostic};
use crate::language::document::{Document, DocumentEntry, Table, UnreadPlaces, unknown_key};
use crate::language::formula::Formula;
use crate::language::manifest::{Manifest, ManifestKind, Parameter};
use crate::language::name::is_segment;
use crate::language::problems::Problems;
use crate::modules::Modules;
use crate::repo::SnapshotFile;

/// The table with a level's policies.
const SETTINGS: &str = "holdfast";

/// The values of a file, by full key.
#[derive(Debug)]
pub(super) struct DataFile {
    pub text: Arc<str>,
    pub values: HashMap<Arc<str>, Formula>,
    /// The place of each key.
    pub origins: HashMap<Arc<str>, Arc<Origin>>,
    /// The classes to which it gives parameters, with the place where each is first named.
    pub classes: BTreeMap<Arc<str>, Arc<Origin>>,
    pub policies: FilePolicies,
    pub problems: Vec<Diagnostic>,
}

/// What the keys of a file may refer to.
#[derive(Debug, Clone, Copy)]
pub(super) struct KnownKeys<'a> {
    /// The modules, for parameters of their classes.
    pub modules: &'a Modules,
    /// The declared keys.
    pub keys: &'a DeclaredKeys,
}

impl DataFile {
    pub(super) fn read(path: &Arc<str>, content: &SnapshotFile, level: &Level, known: KnownKeys<'_>) -> Self {
        let mut problems = Problems::default();
        let (document, found) = Document::parse(path, content.bytes(), Some(&level.name));
        let unread = UnreadPlaces::of(&found);
        problems.extend(found);
        problems.extend(content.refusal().map(|reason| over_limit(path, reason, Some(level.name.clone()))));
        let file = Self {
            text: document.text.clone(),
            values: HashMap::new(),
            origins: HashMap::new(),
            classes: BTreeMap::new(),
            policies: FilePolicies::default(),
            problems: Vec::new(),
        };
        let broken = problems.holds(Code::Syntax);
        let mut reading = DataFileReader { file, problems, unread, known, writer: level.writer };
        if broken {
            // all other problems of the file follow from that
            return Self { problems: reading.problems.into_list(), ..reading.file };
        }
        for entry in &document.root.entries {
            reading.top_level(entry);
        }
        Self { problems: reading.problems.into_list(), ..reading.file }
    }
}

struct DataFileReader<'a> {
    file: DataFile,
    problems: Problems,
    unread: UnreadPlaces,
    known: KnownKeys<'a>,
    writer: LevelWriter,
}

impl DataFileReader<'_> {
    fn top_level(&mut self, entry: &DocumentEntry) {
        let modules = self.known.modules;
        if &*entry.key == SETTINGS {
            let mut problems = Vec::new();
            self.file.policies = policy::read(&entry.item, modules, &mut problems);
            self.problems.extend(problems);
        } else if self.known.keys.contains_key(&entry.key) {
            self.value(entry.key.clone(), entry);
        } else if modules.is_namespace(&entry.key) {
            match entry.item.as_table() {
                Some(table) => self.namespace(&entry.key, &entry.key_origin, table),
                None => {
                    self.problems.note(|| entry.item.not(&entry.key, "a table of the class's parameters"));
                }
            }
        } else {
            self.problems.note(|| unread_key(entry, self.known));
        }
    }

    /// Reads the entries of a table that is a class, a prefix of classes' names, or both.
    fn namespace(&mut self, name: &str, origin: &Arc<Origin>, table: &Table) {
        let modules = self.known.modules;
        for entry in &table.entries {
            let below = format!("{name}::{}", entry.key);
            if is_segment(&entry.key) && modules.is_namespace(&below) {
                match entry.item.as_table() {
                    Some(table) => self.namespace(&below, &entry.key_origin, table),
                    None => self.problems.note(|| entry.item.not(&entry.key, "a table: it is a class")),
                }
                continue;
            }
            match modules.class(name) {
                Some(class) if class.parameter(&entry.key).is_some() => {
                    self.file.classes.entry(name.into()).or_insert_with(|| origin.clone());
                    self.value(below.into(), entry);
                }
                Some(class) if !class.complete => {} // the problem of the class itself is reported
                Some(class) => self.problems.note(|| {
                    let parameters = class.parameters.iter().map(|parameter| &*parameter.name);
                    let outer: Vec<&str> = self.known.keys.keys().map(|name| &**name).collect();
                    unknown_key(entry, &format!("class `{name}`"), parameters, &outer)
                }),
                None => self.problems.note(|| no_class(name, &below, entry, modules)),
            }
        }
    }

    fn value(&mut self, key: Arc<str>, entry: &DocumentEntry) {
        self.file.origins.insert(key.clone(), entry.item.origin.clone());
        if entry.item.holds_unread(&self.unread) {
            return; // it is reported, and a file with problems is not read
        }
        match Formula::of_item(&entry.item) {
            Ok(formula) => {
                self.restrict(&formula);
                self.file.values.insert(key, formula);
            }
            Err(faults) => {
                let text = self.file.text.clone();
                for fault in &faults {
                    self.problems.note(|| fault.diagnostic(Some(&text)));
                }
            }
        }
    }

    /// Checks the names and functions in a formula, before anything is evaluated.
    fn restrict(&mut self, formula: &Formula) {
        let scope = super::scope::NamesOf(self.writer);
        let text = self.file.text.clone();
        let writer = self.writer;
        for fault in formula.unknown(&scope) {
            self.problems.note(|| {
                let problem = fault.diagnostic(Some(&text));
                match (writer, problem.help.is_some()) {
                    (LevelWriter::Tenants, false) => {
                        problem.help("in a level that tenants write, expressions see only node.* and facts.*")
                    }
                    (LevelWriter::Operators, false) => {
                        problem.help("in data, expressions see node.*, facts.* and lookup(key)")
                    }
                    _ => problem,
                }
            });
        }
    }
}

/// The error for a file, or the part of the data that begins with it, that was not read.
pub(super) fn over_limit(path: &Arc<str>, reason: &str, level: Option<Arc<str>>) -> Diagnostic {
    let origin = Origin { level, ..Origin::locate(path, "", 0..0) };
    Diagnostic::error(Code::Limit, reason, origin)
}

fn unread_key(entry: &DocumentEntry, known: KnownKeys<'_>) -> Diagnostic {
    let parameter = entry.key.rsplit_once("::").filter(|(class, parameter)| {
        known.modules.class(class).is_some_and(|class| class.parameter(parameter).is_some())
    });
    if let Some((class, parameter)) = parameter {
        let message = format!("`{}` is a parameter, and belongs under its class", entry.key);
        let help = format!("write `{parameter} = …` under `[{}]`", class.replace("::", "."));
        let problem = Diagnostic::error(Code::UnknownKey, message, Origin::clone(&entry.key_origin));
        return problem.label("a Hiera key").help(help);
    }
    let declared = known.keys.keys().map(|name| &**name);
    let names: Vec<&str> = declared.chain(known.modules.manifests().map(|m| m.name.module())).collect();
    let message = format!("`{}` is unknown: it is neither a class nor a declared key", entry.key);
    let problem = Diagnostic::error(Code::UnknownKey, message, Origin::clone(&entry.key_origin))
        .label("no such class or key");
    if let Some((class, parameter)) = entry.key.rsplit_once("::") {
        let table = class.replace("::", ".");
        return problem.help(format!("a class is a table: [{table}], and below it {parameter} = …"));
    }
    problem.help("keys for lookup() are declared in hieradata/keys.toml").did_you_mean(&entry.key, names)
}

fn no_class(name: &str, below: &str, entry: &DocumentEntry, modules: &Modules) -> Diagnostic {
    let message = match modules.get(name) {
        Some(_) => {
            format!("`{name}` is a define: its parameters come from its declarations, not from data")
        }
        None => format!("this has no effect: there is no class `{below}`"),
    };
    let problem = Diagnostic::error(Code::UnknownKey, message, Origin::clone(&entry.key_origin));
    if modules.get(name).is_some() {
        return match taker(name, modules) {
            Some((class, parameter)) => {
                problem.help(format!("class `{class}` takes these with its parameter `{parameter}`"))
            }
            None => problem,
        };
    }
    let is_typed = |class: &str| below.strip_prefix(class).is_some_and(|rest| rest.starts_with("::"));
    let classes = modules.manifests().map(|manifest| manifest.name.as_str());
    problem.did_you_mean(below, classes.filter(|class| !is_typed(class)))
}

/// The class and its parameter that take the parameters of a define from data.
fn taker<'m>(define: &str, modules: &'m Modules) -> Option<(&'m str, &'m str)> {
    let classes = modules.manifests().filter(|manifest| manifest.kind == ManifestKind::Class);
    let of = |class: &'m Arc<Manifest>| {
        let takes = |parameter: &&Parameter| parameter.of.defines().iter().any(|name| **name == *define);
        let parameter = class.parameters.iter().find(takes)?;
        Some((class.name.as_str(), &*parameter.name))
    };
    classes.filter_map(of).next()
}
