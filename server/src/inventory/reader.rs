//! Reads the files of the inventory one after another, and finds contradictions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holdfast_catalog::certname::{Certname, Slug};
use holdfast_catalog::manifest_words::Keyword;
use holdfast_catalog::origin::Origin;

use super::mention::{Mentions, is_dotted};
use super::{Node, Stage};
use crate::diagnostic::{Code, Diagnostic};
use crate::language::document::{Document, DocumentEntry, Item, Table, unknown_key};
use crate::language::name::is_segment;

pub(super) const WORDS: &[Keyword; 3] = &[
    Keyword::new("role", "a name", "What the machine does: the class `role::NAME`."),
    Keyword::new("stage", "`\"test\"`, `\"integration\"` or `\"production\"`", "How much depends on it."),
    Keyword::new("labels", "strings by name", "Your own words; their names are declared in `holdfast.toml`."),
];
const KEYS: [&str; 3] = Keyword::names(WORDS);

pub(super) struct InventoryReader<'a> {
    /// The declared labels.
    labels: &'a BTreeSet<Arc<str>>,
    pub(super) nodes: BTreeMap<Certname, Arc<Node>>,
    /// Which reseller has a customer of this name. Data is by customer, so a name belongs to only one.
    customers: BTreeMap<Slug, (Slug, Origin)>,
    /// The names in entries with errors.
    pub(super) mentions: Mentions,
    pub(super) problems: Vec<Diagnostic>,
}

impl<'a> InventoryReader<'a> {
    pub(super) fn new(labels: &'a BTreeSet<Arc<str>>) -> Self {
        let (nodes, customers) = (BTreeMap::new(), BTreeMap::new());
        Self { labels, nodes, customers, mentions: Mentions::default(), problems: Vec::new() }
    }

    pub(super) fn file(&mut self, path: &str, document: &Document) {
        self.mentions.is_open |= !document.is_whole;
        let Some((reseller, customer)) = self.owners(path, document) else {
            self.mentions.file(path);
            return self.mentions.document(document, self.labels);
        };
        for entry in &document.root.entries {
            let Some(node) = self.node(entry, &reseller, &customer) else {
                self.mentions.entry(&entry.key, &entry.item, self.labels);
                continue;
            };
            match self.nodes.get(&node.certname) {
                None => drop(self.nodes.insert(node.certname.clone(), Arc::new(node))),
                Some(first) => {
                    let message = format!("node `{}` is listed twice in the inventory", node.certname);
                    self.problems.push(
                        Diagnostic::error(Code::Duplicate, message, Origin::clone(&node.origin))
                            .label("again here")
                            .related(Origin::clone(&first.origin), "first here"),
                    );
                }
            }
        }
    }

    /// The reseller and the customer, from the path.
    fn owners(&mut self, path: &str, document: &Document) -> Option<(Slug, Slug)> {
        let parts = path.strip_suffix(".toml").map(|path| path.split('/').collect::<Vec<_>>());
        let Some([_, reseller, customer]) = parts.as_deref() else {
            let message = format!("`{path}` is not a file of the inventory");
            self.problems.push(
                Diagnostic::error(Code::BadPath, message, document.start())
                    .help("files of the inventory are inventory/RESELLER/CUSTOMER.toml"),
            );
            return None;
        };
        let mut slug = |text: &str| match Slug::parse(text) {
            Ok(slug) => Some(slug),
            Err(error) => {
                self.problems.push(Diagnostic::error(Code::BadName, error.to_string(), document.start()));
                None
            }
        };
        let (reseller, customer) = (slug(reseller)?, slug(customer)?);
        match self.customers.get(&customer) {
            Some((other, origin)) => {
                let message = format!(
                    "customer `{customer}` already belongs to `{other}`, so `{reseller}` cannot have it"
                );
                self.problems.push(
                    Diagnostic::error(Code::Duplicate, message, document.start())
                        .related(origin.clone(), "the first of this name")
                        .help("data is found by the customer's name: rename one of the two"),
                );
                None
            }
            None => {
                self.customers.insert(customer.clone(), (reseller.clone(), document.start()));
                Some((reseller, customer))
            }
        }
    }

