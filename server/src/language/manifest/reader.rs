//! A manifest's top level: the closed list of its keys.

use std::sync::Arc;

use holdfast_catalog::diagnostic::Diagnostic;
use holdfast_catalog::manifest_words::Keyword;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::resource::{TypeDef, definitions};
use holdfast_catalog::value::Value;

use super::{
    Binding, Defaults, Inclusion, Manifest, ManifestKind, ManifestName, is_name, parameters, resources,
    unknown,
};
use crate::language::document::{Document, Entry, Item, Table};
use crate::language::fault::Fault;
use crate::language::formula::Formula;
use crate::language::types::Type;

/// Keys of the top level that are no types.
pub(super) const TOP_WORDS: &[Keyword; 7] = &[
    Keyword::new("doc", "a string", "What the class or define is for, in a sentence."),
    Keyword::new(
        "kind",
        "`\"class\"` or `\"define\"`",
        "A class is declared once and has its parameters from data; a define is declared as often as wanted, \
         like a resource. A class without it.",
    ),
    Keyword::new(
        "parameters",
        "parameters by name",
        "What can be said about it: `[parameters]`, a line each.",
    ),
    Keyword::new(
        "include",
        "a list of classes",
        "Classes that belong to it, with their parameters from data.",
    ),
    Keyword::new(
        "class",
        "`[class.NAME]`",
        "The same for one class, with `when`, and with parameters that are given here and not by data.",
    ),
    Keyword::new(
        "let",
        "values by name",
        "Names for values of this manifest; worked out when they are used.",
    ),
    Keyword::new(
        "defaults",
        "`[defaults.TYPE]`",
        "Attributes of all resources of a type in this manifest, where they say nothing else.",
    ),
];
pub(super) const TOP: [&str; 7] = Keyword::names(TOP_WORDS);
const LATER: [&str; 2] = ["publish", "assert"];

/// What is being read, and what was wrong so far.
pub(super) struct Reading<'a> {
    pub document: &'a Document,
    pub problems: Vec<Diagnostic>,
}

pub(super) fn read(
    name: ManifestName,
    document: &Document,
    problems: Vec<Diagnostic>,
) -> (Manifest, Vec<Diagnostic>) {
    let broken: Vec<_> = problems.iter().filter(|problem| problem.code == "syntax").cloned().collect();
    let mut reading = Reading { document, problems };
    let kind = document.root.get("kind").map_or(ManifestKind::Class, |entry| reading.kind(entry));
    let mut manifest = Manifest {
        name,
        file: document.file.clone(),
        text: document.text.clone(),
        complete: broken.is_empty(),
        kind,
        doc: None,
        parameters: Vec::new(),
        inclusions: Vec::new(),
        lets: Vec::new(),
        defaults: Vec::new(),
        blocks: Vec::new(),
    };
    for entry in &document.root.entries {
        reading.top_level(entry, &mut manifest);
    }
    manifest.inclusions.sort_by_key(|inclusion| inclusion.origin.start);
    manifest.blocks.sort_by_key(|block| block.origin.start);
    reading.check_kind(&manifest);
    reading.check_lets(&manifest);
    if let Some(problem) = forgotten_kind(document, &manifest) {
        // Taken for what it is meant to be: all else that could be said of it follows from the one line that it lacks.
        manifest.kind = ManifestKind::Define;
        if manifest.complete {
            manifest.complete = false;
            return (manifest, vec![problem]);
        }
    }
    // What else seems wrong with a file that cannot be read follows from that.
    let problems = if manifest.complete { reading.problems } else { broken };
    (manifest, problems)
}

/// A manifest that does not say what it is, and uses the name that only defines have.
fn forgotten_kind(document: &Document, manifest: &Manifest) -> Option<Diagnostic> {
    let may_be_define = manifest.name.as_str().contains("::") && document.root.get("kind").is_none();
    if !may_be_define {
        return None;
    }
    let formulas = manifest.blocks.iter().flat_map(|block| {
        let title = block.title.as_ref().map_or(&block.name_formula, |title| &title.value);
        let own = [&block.when, &block.for_each, &block.splat, &block.tag].into_iter().flatten();
        let to = block.relations.iter().map(|relation| &relation.to);
        std::iter::once(title).chain(own.chain(&block.attributes).chain(to).map(|binding| &binding.value))
    });
    let nothing = holdfast_catalog::value::Map::new();
    let mut unknown = formulas.flat_map(|formula| formula.unknown(&nothing));
    let fault = unknown.find(|fault| fault.message == "unknown name `title`")?;
    Some(Diagnostic {
        message: "`title` is a define's, and this manifest does not say that it is one".to_owned(),
        help: Some("write `kind = \"define\"` as its first line".to_owned()),
        ..fault.diagnostic(Some(&manifest.text))
    })
}

