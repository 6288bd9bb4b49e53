//! The only door to the machine: [`Inspect`] reads, [`System`] writes.
//!
//! Nothing else in the agent touches the managed root. Code that plans has an `Inspect` and so cannot write. The real
//! implementation is [`Machine`]; the tests of providers use `double::Double`, which answers commands from fixtures.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use crate::stop::StopReason;

pub mod accounts;
mod clock_trust;
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
mod name_service;
mod path_text;
mod replace;
mod replace_tree;
mod resolve;
mod served;
mod stat;
mod tree;
mod way;

pub use accounts::Accounts;
pub use clock_trust::ClockTrust;
pub use command::{Exit, Invocation, Output};
pub use door::Door;
pub use error::Error;
pub use machine::Machine;
pub use met::{Met, TreeMember, UnreadMember, WalkStep};
pub use path_text::{path_text, shown_text, text_path};
pub use served::{ServedMounts, StuckMount, mounted_around};
pub use way::{HeldPath, PrivateCopy};

/// The result of every operation on the machine.
pub type Result<T> = std::result::Result<T, Error>;

/// Whether the root is a running system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// `/`: commands can run, and services and accounts can be changed.
    Live,
    /// Another directory (`--root`): only files. No command is run in it or for it.
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

/// What is known about a path without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    pub kind: FileKind,
    /// Permission bits, at most `07777`.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// The size in bytes.
    pub size: u64,
    pub links: u64,
    /// The device and inode: equal only for one and the same file.
    pub id: (u64, u64),
    pub times: FileTimes,
}

impl Stat {
    /// The mode that a replacement keeps if none is declared. Set-id bits are dropped with the content, as the kernel
    /// drops them when a file is written to: a user may have put a program of their own there.
    pub fn permissions(&self) -> u32 {
        self.mode & 0o777
    }

    /// Whether it is taken from a user other than root if this one gets it. That user may keep access to it by a list of
    /// access rights or by an open descriptor, neither of which a change of owner ends.
    pub fn is_taken_by(&self, uid: u32) -> bool {
        self.uid != uid && !way::is_ours(self)
    }
}

/// The real path of a path with links on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Real {
    pub path: PathBuf,
    /// The links on the way, each by its real path.
    pub links: Vec<Symlink>,
}

/// A symbolic link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symlink {
    pub at: PathBuf,
    pub target: PathBuf,
}

/// The times of a file, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileTimes {
    /// When it was last read; most systems update this only once a day.
    pub accessed: i64,
    /// When its content was last written; for a directory, when a name in it was added or removed.
    pub modified: i64,
    /// When anything about it was last changed, including its owner, mode or names.
    pub changed: i64,
    /// The nanoseconds of `changed`.
    pub changed_nanos: u32,
}

/// A regular file that is open for reading, with its metadata.
#[derive(Debug)]
pub struct OpenFile {
    pub file: File,
    /// Taken from the open file.
    pub stat: Stat,
}

impl OpenFile {
    /// Whether it has capabilities, as a program that uses the network may.
    pub fn has_capabilities(&self) -> bool {
        extended::has_capabilities(&self.file)
    }

    /// Its bytes, at most `limit`; `path` is its name in errors.
    ///
    /// # Errors
    /// Fails if there are more, or they cannot be read.
    pub fn read(self, path: &Path, limit: u64) -> Result<Vec<u8>> {
        let too_large = |size| Error::TooLarge { path: path.to_owned(), size, limit };
        if self.stat.size > limit {
            return Err(too_large(self.stat.size));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(self.stat.size).unwrap_or(0));
        // One more than the limit, so a file that grows in the meantime is noticed.
        let read = self.file.take(limit + 1).read_to_end(&mut bytes);
        read.map_err(|source| Error::io("reading", path, source))?;
        if bytes.len() as u64 > limit {
            return Err(too_large(bytes.len() as u64));
        }
        Ok(bytes)
    }
}

/// Owner, group and permission bits of something that is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions {
    pub mode: u32,
    /// The owner; `None` for the agent's own user.
    pub uid: Option<u32>,
    /// The group; `None` for the agent's own.
    pub gid: Option<u32>,
}

