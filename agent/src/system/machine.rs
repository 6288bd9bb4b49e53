//! The real machine below a root directory.

mod accounts;
mod looks;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use accounts::KnownAccounts;

use super::command::child::Bounds;
use super::door::OpenCall;
use super::resolve::{Last, ManagedRoot, PathHandle};
use super::stat::{stat_at, stat_of};
use super::{
    ClockTrust, Door, Error, FileKind, HeldPath, Inspect as _, Invocation, Liveness, OpenFile, Result, Stat,
    tree, way,
};
use crate::stop::RunEnd;

/// The most changed directories that wait for their sync at once; each is an open handle.
const MAX_UNSYNCED: usize = 64;

/// Opens a regular file that may have become something else: never waits, and never takes a terminal.
pub(super) const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// The machine below a root directory: `/`, or the one of `--root`.
pub struct Machine {
    root: ManagedRoot,
    root_path: PathBuf,
    liveness: Liveness,
    pub(super) accounts: KnownAccounts,
    unsynced: Mutex<HashMap<(u64, u64), OwnedFd>>,
    swept: Mutex<HashSet<(u64, u64)>>,
    /// What was waited for in vain.
    in_vain: Mutex<BTreeSet<String>>,
    /// How often something was changed, or may have been.
    pub(super) acts: AtomicU64,
    /// Set when the run must stop.
    stop: Option<Arc<AtomicBool>>,
    /// When the run must be over.
    end: Option<RunEnd>,
    /// How far its clock can be believed.
    clock: ClockTrust,
    /// The door to its paths.
    door: Arc<Door>,
}

impl Machine {
    /// Opens the machine below `root`.
    ///
    /// # Errors
    /// Fails if the root cannot be opened.
    pub fn open(root: &Path) -> Result<Self> {
        let whole = root.canonicalize().map_err(|e| Error::io("opening the root", root, e))?;
        let liveness = if whole == Path::new("/") { Liveness::Live } else { Liveness::Directory };
        Ok(Self {
            root: ManagedRoot::open(&whole)?,
            root_path: whole,
            liveness,
            accounts: KnownAccounts::default(),
            unsynced: Mutex::default(),
            swept: Mutex::default(),
            in_vain: Mutex::default(),
            acts: AtomicU64::default(),
            stop: None,
            end: None,
            clock: ClockTrust::default(),
            door: Arc::default(),
        })
    }

    /// Sets the flag on which the run must stop.
    #[must_use]
    pub fn stopped_by(mut self, stop: Arc<AtomicBool>) -> Self {
        self.stop = Some(stop);
        self
    }

    /// Sets when the run must be over.
    #[must_use]
    pub fn until(mut self, end: RunEnd) -> Self {
        self.end = Some(end);
        self
    }

    /// Sets how far its clock can be believed.
    #[must_use]
    pub fn with_clock(mut self, clock: ClockTrust) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the door through which its paths are reached.
    #[must_use]
    pub fn through(mut self, door: Arc<Door>) -> Self {
        self.root.ask(door.clone(), self.root_path.clone());
        self.door = door;
        self
    }

