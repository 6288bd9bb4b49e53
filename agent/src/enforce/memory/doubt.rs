//! What is not known, since an earlier run did not end: the mark of a run on disk, and what becomes of it.
//!
//! The mark stands while a run changes the machine. The first run that finds it says so. One that corrects has its own last
//! look, and ends the doubt by that. One that only looks gives the run that did not end the look that it never had: what is
//! as wanted then counts as left so, what is off then stays in doubt until it is corrected, and is said to be.

use std::path::Path;

use super::{Memory, PRIVATE};
use crate::system::{Inspect as _, System as _, write_durably};

/// There while a run changes the machine, and after one that did not end: what an earlier run left is not so any more then.
pub(crate) const UNENDED: &str = "/unended";

/// The longest text of a mark.
const MOST: u64 = 64;

impl Memory {
    /// When an earlier run began that did not end; none where all did.
    pub(super) fn unended(&self) -> Option<String> {
        let began = self.dir.read(Path::new(UNENDED), MOST).ok()??;
        Some(String::from_utf8_lossy(&began).trim().to_owned())
    }

    /// Says on disk, before the first change, that a run is changing the machine: [`Memory::remember`] takes it back.
    pub(in crate::enforce) fn begin(&self) {
        if self.begun.replace(true) || self.in_doubt.is_some() {
            return;
        }
        let now = format!("{:.0}\n", jiff::Timestamp::now());
        if let Err(error) = write_durably(&self.dir, Path::new(UNENDED), PRIVATE, now.as_bytes()) {
            self.note(format!(
                "that this run began could not be written down: a kill would not have been noticed ({error})"
            ));
        }
    }

    /// The run came to its end, or has given the one that did not the look that it lacked.
    pub(super) fn end(&self) {
        let is_there = self.begun.get() || self.in_doubt.is_some();
        let done = || self.dir.remove(Path::new(UNENDED)).and_then(|()| self.dir.settle());
        if let Some(Err(error)) = is_there.then(done) {
            self.note(format!(
                "that this run ended could not be written down: the next one takes it for one that did not ({error})"
            ));
        }
    }
}

/// What is said of a run that did not end.
pub(super) fn words(began: &str) -> String {
    format!(
        "an earlier run, begun {began}, did not end: what it changed is in no report, and of what is off now nobody can tell \
         drift from new wishes"
    )
}

/// What is said of a change that would be drift, had that run ended.
pub(super) fn of_a_change(began: &str) -> String {
    format!("perhaps drift: the run begun {began} did not end, and may have put it off")
}
