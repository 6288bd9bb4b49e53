//! A snapshot, read once for all its nodes: manifests, templates, hierarchy, inventory, and the problems of each.
//!
//! Data files are read when the first node needs them. What a commit does not change is taken from the commit before.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use holdfast_catalog::origin::Origin;
use holdfast_catalog::resource::TypeDef;

use crate::diagnostic::{Code, Diagnostic};
use crate::excerpt::Excerpts;
use crate::inventory::Inventory;
use crate::language::document::{conflict, unresolved};
use crate::language::manifest::{Manifest, ManifestKind};
use crate::language::problems::sorted;
use crate::language::{Template, Templates};
use crate::lookup::DataTree;
use crate::lookup::hierarchy::HierarchySettings;
use crate::modules::{self, Modules};
use crate::repo::{ModuleFolder, ModulePath, Snapshot, SnapshotFile};

mod compared;
mod names;
mod tags;

/// A control repository at one commit, ready to be compiled for any node.
#[derive(Debug)]
pub struct Program {
    pub(super) snapshot: Snapshot,
    pub(super) modules: Modules,
    pub(super) templates: BTreeMap<Arc<str>, Result<Arc<Template>, Diagnostic>>,
    compiled: Arc<Templates>,
    inventory: Inventory,
    data: DataTree,
    /// For each role, which of its profiles lead to which classes.
    reaches: BTreeMap<Arc<str>, Reach>,
    /// The problems of each manifest, by file.
    in_manifests: HashMap<Arc<str>, Vec<Diagnostic>>,
    /// The problems of everything else that operators write, except the data.
    elsewhere: Vec<Diagnostic>,
    /// The lines of its files that may be shown, made when there is something to report.
    excerpts: OnceLock<Excerpts>,
    /// Whether a parameter without a value gets a sample of its type.
    pub(super) is_sampled: bool,
}

/// For each class that a role leads to, the profiles that lead to it.
#[derive(Debug, Default)]
pub(super) struct Reach {
    profiles: BTreeSet<Arc<str>>,
    by_class: BTreeMap<Arc<str>, Vec<Arc<str>>>,
}

