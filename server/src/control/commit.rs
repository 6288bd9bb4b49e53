//! Commits: each is checked before it comes into force. If it is broken, the last good one stays in force.

use holdfast_catalog::commit::CommitId;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tracing::{Instrument as _, Span};

use super::follow::StopFlag;
use super::{CommitInForce, Control, StateChange};
use crate::check::{Baseline, CheckFindings, judge};
use crate::compile::Program;
use crate::diagnostic::{Code, Diagnostic};
use crate::inventory::Departures;
use crate::language::problems::total;
use crate::repo::{PokeHandle, Snapshot};
use crate::store;
use crate::store::commit::{CommitRow, CommitStatus};

/// The most results of commits to keep while they cannot be written; older ones are long superseded.
const MAX_UNWRITTEN: usize = 32;

/// What became of a commit that someone waits for.
#[derive(Debug)]
pub enum CommitOutcome {
    Row(Box<CommitRow>),
    /// A newer one arrived while it was being judged, and replaced it.
    Overtaken(CommitId),
    /// A newer one that builds on it was read in its place, because both arrived at once.
    Skipped(CommitId),
    /// It was judged when it arrived, and now the given commit, or none, is in force.
    Past(CommitStatus, Option<CommitId>),
    /// It has not arrived; with the reason why no commit arrives, if that is known.
    NotCome(Option<String>),
}

/// How long reading a repository may take before it counts as not answering.
const SLOW: Duration = Duration::from_secs(10);

/// The fewest digits with which a commit's id may be given.
const FEWEST_DIGITS: usize = 4;

impl Control {
    /// Judges a snapshot and puts it in force, unless operators' files are at fault. Returns which of the two happened.
    /// Until then, polls are answered from the commit in force.
    pub async fn take(self: &Arc<Self>, snapshot: Snapshot) -> CommitStatus {
        // With a default `StopFlag`, nothing can stop it.
        self.take_until(snapshot, StopFlag::default()).await.unwrap_or(CommitStatus::Broken)
    }

    /// Like [`Control::take`], but can be stopped. Returns `None` if it was stopped before the judgement ended; then
    /// nothing has changed.
    pub(super) async fn take_until(
        self: &Arc<Self>,
        snapshot: Snapshot,
        stop: StopFlag,
    ) -> Option<CommitStatus> {
        let span = tracing::error_span!("commit", commit = %snapshot.commit());
        self.take_now(snapshot, stop).instrument(span).await
    }

    async fn take_now(self: &Arc<Self>, snapshot: Snapshot, stop: StopFlag) -> Option<CommitStatus> {
        for remark in snapshot.remarks() {
            tracing::warn!("{}", remark.message);
        }
        let (control, judged) = (self.clone(), snapshot.clone());
        let commit = snapshot.commit().clone();
        self.judging.store(Some(Arc::new(commit.clone())));
        let (span, began) = (Span::current(), Instant::now());
        let judge = move || span.in_scope(|| control.judge(&judged, &stop));
        let judged = tokio::task::spawn_blocking(judge).await;
        tracing::debug!(took = ?began.elapsed(), "judged");
        self.judging.store(None);
        let Ok(judged) = judged else {
            let why = "internal error: checking this commit failed; see the server's log";
            self.refuse(&snapshot, vec![Diagnostic::error(Code::Internal, why, None)]).await;
            return Some(CommitStatus::Broken);
        };
        let (program, checked) = judged?;
        let (now, all) = (Timestamp::now(), checked.all());
        if !checked.is_usable() {
            self.refuse(&snapshot, all).await;
            return Some(CommitStatus::Broken);
        }
        let kept = checked.nodes.len();
        match kept {
            0 => tracing::info!("the commit is in force"),
            _ => tracing::warn!(
                nodes = kept,
                "the commit is in force; some nodes do not get it because of errors in tenants' data"
            ),
        }
        let before = self.in_force();
        let corrected = CommitInForce::corrected(before.as_deref(), &program, &checked);
        let leaving = match &before {
            // It arrived twice, such as by a poke and by itself.
            Some(before) if *before.commit() == commit => before.leaving().clone(),
            Some(before) => Departures::between(before.program().inventory(), program.inventory()),
            None => Departures::default(),
        };
        self.in_force.store(Some(Arc::new(CommitInForce::new(
            program,
            OnceLock::from(checked),
            corrected,
            leaving,
        ))));
        self.keep(&snapshot).await;
        self.record(&snapshot, CommitStatus::Good, all, now).await;
        self.tell(StateChange::CommitTaken { commit });
        Some(CommitStatus::Good)
    }

