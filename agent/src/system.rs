//! The only door to the machine: [`Inspect`] reads, [`System`] writes.
//!
//! Nothing else of the agent touches the managed root. What plans has an `Inspect` and so cannot write. The real
//! implementation is [`Machine`]; providers' tests use `double::Double`, which answers commands from fixtures.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use crate::stop::StopReason;

pub mod accounts;
pub mod command;
mod changes;
mod door;
mod error;
mod explain;
mod extended;
pub mod glob;
mod kept_out;
mod machine;
mod met;
pub mod mount_field;
pub mod mount_table;
mod replace;
mod replace_tree;
mod resolve;
mod served;
mod tree;
mod way;

pub use accounts::Accounts;
pub use command::{Exit, Invocation, Output};
pub use door::Door;
pub use error::Error;
pub use machine::Machine;
pub use met::{Met, TreeMember, UnreadMember, WalkStep};
pub use served::{ServedMounts, mounted_around};
pub use way::{HeldPath, PrivateCopy};

/// The result of every operation on the machine.
pub type Result<T> = std::result::Result<T, Error>;

/// Whether the root is a running system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// `/`: commands, services and accounts can be asked and changed.
    Live,
    /// Another directory (`--root`): files only. No command is run in it or for it.
    Directory,
}

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    File,
    Directory,
    Symlink,
    /// A device, a socket or a FIFO: never opened.
    Other,
}

/// What is known of a path without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    pub kind: FileKind,
    /// Permission bits, at most `07777`.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    pub links: u64,
    /// The device and inode: equal for one and the same file.
    pub id: (u64, u64),
    pub times: FileTimes,
}

impl Stat {
    /// What a replacement keeps of the mode where nobody declares one. Set-id bits fall with the content, as they do
    /// anyone who writes to a file: they may be a user's who put a program of theirs there.
    pub fn permissions(&self) -> u32 {
        self.mode & 0o777
    }
}

/// Where a path really is, which is called otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Real {
    pub path: PathBuf,
    /// The links on the way, each by its own name.
    pub links: Vec<Symlink>,
}

/// A symbolic link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symlink {
    pub at: PathBuf,
    pub target: PathBuf,
}

/// When something was last touched, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileTimes {
    /// When it was read; most systems keep this only by the day.
    pub accessed: i64,
    /// When its content was written; of a directory, when a name in it came or went.
    pub modified: i64,
    /// When anything about it was changed, its owner, mode or names too.
    pub changed: i64,
    /// The nanoseconds of that.
    pub changed_nanos: u32,
}

/// A regular file, open for reading, and what it is.
#[derive(Debug)]
pub struct OpenFile {
    pub file: File,
    /// Taken from the open file.
    pub stat: Stat,
}

impl OpenFile {
    /// Whether it has capabilities, as a program may have for the network.
    pub fn has_capabilities(&self) -> bool {
        extended::has_capabilities(&self.file)
    }

    /// Its bytes, at most `limit`; `path` is what it is called.
    ///
    /// # Errors
    /// There are more, or they cannot be read.
    pub fn read(self, path: &Path, limit: u64) -> Result<Vec<u8>> {
        let too_large = |size| Error::TooLarge { path: path.to_owned(), size, limit };
        if self.stat.size > limit {
            return Err(too_large(self.stat.size));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(self.stat.size).unwrap_or(0));
        // One more than the limit, so that a file that grows meanwhile is seen.
        let read = self.file.take(limit + 1).read_to_end(&mut bytes);
        read.map_err(|source| Error::io("reading", path, source))?;
        if bytes.len() as u64 > limit {
            return Err(too_large(bytes.len() as u64));
        }
        Ok(bytes)
    }
}

/// Owner, group and permission bits of something that is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions {
    pub mode: u32,
    /// The owner; the agent's own where none.
    pub uid: Option<u32>,
    /// The group; the agent's own where none.
    pub gid: Option<u32>,
}

/// Reads. Paths are absolute, seen from the managed root; links on the way are followed only where nobody but root,
/// or the owner of what they lead to, could have planted them.
///
/// Implementations must not change the machine, not even by a probe.
pub trait Inspect: Sync {
    /// Whether the root is a running system.
    fn liveness(&self) -> Liveness;

