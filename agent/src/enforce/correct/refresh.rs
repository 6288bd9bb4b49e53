//! Notifications: at most one refresh of a resource in a run, after its own turn.

use std::time::Duration;

use holdfast_catalog::catalog::Policy;
use holdfast_catalog::report::Status;

use super::super::check::{self, Verdict, contained};
use super::super::turns::{MemberResult, Notified};
use super::{Correct, CorrectionPass};
use crate::at_hand;
use crate::provider::{Change, Refreshed};

impl Correct<'_, '_, '_> {
    /// Acts on a notification, if there is one, and ends the turn.
    pub(super) fn finish(&mut self, index: usize, mut came: MemberResult, corrected: &[Change]) {
        if let Some(notified) = self.turns.reached(index).notified.clone().filter(|_| !came.failed) {
            let is_real = notified.real && self.subjects[index].policy == Policy::Enforce;
            match self.pass {
                _ if is_real && self.debts.was_refreshed(index) => {
                    let by = &notified.by;
                    let text = format!("its refresh, notified again by {by}, is left to the next run");
                    self.record.whole(index, Status::Info, text, Duration::ZERO);
                }
                _ if is_real => self.refresh(index, &notified, corrected, &mut came),
                CorrectionPass::First => {
                    came.would = true;
                    self.record.would_be_refreshed(index, &notified.by);
                }
                CorrectionPass::Second => {}
            }
        }
        self.turns.finish(index, came);
    }

    fn refresh(&mut self, index: usize, notified: &Notified, corrected: &[Change], came: &mut MemberResult) {
        let subject = &self.subjects[index];
        let writing = self.run.writing(self.reading.named, self.memory.once_secret());
        self.memory.begin();
        at_hand::tell(format_args!("{}, notified by {}", subject.resource.reference, notified.by));
        let span = subject.span();
        let (result, took) = check::timed(|| {
            let _within = span.enter();
            contained(|| subject.provider.refresh_one(subject.typed, notified.notice, corrected, writing))
        });
        self.record.times.add(subject.type_name(), took);
        match result {
            Ok(Refreshed::Done(what)) => {
                self.view.act(vec![index]);
                self.debts.refreshed(index);
                came.changed = true;
                self.record.refreshed(index, format!("{what}, notified by {}", notified.by), took);
            }
            Ok(Refreshed::NotNeeded(why)) => {
                self.debts.answered(index);
                span.in_scope(|| tracing::debug!(why, "no refresh needed"));
            }
            Err(why) => {
                self.view.act(vec![index]);
                came.failed = true;
                let text =
                    format!("its refresh, notified by {}, failed and is still pending: {why}", notified.by);
                self.record.whole(index, Status::Failed, text, took);
            }
        }
    }

    /// Adds what earlier runs owe, and records at once what this one is going to owe.
    pub(super) fn recall_owed(&mut self) {
        self.debts.recall(self.subjects, &mut self.turns);
        let is_off = |index: &usize| {
            let verdict = self.view.latest(*index);
            self.subjects[*index].policy == Policy::Enforce
                && matches!(
                    verdict,
                    Verdict::Changes(_) | Verdict::Pending(_) | Verdict::Failed(_) | Verdict::Down(_)
                )
        };
        let off: Vec<_> = (0..self.subjects.len()).filter(is_off).collect();
        self.debts.promise_all(off.into_iter(), self.subjects, &self.turns);
    }

    /// Records what is still owed when the run is over.
    pub(super) fn settle_owed(&mut self) {
        self.debts.settle(self.subjects);
    }
}
