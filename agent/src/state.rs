//! The agent's own directory: private files that are replaced as a whole or not at all, and the lock of a run.
//!
//! It is not a door to the managed machine (that is [`crate::system`]): no catalog asks for anything in here.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use holdfast_catalog::certname::Certname;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};

mod calls; // which path is waited for
mod holder; // who holds a lock
mod lock; // one at a time
mod order; // whether its content is as it should be

pub(crate) use calls::{StateCall, silent_for};
pub use lock::{LockKind, StateLock};
pub(crate) use order::put_aside_noted;

/// A directory of state: 0700, and everything in it 0600.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    /// `None` if it is missing and is only looked at.
    dir: Option<OwnedFd>,
    purpose: Purpose,
}

/// What it was opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// To store things in it: it and its subdirectories are created.
    Use,
    /// To look: nothing is created, and what is missing counts as empty.
    Look,
}

/// Why state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused an operation.
    #[error("cannot {action} {path}: {error}{}", hint(.error))]
    Io { action: &'static str, path: PathBuf, error: io::Error },
    /// Others could read or replace its content.
    #[error(
        "{path} (mode {mode:04o}, uid {uid}) can be read or written by others: check what is in it, then give it to \
         the agent's user: `chown {own} {path}`, `chmod 0700 {path}`", path = .path.display(), own = rustix::process::geteuid().as_raw()
    )]
    Open { path: PathBuf, mode: u32, uid: u32 },
    /// It is larger than anything that the agent writes.
    #[error("{0} is larger than {1} bytes; remove it")]
    TooLarge(PathBuf, u64),
    /// Something else is in its place.
    #[error("{0} is not a file; remove it")]
    NotAFile(PathBuf),
    /// It exists and cannot be parsed.
    #[error("{0} is damaged or of another version ({1}); the next run writes it again")]
    Damaged(PathBuf, String),
    /// It describes another machine, which this one was before. Its name is only for people at this machine: a report,
    /// in which this error can be shown too, goes to the present owner.
    #[error("{path} is of another machine; the next run writes it again")]
    Foreign { path: PathBuf, certname: Certname },
    /// A call on it did not return.
    #[error("{0} did not answer for {1} s: look at the disk or file system that has it")]
    Silent(PathBuf, u64),
    /// Another process holds the lock.
    #[error("another {0} is in progress: {1}")]
    Locked(&'static str, String),
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => " (run as root, or give another directory with --state-dir)",
        io::ErrorKind::StorageFull => " (free some space on that file system)",
        io::ErrorKind::NotADirectory => " (something else is there: move it away)",
        _ => "",
    }
}

/// What is wrong with a JSON text, and where, without quoting any of it.
pub(crate) fn unfit(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    match error.classify() {
        // These name what was expected, and the position.
        Category::Syntax | Category::Eof | Category::Io => error.to_string(),
        Category::Data => {
            format!("not what is expected there, at line {} column {}", error.line(), error.column())
        }
    }
}

impl Error {
    /// Whether the system is short of descriptors or memory at the moment, which says nothing about the file.
    pub(crate) fn is_shortage(&self) -> bool {
        use rustix::io::Errno;
        let Self::Io { error, .. } = self else { return false };
        matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN))
    }

    /// The error for people at this machine, with the name of the other one if it belongs to another.
    pub(crate) fn for_people_here(&self) -> String {
        match self {
            Self::Foreign { certname, .. } => format!("{self} (it is of {certname})"),
            _ => self.to_string(),
        }
    }

    /// The error if a file of the state has the wrong content. None of that is shown, since it is unknown whose it is.
    pub(crate) fn damaged(path: PathBuf, error: &serde_json::Error) -> Self {
        Self::Damaged(path, unfit(error))
    }
}