    /// What is at the path, a last link not followed; none where nothing does.
    fn lstat(&self, path: &Path) -> Result<Option<Stat>>;

    /// What is at the path, a last link followed by the same rule; none where nothing does.
    fn stat(&self, path: &Path) -> Result<Option<Stat>>;

    /// Opens a regular file; none where nothing is there. A last link is followed by the same rule. What is no
    /// regular file is an error, and is never opened.
    fn open(&self, path: &Path) -> Result<Option<OpenFile>>;

    /// Looks, and opens what it sees if it is a regular file and `wanted`; a last link is not followed. None where nothing
    /// is there.
    fn open_if(
        &self,
        path: &Path,
        wanted: &dyn Fn(&Stat) -> bool,
    ) -> Result<Option<(Stat, Option<OpenFile>)>>;

    /// What keeps even root from making or changing a name in the directory of a path, in words that follow an error: its file
    /// system is mounted read-only, or an attribute.
    fn kept_out(&self, _path: &Path) -> Option<String> {
        None
    }

    /// Where a path really is, a last link followed too; none where no link is on the way. What is not there yet keeps its
    /// name.
    fn real(&self, path: &Path) -> Result<Option<Real>>;

    /// What a symbolic link says.
    fn read_link(&self, path: &Path) -> Result<PathBuf>;

    /// The names in a directory, sorted, without `.` and `..`.
    fn list(&self, path: &Path) -> Result<Vec<std::ffi::OsString>>;

    /// Visits everything below a directory, a directory before its members, without following links and without
    /// leaving its file system. Who says so goes on past what cannot be read: the tree may be of somebody hostile.
    fn walk(&self, path: &Path, visit: &mut dyn FnMut(Met<'_>) -> Result<WalkStep>) -> Result<()>;

    /// The time, in seconds since 1970.
    fn now(&self) -> i64 {
        jiff::Timestamp::now().as_second()
    }

    /// How far that is ahead of the server's time, where the two are far apart: what is removed for its age goes by the earlier.
    fn clock_ahead(&self) -> Duration {
        Duration::ZERO
    }

    /// Why the run is to stop, where it is: what has several steps begins no further one that can wait.
    fn stopping(&self) -> Option<StopReason> {
        None
    }

    /// How long something may be waited for that may take `own` by itself: no longer than the run lasts.
    fn patience(&self, own: Duration) -> Duration {
        own
    }

    /// What this run has waited for in vain, by name or pattern: once is enough.
    fn in_vain(&self) -> MutexGuard<'_, BTreeSet<String>>;

    /// Users and groups of the managed root, read once and again when their files have changed.
    fn accounts(&self) -> Result<Arc<Accounts>>;

    /// How a command reaches a directory, whatever is done to names on its way meanwhile; none where nobody but root can
    /// do anything to them, and its path is enough.
    fn way_into(&self, path: &Path) -> Result<Option<HeldPath>>;

    /// The same for the root of a mounted file system. Anyone who holds it does not keep that from being unmounted.
    fn way_to_mounted(&self, path: &Path) -> Result<Option<HeldPath>>;

    /// Runs a command that only reads. Refused where the root is not a running system.
    fn probe(&self, command: &Invocation) -> Result<Output>;

    /// A file's bytes, at most `limit`; none where nothing is there.
    fn read(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
        self.open(path)?.map(|opened| opened.read(path, limit)).transpose()
    }

    /// A small text file, such as one under `/etc`; none where nothing is there. Bytes that are not UTF-8 are replaced.
    fn read_text(&self, path: &Path) -> Result<Option<String>> {
        const LIMIT: u64 = 16 * 1024 * 1024;
        Ok(self.read(path, LIMIT)?.map(|bytes| match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }))
    }
}

/// New content of a file, whole on disk beside the old one, that is not in its place yet.
///
/// Dropped without [`Staged::commit`] it is gone, and the old file was never touched.
pub trait Staged {
    /// Where it stands until then, on this machine.
    fn path(&self) -> &Path;

