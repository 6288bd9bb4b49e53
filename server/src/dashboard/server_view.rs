//! What the dashboard asks the running server for, beyond the store: the machines and the files of the commit in force,
//! whether the repository can be read, and what happens.

use holdfast_catalog::commit::CommitId;
use std::sync::Arc;

use tokio::sync::broadcast;

use crate::control::{Control, RepositoryFailure, StateChange};
use crate::excerpt::Excerpts;
pub use crate::fleet::InventoryView;
use crate::metrics::Metrics;
use crate::repo::LookCounts;

/// The running server, as far as pages show it.
pub trait ServerView: InventoryView {
    /// The lines of a commit, to show those of an error; `None` if the commit is no longer available.
    fn excerpts(&self, commit: &CommitId) -> Option<Excerpts>;

    /// Whether there is a good commit to answer polls from.
    fn has_commit(&self) -> bool;

    /// Why the repository cannot be read, so that no commits come into force; `None` if it can.
    fn unreadable(&self) -> Option<RepositoryFailure>;

    /// How often the repository was looked at so far, and with which result.
    fn looks(&self) -> LookCounts;

    /// The counters of the server's work.
    fn metrics(&self) -> Arc<Metrics>;

    /// Subscribes to what happens from now on.
    fn state_changes(&self) -> broadcast::Receiver<StateChange>;
}

impl ServerView for Control {
    fn excerpts(&self, commit: &CommitId) -> Option<Excerpts> {
        let snapshot = self.snapshot(commit)?;
        let in_force = self.in_force();
        Some(Excerpts::new(&snapshot, in_force.as_ref().map(|in_force| in_force.program().modules())))
    }

    fn has_commit(&self) -> bool {
        self.in_force().is_some()
    }

    fn unreadable(&self) -> Option<RepositoryFailure> {
        self.unreadable()
    }

    fn looks(&self) -> LookCounts {
        self.looks()
    }

    fn metrics(&self) -> Arc<Metrics> {
        self.metrics().clone()
    }

    fn state_changes(&self) -> broadcast::Receiver<StateChange> {
        self.state_changes()
    }
}