    /// Keeps what came into force for the next start.
    async fn keep(&self, snapshot: &Snapshot) {
        let Some(kept) = self.config.kept.clone() else { return };
        let snapshot = snapshot.clone();
        let put = tokio::task::spawn_blocking(move || kept.put(&snapshot));
        if let Ok(Err(error)) = put.await {
            tracing::error!(%error, "cannot save the state in force for the next start");
        }
    }

    async fn refuse(&self, snapshot: &Snapshot, problems: Vec<Diagnostic>) {
        let (commit, errors) = (snapshot.commit().clone(), total(&problems));
        match self.in_force() {
            Some(_) => {
                tracing::warn!(errors, "the commit is broken; the last good one stays in force");
            }
            None => tracing::warn!(errors, "the commit is broken, and no commit is in force"),
        }
        self.broken.store(Some(Arc::new(snapshot.clone())));
        self.record(snapshot, CommitStatus::Broken, problems, Timestamp::now()).await;
        self.tell(StateChange::CommitBroken { commit });
    }

    /// The newest commit that was found broken, unless another came into force since.
    pub fn broken_commit(&self) -> Option<CommitId> {
        self.broken.load().as_ref().map(|snapshot| snapshot.commit().clone())
    }

    /// Judges a snapshot, as `holdfast check` does too; `None` if it was stopped.
    fn judge(&self, snapshot: &Snapshot, stop: &StopFlag) -> Option<(Program, CheckFindings)> {
        let in_force = self.in_force();
        let program = Program::new(snapshot, in_force.as_ref().map(|in_force| in_force.program()));
        let before = in_force.as_ref().map(|now| Baseline { program: now.program(), checked: now.checked() });
        let checked = judge(&program, before, &|| stop.is_set())?;
        Some((program, checked))
    }

    /// Waits until a commit has been judged, but no longer than `patience` if it does not arrive.
    pub async fn judged(&self, commit: &CommitId, patience: Duration) -> store::Result<CommitOutcome> {
        let (mut state_changes, mut stands) = (self.state_changes(), None);
        let mut deadline = tokio::time::Instant::now() + patience;
        loop {
            if self.snapshot(commit).is_some()
                && let Some(row) = self.row_of(commit).await?
            {
                return Ok(CommitOutcome::Row(Box::new(row)));
            }
            if let Some(newer) = self.overtaken_by(commit) {
                return Ok(CommitOutcome::Overtaken(newer));
            }
            // The repository has been slow to answer for a while, so do not wait again.
            if self.looking_for().is_some_and(|looking| looking > SLOW) {
                return self.not_come(commit).await;
            }
            // The repository is searched only once for each state of the commits at hand.
            if stands.as_ref() != Some(&self.stands()) {
                let is_first = stands.replace(self.stands()).is_none();
                if let Some(newer) = self.skipped_for(commit, is_first).await {
                    return Ok(self.past(commit).await?.unwrap_or(CommitOutcome::Skipped(newer)));
                }
            }
            // Also look again if some events were missed.
            if tokio::time::timeout_at(deadline, state_changes.recv()).await.is_err() {
                // A judgement takes time with many nodes; the commit has arrived.
                if self.judging.load_full().is_none() {
                    return self.not_come(commit).await;
                }
                deadline = tokio::time::Instant::now() + patience;
            }
        }
    }

    /// What became of a commit that does not arrive: it may have been judged earlier.
    async fn not_come(&self, commit: &CommitId) -> store::Result<CommitOutcome> {
        if let Some(past) = self.past(commit).await? {
            return Ok(past);
        }
        let skipped = self.skipped_for(commit, false).await;
        Ok(skipped.map_or_else(|| CommitOutcome::NotCome(self.hindrance()), CommitOutcome::Skipped))
    }

    /// What became of a commit that was judged earlier.
    async fn past(&self, commit: &CommitId) -> store::Result<Option<CommitOutcome>> {
        let in_force = self.in_force().map(|in_force| in_force.commit().clone());
        Ok(self.row_of(commit).await?.map(|row| CommitOutcome::Past(row.status, in_force)))
    }

    /// Why no commit arrives at the moment.
    fn hindrance(&self) -> Option<String> {
        if let Some(looking) = self.looking_for().filter(|looking| *looking > SLOW) {
            return Some(format!(
                "the repository is being read, but has not answered for {} s",
                looking.as_secs()
            ));
        }
        // The follower knows it first.
        let why = self.poke.get().and_then(PokeHandle::failure);
        let why = why.or_else(|| self.unreadable().map(|unreadable| unreadable.why));
        why.map(|why| format!("the repository cannot be read: {why}"))
    }

    fn looking_for(&self) -> Option<Duration> {
        self.poke.get()?.looking_for()
    }

    /// Whether the server follows a directory without git, which has no commits.
    pub fn follows_a_directory(&self) -> bool {
        self.config.kept.is_some()
    }