    /// Whether nobody but root can write to it, or put something else at its path.
    fn is_closed(&self) -> bool;

    /// Gives its name the extension of the one that it is to take, for tools that judge by it.
    ///
    /// # Errors
    /// It cannot be renamed.
    fn take_extension(&mut self) -> Result<()>;

    /// Whether it is still there.
    fn is_there(&self) -> bool;

    /// Takes the old one's place. It lasts through a power cut only after [`System::settle`].
    ///
    /// # Errors
    /// The rename failed, and the old file is still in place; or somebody else put something in the new one's place.
    fn commit(self: Box<Self>) -> Result<Committed>;
}

/// A new directory beside the one whose place it is to take, empty at first.
///
/// Dropped without [`StagedTree::commit`] it is gone with all that was put into it, and the old one was never touched.
pub trait StagedTree {
    /// It, as the root of a machine of its own: for looking at what is in it, and putting that right.
    fn inside(&self) -> &dyn System;

    /// A way to it for commands that work in it: it leads there whatever is done to names on the way.
    fn path(&self) -> &Path;

    /// `inner`, it or a directory below it, takes the place of what is at the target, all at once; that is removed
    /// then. What was put into it is on disk before.
    ///
    /// # Errors
    /// The old one is still in place; or it could not be removed after it was replaced.
    fn commit(self: Box<Self>, inner: &Path) -> Result<()>;
}

/// How new content took the old one's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Committed {
    /// Whole: at each moment the old or the new one was there.
    Whole,
    /// Written in place, since the file is a mount of its own: for a moment it was neither.
    InPlace,
}

/// Writes. Every change takes place whole or not at all; after [`System::settle`] it lasts.
pub trait System: Inspect {
    /// Writes a whole new file beside `path`, with its owner and mode from the start, and syncs it. Old stays until the
    /// commit; the new one keeps its access control list, labels and extended attributes. Of a list, the mode's bits for
    /// the group are the mask.
    fn stage(&self, path: &Path, access: Permissions, content: &mut dyn Read)
    -> Result<Box<dyn Staged + '_>>;

    /// Makes an empty directory beside `path`, which commands and others can fill. Nobody but its owner can enter it.
    fn stage_tree(&self, path: &Path, access: Permissions) -> Result<Box<dyn StagedTree + '_>>;

    /// Makes a symbolic link, in place of a file or link that is there.
    fn make_symlink(&self, path: &Path, target: &Path, access: Permissions) -> Result<()>;

    /// Makes a directory where nothing stands.
    fn make_dir(&self, path: &Path, access: Permissions) -> Result<()>;

    /// Sets permission bits of a file or directory that is there; never through a link.
    fn set_mode(&self, path: &Path, mode: u32) -> Result<()>;

    /// Sets owner and group of what is there, of a link itself.
    fn set_owner(&self, path: &Path, uid: Option<u32>, gid: Option<u32>) -> Result<()>;

    /// Removes a file, a link or an empty directory. Nothing there is no error.
    fn remove(&self, path: &Path) -> Result<()>;

    /// Removes a directory with all that it holds, without following links or leaving its file system.
    fn remove_tree(&self, path: &Path) -> Result<()>;

    /// Runs a command. Refused where the root is not a running system.
    fn run(&self, command: &Invocation) -> Result<Output>;

    /// How often something was changed, or may have been, up to now: where that stays the same, nothing was touched.
    fn acts(&self) -> u64;

    /// Makes all changes up to now last through a power cut: only after it may they be called done.
    fn settle(&self) -> Result<()>;
}

/// Writes a small file whole and durably: stage, commit, settle.
///
/// # Errors
/// Any step failed; the old file is still in place, unless only the last sync failed.
pub fn write_durably(system: &dyn System, path: &Path, access: Permissions, bytes: &[u8]) -> Result<()> {
    let _ = system.stage(path, access, &mut io::Cursor::new(bytes))?.commit()?;
    system.settle()
}

#[cfg(test)]
pub(crate) use extended::{acl_for, read_attribute, set_attribute};

#[cfg(test)]
pub(crate) mod double;
#[cfg(test)]
mod tests;
