//! Where a run keeps what the next one is to know: in the agent's state, or, where that takes nothing, in a place that stays
//! until the next boot. A machine with a full or read-only disk is still kept as it should be, and its drift is still known.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use uuid::Uuid;

use super::Error;
use crate::enforce;
use crate::state::{self, StateDir};

mod runs;
mod elsewhere; // what lies there, and its way back

use elsewhere::{lend, take_back};
use runs::Runs;

/// Where else a run can remember.
const ELSEWHERE: [&str; 3] = ["/run", "/dev/shm", "/tmp"];

const NAME: &str = "memory";

/// A run that changed the machine and did not end; also one in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unended {
    /// When it began, where its mark can be read.
    began: Option<Timestamp>,
}

impl Unended {
    /// What is said of it, after what it is called.
    pub fn words(&self, run: &str) -> String {
        match self.began {
            Some(began) => format!("{run}, begun {began:.0}, did not end"),
            None => format!("{run} did not end, and its start time is unknown"),
        }
    }
}

/// The run that did not end, by its mark alone: one that ends takes it away, whatever clocks say.
pub fn unended(state: &StateDir) -> Option<Unended> {
    // Where the state takes nothing, what it holds is of earlier runs.
    let lent = lent_places(state).find_map(|place| StateDir::existing(&place));
    let memory = lent.or_else(|| StateDir::existing(&state.path().join(NAME)))?;
    let mark = match memory.read(enforce::UNENDED.trim_start_matches('/'), enforce::LONGEST_MARK) {
        Ok(mark) => mark?,
        Err(state::Error::TooLarge(..)) => Vec::new(),
        // It is told by itself.
        Err(_) => return None,
    };
    let began = enforce::split_mark(&mark).map(|(began, _)| began).unwrap_or_default();
    // Of a state that was put back, no run has changed anything yet.
    (began != enforce::PUT_BACK).then(|| Unended { began: began.parse().ok() })
}

/// Whether the state is older than a run that was reported, as after it was put back from a copy: what it remembers of the
/// machine is not so any more. A state that knows of no run at all is not older. `now` is the run at hand.
pub(super) fn is_older(state: &StateDir, reported: Option<Uuid>, now: Uuid) -> bool {
    reported.is_some_and(|reported| known(state).lack(reported, now))
}

/// Writes down that there was this run, before anybody hears of it; and the one that was `reported`, where the state was found
/// to be older than that, which is said once.
pub(super) fn keep(state: &StateDir, run: Uuid, reported: Option<Uuid>) {
    let mut known = known(state);
    reported.into_iter().chain([run]).for_each(|run| known.add(run));
    let is_kept = |memory: StateDir| known.write(&memory).is_ok();
    if !places(state).any(is_kept) {
        tracing::debug!("cannot record which run was the newest");
    }
}

/// The newest runs that a state knows of.
fn known(state: &StateDir) -> Runs {
    places(state).fold(Runs::default(), |known, memory| known.and(&Runs::of(&memory)))
}

/// Where there is a memory of this state.
fn places(state: &StateDir) -> impl Iterator<Item = StateDir> + use<> {
    let places = std::iter::once(state.path().join(NAME)).chain(lent_places(state));
    places.filter_map(|place| StateDir::existing(&place))
}

/// What of the memory cannot be used by the next run.
pub fn faults(state: &StateDir) -> Vec<String> {
    match StateDir::existing(&state.path().join(NAME)) {
        Some(memory) => enforce::memory_faults(memory.path()),
        None => Vec::new(),
    }
}

/// The places where a run of this state remembers while the state takes nothing: always the same, so that the next one finds
/// what this one left.
fn lent_places(state: &StateDir) -> impl Iterator<Item = PathBuf> + use<> {
    let hash = holdfast_catalog::hash::ContentHash::of(state.path().as_os_str().as_encoded_bytes());
    let name = format!("holdfast-{}", hash.as_str().get(..16).unwrap_or_default());
    ELSEWHERE.iter().map(move |at| Path::new(at).join(&name))
}

/// Forgets what runs of another enrolment left, but for what keeps their secrets hidden. Answers whether there was any.
///
/// # Errors
/// Where it stays.
pub(super) fn disown(state: &StateDir) -> Result<bool, state::Error> {
    let own = state.has_directory(NAME).then(|| state.path().join(NAME));
    let lent = lent_places(state).filter(|place| StateDir::existing(place).is_some());
    let mut had_some = false;
    for path in own.into_iter().chain(lent) {
        had_some |= enforce::disown(&path).map_err(|error| state::Error::Io {
            action: "forget what runs of an earlier node left in",
            path,
            error: std::io::Error::other(error.to_string()),
        })?;
    }
    Ok(had_some)
}

/// The directory.
pub(super) struct MemoryDir {
    dir: StateDir,
    /// What is to be said of it.
    pub(super) notes: Vec<String>,
}

impl MemoryDir {
    pub(super) fn open(state: &StateDir) -> Result<Self, Error> {
        match state.below(NAME).and_then(|memory| takes_something(&memory).map(|()| memory)) {
            Ok(dir) => match take_back(state, &dir) {
                Ok(()) => Ok(Self { dir, notes: Vec::new() }),
                // What is known best is what lies there still.
                Err(error) => lend(state, error),
            },
            Err(error @ state::Error::Io { .. }) => lend(state, error),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// An empty file has room on a full disk, too.
fn takes_something(memory: &StateDir) -> Result<(), state::Error> {
    memory.draft("probe")?.write_all(&[0; 4096])
}
