//! Owed refreshes. They are recorded before the change that causes them, and removed once they are done.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holdfast_catalog::resource::ResourceRef;

use super::super::Subject;
use super::super::memory::{Debt, Owed, RunMemory};
use super::super::turns::{Notified, Turns};
use crate::provider::Notice;

/// Marks a notification from an earlier run.
const EARLIER: &str = " in an earlier run";

/// Refreshes that are owed.
pub(super) struct Debts<'m> {
    memory: &'m RunMemory,
    /// The debts as they are on disk.
    written: Owed,
    /// What is owed when the run ends.
    left: Owed,
    /// Resources that acted on their notification, or had no need to, in this pass.
    answered: BTreeSet<usize>,
    /// Resources that did so at any time in this run.
    ever: BTreeSet<usize>,
    /// Resources that were refreshed in this run; each is refreshed at most once.
    refreshed: BTreeSet<usize>,
    /// Which resources would be notified by those that were going to be changed.
    promised: BTreeMap<usize, Vec<(ResourceRef, usize, Notice)>>,
    /// Resources whose changes failed, wholly or in part.
    failed: BTreeSet<usize>,
}

impl<'m> Debts<'m> {
    pub(super) fn new(memory: &'m RunMemory, written: Owed) -> Self {
        Self {
            memory,
            written,
            left: Owed::new(),
            answered: BTreeSet::new(),
            ever: BTreeSet::new(),
            refreshed: BTreeSet::new(),
            promised: BTreeMap::new(),
            failed: BTreeSet::new(),
        }
    }

    /// Adds what earlier runs owe to this run's notifications.
    pub(super) fn recall(&self, subjects: &[Subject<'_>], turns: &mut Turns<'_>) {
        for (index, subject) in subjects.iter().enumerate() {
            if let Some(debt) = self.written.get(&subject.resource.reference) {
                let by: Arc<str> = format!("{}{EARLIER}", debt.by).into();
                turns.notify(index, Notified { notice: debt.notice(), real: true, by });
            }
        }
    }

    /// Records which resources those that differ are going to notify.
    pub(super) fn promise_all(
        &mut self,
        off: impl Iterator<Item = usize>,
        subjects: &[Subject<'_>],
        turns: &Turns<'_>,
    ) {
        // Every index must be added, even if an earlier one was news already.
        let mut is_news = false;
        for index in off {
            is_news |= self.add(index, subjects, turns);
        }
        if is_news {
            self.memory.write_owed(&self.written);
        }
    }

    /// Records which resources this one is going to notify, before it is changed.
    pub(super) fn promise(&mut self, index: usize, subjects: &[Subject<'_>], turns: &Turns<'_>) {
        self.promise_all(std::iter::once(index), subjects, turns);
    }

    /// Returns whether anything new is owed.
    fn add(&mut self, index: usize, subjects: &[Subject<'_>], turns: &Turns<'_>) -> bool {
        let by = subjects[index].resource.reference.to_string();
        let targets = turns.notifies(index);
        let mut is_news = false;
        for (target, notice) in &targets {
            match self.written.entry(subjects[*target].resource.reference.clone()) {
                Entry::Vacant(none) => {
                    none.insert(Debt::new(*notice, &by));
                    is_news = true;
                }
                Entry::Occupied(mut known) => is_news |= known.get_mut().also(*notice),
            }
        }
        let reference = |target: usize| subjects[target].resource.reference.clone();
        let promised = targets.into_iter().map(|(target, notice)| (reference(target), target, notice));
        self.promised.insert(index, promised.collect());
        is_news
    }

    /// Notes that a resource acted on its notification, or had no need to.
    pub(super) fn answered(&mut self, index: usize) {
        self.answered.insert(index);
        self.ever.insert(index);
    }

    /// Notes that a resource was refreshed.
    pub(super) fn refreshed(&mut self, index: usize) {
        self.refreshed.insert(index);
        self.answered(index);
    }

    /// Whether the resource was already refreshed in this run.
    pub(super) fn was_refreshed(&self, index: usize) -> bool {
        self.refreshed.contains(&index)
    }

    /// Notes that a change of the resource failed.
    pub(super) fn failed(&mut self, index: usize) {
        self.failed.insert(index);
    }

    /// Ends a pass: notifications that arrived and were not acted on stay owed.
    pub(super) fn pass_is_over(&mut self, subjects: &[Subject<'_>], turns: &Turns<'_>) {
        for (index, subject) in subjects.iter().enumerate() {
            let reference = &subject.resource.reference;
            if self.answered.contains(&index) {
                self.left.remove(reference);
            } else if let Some(notified) = turns.reached(index).notified.as_ref().filter(|n| n.real) {
                let by = notified.by.trim_end_matches(EARLIER);
                self.left.insert(reference.clone(), Debt::new(notified.notice, by));
            }
        }
        self.answered.clear();
    }

    /// Ends the run: records what is still owed. A resource that failed may have changed something first, which the
    /// next run may not see, so the resources that it would have notified are refreshed then.
    pub(super) fn settle(&mut self, subjects: &[Subject<'_>]) {
        for index in &self.failed {
            let by = subjects[*index].resource.reference.to_string();
            for (reference, target, notice) in self.promised.get(index).into_iter().flatten() {
                if !self.ever.contains(target) {
                    self.left.entry(reference.clone()).or_insert_with(|| Debt::new(*notice, &by));
                }
            }
        }
        if self.left != self.written {
            self.memory.write_owed(&self.left);
        }
    }
}
