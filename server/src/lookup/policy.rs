//! `[holdfast]` in the data: what is enforced, what is only audited, and what is off.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holdfast_catalog::catalog::Policy;
use holdfast_catalog::manifest_words::Keyword;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::resource::{ResourceRef, TypeDef};

use crate::diagnostic::{Code, Diagnostic};
use crate::language::document::{DocumentEntry, Item, unknown_key};
use crate::modules::Modules;

/// The keys of `[holdfast]`.
pub const POLICY_WORDS: &[Keyword; 2] = &[
    Keyword::new(
        "policy",
        "`\"enforce\"`, `\"audit\"` or `\"off\"`",
        "What is done on the machines of this level: correct, only report what would be corrected, or nothing.",
    ),
    Keyword::new(
        "policies",
        "policies by class or `type[title]`",
        "The same for a class with everything that it contains, or for one resource.",
    ),
];
const KEYS: [&str; 2] = Keyword::names(POLICY_WORDS);
const WORDS: [&str; 3] = ["enforce", "audit", "off"];

/// The policies in one file.
pub(super) type FilePolicies = Vec<(PolicySubject, Policy, Arc<Origin>)>;

/// The subject of a policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicySubject {
    Resource(ResourceRef),
    /// Everything that a class contains.
    Class(Arc<str>),
    Everything,
}

/// The policies of a node's levels together, most specific first.
#[derive(Debug, Clone, Default)]
pub struct Policies(Vec<Rank>);

/// What the content of a class inherits: for each way that leads to the class, the level that decides and its policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InheritedPolicies(BTreeSet<(usize, Policy)>);

/// The policy that decides: that of the more specific level, and within one level the nearer one.
fn nearer(inner: (usize, Policy), outer: (usize, Policy)) -> (usize, Policy) {
    if inner.0 <= outer.0 { inner } else { outer }
}

/// The policies of one rank: of one file, or of several files of which none precedes the others.
type Rank = BTreeMap<PolicySubject, (Policy, Arc<Origin>)>;

impl Policies {
    /// Whether there are no policies.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a class, or an instance of a define, passes on to what it declares. `around` are the containers that
    /// declare it; empty for the role.
    pub fn inside<'a>(
        &self,
        class: Option<&str>,
        around: impl IntoIterator<Item = &'a InheritedPolicies>,
    ) -> InheritedPolicies {
        let mut all: BTreeSet<_> = around.into_iter().flat_map(|around| &around.0).copied().collect();
        if all.is_empty() {
            all.insert(self.first(&PolicySubject::Everything).unwrap_or((self.0.len(), Policy::default())));
        }
        if let Some(own) = class.and_then(|class| self.first(&PolicySubject::Class(class.into()))) {
            all = all.into_iter().map(|outer| nearer(own, outer)).collect();
        }
        InheritedPolicies(all)
    }

    /// The policy of a resource that these containers declare. The most specific level with a policy for it decides; on
    /// that level a policy for the resource comes first, then one for the nearest class, then one for everything. If
    /// several classes lead to the resource, this is computed for each of them, and the policy that does most applies:
    /// no class is left without what it relies on.
    pub fn of<'a>(
        &self,
        resource: &ResourceRef,
        around: impl IntoIterator<Item = &'a InheritedPolicies>,
    ) -> Policy {
        let own = self.first(&PolicySubject::Resource(resource.clone()));
        let all = around.into_iter().flat_map(|around| &around.0).copied();
        all.map(|outer| own.map_or(outer, |own| nearer(own, outer)).1).max().unwrap_or_default()
    }

    /// The most specific level with a policy for this subject, and the policy.
    fn first(&self, subject: &PolicySubject) -> Option<(usize, Policy)> {
        self.0.iter().enumerate().find_map(|(at, rank)| Some((at, rank.get(subject)?.0)))
    }

    /// All policies with their places, to find those for a resource that the catalog does not have.
    pub fn subjects(&self) -> impl Iterator<Item = (&PolicySubject, Policy, &Arc<Origin>)> {
        self.0.iter().flatten().map(|(subject, (policy, origin))| (subject, *policy, origin))
    }

    /// Adds a file that is less specific than those before, or a peer of the last one. Among peers, audit wins;
    /// otherwise the one that does less.
    pub(super) fn add(&mut self, file: &FilePolicies, peer: bool) {
        if !peer || self.0.is_empty() {
            self.0.push(Rank::new());
        }
        let Some(rank) = self.0.last_mut() else { return };
        for (subject, policy, origin) in file {
            let before = rank.entry(subject.clone()).or_insert_with(|| (*policy, origin.clone()));
            let wins = before.0 != Policy::Audit && (*policy == Policy::Audit || *policy < before.0);
            if wins {
                *before = (*policy, origin.clone());
            }
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
            "policy" => found.extend(read_word(&entry.item, PolicySubject::Everything, problems)),
            "policies" => match entry.item.as_table() {
                Some(table) => {
                    found.extend(table.entries.iter().filter_map(|entry| read_one(entry, modules, problems)));
                }
                None => problems.push(entry.item.not("policies", "a table: \"nginx\" = \"audit\"")),
            },
            "locked" => problems.push(Diagnostic::error(
                Code::Unsupported,
                "`locked` is not supported in this version",
                Origin::clone(&entry.key_origin),
            )),
            _ => problems.push(unknown_key(entry, "[holdfast]", KEYS, &[])),
        }
    }
    found
}