/// Reads the machine. Paths are absolute, as seen from the managed root. Links on the way are followed only if nobody
/// but root, or the owner of what they lead to, could have planted them.
///
/// Implementations must not change the machine, not even by a probe.
pub trait Inspect: Sync {
    /// Whether the root is a running system.
    fn liveness(&self) -> Liveness;

    /// What is at the path, without following a last link; `None` if nothing is there.
    fn lstat(&self, path: &Path) -> Result<Option<Stat>>;

    /// What is at the path, with a last link followed by the same rule; `None` if nothing is there.
    fn stat(&self, path: &Path) -> Result<Option<Stat>>;

    /// Opens a regular file; `None` if nothing is there. A last link is followed by the same rule. Anything but a
    /// regular file is an error, and is never opened.
    fn open(&self, path: &Path) -> Result<Option<OpenFile>>;

    /// Looks at a path, and opens what is there if it is a regular file and `wanted`. A last link is not followed.
    /// `None` if nothing is there.
    fn open_if(
        &self,
        path: &Path,
        wanted: &dyn Fn(&Stat) -> bool,
    ) -> Result<Option<(Stat, Option<OpenFile>)>>;

    /// What keeps even root from creating or changing a name in the directory of a path, in words that follow an error:
    /// its file system is mounted read-only, or an attribute.
    fn kept_out(&self, _path: &Path) -> Option<String> {
        None
    }

    /// The real path, with a last link followed, too; `None` if no link is on the way. Parts that do not exist yet keep
    /// their names.
    fn real(&self, path: &Path) -> Result<Option<Real>>;

    /// The target of a symbolic link.
    fn read_link(&self, path: &Path) -> Result<PathBuf>;

    /// The names in a directory, sorted, without `.` and `..`.
    fn list(&self, path: &Path) -> Result<Vec<std::ffi::OsString>>;

    /// Visits everything below a directory, each directory before its members, without following links and without
    /// leaving its file system. `visit` decides whether to continue after something that cannot be read: the tree may
    /// belong to an attacker.
    fn walk(&self, path: &Path, visit: &mut dyn FnMut(Met<'_>) -> Result<WalkStep>) -> Result<()>;

    /// The current time, in seconds since 1970.
    fn now(&self) -> i64 {
        jiff::Timestamp::now().as_second()
    }

    /// How far this clock can be believed where something is removed because of its age.
    fn clock_trust(&self) -> ClockTrust {
        ClockTrust::default()
    }

    /// Why the run must stop, if it must: something with several steps begins no further one that can wait.
    fn stopping(&self) -> Option<StopReason> {
        None
    }

    /// How long to wait for something that may take `own` by itself: not longer than the run lasts.
    fn patience(&self, own: Duration) -> Duration {
        own
    }

    /// What this run has waited for in vain, by name or pattern: once is enough.
    fn in_vain(&self) -> MutexGuard<'_, BTreeSet<String>>;

    /// Users and groups of the managed root, read once, and again when their files have changed.
    fn accounts(&self) -> Result<Arc<Accounts>>;

    /// A way for a command to reach a directory, whatever is done to the names on its path in the meantime; `None` if
    /// only root can change them, and the path is enough.
    fn way_into(&self, path: &Path) -> Result<Option<HeldPath>>;

    /// The same for the root of a mounted file system. Holding it does not keep that from being unmounted.
    fn way_to_mounted(&self, path: &Path) -> Result<Option<HeldPath>>;

    /// Runs a command that only reads. Refused if the root is not a running system.
    fn probe(&self, command: &Invocation) -> Result<Output>;

    /// The bytes of a file, at most `limit`; `None` if nothing is there.
    fn read(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
        self.open(path)?.map(|opened| opened.read(path, limit)).transpose()
    }

    /// The text of a small file, such as one under `/etc`; `None` if nothing is there. Bytes that are not UTF-8 are
    /// replaced.
    fn read_text(&self, path: &Path) -> Result<Option<String>> {
        const MAX_BYTES: u64 = 16 * 1024 * 1024;
        Ok(self.read(path, MAX_BYTES)?.map(|bytes| match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }))
    }
}

/// New content of a file, complete on disk beside the old one, and not in its place yet.
///
/// If it is dropped without [`Staged::commit`], it is removed, and the old file was never touched.
pub trait Staged {
    /// Where it is until then, on this machine.
    fn path(&self) -> &Path;

