//! What the dashboard asks the running server for, beyond the store: the machines and the files of the commit in force,
//! whether the repository can be read, and what happens.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::excerpt::Excerpts;
pub use crate::fleet::Inventory;
use crate::live::{Happening, Live, Unreadable};
use crate::measure::Measures;
use crate::repo::Looks;

/// The running server, as far as pages show it.
pub trait Estate: Inventory {
    /// The lines of a commit, to show those of an error; `None` if the commit is no longer available.
    fn excerpts(&self, commit: &str) -> Option<Excerpts>;

    /// Whether there is a good commit to answer polls from.
    fn has_commit(&self) -> bool;

    /// Why the repository cannot be read, so that no commits come into force; `None` if it can.
    fn unreadable(&self) -> Option<Unreadable>;

    /// How often the repository was looked at so far, and with which result.
    fn looks(&self) -> Looks;

    /// The counters of the server's work.
    fn measures(&self) -> Arc<Measures>;

    /// Subscribes to what happens from now on.
    fn happenings(&self) -> broadcast::Receiver<Happening>;
}

impl Estate for Live {
    fn excerpts(&self, commit: &str) -> Option<Excerpts> {
        let snapshot = self.snapshot(commit)?;
        let in_force = self.in_force();
        Some(Excerpts::new(&snapshot, in_force.as_ref().map(|in_force| in_force.program().modules())))
    }

    fn has_commit(&self) -> bool {
        self.in_force().is_some()
    }

    fn unreadable(&self) -> Option<Unreadable> {
        self.unreadable()
    }

    fn looks(&self) -> Looks {
        self.looks()
    }

    fn measures(&self) -> Arc<Measures> {
        self.measures().clone()
    }

    fn happenings(&self) -> broadcast::Receiver<Happening> {
        self.happenings()
    }
}
