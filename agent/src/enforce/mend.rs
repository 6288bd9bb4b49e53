//! Turn by turn: skip, report or mend, then refresh.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_catalog::catalog::Policy;
use holdfast_catalog::report::Status;

use super::check::{self, Checked, Verdict, contained};
use super::memory::{Debt, Memory, Owed};
use super::record::{Outcome, Record};
use super::turns::{Came, Notified, Turns};
use super::{Run, Subject};
use crate::provider::{AnySeen, Applied, Change, ChangeKind, Notice, Reading, Refreshed, Taken};

/// Gives every resource its turn.
pub(super) fn all<'a, 's>(
    run: Run<'a>,
    reading: Reading<'a>,
    subjects: &'s [Subject<'a>],
    checked: Checked<'a>,
    memory: &Memory,
    record: &mut Record<'s>,
) {
    let owed = memory.owed();
    let quiet = |verdict: &Verdict| match verdict {
        Verdict::Off => true,
        Verdict::InSync(notes) => notes.is_empty(),
        _ => false,
    };
    if owed.is_empty() && checked.verdicts.iter().all(quiet) {
        return;
    }
    let turns = Turns::new(run.catalog);
    let mut mend = Mend {
        run,
        reading,
        subjects,
        checked,
        memory,
        record,
        turns,
        owed,
        acted: BTreeSet::new(),
        changed: false,
    };
    mend.recall_owed();
    while let Some(index) = mend.turns.next() {
        mend.turn(index);
    }
    mend.settle();
    mend.settle_owed();
}

/// A run's second half under way.
struct Mend<'a, 'r, 's> {
    run: Run<'a>,
    reading: Reading<'a>,
    subjects: &'s [Subject<'a>],
    checked: Checked<'a>,
    memory: &'r Memory,
    record: &'r mut Record<'s>,
    turns: Turns<'a>,
    /// As it stands on disk.
    owed: Owed,
    /// Whose notification was acted on.
    acted: BTreeSet<usize>,
    /// Whether anything was changed: what was observed before is old.
    changed: bool,
}

impl<'a> Mend<'a, '_, '_> {
    fn turn(&mut self, index: usize) {
        let reached = self.turns.reached(index);
        let policy = self.subjects[index].policy;
        if policy == Policy::Off {
            self.turns.finish(index, Came::default());
        } else if self.run.stopped() {
            self.record.whole(index, Status::Skipped, "the run was interrupted", Duration::ZERO);
            self.turns.finish(index, Came::default());
        } else if let Some(blocker) = reached.blocked.clone() {
            self.record.whole(index, Status::Skipped, format!("{blocker} failed"), Duration::ZERO);
            self.turns.finish(index, Came::default());
        } else if policy == Policy::Enforce && self.is_off(index) {
            self.mend(index);
        } else {
            let verdict =
                if reached.touched { self.look_again(&[index]).remove(0) } else { self.verdict(index) };
            match verdict {
                Verdict::Changes(_) | Verdict::Pending(_) if policy == Policy::Enforce => self.mend(index),
                verdict => self.report(index, verdict),
            }
        }
    }

    fn verdict(&self, index: usize) -> Verdict {
        self.checked.verdicts[index].clone()
    }

    fn is_off(&self, index: usize) -> bool {
        matches!(self.checked.verdicts[index], Verdict::Changes(_) | Verdict::Pending(_) | Verdict::Failed(_))
    }

    /// Looks at resources of one type again, just before they are mended.
    fn look_again(&mut self, group: &[usize]) -> Vec<Verdict> {
        let began = Instant::now();
        let subjects: Vec<_> = group.iter().map(|index| &self.subjects[*index]).collect();
        let Some(type_name) = subjects.first().map(|subject| subject.type_name()) else { return Vec::new() };
        let reading = self.reading;
        let plan_all = |seen: &AnySeen| subjects.iter().map(|s| check::plan(s, seen, reading)).collect();
        let verdicts = match self.checked.seen.get(type_name).filter(|_| !self.changed) {
            Some(seen) => plan_all(seen),
            None => match check::observe(&subjects, reading) {
                Ok(seen) => plan_all(&seen),
                Err(why) => vec![Verdict::Failed(why); group.len()],
            },
        };
        self.record.times.add(type_name, began.elapsed());
        verdicts
    }

    /// Mends a resource, with others of its type where the type takes them together.
    fn mend(&mut self, index: usize) {
        let mut group = vec![index];
        if self.subjects[index].provider.taken() == Taken::Together {
            group.extend(self.ready_too(index));
        }
        let mut jobs = Vec::new();
        for (index, verdict) in group.iter().copied().zip(self.look_again(&group)) {
            match verdict {
                Verdict::Changes(changes) => jobs.push((index, changes)),
                verdict => self.report(index, verdict),
            }
        }
        if !jobs.is_empty() {
            self.apply(jobs);
        }
    }

