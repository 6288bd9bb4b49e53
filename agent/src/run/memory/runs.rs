//! The newest runs that a state knows of. They distinguish a state that was restored from an older copy from one that
//! is as the last run left it.

use holdfast_catalog::run::RunId;

use crate::state::{self, StateDir};

/// The file with their ids, one per line, the latest last.
const NAME: &str = "newest";

/// The most runs that are recorded.
const MAX_RUNS: usize = 100;

/// The most bytes of the file, more than that many ids take.
const MAX_BYTES: u64 = 8 * 1024;

/// Runs in the order in which they took place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Runs(Vec<RunId>);

impl Runs {
    /// The runs in a memory; empty if it cannot be read.
    pub(super) fn of(memory: &StateDir) -> Self {
        let text =
            memory.read(NAME, MAX_BYTES).ok().flatten().and_then(|bytes| String::from_utf8(bytes).ok());
        Self(text.unwrap_or_default().lines().filter_map(|line| line.trim().parse().ok()).collect())
    }

    /// Adds the runs in another memory.
    pub(super) fn and(mut self, others: &Self) -> Self {
        others.0.iter().for_each(|run| self.add(*run));
        self
    }

    /// Adds a run that took place just now.
    pub(super) fn add(&mut self, run: RunId) {
        if !self.0.contains(&run) {
            self.0.push(run);
            self.0.drain(..self.0.len().saturating_sub(MAX_RUNS));
        }
    }

    pub(super) fn write(&self, memory: &StateDir) -> Result<(), state::Error> {
        let text: String = self.0.iter().map(|run| format!("{run}\n")).collect();
        if self.0.is_empty() { Ok(()) } else { memory.replace(NAME, text.as_bytes()) }
    }

    /// Whether a run that was reported is later than these. `now` is the current run.
    ///
    /// The id of a run begins with its time. So an id older than all of these belongs to an earlier run: the server
    /// lacks or lost later reports. An id whose time is between theirs and that is not one of them was unknown when
    /// this state was copied. If a clock that was ahead numbered these, their time proves nothing.
    pub(super) fn lack(&self, reported: RunId, now: RunId) -> bool {
        if self.0.is_empty() || self.0.contains(&reported) {
            return false;
        }
        let oldest = self.0.iter().filter(|run| **run <= now).min();
        oldest.is_none_or(|oldest| reported > *oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(number: u128) -> RunId {
        uuid::Uuid::from_u128(number).into()
    }

    fn runs(times: &[u128]) -> Runs {
        Runs(times.iter().map(|time| run(*time)).collect())
    }

    fn lack(times: &[u128], reported: u128, now: u128) -> bool {
        runs(times).lack(run(reported), run(now))
    }

    #[test]
    fn a_later_run_is_told_from_an_earlier_one_whatever_the_clock_did() {
        assert!(!lack(&[], 5, 9), "a state that knows of no run is not an older one");
        assert!(!lack(&[3, 4, 5], 5, 9) && !lack(&[3, 4, 5], 3, 9), "the server may lack reports");
        assert!(!lack(&[3, 4, 5], 1, 9), "or have lost all that this knows of");
        assert!(lack(&[3, 4, 5], 7, 9));
        // The clock was ahead at the second of these.
        assert!(!lack(&[3, 1_000, 4], 1_000, 9) && !lack(&[3, 1_000, 4], 4, 9));
        assert!(lack(&[3, 1_000, 4], 6, 9), "later than the last, and numbered before another");
        assert!(lack(&[3, 4], 1_000, 9), "a copy of before that");
        assert!(lack(&[1_000, 1_001], 6, 9), "a copy of that time");
        assert!(!lack(&[3, 1_000, 4], 1, 9));
    }

    #[test]
    fn so_many_are_kept_and_each_once() {
        let mut all = runs(&[]);
        (1..=150).chain([150, 149]).for_each(|time| all.add(run(time)));
        assert_eq!(all, runs(&Vec::from_iter(51..=150)));
        let parent = tempfile::tempdir().unwrap();
        let memory = StateDir::open(&parent.path().join("memory")).unwrap();
        assert_eq!(Runs::of(&memory), Runs::default());
        all.write(&memory).unwrap();
        assert_eq!(Runs::of(&memory), all);
        memory.replace(NAME, run(7).to_string().as_bytes()).unwrap();
        assert_eq!(
            Runs::of(&memory).and(&runs(&[7, 8])),
            runs(&[7, 8]),
            "as agents before this one wrote it"
        );
    }
}