    /// Enters a call that involves a path.
    pub(super) fn enter(&self, path: &Path) -> Result<OpenCall<'_>> {
        self.door.enter(self.outer(path))
    }

    /// Fails if a file system that is mounted below a path does not respond.
    pub(super) fn enter_tree(&self, path: &Path) -> Result<()> {
        self.door.enter_tree(&self.outer(path))
    }

    /// What can end a command from outside.
    pub(super) fn bounds(&self) -> Bounds<'_> {
        Bounds { stop: self.stop.as_deref(), end: self.end }
    }

    /// A directory that is already open, as a root of its own: only files. `outer` leads to it on this machine.
    pub(super) fn inside(dir: OwnedFd, outer: PathBuf) -> Self {
        Self {
            root: ManagedRoot::of(dir),
            root_path: outer,
            liveness: Liveness::Directory,
            accounts: KnownAccounts::default(),
            unsynced: Mutex::default(),
            swept: Mutex::default(),
            in_vain: Mutex::default(),
            acts: AtomicU64::default(),
            stop: None,
            end: None,
            clock: ClockTrust::default(),
            door: Arc::default(),
        }
    }

    /// The path on this machine of something in the managed root.
    pub(super) fn outer(&self, path: &Path) -> PathBuf {
        self.root_path.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// A handle of where `path` is, for a look; `None` if its directory is missing.
    pub(super) fn place(&self, path: &Path, last: Last) -> Result<Option<PathHandle>> {
        let _call = self.enter(path)?;
        self.root.place(path, last)
    }

    /// A handle of where `path` is; an error if its directory is missing.
    pub(super) fn place_to_write(&self, path: &Path) -> Result<PathHandle> {
        self.place(path, Last::Keep)?.ok_or_else(|| {
            let stat = |at: &Path| self.stat(at).ok().flatten().map(|stat| (at.to_owned(), stat.kind));
            let stands = path.ancestors().skip(1).find_map(stat);
            if let Some((at, _)) = stands.filter(|(_, kind)| *kind != FileKind::Directory) {
                let blocked = Error::io("writing", path, Errno::NOTDIR);
                return blocked
                    .hint(|| format!("; {} is not a directory, so nothing can be below it", at.display()));
            }
            let missing = Error::io("writing", path, Errno::NOENT);
            missing.hint(|| {
                "; its directory does not exist: a `file` with ensure = \"directory\" makes it".to_owned()
            })
        })
    }

    /// Records that a directory has changed and must be synced.
    pub(super) fn changed(&self, dir: &OwnedFd, path: &Path) -> Result<()> {
        self.root.forget();
        let failed = |errno: Errno| Error::io("syncing the directory of", path, errno);
        let id = stat_of(dir).map_err(failed)?.id;
        let mut unsynced = lock(&self.unsynced);
        if unsynced.len() >= MAX_UNSYNCED && !unsynced.contains_key(&id) {
            return rustix::fs::openat(
                dir,
                ".",
                OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
            )
            .and_then(rustix::fs::fsync)
            .map_err(failed);
        }
        if let std::collections::hash_map::Entry::Vacant(entry) = unsynced.entry(id) {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            entry.insert(rustix::fs::openat(dir, ".", flags, Mode::empty()).map_err(failed)?);
        }
        Ok(())
    }

    /// Makes shared handles and missing accounts stale: a command may have changed anything.
    pub(super) fn forget(&self) {
        self.root.forget();
        self.accounts.forget_missing();
    }

    /// Makes the changed directories survive a power cut.
    pub(super) fn sync_directories(&self) -> Result<()> {
        let unsynced = std::mem::take(&mut *lock(&self.unsynced));
        for dir in unsynced.into_values() {
            rustix::fs::fsync(&dir)
                .map_err(|errno| Error::io("syncing a directory of", &self.root_path, errno))?;
        }
        Ok(())
    }

    /// Whether this is the first time that something is written into a directory.
    pub(super) fn first_time(&self, id: (u64, u64)) -> bool {
        lock(&self.swept).insert(id)
    }

    /// A handle of where `path` is, if users other than root could redirect it; `None` if it is certain where it leads.
    fn exposed(&self, path: &Path) -> Result<Option<PathHandle>> {
        if way::leads_where_root_says(&self.outer(path)) {
            return Ok(None);
        }
        self.place(path, Last::Keep)?
            .map_or_else(|| Err(Error::io("looking at", path, Errno::NOENT)), |place| Ok(Some(place)))
    }

    /// The way to a name; `is_held` says whether nobody can rename it.
    pub(super) fn way_beside(
        &self,
        path: &Path,
        is_held: impl FnOnce(&PathHandle) -> rustix::io::Result<bool>,
    ) -> Result<Option<HeldPath>> {
        let Some(place) = self.exposed(path)? else { return Ok(None) };
        let failed = |errno: Errno| Error::io("looking at", path, errno);
        if !is_held(&place).map_err(failed)? {
            return Err(failed(Errno::STALE));
        }
        way::beside(&place, path).map(Some)
    }

    fn open_dir(&self, path: &Path) -> Result<OwnedFd> {
        let _call = self.enter(path)?;
        let missing = || Error::io("listing", path, Errno::NOENT);
        let place = self.root.place(path, Last::Follow)?.ok_or_else(missing)?;
        tree::open_dir(place.dir.as_fd(), &place.name).map_err(|errno| Error::io("listing", path, errno))
    }

    fn stat_as(&self, path: &Path, last: Last) -> Result<Option<Stat>> {
        let _call = self.enter(path)?;
        self.root.place_to_look(path, last)?.map_or(Ok(None), |place| look(&place, path))
    }

    /// Fails if a command is, or works, in a place that does not respond.
    pub(super) fn enter_places_of(&self, invocation: &Invocation) -> Result<()> {
        let program = invocation.program().map(Path::new).filter(|program| program.is_absolute());
        invocation.cwd.as_deref().into_iter().chain(program).try_for_each(|path| self.enter(path).map(drop))
    }

    pub(super) fn only_live(&self, command: &Invocation) -> Result<()> {
        match self.liveness {
            Liveness::Live => Ok(()),
            Liveness::Directory => Err(Error::NotLive(command.command.to_string())),
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these locks protect is consistent between any two statements, so a panic elsewhere spoils nothing.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a name in a directory is; `None` if nothing is there.
fn look(place: &PathHandle, path: &Path) -> Result<Option<Stat>> {
    match stat_at(place.dir.as_fd(), &place.name) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(errno) => Err(Error::io("looking at", path, errno)),
    }
}

/// Opens a name in a directory if it is a regular file both before and after.
pub(super) fn open_regular(place: &PathHandle, path: &Path) -> Result<Option<OpenFile>> {
    match look(place, path)? {
        Some(before) if before.kind == FileKind::File => open_seen(place, path),
        Some(_) => Err(Error::NotAFile(path.to_owned())),
        None => Ok(None),
    }
}

/// Opens what was just seen to be a regular file.
fn open_seen(place: &PathHandle, path: &Path) -> Result<Option<OpenFile>> {
    let failed = |errno: Errno| Error::io("opening", path, errno);
    let fd = match rustix::fs::openat(&place.dir, &place.name, READ, Mode::empty()) {
        Ok(fd) => fd,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(failed(errno)),
    };
    let stat = stat_of(&fd).map_err(failed)?;
    if stat.kind != FileKind::File {
        return Err(Error::NotAFile(path.to_owned()));
    }
    Ok(Some(OpenFile { file: File::from(fd), stat }))
}
