//! The data of one snapshot, shared by the compiles of all its nodes.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use holdfast_catalog::hash::ContentHash;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::spelling::nearest;
use holdfast_catalog::value::Value;

use super::file::{DataFile, KnownKeys, over_limit};
use super::hierarchy::{FOLDER, HierarchySettings, Level, PathPattern};
use super::keys::{self, DeclaredKeys};
use super::{DeclaredKey, Lookup, LookupError, part};
use crate::diagnostic::{Code, Diagnostic};
use crate::language::expression::CallUse;
use crate::language::formula::Formula;
use crate::language::manifest::Manifest;
use crate::language::merge::Merge;
use crate::language::name::is_segment;
use crate::language::problems::Problems;
use crate::language::types::{Misfit, Type};
use crate::modules::Modules;
use crate::repo::{RefusedPart, Snapshot, SnapshotFile};

/// The hierarchy, the declared keys, and the files that were needed so far.
#[derive(Debug)]
pub struct DataTree {
    settings: Arc<HierarchySettings>,
    modules: Modules,
    keys: DeclaredKeys,
    files: RwLock<ParsedFiles>,
}

/// Parsed files, by level and path, with the hash of the content that was parsed.
type ParsedFiles = HashMap<(usize, Arc<str>), (ContentHash, Arc<DataFile>)>;

/// The declaration of a key, by its class or by `keys.toml`.
#[derive(Debug, Clone, Copy)]
pub struct Declaration<'a> {
    pub class: Option<&'a str>,
    /// The type of its values.
    pub of: &'a Type,
    /// How values of several levels become one.
    pub merge: &'a Merge,
    /// What it is for.
    pub doc: Option<&'a Arc<str>>,
    /// The place of the declaration.
    pub origin: &'a Arc<Origin>,
}

impl DataTree {
    /// The data of a snapshot, and the problems of its `keys.toml`. No other file is parsed yet.
    pub fn new(
        snapshot: &Snapshot,
        settings: Arc<HierarchySettings>,
        modules: Modules,
    ) -> (Self, Vec<Diagnostic>) {
        let (keys, problems) = keys::read(snapshot, &modules);
        (Self { settings, modules, keys, files: RwLock::default() }, problems)
    }

    /// The declarations in a snapshot, ignoring problems. Manifests with the same content in `known` are not parsed again.
    pub fn of(snapshot: &Snapshot, known: Option<&Modules>) -> Self {
        let (settings, _) = HierarchySettings::read(snapshot);
        Self::new(snapshot, Arc::new(settings), Modules::read(snapshot, known)).0
    }

    /// The hierarchy and the other settings of the repository.
    pub fn settings(&self) -> &HierarchySettings {
        &self.settings
    }

    /// The modules whose classes get parameters from the data.
    pub fn modules(&self) -> &Modules {
        &self.modules
    }

    /// The keys of `keys.toml`, in the order of their names.
    pub fn keys(&self) -> impl Iterator<Item = (&Arc<str>, &DeclaredKey)> {
        self.keys.iter()
    }

    /// The key of `keys.toml` with this name.
    pub fn key(&self, name: &str) -> Option<&DeclaredKey> {
        self.keys.get(name)
    }

