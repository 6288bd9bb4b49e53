//! The data directory: used by one server at a time, with each entry of the kind that the server made. A pipe in place
//! of a file would block the start for ever, and a broken link would make the server create a new key at its target.

use std::fs::{self, File, FileType, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::admin;

/// Why a data directory is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    #[error("the data directory {path}: {source}{}", hint(source))]
    Refused {
        /// The path in the directory.
        path: String,
        source: io::Error,
    },
    /// Others can read it, or own it.
    #[error(
        "the data directory {0} belongs to another user or is open to others: if only the server uses it, `chown` it \
         to the server's user and `chmod 700 {0}`; otherwise name another"
    )]
    Open(String),
    /// Another server uses it.
    #[error("another server is running on {0}: stop it first")]
    Running(String),
    /// Something else is in the place of a part of the server's state.
    #[error("{path} is {found}, but the server needs {wanted} there: {cure}. Nothing was changed")]
    Strange {
        path: String,
        found: &'static str,
        /// What the server made there.
        wanted: &'static str,
        cure: &'static str,
    },
    /// A part belongs to another user.
    #[error(
        "{path} is owned by the user {owner}, and the server runs as the user {server}: `chown {server} {path}`. \
         Nothing was changed"
    )]
    Foreign {
        path: String,
        owner: u32,
        /// The user that the server runs as.
        server: u32,
    },
}

/// A hint: under systemd, the unit determines where the server may write.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => {
            "; the unit lets the server write only to /var/lib/holdfast: run `systemctl edit holdfast-server`, and add \
             `[Service]` with `ReadWritePaths=` and a directory that exists"
        }
        _ => "",
    }
}

/// What the server makes at a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PartKind {
    File,
    Directory,
    Socket,
}

impl PartKind {
    fn words(self) -> &'static str {
        match self {
            Self::File => "a file",
            Self::Directory => "a directory",
            Self::Socket => "a socket",
        }
    }

    fn is(self, found: FileType) -> bool {
        match self {
            Self::File => found.is_file(),
            Self::Directory => found.is_dir(),
            Self::Socket => found.is_socket(),
        }
    }
}

/// The parts that can never be made again.
const KEPT: [(&str, PartKind); 6] = [
    ("server.db", PartKind::File),
    ("server.db-wal", PartKind::File),
    ("ca", PartKind::Directory),
    ("ca/ca.pem", PartKind::File),
    ("ca/key.pem", PartKind::File),
    ("ca/token.key", PartKind::File),
];

/// The last good state of a followed directory. It can be made again as long as the directory is good, which is not
/// known yet: it may be the only good state left.
const LAST_GOOD: &str = "last-good";

/// The parts that the server makes again if they are missing.
const MADE_AGAIN: [(&str, PartKind); 6] = [
    ("server.db-shm", PartKind::File),
    ("ca.new", PartKind::Directory),
    ("mirror", PartKind::Directory),
    (LAST_GOOD, PartKind::File),
    ("last-good.new", PartKind::File),
    (admin::SOCKET, PartKind::Socket),
];

/// Keeps other servers off a data directory.
pub struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // While a child process is being started, it has the directory open too, so closing alone would not release the
        // lock.
        let _freed = rustix::fs::flock(&self.0, FlockOperation::Unlock);
    }
}

/// Creates the data directory if it does not exist, keeps other servers off it as long as the result lives, and checks
/// what is in it.
///
/// # Errors
/// Returns why the server must not start with it.
pub fn take(directory: &Path) -> Result<Lock, DataDirError> {
    let failed = refused(directory);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    // An existing directory may belong to others or be open to them, and the store and the socket rely on its
    // protection. It is not changed here: a mistyped path must not close a directory of the system.
    let found = fs::metadata(directory).map_err(refused(directory))?;
    if found.mode() & 0o077 != 0 || found.uid() != us() {
        return Err(DataDirError::Open(directory.display().to_string()));
    }
    let lock = lock(directory)?;
    look(directory)?;
    Ok(lock)
}

