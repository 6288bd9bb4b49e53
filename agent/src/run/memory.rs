//! Where a run keeps what the next one is to know: in the agent's state, or, where that takes nothing, in a place that goes
//! with the run. A machine with a full or read-only disk is still kept as it should be.

use std::path::Path;

use super::Error;
use crate::state::{self, StateDir};

/// Where else a run can remember: what it left and what is owed, for as long as it lasts.
const ELSEWHERE: [&str; 3] = ["/run", "/dev/shm", "/tmp"];

const NAME: &str = "memory";

/// When a run began that changed the machine and did not end; also of one that is going on.
pub fn unended(state: &StateDir) -> Option<String> {
    let mark = state.path().join(NAME).join(crate::enforce::UNENDED.trim_start_matches('/'));
    std::fs::read_to_string(mark).ok().map(|began| began.trim().to_owned())
}

/// The directory.
pub(super) struct Memory {
    dir: StateDir,
    /// Why it goes with the run.
    pub(super) lent: Option<state::Error>,
}

impl Memory {
    pub(super) fn open(state: &StateDir) -> Result<Self, Error> {
        let kept = state.below(NAME).and_then(|memory| memory.draft("probe").map(drop).map(|()| memory));
        match kept {
            Ok(dir) => Ok(Self { dir, lent: None }),
            Err(error @ state::Error::Io { .. }) => {
                let name = format!("holdfast-{}", uuid::Uuid::now_v7());
                let lent = ELSEWHERE.iter().find_map(|at| StateDir::open(&Path::new(at).join(&name)).ok());
                match lent {
                    Some(dir) => Ok(Self { dir, lent: Some(error) }),
                    None => Err(error.into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.lent.is_some() {
            // It is in memory, or goes with the next boot.
            let _ = std::fs::remove_dir_all(self.dir.path());
        }
    }
}
