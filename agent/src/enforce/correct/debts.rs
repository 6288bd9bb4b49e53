//! Refreshes that are owed: written down before the change that they come of, and struck out once they are done.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holdfast_catalog::resource::ResourceRef;

use super::super::Subject;
use super::super::memory::{Debt, Owed, RunMemory};
use super::super::turns::{Notified, Turns};
use crate::provider::Notice;

/// What marks a notification as one of an earlier run.
const EARLIER: &str = " in an earlier run";

/// Refreshes that are owed.
pub(super) struct Debts<'m> {
    memory: &'m RunMemory,
    /// As it is on disk.
    written: Owed,
    /// What is owed when the run ends.
    left: Owed,
    /// Who acted on its notification, or had no need to, in this pass.
    answered: BTreeSet<usize>,
    /// Who did in the run.
    ever: BTreeSet<usize>,
    /// Who was refreshed in this run: at most once.
    refreshed: BTreeSet<usize>,
    /// Whom those that were to be changed would have notified.
    promised: BTreeMap<usize, Vec<(ResourceRef, usize, Notice)>>,
    /// Whose changes failed, wholly or in part.
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

    /// Brings in what earlier runs owe.
    pub(super) fn recall(&self, subjects: &[Subject<'_>], turns: &mut Turns<'_>) {
        for (index, subject) in subjects.iter().enumerate() {
            if let Some(debt) = self.written.get(&subject.resource.reference) {
                let by: Arc<str> = format!("{}{EARLIER}", debt.by).into();
                turns.notify(index, Notified { notice: debt.notice(), real: true, by });
            }
        }
    }

    /// Writes down whom resources that are off are going to notify.
    pub(super) fn promise_all(
        &mut self,
        off: impl Iterator<Item = usize>,
        subjects: &[Subject<'_>],
        turns: &Turns<'_>,
    ) {
        // Each has its part, whether or not one before it brought news.
        let mut is_news = false;
        for index in off {
            is_news |= self.add(index, subjects, turns);
        }
        if is_news {
            self.memory.write_owed(&self.written);
        }
    }

    /// Writes down whom a resource is going to notify, before it is changed.
    pub(super) fn promise(&mut self, index: usize, subjects: &[Subject<'_>], turns: &Turns<'_>) {
        self.promise_all(std::iter::once(index), subjects, turns);
    }

    /// Answers whether anything is owed that was not.
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

    /// A resource acted on its notification, or had no need to.
    pub(super) fn answered(&mut self, index: usize) {
        self.answered.insert(index);
        self.ever.insert(index);
    }

    /// A resource was refreshed.
    pub(super) fn refreshed(&mut self, index: usize) {
        self.refreshed.insert(index);
        self.answered(index);
    }

    /// Whether it was refreshed in this run already.
    pub(super) fn was_refreshed(&self, index: usize) -> bool {
        self.refreshed.contains(&index)
    }

    /// A change of the resource failed.
    pub(super) fn failed(&mut self, index: usize) {
        self.failed.insert(index);
    }

    /// All turns of a pass are over: what came and was not acted on stays owed.
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

    /// The run is over: writes down what is still owed. Who failed may have changed something before it did, which the next
    /// run need not see: whom it would have notified is refreshed then.
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