impl StateDir {
    /// Opens the directory, and makes it if it is missing.
    ///
    /// # Errors
    /// Fails if that is not possible, or if it is not private.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::opened(path, Purpose::Use)
    }

    /// Opens the directory for a command that only looks: nothing is created or changed in it, and what is missing
    /// counts as empty.
    ///
    /// # Errors
    /// Fails if it exists and cannot be opened, or is not private.
    pub fn look(path: &Path) -> Result<Self, Error> {
        Self::opened(path, Purpose::Look)
    }

    fn opened(path: &Path, purpose: Purpose) -> Result<Self, Error> {
        let _call = StateCall::on(path);
        let failed = |action| move |error: io::Error| Error::Io { action, path: path.to_owned(), error };
        if purpose == Purpose::Use {
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(failed("make the parent of"))?;
            }
            match rustix::fs::mkdir(path, Mode::RWXU) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                Err(error) => return Err(failed("make")(error.into())),
            }
        }
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = match rustix::fs::openat(CWD, path, flags, Mode::empty()) {
            Ok(dir) => dir,
            Err(rustix::io::Errno::NOENT) if purpose == Purpose::Look => {
                return Ok(Self { path: path.to_owned(), dir: None, purpose });
            }
            Err(error) => return Err(failed("open")(error.into())),
        };
        let stat = rustix::fs::fstat(&dir).map_err(|e| failed("look at")(e.into()))?;
        if stat.st_mode & 0o077 != 0 || stat.st_uid != rustix::process::geteuid().as_raw() {
            let mode = stat.st_mode & 0o7777;
            return Err(Error::Open { path: path.to_owned(), mode, uid: stat.st_uid });
        }
        Ok(Self { path: path.to_owned(), dir: Some(dir), purpose })
    }

    /// Opens a directory that already exists and is private; `None` if it does not.
    pub fn existing(path: &Path) -> Option<Self> {
        let _call = StateCall::on(path);
        path.symlink_metadata().is_ok_and(|found| found.is_dir()).then(|| Self::open(path).ok()).flatten()
    }

    /// A subdirectory, opened for the same purpose.
    ///
    /// # Errors
    /// Like [`StateDir::open`].
    pub fn below(&self, name: &str) -> Result<Self, Error> {
        Self::opened(&self.path.join(name), self.purpose)
    }

    /// Whether the directory exists: one that is only looked at may be missing.
    pub fn is_there(&self) -> bool {
        self.dir.is_some()
    }

    /// The open directory. If it is missing, the error is that of every path in it.
    fn fd(&self) -> rustix::io::Result<BorrowedFd<'_>> {
        self.dir.as_ref().map(|dir| dir.as_fd()).ok_or(rustix::io::Errno::NOENT)
    }

    /// Whether it contains a directory of this name; a link to one does not count.
    pub fn has_directory(&self, name: &str) -> bool {
        let path = self.path.join(name);
        let _call = StateCall::on(&path);
        path.symlink_metadata().is_ok_and(|found| found.is_dir())
    }

    /// The path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn failed(&self, action: &'static str, name: &str) -> impl Fn(rustix::io::Errno) -> Error + use<> {
        let path = self.path.join(name);
        move |error| Error::Io { action, path: path.clone(), error: error.into() }
    }

    /// Opens a file; `None` if it does not exist.
    ///
    /// # Errors
    /// Fails if it exists and cannot be opened.
    pub fn file(&self, name: &str) -> Result<Option<std::fs::File>, Error> {
        let _call = StateCall::on(&self.path.join(name));
        // Opening a pipe would wait for its writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = self.fd().and_then(|dir| rustix::fs::openat(dir, name, flags, Mode::empty()));
        let fd = match opened {
            Ok(fd) => fd,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(self.failed("open", name)(error)),
        };
        let stat = rustix::fs::fstat(&fd).map_err(self.failed("look at", name))?;
        if !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() {
            return Err(Error::NotAFile(self.path.join(name)));
        }
        Ok(Some(fd.into()))
    }

    /// The bytes of a file; `None` if it does not exist.
    ///
    /// # Errors
    /// Fails if it cannot be read or has more than `limit` bytes.
    pub fn read(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        let _call = StateCall::on(&self.path.join(name));
        let Some(file) = self.file(name)? else { return Ok(None) };
        let mut bytes = Vec::new();
        let read = file.take(limit + 1).read_to_end(&mut bytes);
        let path = || self.path.join(name);
        read.map_err(|error| Error::Io { action: "read", path: path(), error })?;
        if bytes.len() as u64 > limit {
            return Err(Error::TooLarge(path(), limit));
        }
        Ok(Some(bytes))
    }

    /// Replaces a file as a whole. Afterwards it is the new one, even through a power cut; on an error it is the old
    /// one.
    ///
    /// # Errors
    /// Fails if any step does.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let mut draft = self.draft(name)?;
        draft.write_all(bytes)?;
        draft.commit()
    }

    /// A new file beside `name` that takes its place once it is complete.
    ///
    /// # Errors
    /// Fails if it cannot be made.
    pub fn draft(&self, name: &str) -> Result<Draft<'_>, Error> {
        let temporary = format!(".{name}.new");
        let _call = StateCall::on(&self.path.join(name));
        let dir = self.fd().map_err(self.failed("make", &temporary))?;
        // One writer at a time holds the lock: what is here was left by one that was interrupted.
        let _ = rustix::fs::unlinkat(dir, temporary.as_str(), AtFlags::empty());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(dir, temporary.as_str(), flags, Mode::RUSR | Mode::WUSR)
            .map_err(self.failed("make", &temporary))?;
        Ok(Draft { state: self, dir, file: fd.into(), temporary, name: name.to_owned() })
    }

    /// Removes a file; one that does not exist is not an error.
    ///
    /// # Errors
    /// Fails if it cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        let _call = StateCall::on(&self.path.join(name));
        match self.fd().and_then(|dir| rustix::fs::unlinkat(dir, name, AtFlags::empty())) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(error) => Err(self.failed("remove", name)(error)),
        }
    }

    /// Removes something that can be recreated, whatever it is.
    ///
    /// # Errors
    /// Fails if it cannot be removed.
    pub fn discard(&self, name: &str) -> Result<(), Error> {
        let _call = StateCall::on(&self.path.join(name));
        match self.fd().and_then(|dir| rustix::fs::unlinkat(dir, name, AtFlags::empty())) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(rustix::io::Errno::ISDIR) => {
                let path = self.path.join(name);
                std::fs::remove_dir_all(&path).map_err(|error| Error::Io { action: "remove", path, error })
            }
            Err(error) => Err(self.failed("remove", name)(error)),
        }
    }

    /// Copies a file to another directory, as a whole or not at all. If it does not exist here, it is removed there.
    ///
    /// # Errors
    /// Fails if a step does, or if it is not a file.
    pub fn copy(&self, name: &str, to: &Self) -> Result<(), Error> {
        let _call = StateCall::on(&self.path.join(name));
        let Some(mut file) = self.file(name)? else { return to.remove(name) };
        let mut draft = to.draft(name)?;
        let path = || to.path.join(name);
        io::copy(&mut file, &mut draft.file).map_err(|error| Error::Io {
            action: "write",
            path: path(),
            error,
        })?;
        draft.commit()
    }

    /// Moves a file into another directory of the same state.
    ///
    /// # Errors
    /// Fails if it cannot be moved.
    pub fn hand_over(&self, name: &str, to: &Self) -> Result<(), Error> {
        let _call = StateCall::on(&self.path.join(name));
        let moved = self.fd().and_then(|from| rustix::fs::renameat(from, name, to.fd()?, name));
        moved.map_err(self.failed("move", name))
    }

    /// The names in the directory, sorted, without drafts.
    ///
    /// # Errors
    /// Fails if it cannot be read.
    pub fn names(&self) -> Result<Vec<String>, Error> {
        let _call = StateCall::on(&self.path);
        let failed = self.failed("read", "");
        let Ok(dir) = self.fd() else { return Ok(Vec::new()) };
        let entries = rustix::fs::Dir::read_from(dir).map_err(&failed)?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(&failed)?;
            names.extend(entry.file_name().to_str().ok().filter(|n| !n.starts_with('.')).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }
}

