//! What a walk through a directory tree meets, and what it does next.

use std::ffi::OsStr;
use std::path::Path;

use super::{Error, OpenFile, Result, Stat, machine, resolve};

/// A member of a directory tree, met by [`Inspect::walk`].
#[derive(Debug)]
pub struct TreeMember<'a> {
    /// The path below the tree's root, which may not be UTF-8.
    pub path: &'a Path,
    pub stat: Stat,
    pub(super) dir: rustix::fd::BorrowedFd<'a>,
    pub(super) name: &'a OsStr,
}

impl TreeMember<'_> {
    /// Opens it, if it is still a regular file.
    ///
    /// # Errors
    /// Fails if it is not a regular file, or cannot be opened.
    pub fn open(&self) -> Result<OpenFile> {
        let place = resolve::PathHandle::borrowed(self.dir, self.name, self.path)?;
        machine::open_regular(&place, self.path)?.ok_or_else(|| Error::NotAFile(self.path.to_owned()))
    }
}

/// A member of a directory tree that a walk cannot look at, or cannot enter; in the latter case it was met before.
#[derive(Debug)]
pub struct UnreadMember<'a> {
    /// The path below the tree's root, which may not be UTF-8.
    pub path: &'a Path,
    pub error: Error,
}

impl From<UnreadMember<'_>> for Error {
    fn from(unread: UnreadMember<'_>) -> Self {
        unread.error
    }
}

/// What a walk meets.
pub type Met<'a> = std::result::Result<&'a TreeMember<'a>, UnreadMember<'a>>;

/// What a walk does after a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalkStep {
    /// Enters it, if it is a directory.
    Into,
    /// Continues after it.
    Past,
    Stop,
}
