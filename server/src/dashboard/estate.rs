//! What the dashboard asks of the running server beyond the store: the machines and the files of the commit in force,
//! whether the repository can be read, and what happens.

use tokio::sync::broadcast;

use crate::excerpt::Excerpts;
pub use crate::fleet::Inventory;
use crate::live::{Happening, Live, Unreadable};

/// The running server, as far as pages show it.
pub trait Estate: Inventory {
    /// The lines of a commit, to show that of an error; none where it is not at hand any more.
    fn excerpts(&self, commit: &str) -> Option<Excerpts>;

    /// Whether there is a good commit to answer polls from.
    fn has_commit(&self) -> bool;

    /// Why the repository cannot be read, where that is so: commits do not come into force.
    fn unreadable(&self) -> Option<Unreadable>;

    /// What happens from now on.
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

    fn happenings(&self) -> broadcast::Receiver<Happening> {
        self.happenings()
    }
}
