//! Turns paths into open directories: the one place that decides which links are followed.
//!
//! If there is no link on the way, one `openat2` is enough. Otherwise the path is walked part by part on handles. A
//! link is followed if it and its directory belong to root (or the agent's own user) and others cannot put links there;
//! or if it leads to something that belongs to the owner of the link and the directory, who gains nothing by it. `..`
//! in a link never leaves the root.
//!
//! Looks at neighbours share the handle of their directory: each thread keeps the last one, until the agent itself
//! changes the machine. Paths that are written to are always resolved anew.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::stat::{stat_at, stat_of};
use super::{Door, Error, FileKind, Real, Result, Stat, Symlink};

/// The most links on a way, as in the kernel.
const MAX_LINKS: usize = 40;

pub(super) const HANDLE: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The managed root, as an open directory.
pub(super) struct ManagedRoot {
    fd: OwnedFd,
    /// Who besides root may plant links: the agent's own user.
    own_uid: u32,
    /// The age of handles that may be kept; it is new after each change of the machine, and for each root.
    age: AtomicU64,
    /// The door that is asked before a directory behind a link is entered, and the root's path on this machine.
    door: Option<(Arc<Door>, PathBuf)>,
}

/// Ages are never reused, so no thread takes the handle of another root.
static AGES: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The age, the path and the directory of the last look.
    static LAST: RefCell<Option<(u64, PathBuf, Arc<OwnedFd>)>> = const { RefCell::new(None) };
}

/// Whether a link in the last part of a path is followed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    Keep,
    /// What the link leads to is meant.
    Follow,
}

/// A name in an open directory.
pub(super) struct PathHandle {
    pub(super) dir: Arc<OwnedFd>,
    pub(super) name: OsString,
}

impl PathHandle {
    /// A name in a directory that the caller holds open; `path` is for errors.
    pub(super) fn borrowed(dir: BorrowedFd<'_>, name: &OsStr, path: &Path) -> Result<Self> {
        let dir = dir.try_clone_to_owned().map_err(|e| Error::io("opening", path, e))?;
        Ok(Self { dir: Arc::new(dir), name: name.to_owned() })
    }
}

