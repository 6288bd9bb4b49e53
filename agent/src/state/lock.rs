//! Locks: one run at a time, and one daemon.
//!
//! The file of a lock says who holds it. Beside it, a directory is locked that nobody can remove while the agent works.
//! So if the file is removed or replaced in the meantime, that lets no other process in.

use std::io::Write as _;
use std::os::fd::OwnedFd;

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::{Error, StateCall, StateDir, order};

/// What only one process may do at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    Run,
    Daemon,
}

impl LockKind {
    /// The file that is locked.
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Run => "lock",
            Self::Daemon => "daemon",
        }
    }

    /// The directory that is locked beside it; the daemon and its run must not lock the same one.
    pub(super) fn directory(self) -> &'static str {
        match self {
            Self::Run => ".",
            Self::Daemon => "identity",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Daemon => "daemon",
        }
    }
}

/// A lock; the system frees it when the process ends, however it ends.
#[derive(Debug)]
pub struct StateLock {
    /// A note about what was in its way, if anything was.
    pub note: Option<String>,
    held: [Option<OwnedFd>; 2],
}

impl Drop for StateLock {
    fn drop(&mut self) {
        // A child that is being started also has them open until it executes its program: closing alone would not free
        // them.
        for held in self.held.iter().flatten() {
            let _freed = rustix::fs::flock(held, FlockOperation::Unlock);
        }
    }
}

impl StateDir {
    /// Takes the lock of a run.
    ///
    /// # Errors
    /// Fails if another process holds it: which, and since when.
    pub fn lock(&self) -> Result<StateLock, Error> {
        self.take(LockKind::Run)
    }

    /// Takes a lock.
    ///
    /// # Errors
    /// Fails if another process holds it: which, and since when.
    pub fn take(&self, held: LockKind) -> Result<StateLock, Error> {
        let _call = StateCall::on(&self.path.join(held.file()));
        let directory = self.open_directory(held).filter(is_lockable);
        let directory = directory.map(|directory| self.flock(directory, held)).transpose()?;
        let place = self.path.join(held.file());
        let is_odd = place.symlink_metadata().is_ok_and(|found| !found.is_file());
        // Only the process that has locked the directory may touch the file.
        let note = (is_odd && directory.is_some()).then(|| order::put_aside_noted(&place, "a file"));
        let file = match self.open_lock(held) {
            Ok(file) => Some(self.flock(file, held)?),
            Err(Errno::ROFS | Errno::NOSPC | Errno::DQUOT | Errno::NOENT) if directory.is_some() => None,
            Err(error) => return Err(self.failed("open", held.file())(error)),
        };
        if let Some(file) = file.as_ref().and_then(|file| file.try_clone().ok()) {
            let mut file = std::fs::File::from(file);
            let holder = format!("process {} since {:.0}\n", std::process::id(), jiff::Timestamp::now());
            // Only for people: the lock itself belongs to the system, whatever the file contains.
            let _ = file.set_len(0).and_then(|()| file.write_all(holder.as_bytes()));
        }
        Ok(StateLock { note, held: [directory, file] })
    }

    fn open_directory(&self, held: LockKind) -> Option<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(self.fd().ok()?, held.directory(), flags, Mode::empty()).ok()
    }

    /// The file of a lock, made if it is missing. If nothing can be written, it is opened as it is.
    fn open_lock(&self, held: LockKind) -> rustix::io::Result<OwnedFd> {
        // Opening a pipe would wait for its writer.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let dir = self.fd()?;
        let open = |flags| rustix::fs::openat(dir, held.file(), flags, Mode::RUSR | Mode::WUSR);
        open(flags | OFlags::RDWR | OFlags::CREATE).or_else(|error| match error {
            Errno::ROFS | Errno::NOSPC | Errno::DQUOT => open(flags | OFlags::RDONLY),
            other => Err(other),
        })
    }

    fn flock(&self, fd: OwnedFd, held: LockKind) -> Result<OwnedFd, Error> {
        match rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(fd),
            Err(Errno::WOULDBLOCK) => {
                let holder = self.holder(held).unwrap_or_else(|| "the process is not visible".to_owned());
                Err(Error::Locked(held.word(), holder))
            }
            Err(error) => Err(self.failed("lock", held.file())(error)),
        }
    }
}