    /// Whether nobody but root can write to it, or put something else at its path.
    fn is_closed(&self) -> bool;

    /// Gives its name the extension of its target, for tools that go by it.
    ///
    /// # Errors
    /// Fails if it cannot be renamed.
    fn take_extension(&mut self) -> Result<()>;

    /// Whether it still exists.
    fn is_there(&self) -> bool;

    /// Replaces the old file. This survives a power cut only after [`System::settle`].
    ///
    /// # Errors
    /// Fails if the rename does, and the old file is still in place; or if someone else put something in place of the
    /// new one.
    fn commit(self: Box<Self>) -> Result<Committed>;
}

/// A new directory beside the one that it is to replace, empty at first.
///
/// If it is dropped without [`StagedTree::commit`], it is removed with everything in it, and the old one was never
/// touched.
pub trait StagedTree {
    /// The directory as the root of a machine of its own, for looking at its content and correcting it.
    fn inside(&self) -> &dyn System;

    /// A path for commands that work in it, which leads there whatever is done to the names on the way.
    fn path(&self) -> &Path;

    /// Puts `inner`, the directory itself or one below it, in place of what is at the target, in one step, and then
    /// removes the old one. The new content is on disk before.
    ///
    /// # Errors
    /// Fails if the old one is still in place, or could not be removed after it was replaced.
    fn commit(self: Box<Self>, inner: &Path) -> Result<()>;
}

/// How new content replaced the old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Committed {
    /// Atomically: at each moment the old or the new one was there.
    Whole,
    /// Written in place, since the file is a mount of its own: for a moment it was neither.
    InPlace,
}

/// Writes to the machine. Every change is made as a whole or not at all; after [`System::settle`] it is durable.
pub trait System: Inspect {
    /// Writes a complete new file beside `path`, with its owner and mode from the start, and syncs it. The old one
    /// stays until the commit. The new one keeps its access control list, labels and extended attributes, unless it is
    /// taken from a user other than root. If there is a list, the group bits of the mode are its mask. A directory of
    /// such a user passes nothing on to a new file of another.
    fn stage(&self, path: &Path, access: Permissions, content: &mut dyn Read)
    -> Result<Box<dyn Staged + '_>>;

    /// Makes an empty directory beside `path`, which commands can fill. Nobody but its owner can enter it. It keeps what
    /// [`System::stage`] keeps; `owner` is who will own it in its place, `None` for the agent's own user.
    fn stage_tree(
        &self,
        path: &Path,
        access: Permissions,
        owner: Option<u32>,
    ) -> Result<Box<dyn StagedTree + '_>>;

    /// Makes a symbolic link, which replaces an existing file or link.
    fn make_symlink(&self, path: &Path, target: &Path, access: Permissions) -> Result<()>;

    /// Makes a directory where nothing exists.
    fn make_dir(&self, path: &Path, access: Permissions) -> Result<()>;

    /// Sets the permission bits of what is there; never through a link.
    fn set_mode(&self, path: &Path, mode: u32) -> Result<()>;

    /// Sets owner and group of what is there, and its permission bits if they are given; of a link, owner and group of
    /// the link itself. What is taken from a user other than root keeps nothing by which that user has access: a file is
    /// replaced with a copy, anything else loses its access control lists.
    fn set_owner(&self, path: &Path, uid: Option<u32>, gid: Option<u32>, mode: Option<u32>) -> Result<()>;

    /// Removes a file, a link or an empty directory. It is not an error if nothing is there.
    fn remove(&self, path: &Path) -> Result<()>;

    /// Removes a directory with everything in it, without following links or leaving its file system.
    fn remove_tree(&self, path: &Path) -> Result<()>;

    /// Runs a command. Refused if the root is not a running system.
    fn run(&self, command: &Invocation) -> Result<Output>;

    /// How often something was changed, or may have been, so far. If this stays the same, nothing was touched.
    fn acts(&self) -> u64;

    /// Makes all changes so far survive a power cut: only then may they be reported as done.
    fn settle(&self) -> Result<()>;
}

/// Writes a small file as a whole and durably: stage, commit, settle.
///
/// # Errors
/// Fails if any step does; the old file is still in place, unless only the last sync failed.
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
