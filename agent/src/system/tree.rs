//! Directory trees on open handles: visiting and removing, without following links or leaving a file system.

use std::ffi::{OsStr, OsString};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::door::OpenCall;
use super::stat::{stat_at, stat_of};
use super::{Error, FileKind, Met, Result, TreeMember, UnreadMember, WalkStep};

/// The deepest level that a walk enters: each level holds a handle.
const MAX_DEPTH: usize = 200;

/// The most directories that are moved to the top of a tree while it is removed, so nobody can keep the removal busy by
/// making new ones.
const MAX_LIFTED: usize = 10_000;

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a directory by its name in another.
pub(super) fn open_dir(dir: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(dir, name, DIRECTORY, Mode::empty())
}

/// Makes a directory that only its owner can access, and opens it: this very one, not another that was put in its place
/// in the meantime.
pub(super) fn make_dir(dir: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<OwnedFd> {
    rustix::fs::mkdirat(dir, name, Mode::RWXU)?;
    let made = open_dir(dir, name)?;
    refuse_others(&made)?;
    Ok(made)
}

/// Checks that a directory is the one that was just made: it belongs to this process's user, and is empty.
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

/// The names in a directory, in the kernel's order, without `.` and `..`.
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

/// The callback for what a walk meets.
type Visit<'a> = dyn FnMut(Met<'_>) -> Result<WalkStep> + 'a;

/// Begins a look at a path below the tree's root; an error if that is refused.
type Enter<'a> = dyn Fn(&Path) -> Result<OpenCall<'a>> + 'a;

/// Visits everything below an open directory; `shown` is its path, for errors.
pub(super) fn walk(dir: &OwnedFd, shown: &Path, enter: &Enter<'_>, visit: &mut Visit<'_>) -> Result<()> {
    level(dir, (shown, enter), &mut PathBuf::new(), 0, visit).map(|_| ())
}

