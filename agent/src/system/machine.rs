//! The real machine below a root directory.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::command::child::{self, Bounds};
use super::door::OpenCall;
use super::resolve::{Last, ManagedRoot, PathHandle, stat_at, stat_of};
use super::{
    Accounts, Door, Error, FileKind, HeldPath, Inspect, Invocation, Liveness, Met, OpenFile, Output, Real,
    Result, Stat, WalkStep, kept_out, tree, way,
};
use crate::stop::{RunEnd, StopReason};

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
    accounts: Mutex<Option<(Fingerprint, Arc<Accounts>)>>,
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
    /// How far its clock is ahead of the server's.
    clock_ahead: Duration,
    /// The door to its paths.
    door: Arc<Door>,
}

/// What distinguishes one version of the account files from another: identity, size, and all times but that of reading.
type Fingerprint = [Option<((u64, u64), u64, [i64; 3])>; 2];

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
            accounts: Mutex::default(),
            unsynced: Mutex::default(),
            swept: Mutex::default(),
            in_vain: Mutex::default(),
            acts: AtomicU64::default(),
            stop: None,
            end: None,
            clock_ahead: Duration::ZERO,
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

    /// Sets how far the clock is ahead of the server's.
    #[must_use]
    pub fn ahead_by(mut self, clock_ahead: Duration) -> Self {
        self.clock_ahead = clock_ahead;
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
            accounts: Mutex::default(),
            unsynced: Mutex::default(),
            swept: Mutex::default(),
            in_vain: Mutex::default(),
            acts: AtomicU64::default(),
            stop: None,
            end: None,
            clock_ahead: Duration::ZERO,
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
                    .hint(|| format!("; {} is not a directory, and nothing can be below it", at.display()));
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

    /// Forgets the handles that looks share: a command may have changed anything.
    pub(super) fn forget(&self) {
        self.root.forget();
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

    fn account_files(&self) -> Result<Fingerprint> {
        let seen = |name| -> Result<_> {
            let path = Path::new(name);
            let Some(opened) = self.open(path)? else { return Ok(None) };
            let precise = rustix::fs::fstat(&opened.file).map_err(|e| Error::io("looking at", path, e))?;
            #[allow(
                clippy::unnecessary_cast,
                clippy::cast_possible_wrap,
                reason = "types differ by platform"
            )]
            let nanoseconds = precise.st_mtime_nsec as i64;
            let Stat { id, size, times, .. } = opened.stat;
            Ok(Some((id, size, [times.modified, times.changed, nanoseconds])))
        };
        Ok([seen("/etc/passwd")?, seen("/etc/group")?])
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

impl Inspect for Machine {
    fn liveness(&self) -> Liveness {
        self.liveness
    }

    fn lstat(&self, path: &Path) -> Result<Option<Stat>> {
        self.stat_as(path, Last::Keep)
    }

    fn stat(&self, path: &Path) -> Result<Option<Stat>> {
        self.stat_as(path, Last::Follow)
    }

    fn open(&self, path: &Path) -> Result<Option<OpenFile>> {
        let _call = self.enter(path)?;
        let Some(place) = self.root.place_to_look(path, Last::Follow)? else { return Ok(None) };
        open_regular(&place, path)
    }

    fn open_if(
        &self,
        path: &Path,
        wanted: &dyn Fn(&Stat) -> bool,
    ) -> Result<Option<(Stat, Option<OpenFile>)>> {
        let _call = self.enter(path)?;
        let Some(place) = self.root.place_to_look(path, Last::Keep)? else { return Ok(None) };
        match look(&place, path)? {
            Some(stat) if stat.kind == FileKind::File && wanted(&stat) => {
                Ok(Some((stat, open_seen(&place, path)?)))
            }
            seen => Ok(seen.map(|stat| (stat, None))),
        }
    }

    fn kept_out(&self, path: &Path) -> Option<String> {
        let is_directory =
            |at: &&Path| self.stat(at).ok().flatten().is_some_and(|stat| stat.kind == FileKind::Directory);
        let directory = path.ancestors().find(is_directory)?;
        let place = self.place(&directory.join("lock"), Last::Keep).ok()??;
        if kept_out::is_read_only(&place) {
            return Some(kept_out::read_only(directory));
        }
        kept_out::by_attribute(&self.place(path, Last::Keep).ok()??, path)
    }

    fn real(&self, path: &Path) -> Result<Option<Real>> {
        let _call = self.enter(path)?;
        self.root.real(path)
    }

    fn read_link(&self, path: &Path) -> Result<PathBuf> {
        let _call = self.enter(path)?;
        let failed = |errno| Error::io("reading the link", path, errno);
        let place = self.root.place_to_look(path, Last::Keep)?.ok_or_else(|| failed(Errno::NOENT))?;
        let target = rustix::fs::readlinkat(&place.dir, &place.name, Vec::new()).map_err(failed)?;
        Ok(OsString::from_vec(target.into_bytes()).into())
    }

    fn list(&self, path: &Path) -> Result<Vec<OsString>> {
        let _call = self.enter(path)?;
        let dir = self.open_dir(path)?;
        let names = tree::names(&dir).map(|name| name.map_err(|errno| Error::io("listing", path, errno)));
        let mut names: Vec<_> = names.collect::<Result<_>>()?;
        names.sort_unstable();
        Ok(names)
    }

    fn walk(&self, path: &Path, visit: &mut dyn FnMut(Met<'_>) -> Result<WalkStep>) -> Result<()> {
        let dir = self.open_dir(path)?;
        let real = self.real(path)?.map_or_else(|| path.to_owned(), |real| real.path);
        tree::walk(&dir, path, &|below| self.enter(&real.join(below)), visit)
    }

    fn clock_ahead(&self) -> Duration {
        self.clock_ahead
    }

    fn stopping(&self) -> Option<StopReason> {
        self.bounds().stopping()
    }

    fn patience(&self, own: Duration) -> Duration {
        self.bounds().patience(own)
    }

    fn in_vain(&self) -> MutexGuard<'_, BTreeSet<String>> {
        lock(&self.in_vain)
    }

    fn accounts(&self) -> Result<Arc<Accounts>> {
        let now = self.account_files()?;
        let mut cached = lock(&self.accounts);
        if let Some((then, accounts)) = &*cached
            && *then == now
        {
            return Ok(accounts.clone());
        }
        let text = |name| self.read_text(Path::new(name)).map(Option::unwrap_or_default);
        let accounts = Arc::new(Accounts::parse(&text("/etc/passwd")?, &text("/etc/group")?));
        *cached = Some((now, accounts.clone()));
        Ok(accounts)
    }

    fn way_into(&self, path: &Path) -> Result<Option<HeldPath>> {
        self.exposed(path)?.map(|place| way::into(&place, path)).transpose()
    }

    fn way_to_mounted(&self, path: &Path) -> Result<Option<HeldPath>> {
        self.way_beside(path, way::is_mount_point)
    }

    fn probe(&self, command: &Invocation) -> Result<Output> {
        self.only_live(command)?;
        self.enter_places_of(command)?;
        child::run(command, &*self.accounts()?, self.bounds())
    }
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
