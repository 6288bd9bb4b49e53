//! Directory trees on open handles: visiting and removing, without following links or leaving a file system.

use std::ffi::{OsStr, OsString};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::resolve::{stat_at, stat_of};
use super::{Error, FileKind, Member, Result, Walk};

/// Deeper trees are refused: each level holds a handle.
const MAX_DEPTH: usize = 200;

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a directory by its name in another.
pub(super) fn open_dir(dir: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(dir, name, DIRECTORY, Mode::empty())
}

/// Makes a directory, for its owner alone, and opens it: it, and no other that was put in its place meanwhile.
pub(super) fn make_dir(dir: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<OwnedFd> {
    rustix::fs::mkdirat(dir, name, Mode::RWXU)?;
    let made = open_dir(dir, name)?;
    refuse_others(&made)?;
    Ok(made)
}

/// A directory that was just made is this process's, and holds nothing.
fn refuse_others(made: &OwnedFd) -> rustix::io::Result<()> {
    let is_ours = stat_of(made)?.uid == rustix::process::geteuid().as_raw() && names(made).next().is_none();
    if is_ours { Ok(()) } else { Err(Errno::EXIST) }
}

/// Opens a directory by its name in another, unless something is mounted there.
fn open_below(dir: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    match rustix::fs::openat2(dir, name, DIRECTORY, Mode::empty(), resolve) {
        Err(Errno::NOSYS | Errno::PERM) => {
            let fd = open_dir(dir, name)?;
            let same = stat_of(&fd)?.id.0 == stat_of(dir)?.id.0;
            if same { Ok(fd) } else { Err(Errno::XDEV) }
        }
        opened => opened,
    }
}

/// The names in a directory, as the kernel gives them, without `.` and `..`.
pub(super) fn names(dir: &OwnedFd) -> impl Iterator<Item = rustix::io::Result<OsString>> + use<> {
    let (entries, error) = match Dir::read_from(dir) {
        Ok(entries) => (Some(entries), None),
        Err(errno) => (None, Some(Err(errno))),
    };
    let names = entries.into_iter().flatten().filter_map(|entry| match entry {
        Ok(entry) => match entry.file_name().to_bytes() {
            b"." | b".." => None,
            name => Some(Ok(OsString::from_vec(name.to_vec()))),
        },
        Err(errno) => Some(Err(errno)),
    });
    error.into_iter().chain(names)
}

/// Visits everything below an open directory; `shown` is its path, for errors.
pub(super) fn walk(
    dir: &OwnedFd,
    shown: &Path,
    visit: &mut dyn FnMut(&Member<'_>) -> Result<Walk>,
) -> Result<()> {
    level(dir, shown, &mut PathBuf::new(), 0, visit).map(|_| ())
}

fn level(
    dir: &OwnedFd,
    shown: &Path,
    path: &mut PathBuf,
    depth: usize,
    visit: &mut dyn FnMut(&Member<'_>) -> Result<Walk>,
) -> Result<ControlFlow<()>> {
    if depth > MAX_DEPTH {
        return Err(Error::io("walking", &shown.join(path), Errno::NAMETOOLONG));
    }
    for name in names(dir) {
        let name = name.map_err(|errno| Error::io("listing", &shown.join(&*path), errno))?;
        path.push(&name);
        let failed = |errno| Error::io("looking at", &shown.join(&*path), errno);
        match stat_at(dir.as_fd(), &name) {
            Ok(stat) => {
                let into = visit(&Member { path, stat, dir: dir.as_fd(), name: &name })?;
                if into == Walk::Stop {
                    return Ok(ControlFlow::Break(()));
                }
                if into == Walk::Into && stat.kind == FileKind::Directory {
                    match open_below(dir.as_fd(), &name) {
                        Ok(below) => {
                            if level(&below, shown, path, depth + 1, visit)?.is_break() {
                                return Ok(ControlFlow::Break(()));
                            }
                        }
                        // Another file system is none of this tree's; what went away or became a link meanwhile is not here.
                        Err(Errno::XDEV | Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                        Err(errno) => return Err(failed(errno)),
                    }
                }
            }
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(failed(errno)),
        }
        path.pop();
    }
    Ok(ControlFlow::Continue(()))
}

/// Removes what a name in a directory is, with all that it holds.
pub(super) fn remove(dir: BorrowedFd<'_>, name: &OsStr, shown: &Path) -> Result<()> {
    remove_level(dir, name, shown, 0)
}

fn remove_level(dir: BorrowedFd<'_>, name: &OsStr, shown: &Path, depth: usize) -> Result<()> {
    let failed = |errno: Errno| {
        Error::io("removing", shown, errno).hint(|| match errno {
            Errno::XDEV | Errno::BUSY => "; something is mounted there: unmount it first".to_owned(),
            _ => String::new(),
        })
    };
    let unlink = |flags| match rustix::fs::unlinkat(dir, name, flags) {
        Err(Errno::NOENT) => Ok(()),
        other => other.map_err(failed),
    };
    match stat_at(dir, name) {
        Ok(stat) if stat.kind == FileKind::Directory => {}
        Ok(_) => return unlink(AtFlags::empty()),
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(failed(errno)),
    }
    if depth > MAX_DEPTH {
        return Err(failed(Errno::NAMETOOLONG));
    }
    let below = open_below(dir, name).map_err(failed)?;
    for member in names(&below) {
        let member = member.map_err(failed)?;
        remove_level(below.as_fd(), &member, &shown.join(&member), depth + 1)?;
    }
    unlink(AtFlags::REMOVEDIR)
}