/// Whether the directory can be locked. Not every file system supports that; then there is only the file.
fn is_lockable(directory: &OwnedFd) -> bool {
    let tried = rustix::fs::flock(directory, FlockOperation::NonBlockingLockExclusive);
    matches!(tried, Ok(()) | Err(Errno::WOULDBLOCK))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::super::tests::open;
    use super::*;

    /// The message by which a second process is refused.
    fn kept_out(state: &StateDir, held: LockKind) -> String {
        state.take(held).unwrap_err().to_string()
    }

    #[test]
    fn the_second_run_is_told_who_runs() {
        let (_parent, state) = open();
        let lock = state.lock().unwrap();
        let error = kept_out(&state, LockKind::Run);
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(lock);
        assert!(state.lock().is_ok());
    }

    #[test]
    fn a_child_that_has_not_begun_yet_keeps_no_lock_that_is_given_back() {
        let (_parent, state) = open();
        state.below("identity").unwrap();
        for held in [LockKind::Run, LockKind::Daemon] {
            let lock = state.take(held).unwrap();
            // As in a child between its fork and its program.
            let theirs: Vec<_> = lock.held.iter().flatten().map(|fd| fd.try_clone().unwrap()).collect();
            assert_eq!(theirs.len(), 2, "{held:?}");
            drop(lock);
            assert!(state.take(held).is_ok(), "{held:?}");
        }
    }

    #[test]
    fn f21_whatever_becomes_of_the_file_of_a_lock_it_is_one_and_seen() {
        let spoils: [fn(&Path); 4] = [
            |path| drop(std::fs::remove_file(path)),
            |path| std::fs::write(path, "hello\n").unwrap(),
            |path| {
                std::fs::remove_file(path).unwrap();
                std::fs::create_dir(path).unwrap();
            },
            |path| {
                std::fs::remove_file(path).unwrap();
                symlink("/nowhere", path).unwrap();
            },
        ];
        for held in [LockKind::Run, LockKind::Daemon] {
            for (case, spoil) in spoils.into_iter().enumerate() {
                let (_parent, state) = open();
                state.below("identity").unwrap();
                let lock = state.take(held).unwrap();
                spoil(&state.path().join(held.file()));
                let holder = format!("process {}", std::process::id());
                assert_eq!(state.holder(held).as_deref(), Some(&*holder), "{held:?}, {case}");
                assert!(kept_out(&state, held).contains(&holder), "{held:?}, {case}");
                drop(lock);
                assert_eq!(state.holder(held), None, "{held:?}, {case}");
                assert!(state.take(held).is_ok(), "{held:?}, {case}");
            }
        }
    }

    #[test]
    fn f20_what_stands_in_the_place_of_a_lock_is_put_aside_and_said() {
        let fifo = |path: &Path| {
            rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, Mode::RWXU, 0).unwrap();
        };
        type Odd<'a> = (&'a str, &'a dyn Fn(&Path));
        let odd: [Odd<'_>; 3] = [
            ("a FIFO", &fifo),
            ("a directory", &|path| std::fs::create_dir_all(path.join("x")).unwrap()),
            ("a link", &|path| symlink("/nowhere", path).unwrap()),
        ];
        for (word, make) in odd {
            let (_parent, state) = open();
            make(&state.path().join("lock"));
            assert_eq!(state.holder(LockKind::Run), None, "{word}");
            let note = state.lock().unwrap().note.clone().unwrap();
            assert!(note.contains(word) && note.contains("set aside as"), "{note}");
            assert!(state.path().join("lock").is_file());
            assert_eq!(state.lock().unwrap().note, None, "{word}");
        }
    }
}
