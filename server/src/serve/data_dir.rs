//! The data directory: one server's alone, with each thing in it of the kind that the server made. A pipe in the place of
//! a file would hang the start for ever, and a broken link would have a key made anew at its end.

use std::fs::{self, File, FileType, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::admin;

/// Why a data directory is not taken.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    #[error("the data directory {path}: {source}{}", hint(source))]
    Refused {
        /// Which path of it.
        path: String,
        source: io::Error,
    },
    /// Others may look into it, or own it.
    #[error(
        "the data directory {0} is another user's or open to others: if it is the server's alone, `chown` it to the \
         server's user and `chmod 700 {0}`; otherwise name another"
    )]
    Open(String),
    /// Another server uses it.
    #[error("another server is running on {0}: stop it first")]
    Running(String),
    /// Something else is where the server keeps a part of its state.
    #[error("{path} is {found}, but the server needs {wanted} there: {cure}. Nothing was changed")]
    Strange {
        path: String,
        found: &'static str,
        /// What was made there.
        wanted: &'static str,
        cure: &'static str,
    },
    /// A part is another user's.
    #[error(
        "{path} is owned by the user {owner}, and the server runs as the user {server}: `chown {server} {path}`. \
         Nothing was changed"
    )]
    Foreign {
        path: String,
        owner: u32,
        /// Who the server is.
        server: u32,
    },
}

/// Under systemd, the unit decides where the server may write.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => {
            "; the unit lets the server write to /var/lib/holdfast alone: `systemctl edit holdfast-server`, and there \
             `[Service]` with `ReadWritePaths=` and a directory that is there"
        }
        _ => "",
    }
}

/// What is made at a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Directory,
    Socket,
}

impl Kind {
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

/// What can never be made again.
const KEPT: [(&str, Kind); 6] = [
    ("server.db", Kind::File),
    ("server.db-wal", Kind::File),
    ("ca", Kind::Directory),
    ("ca/ca.pem", Kind::File),
    ("ca/key.pem", Kind::File),
    ("ca/token.key", Kind::File),
];

/// The last good state of a followed directory. It can be made again for as long as the directory is good, which nobody knows
/// yet: it may be all that is left.
const LAST_GOOD: &str = "last-good";

/// What the server makes again where it is not there.
const MADE_AGAIN: [(&str, Kind); 6] = [
    ("server.db-shm", Kind::File),
    ("ca.new", Kind::Directory),
    ("mirror", Kind::Directory),
    (LAST_GOOD, Kind::File),
    ("last-good.new", Kind::File),
    (admin::SOCKET, Kind::Socket),
];

/// Keeps a second server off a data directory.
pub struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // A child that is being started has it open as well until it is another program: closing alone would not free it.
        let _freed = rustix::fs::flock(&self.0, FlockOperation::Unlock);
    }
}

/// Makes the data directory where there is none, keeps a second server off it for as long as what it returns lives, and
/// looks at what is in it.
///
/// # Errors
/// Why the server must not start on it.
pub fn take(directory: &Path) -> Result<Lock, DataDirError> {
    let failed = refused(directory);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    // One that was there already may be another's or open to others, and the store and the socket rely on it. It is not
    // changed here: a mistyped path must not close a directory of the system.
    let found = fs::metadata(directory).map_err(refused(directory))?;
    if found.mode() & 0o077 != 0 || found.uid() != us() {
        return Err(DataDirError::Open(directory.display().to_string()));
    }
    let lock = lock(directory)?;
    look(directory)?;
    Ok(lock)
}

/// The directory itself is locked: a file in it could be removed, and the next one of its name is another. The lock goes
/// with the process, however it ends.
fn lock(directory: &Path) -> Result<Lock, DataDirError> {
    let opened = File::open(directory).map_err(refused(directory))?;
    match rustix::fs::flock(&opened, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Lock(opened)),
        Err(Errno::WOULDBLOCK) => Err(DataDirError::Running(directory.display().to_string())),
        Err(error) => Err(refused(directory)(error.into())),
    }
}

/// All that must not be lost is looked at before anything is put right.
fn look(directory: &Path) -> Result<(), DataDirError> {
    for (part, kind) in KEPT {
        look_at_kept(&directory.join(part), kind)?;
    }
    let last_good = directory.join(LAST_GOOD);
    if last_good.is_file() {
        look_at_kept(&last_good, Kind::File)?;
    }
    for (part, kind) in MADE_AGAIN.into_iter().filter(|(part, _)| *part != LAST_GOOD || !last_good.is_file())
    {
        clear(&directory.join(part), kind)?;
    }
    for (part, kind) in KEPT.into_iter().chain(MADE_AGAIN) {
        if kind == Kind::File || part == "ca" {
            close_to_others(&directory.join(part))?;
        }
    }
    Ok(())
}

/// What is there under this name itself, and what it leads to; none where there is nothing.
fn found(path: &Path) -> Result<Option<(Metadata, Option<Metadata>)>, DataDirError> {
    match path.symlink_metadata() {
        Ok(own) => Ok(Some((own, fs::metadata(path).ok()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refused(path)(error)),
    }
}

fn look_at_kept(path: &Path, kind: Kind) -> Result<(), DataDirError> {
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

/// Throws away what is in the way of what is made again. A directory that holds anything is nobody's to throw away.
fn clear(path: &Path, kind: Kind) -> Result<(), DataDirError> {
    const CURE: &str = "move it away; the server creates its own again";
    let Some((own, _)) = found(path)? else { return Ok(()) };
    // A mirror may lie elsewhere.
    let leads_there = kind == Kind::Directory && path.is_dir();
    if leads_there || (kind.is(own.file_type()) && own.uid() == us()) {
        return Ok(());
    }
    let (what, wanted) = (words(path), kind.words());
    let removed = if own.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) };
    removed.map_err(|_| strange(path, kind, CURE))?;
    tracing::warn!(path = %path.display(), "removed {what} of uid {}: creating {wanted} in its place", own.uid());
    Ok(())
}

/// A restored file may have the mode that copying gave it.
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

fn strange(path: &Path, kind: Kind, cure: &'static str) -> DataDirError {
    DataDirError::Strange { path: path.display().to_string(), found: words(path), wanted: kind.words(), cure }
}

/// What is at a path, as people call it.
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
