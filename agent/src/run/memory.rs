//! Where a run stores what the next one needs to know: in the agent's state or, if that cannot be written, in a place
//! that lasts until the next boot. So a machine with a full or read-only disk is still kept in order, and its drift is
//! still recognized.

use holdfast_catalog::run::RunId;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::Error;
use crate::enforce;
use crate::state::{self, StateDir};

mod runs;
mod elsewhere; // what is stored there, and how it comes back

use elsewhere::{lend, take_back};
use runs::Runs;

/// Other places where a run can store its memory.
const ELSEWHERE: [&str; 3] = ["/run", "/dev/shm", "/tmp"];

const NAME: &str = "memory";

/// A run that changed the machine and did not end, or one in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unended {
    /// When it began, if its mark can be read.
    began: Option<Timestamp>,
}

impl Unended {
    /// A sentence about it; `run` names it.
    pub fn words(&self, run: &str) -> String {
        match self.began {
            Some(began) => format!("{run}, which began {began:.0}, did not end"),
            None => format!("{run} did not end, and its start time is unknown"),
        }
    }
}

/// The run that did not end, judged only by its mark: a run that ends removes it, whatever clocks say.
pub fn unended(state: &StateDir) -> Option<Unended> {
    // If the state cannot be written, what it contains belongs to earlier runs.
    let lent = lent_places(state).find_map(|place| StateDir::existing(&place));
    let memory = lent.or_else(|| StateDir::existing(&state.path().join(NAME)))?;
    let mark = match memory.read(enforce::UNENDED.trim_start_matches('/'), enforce::MAX_MARK) {
        Ok(mark) => mark?,
        Err(state::Error::TooLarge(..)) => Vec::new(),
        // That is reported separately.
        Err(_) => return None,
    };
    let began = enforce::split_mark(&mark).map(|(began, _)| began).unwrap_or_default();
    // If only the state was restored from a copy, no run has changed anything yet.
    (began != enforce::PUT_BACK).then(|| Unended { began: began.parse().ok() })
}

/// Whether the state is older than a run that was reported, as after it was restored from a copy: what it remembers of
/// the machine is no longer true. A state that knows of no runs at all is not older. `now` is the current run.
pub(super) fn is_older(state: &StateDir, reported: Option<RunId>, now: RunId) -> bool {
    reported.is_some_and(|reported| known(state).lack(reported, now))
}

/// Records this run, before anybody hears of it; and the `reported` one, if the state turned out to be older than that,
/// which is reported once.
pub(super) fn keep(state: &StateDir, run: RunId, reported: Option<RunId>) {
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

/// The places that have a memory of this state.
fn places(state: &StateDir) -> impl Iterator<Item = StateDir> + use<> {
    let places = std::iter::once(state.path().join(NAME)).chain(lent_places(state));
    places.filter_map(|place| StateDir::existing(&place))
}

/// What of the memory the next run will not be able to use.
pub fn faults(state: &StateDir) -> Vec<String> {
    match StateDir::existing(&state.path().join(NAME)) {
        Some(memory) => enforce::memory_faults(memory.path()),
        None => Vec::new(),
    }
}

/// The places where a run of this state stores its memory while the state cannot be written. They are always the same,
/// so the next run finds what this one left.
fn lent_places(state: &StateDir) -> impl Iterator<Item = PathBuf> + use<> {
    let hash = holdfast_catalog::hash::ContentHash::of(state.path().as_os_str().as_encoded_bytes());
    let name = format!("holdfast-{}", hash.as_str().get(..16).unwrap_or_default());
    ELSEWHERE.iter().map(move |at| Path::new(at).join(&name))
}

/// Forgets what runs of another enrolment left, except what keeps their secrets hidden. Returns whether there was any.
///
/// # Errors
/// Fails if it cannot be removed.
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

/// The directory of the memory.
pub(super) struct MemoryDir {
    dir: StateDir,
    /// Notes about it.
    pub(super) notes: Vec<String>,
}

impl MemoryDir {
    pub(super) fn open(state: &StateDir) -> Result<Self, Error> {
        match state.below(NAME).and_then(|memory| takes_something(&memory).map(|()| memory)) {
            Ok(dir) => match take_back(state, &dir) {
                Ok(()) => Ok(Self { dir, notes: Vec::new() }),
                // The best that is known is what is still there.
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

/// Checks that the directory can be written. An empty file would fit on a full disk, so this writes more.
fn takes_something(memory: &StateDir) -> Result<(), state::Error> {
    memory.draft("probe")?.write_all(&[0; 4096])
}