fn level(
    dir: &OwnedFd,
    of: (&Path, &Enter<'_>),
    path: &mut PathBuf,
    depth: usize,
    visit: &mut Visit<'_>,
) -> Result<ControlFlow<()>> {
    let (shown, _) = of;
    for name in names(dir) {
        let name = match name {
            Ok(name) => name,
            Err(errno) if depth == 0 => return Err(Error::io("listing", shown, errno)),
            Err(errno) => return unread("listing", shown, path, errno, visit),
        };
        path.push(&name);
        let goes_on = member(dir, &name, of, path, depth, visit)?;
        path.pop();
        if goes_on.is_break() {
            return Ok(goes_on);
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Visits a member, and everything in it.
fn member(
    dir: &OwnedFd,
    name: &OsStr,
    (shown, enter): (&Path, &Enter<'_>),
    path: &mut PathBuf,
    depth: usize,
    visit: &mut Visit<'_>,
) -> Result<ControlFlow<()>> {
    let looked = match enter(path) {
        Ok(_call) => stat_at(dir.as_fd(), name),
        Err(error) => return visit(Err(UnreadMember { path, error })).map(flow),
    };
    let stat = match looked {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(ControlFlow::Continue(())),
        Err(errno) => return unread("looking at", shown, path, errno, visit),
    };
    let into = visit(Ok(&TreeMember { path, stat, dir: dir.as_fd(), name }))?;
    if into != WalkStep::Into || stat.kind != FileKind::Directory {
        return Ok(flow(into));
    }
    if depth == MAX_DEPTH {
        return unread("walking", shown, path, Errno::NAMETOOLONG, visit);
    }
    match open_below(dir.as_fd(), name) {
        Ok(below) => level(&below, (shown, enter), path, depth + 1, visit),
        // Another file system is not part of this tree; what was removed or became a link in the meantime is no longer
        // there.
        Err(Errno::XDEV | Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(ControlFlow::Continue(())),
        Err(errno) => unread("looking into", shown, path, errno, visit),
    }
}

/// Passes what cannot be read to `visit`.
fn unread(
    doing: &'static str,
    shown: &Path,
    path: &Path,
    errno: Errno,
    visit: &mut Visit<'_>,
) -> Result<ControlFlow<()>> {
    let error = Error::io(doing, &shown.join(path), errno);
    visit(Err(UnreadMember { path, error })).map(flow)
}

fn flow(walk: WalkStep) -> ControlFlow<()> {
    if walk == WalkStep::Stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// Removes what a name in a directory is, with everything in it, however deep.
pub(super) fn remove(dir: BorrowedFd<'_>, name: &OsStr, shown: &Path) -> Result<()> {
    let Some(top) = unlink_or_open(dir, name, shown)? else { return Ok(()) };
    let mut lifted = 0;
    loop {
        let before = lifted;
        empty(&top, shown, 0, &mut Lift { top: top.as_fd(), count: &mut lifted })?;
        if lifted == before {
            return unlink(dir, name, AtFlags::REMOVEDIR, shown);
        }
    }
}

/// The top of a tree, to which directories that are too deep are moved: each level holds a handle.
struct Lift<'a> {
    top: BorrowedFd<'a>,
    count: &'a mut usize,
}

impl Lift<'_> {
    fn lift(&mut self, dir: &OwnedFd, name: &OsStr, shown: &Path) -> Result<()> {
        while *self.count < MAX_LIFTED {
            let new = format!(".lifted-{}", self.count);
            *self.count += 1;
            match rustix::fs::renameat(dir, name, self.top, new) {
                // The owner of the tree may have used the name.
                Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
                Ok(()) | Err(Errno::NOENT) => return Ok(()),
                Err(errno) => return Err(not_removed(shown, errno)),
            }
        }
        Err(not_removed(shown, Errno::NAMETOOLONG))
    }
}

/// Removes the content of an open directory.
fn empty(dir: &OwnedFd, shown: &Path, depth: usize, lift: &mut Lift<'_>) -> Result<()> {
    for member in names(dir) {
        let member = member.map_err(|errno| not_removed(shown, errno))?;
        let shown = shown.join(&member);
        let Some(below) = unlink_or_open(dir.as_fd(), &member, &shown)? else { continue };
        if depth == MAX_DEPTH {
            lift.lift(dir, &member, &shown)?;
        } else {
            empty(&below, &shown, depth + 1, lift)?;
            unlink(dir.as_fd(), &member, AtFlags::REMOVEDIR, &shown)?;
        }
    }
    Ok(())
}

/// Opens a directory so it can be emptied, and removes anything else.
fn unlink_or_open(dir: BorrowedFd<'_>, name: &OsStr, shown: &Path) -> Result<Option<OwnedFd>> {
    match stat_at(dir, name) {
        Ok(stat) if stat.kind == FileKind::Directory => {
            open_below(dir, name).map(Some).map_err(|errno| not_removed(shown, errno))
        }
        Ok(_) => unlink(dir, name, AtFlags::empty(), shown).map(|()| None),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(not_removed(shown, errno)),
    }
}

fn unlink(dir: BorrowedFd<'_>, name: &OsStr, flags: AtFlags, shown: &Path) -> Result<()> {
    match rustix::fs::unlinkat(dir, name, flags) {
        Err(Errno::NOENT) => Ok(()),
        other => other.map_err(|errno| not_removed(shown, errno)),
    }
}

fn not_removed(shown: &Path, errno: Errno) -> Error {
    Error::io("removing", shown, errno).hint(|| match errno {
        Errno::XDEV | Errno::BUSY => "; something is mounted there: unmount it first".to_owned(),
        _ => String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_somebody_put_in_its_place_is_not_taken_for_the_one_that_was_made() {
        let outer = tempfile::tempdir().unwrap();
        let dir = rustix::fs::open(outer.path(), DIRECTORY, Mode::empty()).unwrap();
        let made = make_dir(dir.as_fd(), OsStr::new("made")).unwrap();
        refuse_others(&made).unwrap();
        std::fs::write(outer.path().join("made/theirs"), "").unwrap();
        assert_eq!(refuse_others(&made), Err(Errno::EXIST));
        if crate::skip::is_root() {
            std::fs::remove_file(outer.path().join("made/theirs")).unwrap();
            std::os::unix::fs::chown(outer.path().join("made"), Some(1), None).unwrap();
            assert_eq!(refuse_others(&made), Err(Errno::EXIST));
        }
    }
}