/// Locks the directory itself: a file in it could be removed, and the next one with its name would be another. The lock
/// ends with the process, however that ends.
fn lock(directory: &Path) -> Result<Lock, DataDirError> {
    let opened = File::open(directory).map_err(refused(directory))?;
    match rustix::fs::flock(&opened, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Lock(opened)),
        Err(Errno::WOULDBLOCK) => Err(DataDirError::Running(directory.display().to_string())),
        Err(error) => Err(refused(directory)(error.into())),
    }
}

/// Checks everything that must not be lost before anything is repaired.
fn look(directory: &Path) -> Result<(), DataDirError> {
    for (part, kind) in KEPT {
        look_at_kept(&directory.join(part), kind)?;
    }
    let last_good = directory.join(LAST_GOOD);
    if last_good.is_file() {
        look_at_kept(&last_good, PartKind::File)?;
    }
    for (part, kind) in MADE_AGAIN.into_iter().filter(|(part, _)| *part != LAST_GOOD || !last_good.is_file())
    {
        clear(&directory.join(part), kind)?;
    }
    for (part, kind) in KEPT.into_iter().chain(MADE_AGAIN) {
        if kind == PartKind::File || part == "ca" {
            close_to_others(&directory.join(part))?;
        }
    }
    Ok(())
}

/// What is at this path itself, and what it leads to; `None` if there is nothing.
fn found(path: &Path) -> Result<Option<(Metadata, Option<Metadata>)>, DataDirError> {
    match path.symlink_metadata() {
        Ok(own) => Ok(Some((own, fs::metadata(path).ok()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refused(path)(error)),
    }
}

fn look_at_kept(path: &Path, kind: PartKind) -> Result<(), DataDirError> {
    const CURE: &str = "move it away and restore what was there from a backup";
    let Some((_, end)) = found(path)? else { return Ok(()) };
    let Some(end) = end.filter(|end| kind.is(end.file_type())) else {
        return Err(strange(path, kind, CURE));
    };
    if end.uid() == us() {
        return Ok(());
    }
    Err(DataDirError::Foreign { path: path.display().to_string(), owner: end.uid(), server: us() })
}

/// Removes what is in the way of something that is made again. A directory that is not empty is never removed.
fn clear(path: &Path, kind: PartKind) -> Result<(), DataDirError> {
    const CURE: &str = "move it away; the server creates its own again";
    let Some((own, _)) = found(path)? else { return Ok(()) };
    // A mirror may be in another place.
    let leads_there = kind == PartKind::Directory && path.is_dir();
    if leads_there || (kind.is(own.file_type()) && own.uid() == us()) {
        return Ok(());
    }
    let (what, wanted) = (words(path), kind.words());
    let removed = if own.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) };
    removed.map_err(|_| strange(path, kind, CURE))?;
    tracing::warn!(path = %path.display(), "removed {what} of uid {}: creating {wanted} in its place", own.uid());
    Ok(())
}

/// Removes permissions for others: a restored file may have the mode that copying gave it.
fn close_to_others(path: &Path) -> Result<(), DataDirError> {
    let Some((_, Some(end))) = found(path)? else { return Ok(()) };
    let mode = if end.is_dir() { 0o700 } else { 0o600 };
    if end.mode() & 0o777 == mode {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(refused(path))?;
    tracing::warn!(path = %path.display(), "changed its mode from {:o} to {mode:o}", end.mode() & 0o777);
    Ok(())
}

fn strange(path: &Path, kind: PartKind, cure: &'static str) -> DataDirError {
    DataDirError::Strange { path: path.display().to_string(), found: words(path), wanted: kind.words(), cure }
}

/// The name for people of what is at a path.
fn words(path: &Path) -> &'static str {
    match fs::metadata(path).map(|found| found.file_type()) {
        Err(_) => "a broken link",
        Ok(found) if found.is_dir() => "a directory",
        Ok(found) if found.is_file() => "a file",
        Ok(found) if found.is_fifo() => "a pipe",
        Ok(found) if found.is_socket() => "a socket",
        Ok(_) => "a device",
    }
}

fn us() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn refused(path: &Path) -> impl FnOnce(io::Error) -> DataDirError {
    let path = path.display().to_string();
    move |source| DataDirError::Refused { path, source }
}

#[cfg(test)]
mod tests;