fn read_one(
    entry: &DocumentEntry,
    modules: &Modules,
    problems: &mut Vec<Diagnostic>,
) -> Option<(PolicySubject, Policy, Arc<Origin>)> {
    let subject = match ResourceRef::parse(&entry.key) {
        Some(reference) if &*reference.type_name == "class" => PolicySubject::Class(reference.title),
        Some(reference) => PolicySubject::Resource(reference),
        None => PolicySubject::Class(entry.key.clone()),
    };
    if let PolicySubject::Class(class) = &subject
        && modules.class(class).is_none()
    {
        let message = format!("there is no class `{class}`");
        let classes = modules.manifests().map(|manifest| manifest.name.as_str());
        problems.push(
            Diagnostic::error(Code::UnknownClass, message, Origin::clone(&entry.key_origin))
                .help("a policy names a class, or a resource such as \"file[/etc/hosts]\"")
                .did_you_mean(class, classes),
        );
        return None;
    }
    if let PolicySubject::Resource(reference) = &subject
        && let Some(problem) = unknown_type(reference, modules, &entry.key_origin)
    {
        problems.push(problem);
        return None;
    }
    let (subject, policy, _) = read_word(&entry.item, subject, problems)?;
    Some((subject, policy, entry.key_origin.clone()))
}

/// The error for a policy about a type that does not exist, whichever machine reads it.
fn unknown_type(reference: &ResourceRef, modules: &Modules, origin: &Arc<Origin>) -> Option<Diagnostic> {
    let word = &*reference.type_name;
    let is_known = |word: &str| TypeDef::find(word).is_some() || modules.define(word).is_some();
    if is_known(word) {
        return None;
    }
    let problem =
        Diagnostic::error(Code::UnknownType, format!("there is no type `{word}`"), Origin::clone(origin));
    let lower = word.to_ascii_lowercase();
    if is_known(&lower) {
        return Some(
            problem.help(format!("types are written in lower case: `{lower}[{}]`", reference.title)),
        );
    }
    Some(problem.did_you_mean(word, modules.type_names()))
}

fn read_word(
    item: &Item,
    subject: PolicySubject,
    problems: &mut Vec<Diagnostic>,
) -> Option<(PolicySubject, Policy, Arc<Origin>)> {
    let policy = match item.as_str().map(|word| &**word) {
        Some("enforce") => Policy::Enforce,
        Some("audit") => Policy::Audit,
        Some("off") => Policy::Off,
        Some(word) => {
            let message = format!("`{word}` is not a policy; use one of {}", WORDS.join(", "));
            problems.push(
                Diagnostic::error(Code::BadValue, message, Origin::clone(&item.origin))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn file(said: &[(&str, Policy)]) -> FilePolicies {
        let subject = |name: &str| match (name, ResourceRef::parse(name)) {
            ("*", _) => PolicySubject::Everything,
            (_, Some(reference)) => PolicySubject::Resource(reference),
            _ => PolicySubject::Class(name.into()),
        };
        let origin = Arc::new(Origin::locate(&"x.toml".into(), "", 0..0));
        said.iter().map(|(name, policy)| (subject(name), *policy, origin.clone())).collect()
    }

    fn hosts(files: &[(FilePolicies, bool)]) -> Policy {
        let mut policies = Policies::default();
        files.iter().for_each(|(file, peer)| policies.add(file, *peer));
        let base = policies.inside(Some("profile::base"), []);
        policies.of(&ResourceRef::new("file", "/etc/hosts"), [&policies.inside(Some("net"), [&base])])
    }

    #[test]
    fn the_most_specific_level_decides_and_in_it_the_most_specific_subject() {
        use Policy::{Audit, Enforce, Off};
        assert_eq!(hosts(&[]), Enforce);
        let node = (file(&[("*", Audit)]), false);
        let common = (file(&[("file[/etc/hosts]", Off), ("net", Enforce)]), false);
        assert_eq!(hosts(&[node, common.clone()]), Audit);
        assert_eq!(hosts(std::slice::from_ref(&common)), Off);
        assert_eq!(hosts(&[(file(&[("profile::base", Off), ("net", Audit), ("*", Off)]), false)]), Audit);
        assert_eq!(hosts(&[(file(&[("other", Off)]), false), common]), Off);
    }

    #[test]
    fn what_several_classes_rely_on_is_done_as_the_one_says_that_does_most() {
        use Policy::{Audit, Enforce, Off};
        let shared = |said: &[(&str, Policy)]| {
            let mut policies = Policies::default();
            policies.add(&file(said), false);
            let ways = ["web", "mail"].map(|class| policies.inside(Some(class), []));
            let inside = policies.inside(Some("tls"), &ways);
            policies.of(&ResourceRef::new("file", "/etc/key"), [&inside])
        };
        assert_eq!(shared(&[("web", Off), ("mail", Audit)]), Audit);
        assert_eq!(shared(&[("web", Off)]), Enforce);
        assert_eq!(shared(&[("web", Off), ("*", Audit)]), Audit);
        assert_eq!(shared(&[("web", Enforce), ("mail", Audit), ("tls", Off)]), Off);
        assert_eq!(shared(&[("web", Enforce), ("file[/etc/key]", Off)]), Off);
    }

    #[test]
    fn among_peers_audit_wins() {
        use Policy::{Audit, Enforce, Off};
        let peers = |a, b| hosts(&[(file(&[("net", a)]), false), (file(&[("net", b)]), true)]);
        for (a, b, wins) in [(Off, Audit, Audit), (Enforce, Audit, Audit), (Enforce, Off, Off)] {
            assert_eq!((peers(a, b), peers(b, a)), (wins, wins));
        }
    }
}
