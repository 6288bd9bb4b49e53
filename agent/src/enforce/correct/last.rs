//! The last look of a run that changed anything. What differs then is corrected once more, unless that would repeat
//! something that must be done once. What still differs after that has failed, and the report says so.

use std::time::Duration;

use holdfast_catalog::catalog::Policy;
use holdfast_catalog::report::Status;

use super::super::check::Verdict;
use super::super::record::ResourceOutcome;
use super::super::turns::{MemberResult, Turns};
use super::{Correct, CorrectionPass};
use crate::provider::{Change, ChangeKind, Need};

/// A change that was made: path, property, and the value before it.
pub(super) type MadeChange = (Option<String>, String, String);

pub(super) fn made(change: &Change) -> MadeChange {
    (change.path.clone(), change.property.to_string(), change.is.text().to_owned())
}

/// Whether a resource with this outcome should be as wanted at the end.
pub(super) fn is_in_order(outcome: ResourceOutcome) -> bool {
    matches!(outcome, ResourceOutcome::Unchanged | ResourceOutcome::Changed | ResourceOutcome::WouldChange)
}

impl Correct<'_, '_, '_> {
    /// Looks at everything that was not looked at since the last change, and corrects or reports what differs.
    pub(super) fn last_look(&mut self) {
        self.look_at_all();
        let (again, failed): (Vec<_>, Vec<_>) =
            self.off().into_iter().partition(|index| self.may_repeat(*index));
        failed.into_iter().for_each(|index| self.fail(index));
        if again.is_empty() {
            return;
        }
        self.pass = CorrectionPass::Second;
        self.turns = Turns::new(self.run.catalog);
        self.over.fill(false);
        self.take_turns();
        self.look_at_all();
        for index in self.off() {
            self.fail(index);
        }
    }

    fn look_at_all(&mut self) {
        let stale = self.view.stale();
        let sight = self.claims.look(self.subjects, &stale, self.reading, &mut self.record.times);
        for (index, verdict) in sight {
            let outcome = self.record.outcome(index);
            let is_watched = self.subjects[index].policy == Policy::Audit && is_in_order(outcome);
            let has_come = outcome == ResourceOutcome::WouldChange && verdict.is_fine();
            let says_other = (is_watched || has_come) && *self.view.latest(index) != verdict;
            self.view.found(index, verdict.clone());
            if says_other {
                self.record.retract(index);
                self.told(index, verdict);
            }
        }
        self.see_rivals(&stale);
    }

    /// The resources that should be as wanted and are not.
    fn off(&self) -> Vec<usize> {
        let is_off = |index: &usize| {
            let outcome = self.record.outcome(*index);
            self.subjects[*index].policy == Policy::Enforce
                && is_in_order(outcome)
                && match self.view.latest(*index) {
                    Verdict::Changes(changes) => changes.iter().any(|change| self.is_off(*index, change)),
                    Verdict::Pending(_) => outcome != ResourceOutcome::WouldChange,
                    Verdict::Failed(_) | Verdict::Down(_) => true,
                    Verdict::Off | Verdict::InSync(_) | Verdict::NotApplicable(_) => false,
                }
        };
        (0..self.subjects.len()).filter(is_off).collect()
    }

    /// Whether a change that the last look asks for means that something differs. What moves by itself is followed once
    /// a run, and what is done in every run was done.
    fn is_off(&self, index: usize, change: &Change) -> bool {
        match change.kind {
            ChangeKind::Differs => true,
            ChangeKind::Moved | ChangeKind::Unread => {
                self.made.get(&index).is_none_or(|all| all.contains(&made(change)))
            }
            ChangeKind::Always | ChangeKind::Note => false,
        }
    }

    /// Whether a resource may be corrected in the second pass.
    fn may_repeat(&self, index: usize) -> bool {
        match self.view.latest(index) {
            Verdict::Changes(changes) => !self.to_make_again(index, changes.clone()).is_empty(),
            _ => true,
        }
    }

    /// The changes to make, of those that a look asks for.
    pub(super) fn to_make(&self, index: usize, changes: Vec<Change>) -> Vec<Change> {
        match self.pass {
            CorrectionPass::First => changes,
            CorrectionPass::Second => self.to_make_again(index, changes),
        }
    }

    fn to_make_again(&self, index: usize, mut changes: Vec<Change>) -> Vec<Change> {
        let acted = self.made.contains_key(&index);
        if acted && self.subjects[index].provider.acts_once() {
            return Vec::new();
        }
        changes.retain(|change| match change.kind {
            ChangeKind::Differs => true,
            ChangeKind::Moved | ChangeKind::Unread => !acted,
            ChangeKind::Always | ChangeKind::Note => false,
        });
        changes
    }

    /// In the second pass, the result of resources that have no turn in it.
    pub(super) fn was_over(&self, index: usize) -> Option<MemberResult> {
        if self.pass == CorrectionPass::First {
            return None;
        }
        match self.record.outcome(index) {
            ResourceOutcome::Failed => Some(MemberResult { failed: true, ..MemberResult::default() }),
            ResourceOutcome::NotApplicable => {
                Some(MemberResult { inapplicable: true, ..MemberResult::default() })
            }
            ResourceOutcome::Skipped => Some(MemberResult { skipped: true, ..MemberResult::default() }),
            ResourceOutcome::Off => Some(MemberResult::default()),
            ResourceOutcome::WouldChange => Some(MemberResult { would: true, ..MemberResult::default() })
                .filter(|_| self.subjects[index].policy == Policy::Audit || self.is_unknown(index)),
            ResourceOutcome::Unchanged | ResourceOutcome::Changed => {
                (self.subjects[index].policy == Policy::Audit).then(MemberResult::default)
            }
        }
    }

    /// Whether the resource waits for something that is only looked at.
    fn is_unknown(&self, index: usize) -> bool {
        matches!(self.view.latest(index), Verdict::Pending(_))
    }

    /// In the second pass, reports what cannot be corrected as failed; everything else was reported before.
    pub(super) fn told_again(&mut self, index: usize, verdict: &Verdict) -> MemberResult {
        match verdict {
            Verdict::Pending(_) | Verdict::Failed(_) | Verdict::Down(_) => {
                self.fail(index);
                MemberResult { failed: true, ..MemberResult::default() }
            }
            Verdict::Off | Verdict::InSync(_) | Verdict::Changes(_) | Verdict::NotApplicable(_) => {
                MemberResult::default()
            }
        }
    }

    /// Reports a resource that differs when the run is over as failed.
    fn fail(&mut self, index: usize) {
        let undone = self.undone_by(index);
        match self.view.latest(index).clone() {
            Verdict::Changes(changes) => {
                let off: Vec<_> = changes.into_iter().filter(|change| self.is_off(index, change)).collect();
                for change in &off {
                    let why = self.why_still(index, change, undone.as_deref());
                    self.tell(index, change, Status::Failed, Some(why), Duration::ZERO);
                }
            }
            Verdict::Pending(Need { why, .. }) | Verdict::Failed(why) | Verdict::Down(why) => {
                let why = undone.map_or_else(|| why.clone(), |undone| format!("{why}; {undone}"));
                self.record.whole(index, Status::Failed, why, Duration::ZERO);
            }
            Verdict::Off | Verdict::InSync(_) | Verdict::NotApplicable(_) => {}
        }
    }

    /// Why a change is still to be made when the run is over.
    fn why_still(&self, index: usize, change: &Change, undone: Option<&str>) -> String {
        let made = self.made.get(&index);
        if made.is_some() && self.subjects[index].provider.acts_once() {
            return "it ran, but its guard still requires it".to_owned();
        }
        if let Some(undone) = undone {
            return undone.to_owned();
        }
        let is_same = |(path, property, _): &MadeChange| *path == change.path && *property == change.property;
        match made.is_some_and(|all| all.iter().any(is_same)) {
            true if change.is.text().is_empty() => {
                "it was set, but the machine still does not have it".to_owned()
            }
            true => format!("it was set, but the machine still has {}", change.is.text()),
            false => "it differs again at the end of the run".to_owned(),
        }
    }
}