impl ManagedRoot {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(CWD, path, flags, Mode::empty())
            .map_err(|errno| Error::io("opening the root", path, errno))?;
        Ok(Self::of(fd))
    }

    /// Makes all kept handles invalid.
    pub(super) fn forget(&self) {
        self.age.store(next_age(), Ordering::Relaxed);
    }

    /// Like [`ManagedRoot::place`], for a look: reuses the directory of the last look if it is the same.
    pub(super) fn place_to_look(&self, path: &Path, last: Last) -> Result<Option<PathHandle>> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return self.place(path, last);
        };
        let age = self.age.load(Ordering::Relaxed);
        let kept = LAST.with_borrow(|kept| match kept {
            Some((kept_age, dir, handle)) if *kept_age == age && dir == parent => Some(handle.clone()),
            _ => None,
        });
        if let Some(dir) = kept
            && !(last == Last::Follow && is_symlink(&dir, name))
        {
            return Ok(Some(PathHandle { dir, name: name.to_owned() }));
        }
        let place = self.place(path, last)?;
        // The target of a link may be in another directory.
        if let Some(place) = place.as_ref().filter(|place| place.name == name && last == Last::Keep) {
            LAST.set(Some((age, parent.to_owned(), place.dir.clone())));
        }
        Ok(place)
    }

    /// A root from a directory that is already open.
    pub(super) fn of(fd: OwnedFd) -> Self {
        let own_uid = rustix::process::geteuid().as_raw();
        Self { fd, own_uid, age: AtomicU64::new(next_age()), door: None }
    }

    /// Sets the door to ask before a directory is entered; `outer` is the root's path on this machine.
    pub(super) fn ask(&mut self, door: Arc<Door>, outer: PathBuf) {
        self.door = Some((door, outer));
    }

    /// The handle of `path`: its directory, open, and its name there. `None` if a directory on the way is missing.
    pub(super) fn place(&self, path: &Path, last: Last) -> Result<Option<PathHandle>> {
        let parts = parts(path)?;
        let Some((name, parents)) = parts.split_last() else {
            let dir = self.fd.try_clone().map_err(|e| Error::io("opening", path, e))?;
            return Ok(Some(PathHandle { dir: Arc::new(dir), name: ".".into() }));
        };
        match self.straight(parents, path)? {
            Straight::Dir(dir) => {
                let dir = Arc::new(dir);
                let link = last == Last::Follow && is_symlink(&dir, name);
                if link {
                    self.walk(parts, path, last)
                } else {
                    Ok(Some(PathHandle { dir, name: name.clone() }))
                }
            }
            Straight::Missing => Ok(None),
            Straight::Links => self.walk(parts, path, last),
        }
    }

    /// Opens the directory by one system call, if there is no link on the way.
    fn straight(&self, parents: &[OsString], path: &Path) -> Result<Straight> {
        let relative: PathBuf = if parents.is_empty() { ".".into() } else { parents.iter().collect() };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        // Without NOFOLLOW, which would turn a last link into "no directory" before it is recognized as a link.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::openat2(&self.fd, &relative, flags, Mode::empty(), resolve) {
            Ok(dir) => Ok(Straight::Dir(dir)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(Straight::Missing),
            // Kernels before 5.6 lack the call, and some sandboxes refuse it.
            Err(Errno::LOOP | Errno::NOSYS | Errno::PERM) => Ok(Straight::Links),
            Err(errno) => Err(Error::io("opening the directory of", path, errno)),
        }
    }

    /// The real path, with its last part followed, too; `None` if no link is on the way. Parts that do not exist yet
    /// keep their names.
    pub(super) fn real(&self, path: &Path) -> Result<Option<Real>> {
        let parts = parts(path)?;
        if !matches!(self.straight(&parts, path)?, Straight::Links) {
            return Ok(None);
        }
        let mut walk = PathWalk::new(self, path, parts);
        let mut real = Real { path: PathBuf::from("/"), links: Vec::new() };
        while let Some(part) = walk.todo.pop_front() {
            if part == ".." {
                walk.leave()?;
                real.path.pop();
                continue;
            }
            walk.ask(&part)?;
            let fd = match rustix::fs::openat(walk.top(), &part, HANDLE, Mode::empty()) {
                Ok(fd) => fd,
                Err(Errno::NOENT | Errno::NOTDIR) => {
                    walk.todo.push_front(part);
                    real.path = walk.todo.iter().fold(real.path, further);
                    break;
                }
                Err(errno) => return Err(Error::io("opening", path, errno)),
            };
            let stat = stat_of(fd.as_fd()).map_err(|errno| Error::io("looking at", path, errno))?;
            if stat.kind == FileKind::Symlink {
                let target = walk.follow(&fd, stat)?;
                let at = real.path.join(&part);
                if target.is_absolute() {
                    real.path = PathBuf::from("/");
                }
                real.links.push(Symlink { at, target });
                continue;
            }
            walk.keep_pledges(|_| Ok(stat))?;
            real.path.push(&part);
            walk.go_into(fd, part);
        }
        Ok(Some(real))
    }

    /// Walks part by part, deciding on each link.
    fn walk(&self, parts: Vec<OsString>, path: &Path, last: Last) -> Result<Option<PathHandle>> {
        let mut walk = PathWalk::new(self, path, parts);
        while let Some(part) = walk.todo.pop_front() {
            if part == ".." {
                walk.leave()?;
                continue;
            }
            walk.ask(&part)?;
            let is_last = walk.todo.is_empty();
            if is_last && last == Last::Keep {
                return walk.place(part).map(Some);
            }
            let fd = match rustix::fs::openat(walk.top(), &part, HANDLE, Mode::empty()) {
                Ok(fd) => fd,
                Err(Errno::NOENT) if is_last => return walk.place(part).map(Some),
                Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
                Err(errno) => return Err(Error::io("opening", path, errno)),
            };
            let stat = stat_of(fd.as_fd()).map_err(|errno| Error::io("looking at", path, errno))?;
            if stat.kind == FileKind::Symlink {
                walk.follow(&fd, stat)?;
                continue;
            }
            walk.keep_pledges(|_| Ok(stat))?;
            if is_last {
                return walk.place(part).map(Some);
            }
            walk.go_into(fd, part);
        }
        walk.place(".".into()).map(Some)
    }
}

/// A path continued by a part that does not exist.
fn further(mut path: PathBuf, part: &OsString) -> PathBuf {
    if part == ".." {
        path.pop();
    } else {
        path.push(part);
    }
    path
}

fn next_age() -> u64 {
    AGES.fetch_add(1, Ordering::Relaxed)
}

fn is_symlink(dir: &OwnedFd, name: &OsStr) -> bool {
    stat_at(dir.as_fd(), name).is_ok_and(|stat| stat.kind == FileKind::Symlink)
}

enum Straight {
    Dir(OwnedFd),
    Missing,
    Links,
}