    /// The declaration of `CLASS::PARAMETER`, or of a key of `keys.toml`.
    ///
    /// # Errors
    /// Returns an error if the key is not declared.
    pub fn declaration(&self, key: &str) -> Result<Declaration<'_>, LookupError> {
        match key.rsplit_once("::") {
            Some((class, parameter)) => self.parameter(key, class, parameter),
            None => match self.keys.get(key) {
                Some(key) => Ok(Declaration {
                    class: None,
                    of: &key.of,
                    merge: &key.merge,
                    doc: key.doc.as_ref(),
                    origin: &key.origin,
                }),
                None => Err(self.undeclared(key)),
            },
        }
    }

    fn parameter(&self, key: &str, class: &str, parameter: &str) -> Result<Declaration<'_>, LookupError> {
        let Some(manifest) = self.modules.class(class) else {
            return Err(self.no_class(key, class, parameter));
        };
        let Some(declared) = manifest.parameter(parameter) else {
            if let Some((first, rest)) = parameter.split_once('.')
                && manifest.parameter(first).is_some()
            {
                let message = format!("class `{class}` has no parameter `{parameter}`");
                let help = format!("look up `{class}::{first}`: `{rest}` is inside its value");
                return Err(LookupError::Undeclared { message, help: Some(help) });
            }
            let names = manifest.parameters.iter().map(|parameter| &*parameter.name);
            let help = nearest(parameter, names).map(|near| format!("did you mean `{class}::{near}`?"));
            let message = format!("class `{class}` has no parameter `{parameter}`");
            return Err(LookupError::Undeclared { message, help });
        };
        Ok(Declaration {
            class: Some(manifest.name.as_str()),
            of: &declared.of,
            merge: &declared.merge,
            doc: declared.doc.as_ref(),
            origin: &declared.origin,
        })
    }

    fn no_class(&self, key: &str, class: &str, parameter: &str) -> LookupError {
        if self.modules.get(class).is_some() {
            let message =
                format!("`{class}` is a define: its parameters come from its declarations, not from data");
            return LookupError::Undeclared { message, help: None };
        }
        if let Some(whole) = self.modules.class(key) {
            return of_class(whole);
        }
        let classes =
            self.modules.manifests().filter(|manifest| self.modules.class(manifest.name.as_str()).is_some());
        let near = nearest(class, classes.map(|manifest| manifest.name.as_str()));
        let help = near.map(|near| format!("did you mean `{near}::{parameter}`?"));
        LookupError::Undeclared { message: format!("`{key}`: there is no class `{class}`"), help }
    }

    fn undeclared(&self, key: &str) -> LookupError {
        let message = format!("no key `{key}` is declared");
        if let Some((first, rest)) = key.split_once('.') {
            return LookupError::Undeclared { message, help: Some(self.undotted(key, first, rest)) };
        }
        if let Some(class) = self.modules.class(key) {
            return of_class(class);
        }
        let near = nearest(key, self.keys.keys().map(|name| &**name));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if is_segment(key) => {
                format!("declare it in {}: {key} = {{ type = \"…\", doc = \"…\" }}", keys::FILE)
            }
            None => "a key is CLASS::PARAMETER, or a name of lower-case letters, digits and `_`".to_owned(),
        };
        LookupError::Undeclared { message, help: Some(help) }
    }

    /// What to write instead of a key with dots: they belong in the header of a table or inside values, never in a key.
    fn undotted(&self, key: &str, first: &str, rest: &str) -> String {
        let parts: Vec<&str> = key.split('.').collect();
        let parameter = (1..parts.len()).rev().find_map(|at| {
            let class = parts[..at].join("::");
            self.modules.class(&class)?.parameter(parts[at])?;
            Some((format!("{class}::{}", parts[at]), at + 1 < parts.len()))
        });
        match parameter {
            Some((name, false)) => format!("did you mean `{name}`?"),
            Some((name, true)) => format!("look up `{name}`: the rest is inside its value"),
            None if self.keys.contains_key(first) => {
                format!("look up `{first}`: `{rest}` is inside its value")
            }
            None => "a parameter of a class is CLASS::PARAMETER; what is inside a value is looked up with it"
                .to_owned(),
        }
    }

    /// A file of a level, parsed once.
    pub(super) fn file(&self, level: usize, path: &Arc<str>, content: &SnapshotFile) -> Arc<DataFile> {
        let key = (level, path.clone());
        if let Some((_, file)) = self.files.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return file.clone();
        }
        let known = KnownKeys { modules: &self.modules, keys: &self.keys };
        let file = Arc::new(DataFile::read(path, content, &self.settings.levels[level], known));
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        files.entry(key).or_insert((content.hash().clone(), file)).1.clone()
    }

    /// Takes over the parsed files of a commit with the same hierarchy, keys and classes, if their content is the same.
    pub fn adopt(&self, previous: &Self, snapshot: &Snapshot) {
        let known = previous.files.read().unwrap_or_else(PoisonError::into_inner);
        let same = known
            .iter()
            .filter(|((_, path), (hash, _))| snapshot.get(path).is_some_and(|file| file.hash() == hash));
        let same = same.map(|(key, file)| (key.clone(), file.clone()));
        self.files.write().unwrap_or_else(PoisonError::into_inner).extend(same);
    }

    /// The level that a file below `hieradata/` belongs to: the first one that can lead there.
    pub fn level_of(&self, path: &str) -> Option<&Level> {
        let leads = |level: &&Level| level.paths.iter().any(|pattern| pattern.could_be(path));
        self.settings.levels.iter().find(leads).filter(|_| path != keys::FILE)
    }

    /// All problems of all files below `hieradata/`, whichever node reads them, for `check`. Also reports files that no
    /// level leads to.
    pub fn check(&self, snapshot: &Snapshot) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        for (path, content) in snapshot.under(FOLDER).filter(|(path, _)| &***path != keys::FILE) {
            let level = |leads: &dyn Fn(&PathPattern) -> bool| {
                self.settings.levels.iter().position(|level| level.paths.iter().any(leads))
            };
            match level(&|pattern| pattern.could_be(path)) {
                Some(level) => {
                    let file = self.file(level, path, content);
                    problems.extend(file.problems.iter().cloned());
                    problems.extend(self.misfits(&file, snapshot));
                }
                // whose mistake it is depends on the level that the file was meant for
                None if self.settings.is_whole => {
                    problems.push(self.unread(path, level(&|pattern| pattern.begins(path))));
                }
                None => {}
            }
        }
        problems
    }

    /// The parts of the data that exceed a limit, each reported at its first file.
    pub fn refused(&self, snapshot: &Snapshot) -> Vec<Diagnostic> {
        let problem = |refused: RefusedPart<'_>| {
            let path = refused.first;
            let meant = |pattern: &PathPattern| pattern.could_be(path) || pattern.begins(path);
            let level = self.settings.levels.iter().find(|level| level.paths.iter().any(meant));
            over_limit(path, refused.reason, level.map(|level| level.name.clone()))
        };
        snapshot.refused_parts().map(problem).collect()
    }

    /// The values of a file that can never be of their types, even if another level overrides them or no node reads them.
    fn misfits(&self, file: &DataFile, snapshot: &Snapshot) -> Vec<Diagnostic> {
        let texts = |file: &str| snapshot.text(file);
        let of_key = |(key, formula): (&Arc<str>, &Formula)| {
            let Ok(declaration) = self.declaration(key) else { return Vec::new() };
            let misfits = part::misfits(declaration.merge, declaration.of, formula, &self.modules);
            let problem = |misfit: Misfit| {
                let place = file.origins.get(key).map(|origin| &**origin);
                let problem = misfit.diagnostic(&format!("`{key}`"), place, &texts);
                problem.related(Origin::clone(declaration.origin), "declared here")
            };
            misfits.into_iter().map(problem).collect::<Vec<_>>()
        };
        let mut keys: Vec<_> = file.values.iter().collect();
        keys.sort_by_key(|(key, _)| *key);
        let mut problems = Problems::default();
        problems.extend(keys.into_iter().flat_map(of_key));
        problems.into_list()
    }

    /// The classes to which a data file gives parameters, with the place where each is first named.
    pub fn classes_in(&self, path: &Arc<str>, content: &SnapshotFile) -> Vec<(Arc<str>, Arc<Origin>)> {
        let leads = |level: &Level| level.paths.iter().any(|pattern| pattern.could_be(path));
        let Some(level) = self.settings.levels.iter().position(leads) else { return Vec::new() };
        let file = self.file(level, path, content);
        file.classes.iter().map(|(class, origin)| (class.clone(), origin.clone())).collect()
    }

    /// The declared keys that some data file gives a value.
    pub fn keys_with_data(&self, snapshot: &Snapshot) -> BTreeSet<Arc<str>> {
        let keys = self.files_of(snapshot).flat_map(|file| file.origins.keys().cloned().collect::<Vec<_>>());
        keys.filter(|key| self.keys.contains_key(key)).collect()
    }

    /// The calls of a function in all files; `None` if a file has errors, so that its calls are unknown.
    pub fn calls(&self, snapshot: &Snapshot, function: &str) -> Option<Vec<CallUse>> {
        let mut calls = Vec::new();
        for file in self.files_of(snapshot) {
            if !file.problems.is_empty() {
                return None;
            }
            calls.extend(file.values.values().flat_map(|formula| formula.calls(function)));
        }
        Some(calls)
    }

    /// The files that some level leads to.
    fn files_of<'a>(&'a self, snapshot: &'a Snapshot) -> impl Iterator<Item = Arc<DataFile>> + 'a {
        snapshot.under(FOLDER).filter_map(|(path, content)| {
            let leads = |level: &Level| level.paths.iter().any(|pattern| pattern.could_be(path));
            let level = self.settings.levels.iter().position(leads)?;
            Some(self.file(level, path, content))
        })
    }

    fn unread(&self, path: &Arc<str>, meant_for: Option<usize>) -> Diagnostic {
        let level = meant_for.map(|level| self.settings.levels[level].name.clone());
        let origin = Origin { level, ..Origin::locate(path, "", 0..0) };
        Diagnostic::error(Code::UnreadFile, format!("no level of the hierarchy reads `{path}`"), origin)
            .help(match path.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/".contains(&b)) {
                true => "its values have no effect: see `[[hierarchy]]` in holdfast.toml",
                false => "its values have no effect: a fact in a path has only letters from a to z, digits, `.`, `_` and `-`",
            })
    }
}