    /// Other resources of the same type that are off and whose turn it is.
    fn ready_too(&mut self, index: usize) -> Vec<usize> {
        let (subjects, verdicts) = (self.subjects, &self.checked.verdicts);
        let type_name = subjects[index].type_name();
        self.turns.also_ready(|other, reached| {
            subjects[other].type_name() == type_name
                && subjects[other].policy == Policy::Enforce
                && matches!(verdicts[other], Verdict::Changes(_))
                && reached.blocked.is_none()
        })
    }

    fn apply(&mut self, jobs: Vec<(usize, Vec<Change>)>) {
        for (index, _) in &jobs {
            self.owe_for(*index);
        }
        let first = &self.subjects[jobs[0].0];
        let typed: Vec<_> =
            jobs.iter().map(|(index, changes)| (self.subjects[*index].typed, changes.as_slice())).collect();
        let writing = self.run.writing(self.reading.named);
        let (results, took) = check::timed(|| contained(|| Ok(first.provider.apply_all(&typed, writing))));
        self.record.times.add(first.type_name(), took);
        self.changed = true;
        let mut results = results.map(Vec::into_iter);
        for (index, changes) in jobs {
            let result = match &mut results {
                Ok(results) => results.next().map(|one| one.map_err(|error| error.to_string())),
                Err(why) => Some(Err(why.clone())),
            };
            let result = result
                .unwrap_or_else(|| Err("a defect of the agent: the provider gave no answer".to_owned()));
            let (came, mended) = self.applied(index, changes, result, took);
            self.finish(index, came, &mended);
        }
    }

    /// Records what became of each change; answers with those that were made.
    fn applied(
        &mut self,
        index: usize,
        changes: Vec<Change>,
        result: Result<Applied, String>,
        took: Duration,
    ) -> (Came, Vec<Change>) {
        let mut came = Came::default();
        let mut mended = Vec::new();
        for (position, change) in changes.into_iter().enumerate() {
            let failure = match &result {
                Err(why) => Some(why.clone()),
                Ok(applied) => {
                    applied.failed.iter().find(|(at, _)| *at == position).map(|(_, error)| error.to_string())
                }
            };
            let said = || {
                let applied = result.as_ref().ok()?;
                applied.said.iter().find(|(at, _)| *at == position).map(|(_, words)| words.clone())
            };
            let to_do = change.kind != ChangeKind::Note;
            match failure {
                Some(why) if to_do => match &self.turns.reached(index).without {
                    Some(name) => {
                        came.inapplicable = true;
                        let why = Some(without(&why, name));
                        self.record.change(index, &change, Status::NotApplicable, why, took);
                    }
                    None => {
                        came.failed = true;
                        self.record.change(index, &change, Status::Failed, Some(why), took);
                    }
                },
                _ => {
                    came.changed |= to_do;
                    self.record.change(index, &change, Status::Changed, said(), took);
                    mended.push(change);
                }
            }
        }
        (came, mended)
    }

    /// Reports what is not mended now.
    fn report(&mut self, index: usize, verdict: Verdict) {
        let mut came = Came::default();
        let mut refreshable = true;
        match self.resolved(index, verdict) {
            Verdict::Off => {}
            Verdict::InSync(notes) => {
                for note in &notes {
                    self.record.change(index, note, Status::Info, None, Duration::ZERO);
                }
            }
            Verdict::Changes(changes) => {
                came.would = true;
                for change in &changes {
                    self.record.change(index, change, Status::WouldChange, None, Duration::ZERO);
                }
            }
            Verdict::Pending(why) if self.turns.reached(index).anticipates => {
                came.would = true;
                self.record.whole(
                    index,
                    Status::WouldChange,
                    format!("not known yet: {why}"),
                    Duration::ZERO,
                );
            }
            Verdict::NotApplicable(why) => {
                refreshable = false;
                came.inapplicable = true;
                self.acted.insert(index);
                self.record.whole(index, Status::NotApplicable, why, Duration::ZERO);
            }
            Verdict::Failed(why) | Verdict::Pending(why) => {
                came.failed = true;
                self.record.whole(index, Status::Failed, why, Duration::ZERO);
            }
        }
        if refreshable {
            self.finish(index, came, &[]);
        } else {
            self.turns.finish(index, came);
        }
    }