/// What the first word of a block's header refers to.
#[derive(Clone, Copy)]
pub(super) enum BlockType<'a> {
    Type(&'static TypeDef),
    Define(&'a Arc<Manifest>),
}

impl Program {
    /// Reads a snapshot. `previous` is the program in force: what did not change is taken from it.
    pub fn new(snapshot: &Snapshot, previous: Option<&Self>) -> Self {
        let (settings, mut elsewhere) = HierarchySettings::read(snapshot);
        let settings = Arc::new(settings);
        let modules = Modules::read(snapshot, previous.map(|previous| &previous.modules));
        let (inventory, problems) = Inventory::read(snapshot, &settings.labels);
        elsewhere.extend(problems);
        let (data, problems) = DataTree::new(snapshot, settings, modules.clone());
        elsewhere.extend(problems);
        let compiled = previous.map(|previous| previous.compiled.clone()).unwrap_or_default();
        let mut program = Self {
            templates: read_templates(snapshot, &compiled),
            snapshot: snapshot.clone(),
            reaches: reaches(&modules),
            modules,
            compiled,
            inventory,
            data,
            in_manifests: HashMap::new(),
            elsewhere,
            excerpts: OnceLock::new(),
            is_sampled: false,
        };
        if let Some(previous) = previous.filter(|previous| Self::same_rules(&previous.snapshot, snapshot)) {
            program.data.adopt(&previous.data, snapshot);
        }
        program.find_problems();
        program
    }

    /// Whether two commits have the same modules, hierarchy and declared keys. If so, a data file means the same in
    /// both, and a node whose own files did not change compiles as before.
    pub fn same_rules(one: &Snapshot, other: &Snapshot) -> bool {
        let hash = |(path, file): (&Arc<str>, &SnapshotFile)| (path.clone(), file.hash().clone());
        let of_all = |snapshot: &Snapshot| {
            [crate::lookup::hierarchy::FILE, crate::lookup::KEYS_FILE]
                .map(|path| snapshot.get(path).map(|file| file.hash().clone()))
        };
        let modules = |snapshot: &'_ Snapshot| snapshot.under(modules::FOLDER).map(hash).collect::<Vec<_>>();
        of_all(one) == of_all(other) && modules(one) == modules(other) && one.has_shape_of(other)
    }

    fn find_problems(&mut self) {
        self.elsewhere.extend(self.undecided());
        let own = self.modules.problems();
        let names: Vec<_> =
            self.modules.manifests().filter(|m| m.complete).flat_map(|m| names::check(self, m)).collect();
        let mut by_file: HashMap<Arc<str>, Vec<Diagnostic>> = HashMap::new();
        for problem in own.into_iter().chain(names) {
            match &problem.origin {
                Some(origin) => by_file.entry(origin.file.clone()).or_default().push(problem),
                None => self.elsewhere.push(problem),
            }
        }
        self.in_manifests = by_file;
    }

    /// Gives each parameter without a value a sample of its type, to find what is wrong whatever the values are.
    pub fn sampled(self) -> Self {
        Self { is_sampled: true, ..self }
    }

    /// The snapshot.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The inventory of machines.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// The data.
    pub fn data(&self) -> &DataTree {
        &self.data
    }

    /// The manifests.
    pub fn modules(&self) -> &Modules {
        &self.modules
    }

    /// The problems of what operators write, except the data, whichever node uses it.
    pub fn problems(&self) -> Vec<Diagnostic> {
        let templates = self.templates.values().filter_map(|template| template.as_ref().err());
        let all = self.in_manifests.values().flatten().chain(&self.elsewhere).chain(templates);
        sorted(self.redacted(all.cloned().collect()))
    }

    /// Whether a problem is that a manifest cannot be read.
    pub(super) fn cannot_be_read(&self, problem: &Diagnostic) -> bool {
        let Some(origin) = &problem.origin else { return false };
        problem.code == Code::Syntax
            && self.modules.manifests().any(|manifest| !manifest.complete && manifest.file == origin.file)
    }

    /// Warnings about files that go to machines.
    pub fn warnings(&self) -> Vec<Diagnostic> {
        let crlf = |(path, file): (&Arc<str>, &SnapshotFile)| {
            let text = std::str::from_utf8(file.bytes()).ok()?;
            let at = text.find("\r\n")?;
            let message = "this template has Windows line endings, and so will the file";
            let origin = Origin::locate(path, text, at..at);
            Some(Diagnostic::warning(Code::Crlf, message, origin).help("use Unix line endings"))
        };
        let compared = self.modules.manifests().flat_map(|manifest| compared::check(self, manifest));
        let templates = || files_in(&self.snapshot, ModuleFolder::Templates);
        let foreign = templates().filter_map(|(path, file)| tags::in_template(self, path, file));
        let inline = self.modules.manifests().flat_map(|manifest| tags::in_manifest(manifest));
        templates().filter_map(crlf).chain(compared).chain(foreign).chain(inline).collect()
    }

    /// Files of modules that contain an unresolved merge conflict.
    fn undecided(&self) -> Vec<Diagnostic> {
        let conflict = |(path, file): (&Arc<str>, &SnapshotFile)| {
            let text = std::str::from_utf8(file.bytes()).ok()?;
            Some(unresolved(Origin::locate(path, text, conflict(text)?)))
        };
        files_in(&self.snapshot, ModuleFolder::Files).filter_map(conflict).collect()
    }

    /// The problems with texts that quote no secret. Everything that leaves a compile goes through here.
    pub(crate) fn redacted(&self, problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
        if problems.is_empty() {
            return problems;
        }
        let excerpts = self.excerpts.get_or_init(|| Excerpts::new(&self.snapshot, Some(&self.modules)));
        problems.into_iter().map(|problem| excerpts.redacted(problem)).collect()
    }

    /// The problems of one manifest.
    pub(super) fn problems_of(&self, manifest: &Manifest) -> &[Diagnostic] {
        self.in_manifests.get(&manifest.file).map(Vec::as_slice).unwrap_or_default()
    }

    /// The profiles of a role that lead to a class; if no class is named, all its profiles.
    pub fn profiles(&self, role: &str, class: Option<&str>) -> Vec<Arc<str>> {
        let Some(reach) = self.reaches.get(role) else { return Vec::new() };
        match class {
            Some(class) => reach.by_class.get(class).cloned().unwrap_or_default(),
            None => reach.profiles.iter().cloned().collect(),
        }
    }

    /// Whether a role includes a class, directly or through others.
    pub fn leads_to(&self, role: &str, class: &str) -> bool {
        let role = self.modules.class(&format!("role::{role}"));
        role.is_some_and(|role| led_to(&self.modules, role).contains(class))
    }

    /// The classes that a class leads to in the manifests, including itself; empty if there is no such class.
    pub fn led_to(&self, class: &str) -> BTreeSet<&str> {
        self.modules.class(class).map(|class| led_to(&self.modules, class)).unwrap_or_default()
    }

    /// What the first word of a block's header refers to; `None` if it is unknown.
    pub(super) fn sort(&self, word: &str) -> Option<BlockType<'_>> {
        TypeDef::find(word).map(BlockType::Type).or_else(|| self.modules.define(word).map(BlockType::Define))
    }

    /// The error for an unknown type.
    pub(super) fn unknown_type(&self, word: &str, origin: &Arc<Origin>) -> Diagnostic {
        let manifest = self.modules.get(word);
        let message = match manifest {
            Some(_) => format!("`{word}` is a class, not a type"),
            None => format!("there is no type `{word}`"),
        };
        let problem =
            Diagnostic::error(Code::UnknownType, message, Origin::clone(origin)).label("unknown type");
        if manifest.is_some() {
            return problem.help(format!("include it: [class.\"{word}\"]"));
        }
        let keys = ["parameters", "include", "class", "let", "defaults", "doc", "kind"];
        problem.did_you_mean(word, self.modules.type_names().chain(keys))
    }

    /// The error for an unknown class.
    pub(super) fn unknown_class(&self, name: &str, origin: &Arc<Origin>) -> Diagnostic {
        let message = match self.modules.get(name) {
            Some(_) => format!("`{name}` is a define, not a class"),
            None => format!("there is no class `{name}`"),
        };
        let problem =
            Diagnostic::error(Code::UnknownClass, message, Origin::clone(origin)).label("unknown class");
        if self.modules.get(name).is_some() {
            return problem.help(format!("declare an instance of it: [\"{name}\".\"TITLE\"]"));
        }
        let classes = self.modules.manifests().filter(|manifest| manifest.kind == ManifestKind::Class);
        problem.did_you_mean(name, classes.map(|class| class.name.as_str()))
    }
}

