//! A run that is stuck in the kernel, such as on a disk or a file system that does not respond. Nothing can end such a
//! call, so the run is on a thread of its own. The thread that waits for it reports what it did so far, frees its lock,
//! and abandons it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use holdfast_catalog::catalog::Catalog;
use holdfast_catalog::report::{Event, Mode};

use super::account::RunRecord;
use super::handover::{deliver, put_aside};
use super::waits::retry_wait;
use super::{Done, Error, StatusExtras, keep_status, memory, run_on_thread};
use crate::config::Installation;
use crate::enforce;
use crate::identity::Identity;
use crate::identity::owner::EnrolledNode;
use crate::spool::{Delivery, Spool};
use crate::state::{self, StateDir, StateLock};
use crate::stop::RunEnd;
use crate::system::{Door, ServedMounts, StuckMount, mounted_around};

/// How often to check whether a run is stuck.
const TICK: Duration = Duration::from_millis(500);

/// How long a look at a path may take once the run is to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a call on the agent's own state may take. A disk that is only busy may need longer than for a look.
const STORAGE: Duration = Duration::from_secs(60);

/// What can be seen of a run from outside.
#[derive(Default)]
pub(super) struct RunWatch {
    state: Mutex<WatchState>,
}

#[derive(Default)]
struct WatchState {
    lock: Option<StateLock>,
    /// Set while the run looks at the machine and corrects it.
    enforcing: Option<Enforcing>,
    /// Whether the run was given up: it must not continue, even if the kernel lets it.
    is_given_up: bool,
}

/// What is needed for the report of a run that does not end by itself.
struct Enforcing {
    record: RunRecord,
    catalog: Arc<Catalog>,
    end: RunEnd,
    door: Arc<Door>,
    events: Vec<Event>,
}

/// Where a run is stuck.
pub(super) struct HeldAt {
    path: Option<PathBuf>,
    why: String,
}

impl RunWatch {
    fn state(&self) -> MutexGuard<'_, WatchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the lock of the run until it ends.
    pub(super) fn keeps(&self, lock: StateLock) {
        self.state().lock = Some(lock);
    }

    /// Frees the lock: the run is over.
    fn frees(&self) {
        self.state().lock = None;
    }

    /// Records that the run looks at the machine from now on.
    pub(super) fn begins(&self, record: &RunRecord, catalog: &Arc<Catalog>, end: RunEnd, door: Arc<Door>) {
        let (record, catalog) = (record.clone(), catalog.clone());
        self.state().enforcing = Some(Enforcing { record, catalog, end, door, events: Vec::new() });
    }

    /// Records an event that it reported.
    pub(super) fn told(&self, event: &Event) {
        if let Some(enforcing) = &mut self.state().enforcing {
            enforcing.events.push(event.clone());
        }
    }

    /// Records that it is done with the machine. If it was given up in the meantime, this never returns.
    pub(super) fn ends(&self) {
        let is_given_up = {
            let mut state = self.state();
            state.enforcing = None;
            state.is_given_up
        };
        if is_given_up {
            loop {
                std::thread::park();
            }
        }
    }

    /// Whether nothing is lost if the run ends here: it has not begun, or it should have ended.
    fn can_end(&self, stop: &AtomicBool) -> bool {
        let is_over = |enforcing: &Enforcing| enforcing.end.is_long_over();
        stop.load(Ordering::Relaxed) || self.state().enforcing.as_ref().is_none_or(is_over)
    }

    /// Where the run is stuck that should end.
    pub(super) fn held(&self, stop: &AtomicBool, patience: Duration) -> Option<HeldAt> {
        let state = self.state();
        let enforcing = state.enforcing.as_ref()?;
        let longest = enforcing.door.longest().filter(|(_, since)| *since >= patience);
        match longest.filter(|_| stop.load(Ordering::Relaxed)) {
            Some((path, since)) => Some(HeldAt { why: no_answer(&path, since), path: Some(path) }),
            None if enforcing.end.is_long_over() => Some(HeldAt {
                why: "it did not end when its time was over: the kernel does not let it go, for example because a disk \
                      does not answer".to_owned(),
                path: None,
            }),
            None => None,
        }
    }
}

fn no_answer(path: &Path, since: Duration) -> String {
    let on = mounted_around(path).map(|(point, fstype)| format!(" on {} ({fstype})", point.display()));
    let (path, on) = (path.display(), on.unwrap_or_default());
    format!("{path}{on} did not answer for {} s: check what serves it, or unmount it", since.as_secs())
}

