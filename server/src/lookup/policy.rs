//! `[holdfast]` in the data: what is enforced, what only audits, what is off.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast_catalog::catalog::Policy;
use holdfast_catalog::diagnostic::Diagnostic;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::resource::ResourceRef;

use crate::language::document::{Entry, Item, unknown_key};
use crate::modules::Modules;

const KEYS: [&str; 2] = ["policy", "policies"];
const WORDS: [&str; 3] = ["enforce", "audit", "off"];

/// What one file says.
pub(super) type FilePolicies = Vec<(Subject, Policy, Arc<Origin>)>;

/// What a policy is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// One resource.
    Resource(ResourceRef),
    /// All that a class contains.
    Class(Arc<str>),
    /// The node.
    Everything,
}

/// What a node's levels say together: for each subject, the most specific level's word.
#[derive(Debug, Clone, Default)]
pub struct Policies(BTreeMap<Subject, (Policy, Arc<Origin>)>);

impl Policies {
    /// The policy of a resource that stands in these classes, innermost first: what is said of the resource, else
    /// of the nearest class, else of everything.
    pub fn of<'a>(&self, resource: &ResourceRef, classes: impl IntoIterator<Item = &'a str>) -> Policy {
        let classes = classes.into_iter().map(|class| Subject::Class(class.into()));
        std::iter::once(Subject::Resource(resource.clone()))
            .chain(classes)
            .chain([Subject::Everything])
            .find_map(|subject| self.0.get(&subject))
            .map_or(Policy::Enforce, |(policy, _)| *policy)
    }

    /// All of them, with their places: for finding those that name a resource which the catalog does not have.
    pub fn subjects(&self) -> impl Iterator<Item = (&Subject, Policy, &Arc<Origin>)> {
        self.0.iter().map(|(subject, (policy, origin))| (subject, *policy, origin))
    }

    /// Adds a less specific file.
    pub(super) fn add(&mut self, file: &FilePolicies) {
        for (subject, policy, origin) in file {
            self.0.entry(subject.clone()).or_insert_with(|| (*policy, origin.clone()));
        }
    }
}

/// Reads the table `[holdfast]` of a file.
pub(super) fn read(item: &Item, modules: &Modules, problems: &mut Vec<Diagnostic>) -> FilePolicies {
    let Some(table) = item.as_table() else {
        problems.push(item.not("holdfast", "a table with policy or policies"));
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in &table.entries {
        match &*entry.key {
            "policy" => found.extend(read_word(&entry.item, Subject::Everything, problems)),
            "policies" => match entry.item.as_table() {
                Some(table) => {
                    found.extend(table.entries.iter().filter_map(|entry| read_one(entry, modules, problems)));
                }
                None => problems.push(entry.item.not("policies", "a table: \"nginx\" = \"audit\"")),
            },
            "locked" => problems.push(Diagnostic::error(
                "later",
                "`locked` is not in this version",
                Origin::clone(&entry.key_origin),
            )),
            _ => problems.push(unknown_key(entry, "[holdfast]", KEYS, &[])),
        }
    }
    found
}

fn read_one(
    entry: &Entry,
    modules: &Modules,
    problems: &mut Vec<Diagnostic>,
) -> Option<(Subject, Policy, Arc<Origin>)> {
    let subject = match ResourceRef::parse(&entry.key) {
        Some(reference) if &*reference.type_name == "class" => Subject::Class(reference.title),
        Some(reference) => Subject::Resource(reference),
        None => Subject::Class(entry.key.clone()),
    };
    if let Subject::Class(class) = &subject
        && modules.class(class).is_none()
    {
        let message = format!("there is no class `{class}`");
        let classes = modules.manifests().map(|manifest| manifest.name.as_str());
        problems.push(
            Diagnostic::error("unknown-class", message, Origin::clone(&entry.key_origin))
                .help("a policy is about a class, or about a resource such as \"file[/etc/hosts]\"")
                .did_you_mean(class, classes),
        );
        return None;
    }
    read_word(&entry.item, subject, problems)
}

fn read_word(
    item: &Item,
    subject: Subject,
    problems: &mut Vec<Diagnostic>,
) -> Option<(Subject, Policy, Arc<Origin>)> {
    let policy = match item.as_str().map(|word| &**word) {
        Some("enforce") => Policy::Enforce,
        Some("audit") => Policy::Audit,
        Some("off") => Policy::Off,
        Some(word) => {
            let message = format!("`{word}` is no policy; there are {}", WORDS.join(", "));
            problems.push(
                Diagnostic::error("bad-value", message, Origin::clone(&item.origin))
                    .did_you_mean(word, WORDS),
            );
            return None;
        }
        None => {
            problems.push(item.not("policy", "one of enforce, audit, off"));
            return None;
        }
    };
    Some((subject, policy, item.origin.clone()))
}
