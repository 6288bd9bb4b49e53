//! Commits: checked first, then in force; a broken one leaves the last good in force.

use std::sync::Arc;
use std::time::Duration;

use holdfast_catalog::diagnostic::Diagnostic;
use jiff::Timestamp;

use super::{Happening, InForce, Live};
use crate::check::{check, check_sources};
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
                    self.take(snapshot).await;
                }
                Err(error) => {
                    tracing::error!(%error, "the repository cannot be read; the last commit stays in force");
                }
            }
        }
    }

    /// Checks a snapshot and puts it in force, unless it is broken. Returns which it was.
    pub async fn take(self: &Arc<Self>, snapshot: Snapshot) -> CommitStatus {
        let live = self.clone();
        let judged = tokio::task::spawn_blocking(move || {
            let program = live.program_of(&snapshot);
            let checked = check_sources(&program);
            (program, checked)
        });
        let Ok((program, checked)) = judged.await else {
            tracing::error!(
                "checking a commit failed in an unforeseen way; the last good one stays in force"
            );
            return CommitStatus::Broken;
        };
        let (snapshot, now) = (program.snapshot().clone(), Timestamp::now());
        let commit = snapshot.commit().to_string();
        if !checked.is_usable() {
            tracing::warn!(
                commit,
                errors = checked.fatal.len(),
                "the commit is broken; the last good one stays in force"
            );
            self.broken.store(Some(Arc::new(snapshot.clone())));
            self.record(&snapshot, CommitStatus::Broken, checked.all(), now).await;
            self.tell(Happening::CommitBroken { commit });
            return CommitStatus::Broken;
        }
        let in_force = Arc::new(InForce::new(program));
        self.in_force.store(Some(in_force.clone()));
        tracing::info!(commit, "the commit is in force");
        self.record(&snapshot, CommitStatus::Good, checked.all(), now).await;
        self.tell(Happening::CommitTaken { commit });
        // Each node's compile takes time where there are many; the commit need not wait for it.
        actix_web::rt::spawn(self.clone().complete(in_force, snapshot, now));
        CommitStatus::Good
    }

    /// Waits until a commit has been judged: what it came to, or none where that takes longer than `patience`.
    pub async fn judged(&self, commit: &str, patience: Duration) -> store::Result<Option<CommitRow>> {
        let mut happenings = self.happenings();
        let deadline = tokio::time::Instant::now() + patience;
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
                return Ok(None);
            }
        }
    }

    /// Puts the last good commit in force at a start at which the newest one is broken.
    pub fn put_in_force(&self, snapshot: &Snapshot) {
        self.in_force.store(Some(Arc::new(InForce::new(Program::new(snapshot, None)))));
    }

    async fn complete(self: Arc<Self>, in_force: Arc<InForce>, snapshot: Snapshot, taken: Timestamp) {
        let checked = tokio::task::spawn_blocking(move || check(in_force.program())).await;
        if let Ok(checked) = checked
            && !checked.is_clean()
        {
            self.record(&snapshot, CommitStatus::Good, checked.all(), taken).await;
            self.tell(Happening::CommitTaken { commit: snapshot.commit().to_string() });
        }
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