fn read_templates(
    snapshot: &Snapshot,
    compiled: &Templates,
) -> BTreeMap<Arc<str>, Result<Arc<Template>, Diagnostic>> {
    let read = |(path, file): (&Arc<str>, &SnapshotFile)| match std::str::from_utf8(file.bytes()) {
        Ok(text) => match conflict(text) {
            Some(span) => (path.clone(), Err(unresolved(Origin::locate(path, text, span)))),
            None => (path.clone(), compiled.compile(path, &text.into())),
        },
        Err(_) => {
            let problem =
                Diagnostic::error(Code::Syntax, "the template is not UTF-8", Origin::locate(path, "", 0..0));
            (path.clone(), Err(problem))
        }
    };
    files_in(snapshot, ModuleFolder::Templates).map(read).collect()
}

/// The files of all modules in one of their folders.
fn files_in(snapshot: &Snapshot, folder: ModuleFolder) -> impl Iterator<Item = (&Arc<str>, &SnapshotFile)> {
    snapshot.under(modules::FOLDER).filter(move |(path, _)| ModulePath::is_in(folder, path))
}

/// Which profiles of each role lead to which classes, according to the manifests. A class that is switched off on a
/// node still belongs to the profile that would include it, so no value depends on another.
fn reaches(modules: &Modules) -> BTreeMap<Arc<str>, Reach> {
    let role = |manifest: &Arc<Manifest>| {
        let role = manifest.name.as_str().strip_prefix("role::")?;
        let mut reach = Reach::default();
        for class in led_to(modules, manifest).into_iter().filter(|name| name.starts_with("profile::")) {
            reach.profiles.insert(class.into());
        }
        for profile in &reach.profiles {
            let Some(manifest) = modules.class(profile) else { continue };
            for class in led_to(modules, manifest) {
                reach.by_class.entry(class.into()).or_default().push(profile.clone());
            }
        }
        Some((Arc::from(role), reach))
    };
    modules.manifests().filter_map(role).collect()
}

/// The classes that a manifest leads to, including itself.
fn led_to<'a>(modules: &'a Modules, manifest: &'a Manifest) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::from([manifest.name.as_str()]);
    let mut waiting = vec![manifest];
    while let Some(manifest) = waiting.pop() {
        let classes = manifest.inclusions.iter().map(|inclusion| &inclusion.class);
        let defines = manifest.blocks.iter().map(|block| &block.type_name);
        for next in classes.chain(defines).filter_map(|name| modules.get(name)) {
            if seen.insert(next.name.as_str()) {
                waiting.push(next);
            }
        }
    }
    seen.retain(|name| modules.class(name).is_some());
    seen
}
