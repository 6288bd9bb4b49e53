//! Turn by turn: skip, report or correct, then refresh. If anything was done, everything is looked at once more.
//!
//! Each resource is judged at its turn by its state at that time. What differs at the last look is corrected once more,
//! in a second pass; what still differs after that has failed.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::time::Duration;

use holdfast_catalog::catalog::Policy;
use holdfast_catalog::report::Status;

use super::check::{self, Verdict, contained};
use super::claims::Claims;
use super::memory::RunMemory;
use super::record::{ChangeResult, Record};
use super::turns::{MemberResult, Turns};
use super::view::MachineView;
use super::{Run, Subject};
use crate::at_hand;
use crate::provider::{Applied, Change, ChangeKind, Planned, Reading, Taken};
use crate::stop::StopReason;

mod debts;
mod failure;
mod held;
mod lacking;
mod last;
mod nowhere;
mod refresh;
mod rivals;
mod undone;
mod verdict;

use debts::Debts;
use failure::ChangeFailure;
use last::{MadeChange, made};
pub(super) use rivals::FirstLook;
use undone::{DID_NOT_LAST, ONCE_MORE, Spot, Suspects};

/// Gives every resource its turn. Returns what is known about each at the end, and about what it claims.
pub(super) fn all<'a, 's>(
    run: Run<'a>,
    reading: Reading<'a>,
    subjects: &'s [Subject<'a>],
    first: FirstLook,
    memory: &RunMemory,
    record: &mut Record<'s>,
) -> (MachineView, Claims) {
    let owed = memory.owed();
    let view = MachineView::new(first.verdicts);
    if owed.is_empty() && view.is_quiet() {
        return (view, first.claims);
    }
    let mut correct = Correct {
        run,
        reading,
        subjects,
        view,
        claims: first.claims,
        record,
        turns: Turns::new(run.catalog),
        pass: CorrectionPass::First,
        memory,
        debts: Debts::new(memory, owed),
        over: vec![false; subjects.len()],
        made: BTreeMap::new(),
        worked: BTreeMap::new(),
        suspects: BTreeMap::new(),
        by_path: OnceCell::new(),
    };
    correct.recall_owed();
    correct.take_turns();
    if correct.view.has_changed() && !run.stopped() {
        correct.last_look();
    }
    correct.settle_owed();
    (correct.view, correct.claims)
}

/// Which round of turns is in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CorrectionPass {
    First,
    /// The turns of resources that the last look found different.
    Second,
}

/// A run's second half in progress.
struct Correct<'a, 'r, 's> {
    run: Run<'a>,
    reading: Reading<'a>,
    subjects: &'s [Subject<'a>],
    view: MachineView,
    claims: Claims,
    record: &'r mut Record<'s>,
    turns: Turns<'a>,
    pass: CorrectionPass,
    memory: &'r RunMemory,
    debts: Debts<'r>,
    /// Resources whose turn in this pass is over.
    over: Vec<bool>,
    /// The changes that were made, by the resource that made them.
    made: BTreeMap<usize, BTreeSet<MadeChange>>,
    /// What a resource worked on, or may have, whatever came of it.
    worked: BTreeMap<usize, Vec<Spot>>,
    /// Which resources may have changed this one, from the last time it was found different.
    suspects: BTreeMap<usize, Suspects>,
    /// Which resource names a path.
    by_path: OnceCell<HashMap<&'s Path, usize>>,
}

/// A resource to be corrected.
struct Correction {
    index: usize,
    changes: Vec<Change>,
    /// Why it differs, if something in this run changed it.
    why: Option<String>,
}

impl<'s> Correct<'_, '_, 's> {
    fn take_turns(&mut self) {
        while let Some(index) = self.turns.next() {
            self.turn(index);
        }
        self.settle();
        self.debts.pass_is_over(self.subjects, &self.turns);
    }

    fn turn(&mut self, index: usize) {
        self.over[index] = true;
        let policy = self.subjects[index].policy;
        if policy == Policy::Off {
            self.turns.finish(index, MemberResult::default());
        } else if let Some(came) = self.was_over(index) {
            self.turns.finish(index, came);
        } else if self.run.stopped() {
            self.record.unreached(index);
            let why = self.run.system.stopping().unwrap_or(StopReason::Told);
            self.skip(index, format!("{why} before its turn"));
        } else if let Some(blocker) = self.turns.reached(index).blocked.clone() {
            self.skip(index, format!("{blocker} failed"));
        } else {
            self.look_if_stale(index);
            match (self.held_up(index), self.view.latest(index)) {
                (Some(why), _) => self.skip(index, why),
                (None, Verdict::Changes(_)) if policy == Policy::Enforce => self.correct(index),
                (None, verdict) => {
                    let verdict = verdict.clone();
                    self.report(index, verdict);
                }
            }
        }
    }