/// The error for the name of a class where one of its parameters is meant.
fn of_class(class: &Manifest) -> LookupError {
    let name = class.name.as_str();
    let names: Vec<_> =
        class.parameters.iter().map(|parameter| format!("`{name}::{}`", parameter.name)).collect();
    let help = (!names.is_empty()).then(|| format!("it has {}", names.join(", ")));
    let message = format!("`{name}` is a class: name one of its parameters");
    LookupError::Undeclared { message, help }
}

impl Declaration<'_> {
    /// Checks a value that was found; each part that is wrong is reported where the data has it.
    pub(super) fn check(&self, value: &Value, key: &str, lookup: &Lookup<'_>) -> Result<(), Vec<Diagnostic>> {
        if value.is_null() {
            return Ok(());
        }
        let misfits = self.of.check(value, lookup.data.modules());
        let problems = self.problems(misfits, value, key, lookup);
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// Why the values of several levels cannot be merged: those that are not of the type are wrong, whichever of them is
    /// the most specific. Empty if each is of the type by itself.
    pub(super) fn unmergeable(
        &self,
        merge: &Merge,
        values: &[Value],
        key: &str,
        lookup: &Lookup<'_>,
    ) -> Vec<Diagnostic> {
        let of_level = |value: &Value| {
            let misfits = part::constant(merge, self.of, value, lookup.data.modules());
            self.problems(misfits, value, key, lookup)
        };
        values.iter().flat_map(of_level).collect()
    }

    fn problems(
        &self,
        misfits: Vec<Misfit>,
        value: &Value,
        key: &str,
        lookup: &Lookup<'_>,
    ) -> Vec<Diagnostic> {
        let texts = |file: &str| lookup.reader.snapshot().text(file);
        let problem = |misfit: Misfit| {
            misfit
                .diagnostic(&format!("`{key}`"), value.origin.as_deref(), &texts)
                .related(Origin::clone(self.origin), "declared here")
        };
        misfits.into_iter().map(problem).collect()
    }
}