    /// The full id of the commit that begins with these digits, among those that arrived and those in the local
    /// repository; `None` if there is none, or more than one.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn whole_id(&self, digits: &str) -> store::Result<Option<CommitId>> {
        let hex = digits.strip_prefix("dir-").unwrap_or(digits);
        if hex.len() < FEWEST_DIGITS {
            return Ok(None);
        }
        let mut found: Vec<CommitId> = self.stands().into_iter().flatten().collect();
        found.extend(self.store.commits_that_begin(digits.to_owned()).await?);
        if let Some(history) = self.history.get().cloned() {
            let digits = digits.to_owned();
            let looked = tokio::task::spawn_blocking(move || history.whole_id(&digits)).await;
            found.extend(looked.ok().flatten());
        }
        found.retain(|id| id.starts_with(digits));
        found.sort();
        found.dedup();
        Ok(if found.len() == 1 { found.pop() } else { None })
    }

    async fn row_of(&self, commit: &CommitId) -> store::Result<Option<CommitRow>> {
        if let Some(row) = self.unwritten().iter().rev().find(|row| row.id == *commit) {
            return Ok(Some(row.clone()));
        }
        let rows = self.store.commit(commit.clone()).await?;
        Ok(rows.into_iter().find(|row| row.environment == self.config.environment))
    }

    /// The commits at hand: the one in force, the broken one, and the one being judged.
    pub(super) fn stands(&self) -> [Option<CommitId>; 3] {
        let in_force = self.in_force().map(|in_force| in_force.commit().clone());
        let broken = self.broken.load_full().map(|snapshot| snapshot.commit().clone());
        [in_force, broken, self.judging.load_full().map(|judging| (*judging).clone())]
    }

    /// Puts a commit in force that was judged good before the server was last started.
    pub fn put_in_force(&self, snapshot: &Snapshot) {
        let program = Program::new(snapshot, None);
        let in_force =
            Arc::new(CommitInForce::new(program, OnceLock::new(), BTreeMap::new(), Departures::default()));
        self.in_force.store(Some(in_force.clone()));
        // Its result is needed to judge the next commit.
        tokio::task::spawn_blocking(move || in_force.checked().is_clean());
    }

    async fn record(
        &self,
        snapshot: &Snapshot,
        status: CommitStatus,
        mut diagnostics: Vec<Diagnostic>,
        seen_at: Timestamp,
    ) {
        // A restart judges it again, but no longer knows how the branch moved to it.
        diagnostics.extend(self.said_of_its_coming(snapshot.commit()).await);
        let written = snapshot.written();
        let row = CommitRow {
            environment: self.config.environment.clone(),
            id: snapshot.commit().clone(),
            seen_at,
            committed_at: written.and_then(|written| written.at),
            author: written.map(|written| written.author.clone()),
            subject: written.map(|written| written.subject.clone()),
            status,
            diagnostics,
        };
        self.unwritten().push_back(row);
        self.write_commits().await;
    }

    /// The remarks on how the branch moved to its newest commit, if that is this one.
    async fn said_of_its_coming(&self, commit: &CommitId) -> Vec<Diagnostic> {
        let newest = self.store.commits(self.config.environment.clone(), 0, 1).await;
        if !newest.is_ok_and(|newest| newest.first().is_some_and(|(newest, _)| newest.id == *commit)) {
            return Vec::new();
        }
        let known = self.row_of(commit).await.ok().flatten().map(|row| row.diagnostics).unwrap_or_default();
        known.into_iter().filter(|remark| remark.code == Code::HistoryRewritten).collect()
    }

    /// Writes the results of commits to the store. What cannot be written, such as on a full disk, is kept and tried
    /// again: otherwise a commit that machines run would never show. A result that the store never accepts does not
    /// hold up the others.
    pub async fn write_commits(&self) {
        let _one = self.writing.lock().await;
        let rows: Vec<_> = self.unwritten().iter().cloned().collect();
        let mut refused = None;
        for row in rows {
            let (commit, judged_at) = (row.id.clone(), row.seen_at);
            match self.store.put_commit(row).await {
                // Earlier results of this commit are superseded.
                Ok(()) => self.unwritten().retain(|row| row.id != commit || row.seen_at > judged_at),
                Err(error) => refused = refused.or(Some((commit, error))),
            }
        }
        if let Some((commit, error)) = refused {
            let waiting = self.unwritten().len();
            tracing::error!(%error, commit = commit.as_str(), waiting, "cannot record the commit; trying again");
        }
    }

    fn unwritten(&self) -> MutexGuard<'_, VecDeque<CommitRow>> {
        let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        let too_many = unwritten.len().saturating_sub(MAX_UNWRITTEN);
        unwritten.drain(..too_many);
        unwritten
    }
}

#[cfg(test)]
mod tests;