    /// Looks at a resource again if anything was done since, and at some of those after it, which will need that too.
    fn look_if_stale(&mut self, index: usize) {
        if self.view.is_fresh(index) {
            return;
        }
        let is_cheap = |at: usize| self.subjects[at].provider.planned() == Planned::InParallel;
        let ahead = if is_cheap(index) { self.view.ahead() } else { 1 };
        let waits = |at: &usize| {
            !self.over[*at]
                && !self.view.is_fresh(*at)
                && self.subjects[*at].policy != Policy::Off
                && is_cheap(*at)
                && self.was_over(*at).is_none()
        };
        let after = (index + 1..self.subjects.len()).take(ahead.saturating_mul(4)).filter(waits);
        let which: Vec<usize> = std::iter::once(index).chain(after.take(ahead - 1)).collect();
        self.look(&which);
    }

    fn look(&mut self, which: &[usize]) {
        for (index, verdict) in self.claims.look(self.subjects, which, self.reading, &mut self.record.times) {
            self.view.found(index, verdict);
        }
        self.see_rivals(which);
    }

    /// Corrects a resource, along with others of its type if the provider takes them together.
    fn correct(&mut self, index: usize) {
        let mut group = vec![index];
        if self.subjects[index].provider.taken() == Taken::Together {
            group.extend(self.ready_too(index));
            let stale: Vec<_> = group.iter().copied().filter(|index| !self.view.is_fresh(*index)).collect();
            self.look(&stale);
        }
        let mut jobs = Vec::new();
        for index in group {
            self.over[index] = true;
            match self.view.latest(index).clone() {
                Verdict::Changes(changes) => match self.to_make(index, changes) {
                    changes if changes.is_empty() => self.report(index, Verdict::InSync(Vec::new())),
                    changes => jobs.push(Correction { index, changes, why: self.why_again(index) }),
                },
                verdict => self.report(index, verdict),
            }
        }
        if !jobs.is_empty() {
            self.apply(jobs);
        }
    }

    /// Other resources of the same type that differ and whose turn it is.
    fn ready_too(&mut self, index: usize) -> Vec<usize> {
        let (subjects, view, record, pass) = (self.subjects, &self.view, &*self.record, self.pass);
        let type_name = subjects[index].type_name();
        self.turns.also_ready(|other, reached| {
            subjects[other].type_name() == type_name
                && subjects[other].policy == Policy::Enforce
                && matches!(view.latest(other), Verdict::Changes(_))
                && (pass == CorrectionPass::First || last::is_in_order(record.outcome(other)))
                && reached.blocked.is_none()
                && reached.needs.is_none()
        })
    }

    fn apply(&mut self, jobs: Vec<Correction>) {
        for job in &jobs {
            self.debts.promise(job.index, self.subjects, &self.turns);
        }
        let first = &self.subjects[jobs[0].index];
        let typed: Vec<_> =
            jobs.iter().map(|job| (self.subjects[job.index].typed, job.changes.as_slice())).collect();
        let writing = self.run.writing(self.reading.named, self.memory.once_secret());
        self.memory.begin();
        self.tell_of(&jobs);
        self.view.act(jobs.iter().map(|job| job.index).collect());
        let before = self.run.system.acts();
        let acts_once = first.provider.acts_once();
        if acts_once {
            self.memory.is_at(&self.names_of(&jobs));
        }
        let span = first.span();
        let apply = || span.in_scope(|| contained(|| Ok(first.provider.apply_all(&typed, writing))));
        let (results, took) = check::timed(apply);
        span.in_scope(|| tracing::debug!(?took, together = jobs.len(), "applied"));
        if acts_once {
            self.memory.is_at(&[]);
        }
        if self.run.system.acts() == before && !first.provider.acts_anywhere() {
            // A resource that failed before it touched anything changed nothing else.
            self.view.did_nothing();
        } else {
            jobs.iter().for_each(|job| self.works_on(job.index, &job.changes));
        }
        self.record.times.add(first.type_name(), took);
        let mut results = results.map(Vec::into_iter);
        let jobs = self.seen_again(jobs);
        for job in jobs {
            let result = match &mut results {
                Ok(results) => results.next().map(|one| one.map_err(|error| ChangeFailure::from(&error))),
                Err(why) => Some(Err(ChangeFailure { why: why.clone(), needed: None })),
            };
            let none = || {
                let why = "internal error: the provider gave no answer".to_owned();
                Err(ChangeFailure { why, needed: None })
            };
            let index = job.index;
            let (came, corrected) = self.applied(job, &result.unwrap_or_else(none), took);
            self.finish(index, came, &corrected);
        }
    }

