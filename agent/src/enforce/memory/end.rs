//! The state of each resource when a run ended, and what is kept of it for the next one.
//!
//! Only what was enforced, and seen to be as wanted by the last look, is kept as wanted. A run that only looks keeps
//! nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use holdfast_catalog::catalog::Policy;

use super::super::Subject;
use super::super::check::Stand;
use super::{Header, LastState, Left, Properties, RunMemory, VERSION, secrets};
use crate::provider::Former;
use crate::system::Inspect;

/// Attributes that say how something is done and not what is wanted: no difference comes from them.
const ASIDE: [&str; 4] = ["backup", "show_diff", "timeout", "validate"];

/// The state of a resource when the run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::enforce) enum End {
    AsWanted,
    /// These properties differ: `property`, or `path:property`.
    Off(BTreeSet<String>),
    /// Unknown; with the failure, if the resource failed half way.
    Unknown(Option<String>),
    /// It was only looked at: what was known of it is kept.
    Untouched,
    /// A run that only looks saw it in place of one that did not end; these properties differ.
    Seen(BTreeSet<String>),
    /// Its turn did not come. What was known of it is kept, and this run knows nothing about what is wanted now.
    Unreached,
}

impl End {
    fn is_as_wanted(&self) -> bool {
        match self {
            Self::AsWanted => true,
            Self::Seen(off) => off.is_empty(),
            Self::Off(_) | Self::Unknown(_) | Self::Untouched | Self::Unreached => false,
        }
    }

    fn is_settled(&self) -> bool {
        self.is_as_wanted() || *self == Self::Untouched
    }
}

impl LastState {
    /// The paths that the resource names.
    pub(super) fn paths(&self, reference: &str) -> impl Iterator<Item = String> {
        let title = reference.split_once('[').and_then(|(_, title)| title.strip_suffix(']'));
        let title = title.filter(|title| title.starts_with('/')).map(str::to_owned);
        title.into_iter().chain(self.names.iter().cloned())
    }
}

impl RunMemory {
    /// Stores how this run left each resource, unless exactly that is stored already.
    pub(in crate::enforce) fn remember<'s>(
        &self,
        subjects: &[Subject<'_>],
        ends: &[End],
        stand: impl Fn(usize) -> Option<&'s Stand>,
        machine: &dyn Inspect,
    ) {
        let whole = ends.iter().all(End::is_settled);
        // This run has reported what failed half way, which must not be reported again.
        let is_known = |header: &Header| header.catalog == self.catalog && header.whole && !header.half;
        let is_kept = whole && self.in_doubt.is_none() && self.header().is_some_and(is_known);
        if !is_kept && !self.keep(subjects, ends, &stand, machine) {
            // The run did end. Only this is recorded: what an earlier one left is no longer believed.
            self.forget_left();
        }
        self.end();
    }

