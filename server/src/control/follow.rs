//! Takes commits as they arrive. One is judged at a time, and a newer one ends the judgement of an older one, so that
//! nobody waits for a commit that will never be in force.

use holdfast_catalog::commit::CommitId;
use std::pin::pin;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;

use super::{Control, RepositoryFailure, StateChange};
use crate::repo::{Follower, Snapshot, Update};

/// How many commits that were not judged are remembered, for those who ask what became of them.
const MAX_REMEMBERED: usize = 32;

/// Stops a judgement.
#[derive(Debug, Clone, Default)]
pub(super) struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the judgement is to stop.
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Control {
    /// Takes what a follower finds, until it ends.
    pub async fn follow(self: Arc<Self>, mut follower: Follower) {
        // A server has only one follower, so this is set once.
        let _ = self.poke.set(follower.poke());
        let _ = self.history.set(follower.history());
        let mut newer: Option<Snapshot> = None;
        loop {
            newer = match newer.take() {
                // A commit that replaced another is judged to its end. Otherwise commits that arrive faster than they
                // are judged would keep each other from ever coming into force.
                Some(snapshot) => {
                    self.take(snapshot).await;
                    None
                }
                None => match follower.next().await {
                    Some(update) => match self.readable(update) {
                        Some(snapshot) => self.take_unless_overtaken(snapshot, &mut follower).await,
                        None => None,
                    },
                    None => return,
                },
            };
        }
    }

    /// Judges a snapshot until a newer one arrives, which is then returned.
    async fn take_unless_overtaken(
        self: &Arc<Self>,
        snapshot: Snapshot,
        follower: &mut Follower,
    ) -> Option<Snapshot> {
        let (stop, commit) = (StopFlag::default(), snapshot.commit().clone());
        let mut judging = pin!(self.take_until(snapshot, stop.clone()));
        let newer = loop {
            tokio::select! {
                biased;
                update = follower.next() => match update {
                    Some(update) => if let Some(newer) = self.readable(update) { break newer },
                    None => {
                        judging.await;
                        return None;
                    }
                },
                _ = &mut judging => return None,
            }
        };
        stop.set();
        if judging.await.is_none() {
            let by = newer.commit().clone();
            tracing::info!(
                commit = commit.as_str(),
                newer = by.as_str(),
                "a newer commit arrived while this one was being judged, and replaces it"
            );
            self.note_overtaken(commit, by);
        }
        Some(newer)
    }

    /// The snapshot of an update. Records whether the repository can be read.
    fn readable(&self, update: Update) -> Option<Snapshot> {
        match update {
            Ok(snapshot) => {
                if self.unreadable.swap(None).is_some() {
                    tracing::info!("the repository can be read again");
                    self.tell(StateChange::RepositoryReadable);
                }
                snapshot
            }
            Err(error) => {
                tracing::error!(%error, "the repository cannot be read; the last commit stays in force");
                self.cannot_read(error.to_string());
                None
            }
        }
    }

    /// Records that the repository cannot be read, and since when.
    fn cannot_read(&self, why: String) {
        let since = self.unreadable().map_or_else(Timestamp::now, |unreadable| unreadable.since);
        self.unreadable.store(Some(Arc::new(RepositoryFailure { since, why })));
        self.tell(StateChange::RepositoryUnreadable);
    }

    pub(super) fn note_overtaken(&self, commit: CommitId, newer: CommitId) {
        let mut overtaken = self.overtaken.lock().unwrap_or_else(PoisonError::into_inner);
        overtaken.push_back((commit, newer));
        while overtaken.len() > MAX_REMEMBERED {
            overtaken.pop_front();
        }
    }

    /// The commit that was read in place of this one, because several arrived at once and this is not the last of them.
    /// If that happened before anyone asked (`before`), the branch must be known to be elsewhere now.
    pub(super) async fn skipped_for(&self, commit: &CommitId, before: bool) -> Option<CommitId> {
        let history = self.history.get()?.clone();
        let (stands, older) = (self.stands(), commit.clone());
        let look = move || {
            let comes = history.is_at(&older).unwrap_or(before);
            let is_here = stands.iter().flatten().any(|commit| *commit == older);
            let mut newer = stands.into_iter().flatten().filter(|_| !comes && !is_here);
            newer.find(|newer| history.builds_on(newer, &older))
        };
        tokio::task::spawn_blocking(look).await.ok().flatten()
    }

    /// The commit that replaced this one before it was judged.
    pub(super) fn overtaken_by(&self, commit: &CommitId) -> Option<CommitId> {
        let overtaken = self.overtaken.lock().unwrap_or_else(PoisonError::into_inner);
        overtaken.iter().rev().find(|(older, _)| older == commit).map(|(_, newer)| newer.clone())
    }
}
