//! Tells drift from what this run or a commit caused.
//!
//! A change is corrective if the last enforcing run left the property as wanted and saw that at its end, the wanted
//! value is still the same, and the machine differs now. Everything else is intentional: what is new, what differed or
//! was unknown when the last run ended, what a commit removed.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::Path;
use std::rc::Rc;

use holdfast_catalog::report::{Cause, Event};

use super::super::Subject;
use super::secrets::KnownSecrets;
use super::{LastState, Properties, RunMemory, doubt};
use crate::provider::{Change, DisplayValue};

/// What earlier runs left, beside what is wanted now.
pub(in crate::enforce) struct Past<'a> {
    pub(super) memory: &'a RunMemory,
    pub(super) subjects: &'a [Subject<'a>],
    secrets: OnceCell<KnownSecrets>,
    gone: OnceCell<BTreeSet<String>>,
    /// What is wanted now of each resource that was asked about. It is cached, since a tree asks for each of its paths.
    now: RefCell<BTreeMap<usize, Rc<Now>>>,
}

/// What is wanted of a resource now.
struct Now {
    wanted: Properties,
    rules: String,
}

impl<'a> Past<'a> {
    pub(in crate::enforce) fn new(memory: &'a RunMemory, subjects: &'a [Subject<'a>]) -> Self {
        let now = RefCell::new(BTreeMap::new());
        Self { memory, subjects, secrets: OnceCell::new(), gone: OnceCell::new(), now }
    }

    /// The resources that an interrupted run was working on and whose progress no comparison shows.
    pub(in crate::enforce) fn interrupted(&self) -> Vec<usize> {
        let names = &self.memory.interrupted;
        let is_one = |subject: &Subject<'_>| names.contains(&subject.resource.reference.to_string());
        if names.is_empty() {
            return Vec::new();
        }
        (0..self.subjects.len()).filter(|index| is_one(&self.subjects[*index])).collect()
    }

    /// What failed half way in the last run, by resource.
    pub(in crate::enforce) fn half_done(&self) -> Vec<(usize, String)> {
        if !self.memory.header().is_some_and(|header| header.half) {
            return Vec::new();
        }
        let half = |subject: &Subject<'_>| self.entry(subject).and_then(|entry| entry.half.clone());
        let all = self.subjects.iter().enumerate();
        all.filter_map(|(index, subject)| half(subject).map(|why| (index, why))).collect()
    }

    pub(super) fn entry(&self, subject: &Subject<'_>) -> Option<&LastState> {
        self.memory.left().resources.get(&subject.resource.reference.to_string())
    }

    /// Masks in an event what the machine may still have of an earlier run's secrets.
    pub(in crate::enforce) fn mask(&self, index: usize, event: &mut Event) {
        let none = event.is.is_none() && event.diff.is_none();
        if none || !self.memory.header().is_some_and(|header| header.secrets) {
            return;
        }
        let subject = &self.subjects[index];
        let secrets = self.secrets.get_or_init(|| self.memory.secrets(self.subjects));
        secrets.mask(self.memory, subject, self.entry(subject).map(|entry| &entry.secret), event);
    }

    /// Why a change is due that was due before this run did anything, with a note if that is uncertain.
    pub(in crate::enforce) fn cause(&self, index: usize, change: &Change) -> (Cause, Option<String>) {
        let Some(entry) = self.entry(&self.subjects[index]).filter(|_| !change.by_itself) else {
            return (Cause::Intentional, None);
        };
        let is_drift = self.is_drift(index, change, entry, &entry.wanted);
        let began = match &self.memory.in_doubt {
            None if is_drift => return (Cause::Corrective, None),
            Some(began) if is_drift => Some(began),
            _ => entry.doubt.as_ref().filter(|_| self.is_drift(index, change, entry, &entry.doubtful)),
        };
        (Cause::Intentional, began.map(|began| doubt::of_a_change(began)))
    }

    /// Whether a change is due because something else changed what an earlier run left as wanted.
    fn is_drift(&self, index: usize, change: &Change, entry: &LastState, left: &Properties) -> bool {
        let subject = &self.subjects[index];
        let now = self.now(index);
        // The same property of another thing, or under another rule: a setting in another file, a key of another user.
        if entry.rules.as_ref().is_some_and(|rules| *rules != now.rules) {
            return false;
        }
        let is_as_left = |left: &String| {
            let is = match &change.is {
                DisplayValue::Plain(is) => Some(is),
                DisplayValue::Masked => None,
            };
            change.also.iter().chain(is).any(|is| *left == self.memory.fingerprint(is))
        };
        let drifted = find(left, change)
            .is_some_and(|left| Some(left) == find(&now.wanted, change) && !is_as_left(left));
        drifted && !self.was_taken_away(subject, change, left, &now.wanted)
    }

    fn now(&self, index: usize) -> Rc<Now> {
        let subject = &self.subjects[index];
        let of_it =
            || Rc::new(Now { wanted: self.memory.wanted(subject), rules: self.memory.rules(subject) });
        self.now.borrow_mut().entry(index).or_insert_with(of_it).clone()
    }

    /// The cause if a property with a moving target differs. If the last run left it at the value that is wanted now,
    /// the target did not move, so someone changed the property back.
    pub(in crate::enforce) fn cause_of_move(&self, index: usize, change: &Change) -> Cause {
        let entry = self.entry(&self.subjects[index]).filter(|_| self.memory.in_doubt.is_none());
        let stood = entry.and_then(|entry| entry.stood.get(&*change.property));
        if stood.is_some_and(|stood| *stood == self.memory.fingerprint(change.should.text())) {
            Cause::Corrective
        } else {
            Cause::Intentional
        }
    }

    /// Whether a change removes what an earlier catalog had.
    fn was_taken_away(
        &self,
        subject: &Subject<'_>,
        change: &Change,
        left: &Properties,
        wanted: &Properties,
    ) -> bool {
        if !change.unclaimed.is_empty() {
            return change.unclaimed.iter().all(|former| self.memory.had(former));
        }
        let Some(path) = change.path.as_deref().filter(|_| change.property == "purge") else { return false };
        if has_member(left, path) && !has_member(wanted, path) {
            return true;
        }
        let gone = self.gone.get_or_init(|| self.memory.gone(self.subjects));
        let top = Path::new(&*subject.resource.reference.title);
        let whole = top.join(path);
        let above = whole.ancestors().take_while(|at| *at != top);
        above.filter_map(Path::to_str).any(|at| gone.contains(at))
            || whole.to_str().is_some_and(|whole| has_below(gone, whole))
    }
}

/// The entry for a property of the resource, or of a member of its directory: the member's own, or else the
/// directory's.
fn find<'p>(properties: &'p Properties, change: &Change) -> Option<&'p String> {
    let Some(path) = &change.path else { return properties.get(&*change.property) };
    let own = properties.get(&format!("{path}:{}", change.property));
    match &*change.property {
        // If no source has the member, nothing sets these for it.
        "ensure" | "content" | "target" => own,
        other => own.or_else(|| properties.get(other)),
    }
}

/// Whether a source has this path, or one below it.
fn has_member(properties: &Properties, path: &str) -> bool {
    let from = |text: String| properties.range::<String, _>((Bound::Included(text), Bound::Unbounded)).next();
    [":", "/"].into_iter().any(|end| {
        let start = format!("{path}{end}");
        from(start.clone()).is_some_and(|(key, _)| key.starts_with(&start))
    })
}

fn has_below(paths: &BTreeSet<String>, path: &str) -> bool {
    let start = format!("{path}/");
    let next = paths.range::<String, _>((Bound::Included(&start), Bound::Unbounded)).next();
    next.is_some_and(|next| next.starts_with(&start))
}