    /// What waits for something that does not apply to this machine does not apply either.
    fn resolved(&self, index: usize, verdict: Verdict) -> Verdict {
        match (verdict, &self.turns.reached(index).without) {
            (Verdict::Pending(why) | Verdict::Failed(why), Some(name)) => {
                Verdict::NotApplicable(without(&why, name))
            }
            (verdict, _) => verdict,
        }
    }

    /// Acts on a notification, if there is one, and ends the turn.
    fn finish(&mut self, index: usize, mut came: Came, mended: &[Change]) {
        if let Some(notified) = self.turns.reached(index).notified.clone().filter(|_| !came.failed) {
            if notified.real && self.subjects[index].policy == Policy::Enforce {
                self.refresh(index, &notified, mended, &mut came);
            } else {
                came.would = true;
                let text = format!("would be refreshed, notified by {}", notified.by);
                self.record.whole(index, Status::Info, text, Duration::ZERO);
            }
        }
        self.turns.finish(index, came);
    }

    fn refresh(&mut self, index: usize, notified: &Notified, mended: &[Change], came: &mut Came) {
        let subject = &self.subjects[index];
        let writing = self.run.writing(self.reading.named);
        let (result, took) = check::timed(|| {
            contained(|| subject.provider.refresh_one(subject.typed, notified.notice, mended, writing))
        });
        self.record.times.add(subject.type_name(), took);
        match result {
            Ok(Refreshed::Done(what)) => {
                self.changed = true;
                self.acted.insert(index);
                came.changed = true;
                self.record.refreshed(index, format!("{what}, notified by {}", notified.by), took);
            }
            Ok(Refreshed::NotNeeded(why)) => {
                self.acted.insert(index);
                tracing::debug!(resource = %subject.resource.reference, why, "no refresh needed");
            }
            Err(why) => {
                came.failed = true;
                let text = format!("its refresh, notified by {}, failed and stays owed: {why}", notified.by);
                self.record.whole(index, Status::Failed, text, took);
            }
        }
    }

    /// Brings in what earlier runs owe, and writes down at once what this one is going to.
    fn recall_owed(&mut self) {
        for (index, subject) in self.subjects.iter().enumerate() {
            if let Some(debt) = self.owed.get(&subject.resource.reference) {
                let by: Arc<str> = format!("{} in an earlier run", debt.by).into();
                self.turns.notify(index, Notified { notice: debt.notice(), real: true, by });
            }
        }
        let off: Vec<_> = (0..self.subjects.len())
            .filter(|index| self.subjects[*index].policy == Policy::Enforce && self.is_off(*index))
            .collect();
        let before = self.owed.clone();
        off.into_iter().for_each(|index| self.add_debts(index));
        if self.owed != before {
            self.memory.write_owed(&self.owed);
        }
    }

    /// Writes down whom a resource is going to notify, before it is changed.
    fn owe_for(&mut self, index: usize) {
        let before = self.owed.clone();
        self.add_debts(index);
        if self.owed != before {
            self.memory.write_owed(&self.owed);
        }
    }

    fn add_debts(&mut self, index: usize) {
        let by = self.subjects[index].resource.reference.to_string();
        for (target, notice) in self.turns.notifies(index) {
            let debt = self.owed.entry(self.subjects[target].resource.reference.clone());
            let debt = debt.or_insert_with(|| Debt::new(notice, &by));
            debt.reload &= notice == Notice::Reload;
        }
    }

    /// Makes all changes last, each directory synced once: only what lasts is reported as done, or owed no more.
    fn settle(&mut self) {
        let Err(error) = self.run.system.settle() else { return };
        for index in 0..self.subjects.len() {
            if self.record.outcome(index) == Outcome::Changed {
                let text = format!("it was changed, but the change may not outlast a power cut: {error}");
                self.record.whole(index, Status::Failed, text, Duration::ZERO);
            }
        }
    }

    /// What is still owed when all turns are over: notifications that came and were not acted on.
    fn settle_owed(&mut self) {
        let mut left = Owed::new();
        for (index, subject) in self.subjects.iter().enumerate() {
            if let Some(notified) = self.turns.reached(index).notified.as_ref().filter(|n| n.real)
                && !self.acted.contains(&index)
            {
                let by = notified.by.trim_end_matches(" in an earlier run");
                left.insert(subject.resource.reference.clone(), Debt::new(notified.notice, by));
            }
        }
        if left != self.owed {
            self.memory.write_owed(&left);
        }
    }
}

/// Why a resource does not apply: something that it needs does not.
fn without(why: &str, name: &str) -> String {
    format!("{why}, since {name} is not applicable here")
}