/// A walk in progress.
struct PathWalk<'a> {
    root: &'a ManagedRoot,
    path: &'a Path,
    /// The directories below the root that the walk has entered.
    stack: Vec<OwnedFd>,
    /// The names of these directories.
    names: Vec<OsString>,
    todo: VecDeque<OsString>,
    /// For links of users: what is reached when this many parts are left must belong to this user.
    pledges: Vec<(usize, u32)>,
    links: usize,
}

impl<'a> PathWalk<'a> {
    fn new(root: &'a ManagedRoot, path: &'a Path, parts: Vec<OsString>) -> Self {
        let (stack, names) = (Vec::new(), Vec::new());
        Self { root, path, stack, names, todo: parts.into(), pledges: Vec::new(), links: 0 }
    }

    /// Fails if a name in the current directory is on a file system that does not respond.
    fn ask(&self, name: &OsStr) -> Result<()> {
        let Some((door, outer)) = &self.root.door else { return Ok(()) };
        let mut path = outer.clone();
        path.extend(&self.names);
        path.push(name);
        door.ask(&path)
    }

    fn go_into(&mut self, dir: OwnedFd, name: OsString) {
        self.stack.push(dir);
        self.names.push(name);
    }

    /// Follows `..`.
    fn leave(&mut self) -> Result<()> {
        self.stack.pop();
        self.names.pop();
        self.keep_pledges(|top| stat_of(top))
    }

    fn top(&self) -> BorrowedFd<'_> {
        self.stack.last().map_or(self.root.fd.as_fd(), AsFd::as_fd)
    }

    fn place(&self, name: OsString) -> Result<PathHandle> {
        let dir = self.top().try_clone_to_owned().map_err(|e| Error::io("opening", self.path, e))?;
        Ok(PathHandle { dir: Arc::new(dir), name })
    }

    /// Follows a link, if that is allowed; returns its target.
    fn follow(&mut self, link: &OwnedFd, stat: Stat) -> Result<PathBuf> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Error::LinkLoop(self.path.to_owned()));
        }
        let dir = stat_of(self.top()).map_err(|errno| Error::io("looking at", self.path, errno))?;
        match self.trust(stat, dir) {
            Trust::Free => {}
            Trust::SameOwner(uid) => self.pledges.push((self.todo.len(), uid)),
            Trust::None(owner) => return Err(Error::PlantedLink { link: self.path.to_owned(), owner }),
        }
        let target = rustix::fs::readlinkat(link, "", Vec::new())
            .map_err(|errno| Error::io("reading the link", self.path, errno))?;
        let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
        if target.is_absolute() {
            self.stack.clear();
            self.names.clear();
        }
        for component in target.components().rev() {
            match component {
                Component::Normal(part) => self.todo.push_front(part.to_owned()),
                Component::ParentDir => self.todo.push_front("..".into()),
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            }
        }
        Ok(target)
    }

    fn trust(&self, link: Stat, dir: Stat) -> Trust {
        let ours = |uid| uid == 0 || uid == self.root.own_uid;
        let others_write = dir.mode & 0o022 != 0 && dir.mode & 0o1000 == 0;
        match (ours(link.uid), ours(dir.uid)) {
            (true, true) if !others_write => Trust::Free,
            (false, _) if link.uid == dir.uid && !others_write => Trust::SameOwner(link.uid),
            (true, _) => Trust::None(dir.uid),
            (false, _) => Trust::None(link.uid),
        }
    }

    /// Checks the owner of what users' links have led to so far.
    fn keep_pledges(&mut self, reached: impl Fn(BorrowedFd<'_>) -> rustix::io::Result<Stat>) -> Result<()> {
        while let Some(&(left, uid)) = self.pledges.last() {
            if left < self.todo.len() {
                break;
            }
            let stat = reached(self.top()).map_err(|errno| Error::io("looking at", self.path, errno))?;
            if stat.uid != uid {
                return Err(Error::PlantedLink { link: self.path.to_owned(), owner: uid });
            }
            self.pledges.pop();
        }
        Ok(())
    }
}

enum Trust {
    Free,
    /// Followed if the target belongs to this user.
    SameOwner(u32),
    /// Not followed, because of this user.
    None(u32),
}

/// The parts of an absolute, normal path.
fn parts(path: &Path) -> Result<Vec<OsString>> {
    let bad = || Error::BadPath(path.to_owned());
    let mut components = path.components();
    if components.next() != Some(Component::RootDir) || path.as_os_str().as_bytes().contains(&0) {
        return Err(bad());
    }
    components
        .map(|part| if let Component::Normal(part) = part { Ok(part.to_owned()) } else { Err(bad()) })
        .collect()
}
