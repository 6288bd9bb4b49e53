//! Who holds a lock just now. It is looked for and never tried: a try that succeeds would keep a run from beginning.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::{Error, Held, StateDir};

/// The longest words of a holder.
const MOST: u64 = 4096;

/// Less room than this is none: so much a run leaves at least, with its report.
const LEAST_ROOM: u64 = 16 * 1024;

impl StateDir {
    /// The process that holds a lock: `process 12 since 2026-01-01T00:00:00Z`; none where nobody does.
    ///
    /// # Errors
    /// Where the file of the lock cannot be read.
    pub fn holder(&self, held: Held) -> Result<Option<String>, Error> {
        let Some(words) = self.read(held.file(), MOST)? else { return Ok(None) };
        let words = String::from_utf8_lossy(&words).trim().to_owned();
        let process = words.split_whitespace().nth(1).and_then(|word| word.parse::<u32>().ok());
        Ok(process.filter(|process| has_open(*process, &self.path().join(held.file()))).map(|_| words))
    }

    /// Why nothing can be written here, where that is so: a run could not begin.
    pub fn unwritable(&self) -> Option<String> {
        let cannot = |why: std::io::Error| format!("{} cannot be written: {why}", self.path().display());
        let access = rustix::fs::access(self.path(), rustix::fs::Access::WRITE_OK);
        let full = || rustix::fs::statvfs(self.path()).is_ok_and(|room| is_full(&room));
        let full = || full().then(|| cannot(std::io::ErrorKind::StorageFull.into()));
        access.err().map(|error| cannot(error.into())).or_else(full)
    }
}

/// Whether a file system has no room for what a run leaves to be told.
fn is_full(room: &rustix::fs::StatVfs) -> bool {
    let counts_inodes = room.f_files > 0;
    room.f_bfree.saturating_mul(room.f_frsize) < LEAST_ROOM || (counts_inodes && room.f_ffree == 0)
}

/// Whether a process has a file open. Its number may be another's by now, and what it has open is not.
fn has_open(process: u32, file: &Path) -> bool {
    let identity = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
    let Some(wanted) = identity(file) else { return false };
    let Ok(open) = std::fs::read_dir(format!("/proc/{process}/fd")) else { return false };
    open.flatten().any(|entry| identity(&entry.path()) == Some(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_seen_while_it_is_held_and_looking_takes_it_from_nobody() {
        let parent = tempfile::tempdir().unwrap();
        let state = StateDir::open(&parent.path().join("agent")).unwrap();
        assert_eq!(state.holder(Held::Run).unwrap(), None);
        let lock = state.lock().unwrap();
        let holder = state.holder(Held::Run).unwrap().unwrap();
        assert!(holder.starts_with(&format!("process {} since ", std::process::id())), "{holder}");
        assert_eq!(state.holder(Held::Daemon).unwrap(), None, "a run is no daemon");
        drop(lock);
        assert_eq!(state.holder(Held::Run).unwrap(), None, "what stands in the file is of the past");
        state.lock().unwrap();
    }

    #[test]
    fn a_number_that_is_another_process_by_now_holds_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let state = StateDir::open(&parent.path().join("agent")).unwrap();
        state
            .replace(
                "daemon",
                format!("process {} since 1970-01-01T00:00:00Z\n", std::process::id()).as_bytes(),
            )
            .unwrap();
        assert_eq!(state.holder(Held::Daemon).unwrap(), None);
    }
}