    /// Reports what is being worked on, which may take a while.
    fn tell_of(&self, jobs: &[Correction]) {
        at_hand::tell(self.names_of(jobs).join(", "));
    }

    fn names_of(&self, jobs: &[Correction]) -> Vec<String> {
        jobs.iter().map(|job| self.subjects[job.index].resource.reference.to_string()).collect()
    }

    /// In the second pass, looks again at what was just corrected, before anything else acts. If it differs already, no
    /// resource undid it: its own tool reported success without effect.
    fn seen_again(&mut self, mut jobs: Vec<Correction>) -> Vec<Correction> {
        if self.pass == CorrectionPass::First {
            return jobs;
        }
        let lasts = |index: &usize| !self.subjects[*index].provider.acts_once();
        let which: Vec<usize> = jobs.iter().map(|job| job.index).filter(lasts).collect();
        self.look(&which);
        for job in jobs.iter_mut().filter(|job| which.contains(&job.index)) {
            if self.view.latest(job.index).is_fine() {
                continue;
            }
            self.view.never_was(job.index);
            self.suspects.remove(&job.index);
            job.why = job.why.take().map(|_| format!("{DID_NOT_LAST}; {ONCE_MORE}"));
        }
        jobs
    }

    /// Records what became of each change; returns those that were made.
    fn applied(
        &mut self,
        job: Correction,
        result: &Result<Applied, ChangeFailure>,
        took: Duration,
    ) -> (MemberResult, Vec<Change>) {
        let mut came = MemberResult::default();
        let mut corrected = Vec::new();
        for (position, change) in job.changes.into_iter().enumerate() {
            let failure = match result {
                Err(failure) => Some(failure.clone()),
                Ok(applied) => {
                    applied.failed.iter().find(|(at, _)| *at == position).map(|(_, error)| error.into())
                }
            };
            let to_do = change.kind != ChangeKind::Note;
            match failure.filter(|_| to_do) {
                Some(failure) => self.could_not(job.index, &change, failure, &mut came, took),
                None => {
                    came.changed |= change.kind.brings_news();
                    let said = result.as_ref().ok().and_then(|applied| {
                        applied.said.iter().find(|(at, _)| *at == position).map(|(_, words)| words.as_str())
                    });
                    let words: Vec<_> =
                        said.into_iter().chain(job.why.as_deref().filter(|_| to_do)).collect();
                    let reason = (!words.is_empty()).then(|| words.join("; "));
                    self.tell(job.index, &change, Status::Changed, reason, took);
                    corrected.push(change);
                }
            }
        }
        if self.subjects[job.index].provider.acts_once() {
            // Its guard is asked at the end of the run.
            self.view.never_was(job.index);
        } else if !came.failed && !came.inapplicable && self.pass == CorrectionPass::First {
            self.view.put_right(job.index);
        }
        self.made.entry(job.index).or_default().extend(corrected.iter().map(made));
        (came, corrected)
    }

    /// Records a change that could not be made.
    fn could_not(
        &mut self,
        index: usize,
        change: &Change,
        failure: ChangeFailure,
        came: &mut MemberResult,
        took: Duration,
    ) {
        let lacking = failure.needed.as_ref().and_then(|needed| self.lacking(index, needed));
        match lacking {
            Some(name) => {
                came.inapplicable = true;
                self.tell(index, change, Status::NotApplicable, Some(without(&failure.why, &name)), took);
            }
            None => {
                came.failed = true;
                self.debts.failed(index);
                let why = match self.kept_back(index) {
                    Some(by) => format!("{}; {by}", failure.why),
                    None => failure.why,
                };
                self.tell(index, change, Status::Failed, Some(why), took);
            }
        }
    }

    fn tell(
        &mut self,
        index: usize,
        change: &Change,
        status: Status,
        reason: Option<String>,
        took: Duration,
    ) {
        let by_this_run = self.pass == CorrectionPass::Second || !self.view.was_due(index, change);
        self.record.change(index, change, ChangeResult { status, reason, took, by_this_run });
    }

    /// Makes all changes durable, syncing each directory once. Only what lasts is reported, or no longer owed.
    fn settle(&mut self) {
        let Err(error) = self.run.system.settle() else { return };
        let changed: Vec<_> =
            self.made.keys().copied().filter(|i| last::is_in_order(self.record.outcome(*i))).collect();
        for index in changed {
            let text = format!("it was changed, but the change may not survive a power cut: {error}");
            self.record.whole(index, Status::Failed, text, Duration::ZERO);
        }
    }
}

/// Why a resource does not apply: something that it needs does not.
fn without(why: &str, name: &str) -> String {
    format!("{why}, since {name} is not applicable here")
}