    fn node(&mut self, entry: &DocumentEntry, reseller: &Slug, customer: &Slug) -> Option<Node> {
        let before = self.problems.len();
        let certname = self.certname(entry);
        let Some(table) = entry.item.as_table() else {
            self.problems.push(entry.item.not(&entry.key, "a table with role and stage"));
            return None;
        };
        for unknown in table.entries.iter().filter(|e| !KEYS.contains(&&*e.key)) {
            self.problems.push(unknown_key(unknown, "a node", KEYS, &[]));
        }
        let role = self.word(entry, table, "role", |text| is_segment(text).then(|| Arc::from(text)));
        let stage = self.word(entry, table, "stage", Stage::named);
        let role_origin = table.get("role").map(|entry| entry.item.origin.clone());
        let labels = table.get("labels").map(|e| self.labels(&e.item)).unwrap_or_default();
        let node = Node {
            certname: certname?,
            reseller: reseller.clone(),
            customer: customer.clone(),
            role: role?,
            stage: stage?,
            labels,
            origin: entry.key_origin.clone(),
            role_origin: role_origin?,
        };
        (self.problems.len() == before).then_some(node)
    }

    fn certname(&mut self, entry: &DocumentEntry) -> Option<Certname> {
        let error = match Certname::parse(&entry.key) {
            Ok(certname) if is_dotted(&entry.item) => {
                let message = format!("`{certname}` is only a part of a name");
                Diagnostic::error(Code::BadName, message, Origin::clone(&entry.key_origin))
                    .help("a name with dots is quoted: [\"web1.acme.example\"]")
            }
            Ok(certname) => return Some(certname),
            Err(error) => {
                Diagnostic::error(Code::BadName, error.to_string(), Origin::clone(&entry.key_origin))
            }
        };
        self.problems.push(error);
        None
    }

    /// Reads a required string and parses it.
    fn word<T>(
        &mut self,
        node: &DocumentEntry,
        table: &Table,
        key: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let Some(entry) = table.get(key) else {
            let message = format!("node `{}` has no `{key}`", node.key);
            self.problems.push(
                Diagnostic::error(Code::MissingKey, message, Origin::clone(&node.key_origin))
                    .help(format!("write `{key} = \"…\"` under its header")),
            );
            return None;
        };
        let Some(text) = entry.item.as_str() else {
            self.problems.push(entry.item.not(key, "a string"));
            return None;
        };
        let parsed = parse(text);
        if parsed.is_none() {
            let problem = Diagnostic::error(
                Code::BadValue,
                format!("`{text}` is not a {key}"),
                Origin::clone(&entry.item.origin),
            );
            self.problems.push(match key {
                "stage" => problem.help(format!("a stage is one of {}", Stage::NAMES.join(", "))),
                _ => problem.help("use lower-case letters, digits and `_`, beginning with a letter"),
            });
        }
        parsed
    }

    fn labels(&mut self, item: &Item) -> BTreeMap<Arc<str>, Arc<str>> {
        let Some(table) = item.as_table() else {
            self.problems.push(item.not("labels", "a table of strings"));
            return BTreeMap::new();
        };
        let mut labels = BTreeMap::new();
        for entry in &table.entries {
            let known = || self.labels.iter().map(|label| &**label);
            if !self.labels.contains(&entry.key) {
                let message = format!("label `{}` is not declared", entry.key);
                let problem =
                    Diagnostic::error(Code::UnknownLabel, message, Origin::clone(&entry.key_origin))
                        .help(format!("declare it in holdfast.toml: labels = [\"{}\"]", entry.key))
                        .did_you_mean(&entry.key, known());
                self.problems.push(problem);
                continue;
            }
            match entry.item.as_str().map(|text| Slug::parse(text)) {
                Some(Ok(slug)) => drop(labels.insert(entry.key.clone(), slug.as_str().into())),
                Some(Err(error)) => self.problems.push(Diagnostic::error(
                    Code::BadValue,
                    error.to_string(),
                    Origin::clone(&entry.item.origin),
                )),
                None => self.problems.push(entry.item.not(&entry.key, "a string")),
            }
        }
        labels
    }
}
