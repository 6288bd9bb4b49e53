//! Who holds a lock at the moment. It is looked up and never tried: a try that succeeds would keep a run from
//! beginning.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::{LockKind, StateCall, StateDir};

/// The most bytes of a holder's description.
const MAX_BYTES: u64 = 4096;

/// Less free space than this, in bytes, counts as none: a run leaves at least this much, with its report.
const LEAST_ROOM: u64 = 16 * 1024;

impl StateDir {
    /// The process that holds a lock: `process 12 since 2026-01-01T00:00:00Z`, or as much of that as is known; `None`
    /// if no process does.
    pub fn holder(&self, held: LockKind) -> Option<String> {
        let file = self.path().join(held.file());
        let _call = StateCall::on(&file);
        let words = self.read(held.file(), MAX_BYTES).ok().flatten().unwrap_or_default();
        let words = String::from_utf8_lossy(&words).trim().to_owned();
        let named = words.strip_prefix("process ").and_then(|rest| rest.split_whitespace().next());
        let named = named.and_then(|word| word.parse::<u32>().ok());
        if named.is_some_and(|process| has_open(process, &file)) {
            return Some(words);
        }
        // The file was removed or written to in the meantime; the kernel still knows.
        let locks = std::fs::read_to_string("/proc/locks").ok()?;
        let directory = self.path().join(held.directory());
        let process = [file, directory].iter().find_map(|path| locked_by(&locks, path))?;
        Some(match process.parse::<u32>() {
            Ok(process) => format!("process {process}"),
            Err(_) => "a process that is not visible from here".to_owned(),
        })
    }

    /// Why nothing can be written here, if that is so: a run could not begin.
    pub fn unwritable(&self) -> Option<String> {
        let _call = StateCall::on(self.path());
        let cannot = |why: std::io::Error| format!("{} cannot be written: {why}", self.path().display());
        let access = rustix::fs::access(self.path(), rustix::fs::Access::WRITE_OK);
        let full = || rustix::fs::statvfs(self.path()).is_ok_and(|room| is_full(&room));
        let full = || full().then(|| cannot(std::io::ErrorKind::StorageFull.into()));
        access.err().map(|error| cannot(error.into())).or_else(full)
    }
}

/// Whether a file system has no space for what a run leaves.
fn is_full(room: &rustix::fs::StatVfs) -> bool {
    let counts_inodes = room.f_files > 0;
    room.f_bfree.saturating_mul(room.f_frsize) < LEAST_ROOM || (counts_inodes && room.f_ffree == 0)
}

/// Whether a process has a file open. Its id may have been reused by now, but another process would not have this file
/// open.
fn has_open(process: u32, file: &Path) -> bool {
    let identity = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
    let Some(wanted) = identity(file) else { return false };
    let Ok(open) = std::fs::read_dir(format!("/proc/{process}/fd")) else { return false };
    open.flatten().any(|entry| identity(&entry.path()) == Some(wanted))
}

/// The process that has locked a file, from the kernel's list: `1: FLOCK  ADVISORY  WRITE 702 fd:00:1305 0 EOF`.
fn locked_by<'a>(locks: &'a str, path: &Path) -> Option<&'a str> {
    let found = path.symlink_metadata().ok()?;
    let (major, minor) = (rustix::fs::major(found.dev()), rustix::fs::minor(found.dev()));
    let place = format!("{major:02x}:{minor:02x}:{}", found.ino());
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let is_lock = words.next() == Some("FLOCK");
        let (process, at) = (words.nth(2)?, words.next()?);
        (is_lock && at == place).then_some(process)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_seen_while_it_is_held_and_looking_takes_it_from_nobody() {
        let parent = tempfile::tempdir().unwrap();
        let state = StateDir::open(&parent.path().join("agent")).unwrap();
        assert_eq!(state.holder(LockKind::Run), None);
        let lock = state.lock().unwrap();
        let holder = state.holder(LockKind::Run).unwrap();
        assert!(holder.starts_with(&format!("process {} since ", std::process::id())), "{holder}");
        assert_eq!(state.holder(LockKind::Daemon), None, "a run is not a daemon");
        drop(lock);
        assert_eq!(state.holder(LockKind::Run), None, "what is in the file is of the past");
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
        assert_eq!(state.holder(LockKind::Daemon), None);
    }
}