    /// Stores what a run that only looks saw, if the run before did not end and so had no last look.
    pub(in crate::enforce) fn look_instead(
        &self,
        subjects: &[Subject<'_>],
        ends: &[End],
        machine: &dyn Inspect,
    ) {
        if self.in_doubt.is_some() && self.keep(subjects, ends, &|_| None, machine) {
            self.end();
        }
    }

    fn keep<'s>(
        &self,
        subjects: &[Subject<'_>],
        ends: &[End],
        stand: &dyn Fn(usize) -> Option<&'s Stand>,
        machine: &dyn Inspect,
    ) -> bool {
        let whole = ends.iter().all(End::is_settled);
        let old = self.left();
        let mut resources = BTreeMap::new();
        for (index, (subject, end)) in subjects.iter().zip(ends).enumerate() {
            let reference = subject.resource.reference.to_string();
            let before = old.resources.get(&reference);
            let mut entry = self.entry_of(subject, end, before);
            entry.stood = match (end, stand(index)) {
                (End::AsWanted, Some((property, value))) => {
                    Properties::from([((*property).to_owned(), self.fingerprint(value))])
                }
                (End::Untouched | End::Unreached, _) => {
                    before.map(|old| old.stood.clone()).unwrap_or_default()
                }
                _ => Properties::new(),
            };
            resources.insert(reference, entry);
        }
        let still_there = |path: &str| machine.lstat(Path::new(path)).is_ok_and(|stat| stat.is_some());
        let mut gone = self.gone(subjects);
        gone.retain(|path| still_there(path));
        let is_as_wanted = |index: usize| ends[index].is_as_wanted();
        let secret = self.secret_paths(old, subjects, is_as_wanted, still_there);
        let left = Left { resources, gone, secret };
        let header = Header {
            version: VERSION,
            catalog: self.catalog.clone(),
            check: self.fingerprint(""),
            whole,
            secrets: !left.secret.is_empty() || left.resources.values().any(|entry| !entry.secret.is_empty()),
            half: left.resources.values().any(|entry| entry.half.is_some()),
        };
        self.write_left(&header, &left)
    }

    fn entry_of(&self, subject: &Subject<'_>, end: &End, old: Option<&LastState>) -> LastState {
        let mut secret = secrets::attributes(subject);
        if !end.is_as_wanted() {
            secret.extend(old.into_iter().flat_map(|old| old.secret.iter().cloned()));
        }
        let title = &*subject.resource.reference.title;
        let names = subject.paths().into_iter().filter(|path| *path != title).map(str::to_owned).collect();
        let known = old.cloned().unwrap_or_default();
        let (wanted, half) = match end {
            End::AsWanted => (self.wanted(subject), None),
            End::Off(off) => (without(self.wanted(subject), off), None),
            End::Seen(off) => (without(self.wanted(subject), off), known.half),
            End::Unknown(half) => (Properties::new(), half.clone()),
            End::Unreached if self.in_doubt.is_some() => (Properties::new(), known.half),
            // No run can have changed what is only watched; what failed of it was reported when it was looked at.
            End::Untouched if subject.policy == Policy::Audit => (known.wanted.clone(), None),
            End::Untouched | End::Unreached => (known.wanted.clone(), known.half),
        };
        let rules = match end {
            End::Untouched | End::Unreached => known.rules.clone(),
            _ => Some(self.rules(subject)),
        };
        let mut entry = LastState { wanted, rules, secret, names, half, ..LastState::default() };
        let is_same_thing = known.rules.is_none() || known.rules == entry.rules;
        match end {
            End::Seen(_) | End::Unreached if self.in_doubt.is_some() && is_same_thing => {
                entry.doubtful = known.doubtful.into_iter().chain(known.wanted).collect();
                entry.doubtful.retain(|key, _| !entry.wanted.contains_key(key));
                entry.doubt = self.in_doubt.clone().filter(|_| !entry.doubtful.is_empty());
            }
            End::Untouched | End::Unreached => (entry.doubt, entry.doubtful) = (known.doubt, known.doubtful),
            _ => {}
        }
        entry
    }

    /// The fingerprints of what is wanted.
    pub(super) fn wanted(&self, subject: &Subject<'_>) -> Properties {
        let left = subject.provider.left_of(subject.typed);
        left.iter().map(|(name, value)| (name.to_string(), self.fingerprint(value))).collect()
    }

    /// The fingerprint of the attributes that are not properties, and so are not compared with the machine.
    pub(super) fn rules(&self, subject: &Subject<'_>) -> String {
        let rules: BTreeMap<_, _> = subject
            .resource
            .attributes
            .iter()
            .filter(|(name, _)| !subject.provider.is_property(name) && !ASIDE.contains(&&***name))
            .collect();
        self.fingerprint(&format!("{rules:?}"))
    }

    /// Whether an earlier run left a resource with these values.
    pub(super) fn had(&self, former: &Former) -> bool {
        let of_type = format!("{}[", former.type_name);
        let is_so = |entry: &LastState| {
            let mut left = former.left.iter();
            left.all(|(name, value)| entry.wanted.get(*name) == Some(&self.fingerprint(value)))
        };
        self.left().resources.iter().any(|(name, entry)| name.starts_with(&of_type) && is_so(entry))
    }

    /// Paths that earlier catalogs named and this one does not.
    pub(super) fn gone(&self, subjects: &[Subject<'_>]) -> BTreeSet<String> {
        let old = self.left();
        let mut gone = old.gone.clone();
        gone.extend(old.resources.iter().flat_map(|(reference, entry)| entry.paths(reference)));
        for path in subjects.iter().flat_map(Subject::paths) {
            gone.remove(path);
        }
        gone
    }
}

/// The wanted properties without those that differ. If a member has no entry of its own, its directory's property is
/// removed.
fn without(mut wanted: Properties, off: &BTreeSet<String>) -> Properties {
    if off.contains("ensure") {
        return Properties::new();
    }
    for key in off {
        if wanted.remove(key).is_none()
            && let Some((_, property)) = key.rsplit_once(':')
        {
            wanted.remove(property);
        }
    }
    wanted
}