impl Reading<'_> {
    fn top_level(&mut self, entry: &Entry, manifest: &mut Manifest) {
        match &*entry.key {
            "kind" => {}
            "doc" => manifest.doc = self.text(entry),
            "parameters" => manifest.parameters = parameters::read(self, entry, manifest.kind),
            "include" => manifest.inclusions.extend(self.include(entry)),
            "class" => {
                if let Some(table) = self.table(entry, "a table: [class.\"nginx\"]") {
                    manifest.inclusions.extend(table.entries.iter().filter_map(|entry| self.class(entry)));
                }
            }
            "let" => {
                if let Some(table) = self.table(entry, "a table of names") {
                    self.strayed(table);
                    manifest.lets = table.entries.iter().filter_map(|entry| self.named(entry)).collect();
                }
            }
            "defaults" => {
                if let Some(table) = self.table(entry, "a table: [defaults.file]") {
                    manifest.defaults =
                        table.entries.iter().filter_map(|entry| self.defaults(entry)).collect();
                }
            }
            key if LATER.contains(&key) => self.later(entry),
            key if TypeDef::find(key).is_some() || key.contains("::") => {
                manifest.blocks.extend(resources::read(self, entry));
            }
            _ => self.unknown_top_level(entry),
        }
    }

    /// Keys of the top level below `[let]`: they would be names, and mean nothing.
    fn strayed(&mut self, lets: &Table) {
        for entry in lets.entries.iter().filter(|entry| TOP.contains(&&*entry.key)) {
            let message = format!("`{}` is a word of the language", entry.key);
            let help = format!(
                "in TOML all that follows [let] belongs to it; move `{}` above the first header",
                entry.key
            );
            self.problems
                .push(Diagnostic::error("bad-name", message, Origin::clone(&entry.key_origin)).help(help));
        }
    }

    fn unknown_top_level(&mut self, entry: &Entry) {
        let message = format!("`{}` is no resource type and no key of a manifest", entry.key);
        let types = definitions().iter().map(|def| def.name);
        self.problems.push(
            Diagnostic::error("unknown-type", message, Origin::clone(&entry.key_origin))
                .label("unknown type")
                .help("a define is named with its module: [\"nginx::vhost\".shop]")
                .did_you_mean(&entry.key, types.chain(TOP)),
        );
    }

    fn kind(&mut self, entry: &Entry) -> ManifestKind {
        match entry.item.as_str().map(|text| &**text) {
            Some("class") => ManifestKind::Class,
            Some("define") => ManifestKind::Define,
            _ => {
                self.problems.push(entry.item.not("kind", "\"class\" or \"define\""));
                ManifestKind::Class
            }
        }
    }

    fn check_kind(&mut self, manifest: &Manifest) {
        if manifest.kind == ManifestKind::Define && !manifest.name.as_str().contains("::") {
            let message = format!("`{}` cannot be a define: a define's name has `::`", manifest.name);
            self.problems.push(
                Diagnostic::error("bad-name", message, self.document.start())
                    .help("move it beside init.toml, under a name of its own"),
            );
        }
        for inclusion in manifest.inclusions.iter().filter(|i| *i.class == *manifest.name.as_str()) {
            let message = format!("`{}` includes itself", manifest.name);
            self.problems.push(Diagnostic::error("recursion", message, Origin::clone(&inclusion.origin)));
        }
    }

    /// One name stands for one thing.
    fn check_lets(&mut self, manifest: &Manifest) {
        for binding in &manifest.lets {
            let Some(parameter) = manifest.parameter(&binding.name) else { continue };
            let message = format!("`{}` is a parameter, and `[let]` names it again", binding.name);
            self.problems.push(
                Diagnostic::error("bad-name", message, Origin::clone(&binding.key_origin))
                    .label("named again")
                    .related(Origin::clone(&parameter.origin), "the parameter")
                    .help("give the value another name"),
            );
        }
    }

    fn include(&mut self, entry: &Entry) -> Vec<Inclusion> {
        let Some(list) = entry.item.as_list() else {
            self.problems
                .push(entry.item.not("include", "a list of classes").help("write include = [\"nginx\"]"));
            return Vec::new();
        };
        let mut inclusions = Vec::new();
        for item in list {
            match item.as_str() {
                Some(class) if self.is_class_name(class, &item.origin) => inclusions.push(Inclusion {
                    class: class.clone(),
                    origin: item.origin.clone(),
                    when: None,
                    parameters: Vec::new(),
                }),
                Some(_) => {}
                None => self.problems.push(item.not("include", "a list of strings")),
            }
        }
        inclusions
    }

    fn class(&mut self, entry: &Entry) -> Option<Inclusion> {
        let table = self.table(entry, "a table of the class's parameters")?;
        if !self.is_class_name(&entry.key, &entry.key_origin) {
            return None;
        }
        let mut inclusion = Inclusion {
            class: entry.key.clone(),
            origin: entry.key_origin.clone(),
            when: None,
            parameters: Vec::new(),
        };
        for entry in &table.entries {
            let Some(binding) = self.binding(entry) else { continue };
            match &*entry.key {
                "when" => inclusion.when = Some(binding),
                _ => inclusion.parameters.push(binding),
            }
        }
        Some(inclusion)
    }

    fn is_class_name(&mut self, class: &str, origin: &Arc<Origin>) -> bool {
        let ok = is_name(class);
        if !ok {
            let message = format!("`{class}` is no name of a class");
            let problem = Diagnostic::error("bad-name", message, Origin::clone(origin));
            self.problems.push(if class.contains("${") {
                problem.help("which classes a manifest includes is written out; `when` on [class.NAME] switches one")
            } else {
                problem.help("names are like nginx or profile::web::tls; in a header they are quoted: [class.\"a::b\"]")
            });
        }
        ok
    }

    fn defaults(&mut self, entry: &Entry) -> Option<Defaults> {
        let table = self.table(entry, "a table of attributes")?;
        let mut attributes = Vec::new();
        if let Some(def) = TypeDef::find(&entry.key) {
            let unknown: Vec<_> =
                table.entries.iter().filter(|entry| !unknown::has(def, &entry.key)).collect();
            unknown::tell(self, def, &unknown);
        }
        for attribute in &table.entries {
            if resources::check_attribute(self, &entry.key, attribute) {
                attributes.extend(self.binding(attribute));
            }
        }
        if !resources::check_type(self, entry) {
            return None;
        }
        Some(Defaults { type_name: entry.key.clone(), origin: entry.key_origin.clone(), attributes })
    }

    /// A `let`: its name must be one that an expression can say.
    fn named(&mut self, entry: &Entry) -> Option<Binding> {
        parameters::check_name(self, entry).then(|| self.binding(entry)).flatten()
    }

    /// A name and its parsed value.
    pub(super) fn binding(&mut self, entry: &Entry) -> Option<Binding> {
        Some(Binding {
            name: entry.key.clone(),
            key_origin: entry.key_origin.clone(),
            origin: entry.item.origin.clone(),
            value: self.item(&entry.item)?,
        })
    }

    /// A value as it is written.
    pub(super) fn item(&mut self, item: &Item) -> Option<Formula> {
        self.read(Formula::of_item(item))
    }

    pub(super) fn formula(&mut self, value: &Value) -> Option<Formula> {
        self.read(Formula::parse(value))
    }

    fn read(&mut self, formula: Result<Formula, Vec<Fault>>) -> Option<Formula> {
        let text = &self.document.text;
        let problems = match formula {
            Ok(formula) => return Some(formula),
            Err(faults) => faults.into_iter().map(|fault| fault.diagnostic(Some(text))),
        };
        self.problems.extend(problems);
        None
    }

    pub(super) fn table<'e>(&mut self, entry: &'e Entry, wanted: &str) -> Option<&'e Table> {
        let table = entry.item.as_table();
        if table.is_none() {
            self.problems.push(entry.item.not(&entry.key, wanted));
        }
        table
    }

    pub(super) fn text(&mut self, entry: &Entry) -> Option<Arc<str>> {
        let text = entry.item.as_str();
        if text.is_none() {
            self.problems.push(entry.item.not(&entry.key, "a string"));
        }
        text.cloned()
    }

    pub(super) fn later(&mut self, entry: &Entry) {
        let message = format!("`{}` is not in this version", entry.key);
        self.problems.push(Diagnostic::error("later", message, Origin::clone(&entry.key_origin)));
    }
}

/// A type and its text, as it stands under `type`.
pub(crate) fn read_type(
    item: &Item,
    document: &Document,
    problems: &mut Vec<Diagnostic>,
) -> Option<(Type, Arc<str>)> {
    let Some(text) = item.as_str() else {
        problems.push(item.not("type", "a string such as \"Integer[1, 10]\""));
        return None;
    };
    match Type::parse(text) {
        Ok(of) => Some((of, text.clone())),
        Err(fault) => {
            problems.push(fault.within(Some(&item.origin)).diagnostic(Some(&document.text)));
            None
        }
    }
}
