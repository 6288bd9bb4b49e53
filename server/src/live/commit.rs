//! Commits: checked first, then in force; a broken one leaves the last good in force.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use holdfast_catalog::diagnostic::Diagnostic;
use jiff::Timestamp;

use super::{Happening, InForce, Live, Unreadable};
use crate::check::{Before, Checked, check, check_after};
use crate::compile::Program;
use crate::repo::Follower;
use crate::repo::Snapshot;
use crate::store;
use crate::store::commit::{CommitRow, CommitStatus};

impl Live {
    /// Takes up what a follower finds, until it ends.
    pub async fn follow(self: Arc<Self>, mut follower: Follower) {
        // Set once: there is one follower in a server's life.
        let _ = self.poke.set(follower.poke());
        while let Some(update) = follower.next().await {
            match update {
                Ok(snapshot) => {
                    if self.unreadable.swap(None).is_some() {
                        self.tell(Happening::RepositoryReadable);
                    }
                    if let Some(snapshot) = snapshot {
                        self.take(snapshot).await;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the repository cannot be read; the last commit stays in force");
                    self.cannot_read(error.to_string());
                }
            }
        }
    }

    /// Notes that the repository cannot be read, since the first time that this was so.
    fn cannot_read(&self, why: String) {
        let since = self.unreadable().map_or_else(Timestamp::now, |unreadable| unreadable.since);
        self.unreadable.store(Some(Arc::new(Unreadable { since, why })));
        self.tell(Happening::RepositoryUnreadable);
    }

    /// Judges a snapshot and puts it in force, unless operators' files are at fault. Returns which it was. Polls are
    /// answered from the commit in force until then.
    pub async fn take(self: &Arc<Self>, snapshot: Snapshot) -> CommitStatus {
        for remark in snapshot.remarks() {
            tracing::warn!(commit = snapshot.commit().as_str(), "{}", remark.message);
        }
        let (live, judged) = (self.clone(), snapshot.clone());
        let commit = snapshot.commit().to_string();
        self.judging.store(Some(Arc::new(commit.clone())));
        let judged = tokio::task::spawn_blocking(move || live.judge(&judged)).await;
        self.judging.store(None);
        let Ok((program, checked)) = judged else {
            let why = "checking this commit failed in an unforeseen way: the server's log says more";
            self.refuse(&snapshot, vec![Diagnostic::error("unforeseen", why, None)]).await;
            return CommitStatus::Broken;
        };
        let (now, all) = (Timestamp::now(), checked.all());
        if !checked.is_usable() {
            self.refuse(&snapshot, all).await;
            return CommitStatus::Broken;
        }
        let kept = checked.nodes.len();
        match kept {
            0 => tracing::info!(commit, "the commit is in force"),
            _ => tracing::warn!(
                commit,
                nodes = kept,
                "the commit is in force; nodes keep an older one by faults of tenants' data"
            ),
        }
        self.in_force.store(Some(Arc::new(InForce::new(program, OnceLock::from(checked)))));
        self.keep(&snapshot).await;
        self.record(&snapshot, CommitStatus::Good, all, now).await;
        self.tell(Happening::CommitTaken { commit });
        CommitStatus::Good
    }

    /// Keeps what came into force for the next start.
    async fn keep(&self, snapshot: &Snapshot) {
        let Some(kept) = self.config.kept.clone() else { return };
        let snapshot = snapshot.clone();
        let put = tokio::task::spawn_blocking(move || kept.put(&snapshot));
        if let Ok(Err(error)) = put.await {
            tracing::error!(%error, "cannot keep the state in force for the next start");
        }
    }

    async fn refuse(&self, snapshot: &Snapshot, problems: Vec<Diagnostic>) {
        let (commit, errors) = (snapshot.commit().to_string(), problems.len());
        tracing::warn!(commit, errors, "the commit is broken; the last good one stays in force");
        self.broken.store(Some(Arc::new(snapshot.clone())));
        self.record(snapshot, CommitStatus::Broken, problems, Timestamp::now()).await;
        self.tell(Happening::CommitBroken { commit });
    }

    /// The one judgement, which is also that of `holdfast check`.
    fn judge(&self, snapshot: &Snapshot) -> (Program, Checked) {
        let Some(in_force) = self.in_force() else {
            let program = Program::new(snapshot, None);
            let checked = check(&program);
            return (program, checked);
        };
        let program = Program::new(snapshot, Some(in_force.program()));
        let before = Before { program: in_force.program(), checked: in_force.checked() };
        let checked = check_after(&program, before);
        (program, checked)
    }

    /// Waits until a commit has been judged: what it came to, or none where it does not come within `patience`.
    pub async fn judged(&self, commit: &str, patience: Duration) -> store::Result<Option<CommitRow>> {
        let mut happenings = self.happenings();
        let mut deadline = tokio::time::Instant::now() + patience;
        loop {
            if self.snapshot(commit).is_some() {
                let rows = self.store.commit(commit.to_owned()).await?;
                let row = rows.into_iter().find(|row| row.environment == self.config.environment);
                if row.is_some() {
                    return Ok(row);
                }
            }
            // Whoever missed some happenings looks again as well.
            if tokio::time::timeout_at(deadline, happenings.recv()).await.is_err() {
                // With many nodes a judgement takes its time: the commit has come.
                if self.judging.load_full().is_none() {
                    return Ok(None);
                }
                deadline = tokio::time::Instant::now() + patience;
            }
        }
    }

    /// Puts a commit in force that was judged good before the server's last start.
    pub fn put_in_force(&self, snapshot: &Snapshot) {
        let program = Program::new(snapshot, None);
        let in_force = Arc::new(InForce::new(program, OnceLock::new()));
        self.in_force.store(Some(in_force.clone()));
        // What is wrong with it is wanted by the judgement of the next one.
        tokio::task::spawn_blocking(move || in_force.checked().is_clean());
    }

    async fn record(
        &self,
        snapshot: &Snapshot,
        status: CommitStatus,
        diagnostics: Vec<Diagnostic>,
        seen_at: Timestamp,
    ) {
        let written = snapshot.written();
        let row = CommitRow {
            environment: self.config.environment.clone(),
            id: snapshot.commit().to_string(),
            seen_at,
            committed_at: written.map(|written| written.at),
            author: written.map(|written| written.author.clone()),
            subject: written.map(|written| written.subject.clone()),
            status,
            diagnostics,
        };
        if let Err(error) = self.store.put_commit(row).await {
            tracing::error!(%error, "cannot note the commit");
        }
    }
}