/// Does a run on a thread of its own, and waits until it ends or is given up.
pub(super) fn watched(place: &Installation, mode: Mode, stop: &Arc<AtomicBool>) -> Result<Done, Error> {
    let watch = Arc::new(RunWatch::default());
    let (done, waiting) = channel();
    let of_thread = (place.clone(), stop.clone(), watch.clone());
    // The subscriber of this thread also gets what that one logs.
    let listener = tracing::dispatcher::get_default(Clone::clone);
    let work = move || {
        let (place, stop, watch) = of_thread;
        let run = || run_on_thread(&place, mode, &stop, &watch);
        let ended = tracing::dispatcher::with_default(&listener, run);
        watch.frees();
        // If the run was given up, nobody waits any more.
        let _ = done.send(ended);
    };
    let thread = std::thread::Builder::new().name("run".to_owned()).stack_size(STACK).spawn(work)?;
    loop {
        match waiting.recv_timeout(TICK) {
            Ok(done) => return done,
            Err(RecvTimeoutError::Timeout) => {
                // Without its state, a run can neither begin nor report.
                if let Some(path) = state::silent_for(STORAGE).filter(|_| watch.can_end(stop)) {
                    return Err(state::Error::Silent(path, STORAGE.as_secs()).into());
                }
                let at = watch.held(stop, PATIENCE).filter(|_| state::silent_for(PATIENCE).is_none());
                if let Some(done) = at.and_then(|at| give_up(place, &watch, at)) {
                    return done;
                }
            }
            Err(RecvTimeoutError::Disconnected) => match thread.join() {
                Err(panic) => std::panic::resume_unwind(panic),
                Ok(()) => return Err(Error::Start(std::io::Error::other("the run ended without a result"))),
            },
        }
    }
}

/// The stack size, in bytes, of the first thread of a process.
const STACK: usize = 8 * 1024 * 1024;

/// Reports what a stuck run did so far, and frees its lock; `None` if it continued in the meantime.
pub(super) fn give_up(
    place: &Installation,
    watch: &RunWatch,
    HeldAt { path, why }: HeldAt,
) -> Option<Result<Done, Error>> {
    let Enforcing { mut record, catalog, events, .. } = {
        let mut state = watch.state();
        state.is_given_up = state.enforcing.is_some();
        state.enforcing.take()?
    };
    tracing::error!("the run is abandoned: {why}");
    if let Some(path) = &path {
        remember(place, path);
    }
    record.note(format!("the run was abandoned, and the rest was skipped: {why}"));
    let certname = catalog.certname.clone();
    let path = path.map(|path| below_root(&path, place));
    record.found(&catalog, enforce::unanswered(&catalog, events, path.as_deref(), &why));
    let report = record.end(place);
    let handed_over = StateDir::open(&place.state_dir).map_err(Error::from).and_then(|state| {
        memory::keep(&state, report.run, None);
        let delivery = match Identity::load(&state) {
            Ok(identity) => {
                let network = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                deliver(place, &state, &identity, &network, &report)
            }
            Err(error) => {
                let kept = Spool::open(&state)
                    .and_then(|spool| spool.add(EnrolledNode::last(&state).as_ref(), &report));
                let lost = kept.err().map(|error| error.to_string());
                Delivery { lost, waits: Some(error.to_string()), ..Delivery::default() }
            }
        };
        let next_run = retry_wait(place, &certname);
        let aside = StatusExtras { delivered: delivery.is_whole(), next_run, interval: None, refused: None };
        keep_status(&state, &report, &certname, &aside);
        Ok(Done { report, certname, is_refused: false, delivery, aside: put_aside(&state) })
    });
    watch.frees();
    Some(handed_over)
}

/// The part of the state whose files are locked to find out whether file systems respond.
const ASKING: &str = "asking";

/// The file with the mounts that held earlier runs.
const HELD: &str = "held.json";

/// The most bytes of it.
const MAX_BYTES: u64 = 64 * 1024;

/// The most mounts that are remembered.
const MAX_HELD: usize = 8;

/// The door to the paths of the machine. What held an earlier run is checked by the path that did, before it is entered.
pub(super) fn door(state: &StateDir) -> Arc<Door> {
    let asking = state.below(ASKING).ok().map(|asking| asking.path().to_owned());
    Arc::new(Door::asking(ServedMounts::of_kernel(asking, held_before(state))))
}

/// What held earlier runs. If it cannot be read, nothing did: then a run may be held once more.
pub(super) fn held_before(state: &StateDir) -> Vec<StuckMount> {
    let json = state.read(HELD, MAX_BYTES).ok().flatten();
    json.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
}

/// Records the mount that held a run, for the next one.
pub(super) fn remember(place: &Installation, path: &Path) {
    let Some(stuck) = StuckMount::around(path) else { return };
    let kept = StateDir::open(&place.state_dir).and_then(|state| {
        let mut held = held_before(&state);
        held.retain(|other| !other.is_same(&stuck));
        held.insert(0, stuck);
        held.truncate(MAX_HELD);
        state.replace(HELD, &serde_json::to_vec(&held).unwrap_or_default())
    });
    if let Err(error) = kept {
        tracing::warn!("cannot record what held the run: {error}");
    }
}

/// A path of this machine, as the catalog names it.
fn below_root(path: &Path, place: &Installation) -> PathBuf {
    let root = place.root.canonicalize().unwrap_or_else(|_| place.root.clone());
    Path::new("/").join(path.strip_prefix(root).unwrap_or(path))
}
