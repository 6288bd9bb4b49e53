//! Ways for a command to reach what the agent has looked at, whatever others do to names in the meantime.
//!
//! A command opens a path long after it was resolved. If other users can rename something on the way, the command is
//! given a handle of the agent's instead, or a copy of the bytes that it should read.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, MemfdFlags, Mode, OFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;

use super::resolve::PathHandle;
use super::stat::stat_at;
use super::{Error, FileKind, Result, Stat};

/// A path for commands that leads to one place as long as this value exists.
#[derive(Debug)]
pub struct HeldPath {
    path: PathBuf,
    _handle: OwnedFd,
}

impl HeldPath {
    /// The path, which is valid as long as this value exists.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Bytes that a command reads by a path, and that only root can change: in memory, without a name.
#[derive(Debug)]
pub struct PrivateCopy {
    path: PathBuf,
    _file: File,
}

impl PrivateCopy {
    /// Copies everything that is left to read.
    ///
    /// # Errors
    /// Fails if it cannot be read, or there is not enough memory.
    pub fn of(content: &mut dyn Read) -> io::Result<Self> {
        let mut file = File::from(rustix::fs::memfd_create("content", MemfdFlags::CLOEXEC)?);
        io::copy(content, &mut file)?;
        Ok(Self { path: by_handle(file.as_fd()), _file: file })
    }

    /// The path, which is valid as long as this value exists.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The path of an open handle. It has the process's id in place of `self`, since another process uses it.
pub(super) fn by_handle(handle: BorrowedFd<'_>) -> PathBuf {
    format!("/proc/{}/fd/{}", rustix::process::getpid().as_raw_nonzero(), handle.as_raw_fd()).into()
}

/// Whether it belongs to root, or to the agent's own user.
pub(super) fn is_ours(stat: &Stat) -> bool {
    stat.uid == 0 || stat.uid == rustix::process::geteuid().as_raw()
}

/// Whether only root, or the agent's own user, can put something else at a path of this machine.
pub(super) fn leads_where_root_says(path: &Path) -> bool {
    let mut below = stat_at(CWD, path.as_os_str()).ok();
    path.ancestors().skip(1).all(|dir| {
        let Ok(stat) = stat_at(CWD, dir.as_os_str()) else { return false };
        // In a sticky directory, users cannot rename what belongs to others.
        let is_kept = stat.mode & 0o1000 != 0 && below.as_ref().is_some_and(is_ours);
        let is_closed = stat.mode & 0o022 == 0 || is_kept;
        below = Some(stat);
        stat.kind == FileKind::Directory && is_ours(&stat) && is_closed
    })
}

/// The way to a directory; `path` is for errors.
pub(super) fn into(place: &PathHandle, path: &Path) -> Result<HeldPath> {
    let failed = |errno: Errno| Error::io("opening", path, errno);
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handle = rustix::fs::openat(&place.dir, &place.name, flags, Mode::empty()).map_err(failed)?;
    // The dot makes sure that it is not a link, which the newer mount calls of the kernel would not follow.
    Ok(HeldPath { path: by_handle(handle.as_fd()).join("."), _handle: handle })
}

/// The way to a name, through a handle of the directory around it: a handle of a mounted file system would keep that
/// from being unmounted. It is only safe for a name that nobody can rename.
pub(super) fn beside(place: &PathHandle, path: &Path) -> Result<HeldPath> {
    let handle = place.dir.try_clone().map_err(|e| Error::io("opening the directory of", path, e))?;
    Ok(HeldPath { path: by_handle(handle.as_fd()).join(&place.name), _handle: handle })
}

/// Whether a file system is mounted there: the kernel lets nobody rename a mount point.
pub(super) fn is_mount_point(place: &PathHandle) -> rustix::io::Result<bool> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    let seen = rustix::fs::statx(&place.dir, &place.name, flags, StatxFlags::TYPE)?;
    Ok(seen.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_path_leads_where_root_says_only_if_nobody_else_can_rename_anything_on_it() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b/c");
        std::fs::create_dir_all(&deep).unwrap();
        let mode = |mode| {
            std::fs::set_permissions(dir.path().join("a"), std::fs::Permissions::from_mode(mode)).unwrap();
        };
        assert!(leads_where_root_says(&deep));
        for open in [0o775, 0o757, 0o777] {
            mode(open);
            assert!(!leads_where_root_says(&deep), "{open:o}");
        }
        mode(0o1777);
        assert!(leads_where_root_says(&deep), "what is ours is renamed by nobody else");
        if crate::skip::is_root() {
            let owner = |path: &Path| std::os::unix::fs::chown(path, Some(65534), None).unwrap();
            owner(&dir.path().join("a/b"));
            assert!(!leads_where_root_says(&dir.path().join("a/b")));
            mode(0o755);
            assert!(leads_where_root_says(&dir.path().join("a/b")), "whose it is itself does not count");
            assert!(!leads_where_root_says(&deep));
        }
        symlink("a", dir.path().join("l")).unwrap();
        assert!(!leads_where_root_says(&dir.path().join("l/b")));
    }

    #[test]
    fn a_private_copy_is_what_was_read() {
        let copy = PrivateCopy::of(&mut &b"content"[..]).unwrap();
        assert_eq!(std::fs::read(copy.path()).unwrap(), b"content");
    }
}