/// New content of a file. [`Draft::commit`] puts it in place; otherwise it leaves no trace.
#[derive(Debug)]
pub struct Draft<'a> {
    state: &'a StateDir,
    dir: BorrowedFd<'a>,
    file: std::fs::File,
    temporary: String,
    name: String,
}

impl Draft<'_> {
    /// Adds bytes.
    ///
    /// # Errors
    /// Fails if they cannot be written, such as on a full disk.
    pub fn write_all(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let path = || self.state.path.join(&self.name);
        let _call = StateCall::on(&path());
        self.file.write_all(bytes).map_err(|error| Error::Io { action: "write", path: path(), error })
    }

    /// Puts the content in place, durably.
    ///
    /// # Errors
    /// Fails if a step does; then the old file is still there.
    pub fn commit(self) -> Result<(), Error> {
        let _call = StateCall::on(&self.state.path.join(&self.name));
        let failed = |action| self.state.failed(action, &self.name);
        rustix::fs::fsync(&self.file).map_err(failed("write"))?;
        rustix::fs::renameat(self.dir, self.temporary.as_str(), self.dir, self.name.as_str())
            .map_err(failed("replace"))?;
        rustix::fs::fsync(self.dir).map_err(failed("write"))
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        // After a commit, nothing is there any more.
        let _ = rustix::fs::unlinkat(self.dir, self.temporary.as_str(), AtFlags::empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    pub(super) fn open() -> (tempfile::TempDir, StateDir) {
        let parent = tempfile::tempdir().unwrap();
        let state = StateDir::open(&parent.path().join("var/agent")).unwrap();
        (parent, state)
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_are_private_from_the_first_byte_and_replaced_whole() {
        let (_parent, state) = open();
        assert_eq!(mode(state.path()), 0o700);
        state.replace("a", b"one").unwrap();
        let mut draft = state.draft("a").unwrap();
        draft.write_all(b"two").unwrap();
        assert_eq!(mode(&state.path().join(".a.new")), 0o600);
        drop(draft);
        assert_eq!(state.read("a", 9).unwrap().unwrap(), b"one");
        state.replace("a", b"three").unwrap();
        assert_eq!(state.read("a", 9).unwrap().unwrap(), b"three");
        assert_eq!(state.names().unwrap(), ["a"]);
        assert!(state.read("b", 9).unwrap().is_none());
        assert!(matches!(state.read("a", 4), Err(Error::TooLarge(..))));
    }

    #[test]
    fn a_directory_that_others_can_open_is_refused() {
        let (_parent, state) = open();
        std::fs::set_permissions(state.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(StateDir::open(state.path()), Err(Error::Open { mode: 0o755, .. })));
    }

    #[test]
    fn to_look_makes_nothing_and_what_is_missing_is_as_good_as_empty() {
        let parent = tempfile::tempdir().unwrap();
        let missing = StateDir::look(&parent.path().join("var/agent")).unwrap();
        let below = missing.below("spool").unwrap();
        for state in [&missing, &below] {
            assert!(!state.is_there() && state.names().unwrap().is_empty());
            assert!(state.read("a", 9).unwrap().is_none() && state.replace("a", b"x").is_err());
            state.discard("a").unwrap();
        }
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
        let (_parent, made) = open();
        assert!(!StateDir::look(made.path()).unwrap().below("spool").unwrap().is_there());
        assert!(made.names().unwrap().is_empty());
        assert!(made.below("spool").unwrap().is_there());
    }

    #[test]
    fn a_link_in_place_of_a_file_is_not_followed() {
        let (parent, state) = open();
        std::fs::write(parent.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink(parent.path().join("secret"), state.path().join("a")).unwrap();
        assert!(state.read("a", 9).is_err());
    }

    #[test]
    fn f20_what_is_no_file_is_never_waited_for_and_can_be_thrown_away() {
        let (_parent, state) = open();
        let path = state.path().join("x");
        rustix::fs::mknodat(CWD, &path, rustix::fs::FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert!(matches!(state.file("x"), Err(Error::NotAFile(_))));
        state.discard("x").unwrap();
        std::fs::create_dir_all(path.join("y/z")).unwrap();
        assert!(matches!(state.read("x", 9), Err(Error::NotAFile(_))));
        state.discard("x").unwrap();
        assert!(state.read("x", 9).unwrap().is_none());
        state.discard("x").unwrap();
    }
}
