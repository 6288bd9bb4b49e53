//! The server's time in a run in which the server does not answer. It was known at an earlier answer, and since then the
//! kernel has counted the seconds, whatever happened to the clock.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::fetch::{ClockReading, TimeSource};
use crate::state::{self, StateDir};
use crate::system::ClockTrust;

/// The file with the time of the last answer.
const NAME: &str = "server-time.json";

/// The most bytes of the file.
const MAX_BYTES: u64 = 4 * 1024;

/// As long as the counted time is this close to the server's, no newer answer is recorded: a run that changes nothing
/// writes nothing to the disk for it.
const DRIFT: SignedDuration = SignedDuration::from_secs(60);

/// The kernel's id of the present boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What a run knows of the clocks.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ClockCheck {
    pub(super) trust: ClockTrust,
    /// A warning, if they are far apart.
    pub(super) note: Option<String>,
}

/// The server's time at its last answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LastAnswer {
    server: Timestamp,
    here: Uptime,
}

/// A moment that does not move if the clock is set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Uptime {
    boot: String,
    /// Seconds since the boot, including those in which the machine was suspended.
    seconds: i64,
}

/// Judges this machine's clock by the reading that came with an answer, if there was one, or else by the last answer
/// before. `is_expired` says whether the server's certificate has expired by this machine's clock.
pub(super) fn judge(state: &StateDir, heard: Option<ClockReading>, is_expired: bool) -> ClockCheck {
    let uptime = Uptime::now();
    let counted = uptime.as_ref().and_then(|uptime| LastAnswer::load(state)?.server_at(uptime));
    if let (Some(heard), Some(here)) = (heard, uptime)
        && counted.is_none_or(|counted| heard.there.duration_since(counted).abs() > DRIFT)
        && let Err(error) = (LastAnswer { server: heard.there, here }).store(state)
    {
        tracing::debug!("cannot record the time of the server: {error}");
    }
    let counted = || Some(ClockReading { here: clock::now(), there: counted?, known: TimeSource::Counted });
    match heard.or_else(counted) {
        Some(reading) => {
            let ahead = reading.ahead();
            let trust = if ahead.is_zero() { ClockTrust::Plausible } else { ClockTrust::Ahead(ahead) };
            ClockCheck { trust, note: reading.words() }
        }
        None if is_expired => ClockCheck { trust: ClockTrust::InDoubt, note: None },
        None => ClockCheck::default(),
    }
}

impl LastAnswer {
    /// `None` if there was none, or if it cannot be read: the next answer replaces it.
    fn load(state: &StateDir) -> Option<Self> {
        serde_json::from_slice(&state.read(NAME, MAX_BYTES).ok()??).ok()
    }

    fn store(&self, state: &StateDir) -> Result<(), state::Error> {
        let json = serde_json::to_vec(self).unwrap_or_default();
        state.replace(NAME, &json)
    }

    /// The server's time at a later moment of the same boot.
    fn server_at(&self, now: &Uptime) -> Option<Timestamp> {
        let passed = now.seconds.checked_sub(self.here.seconds)?;
        if now.boot != self.here.boot || passed < 0 {
            return None;
        }
        self.server.checked_add(SignedDuration::from_secs(passed)).ok()
    }
}

impl Uptime {
    fn now() -> Option<Self> {
        let boot = std::fs::read_to_string(BOOT_ID).ok()?.trim().to_owned();
        Some(Self { boot, seconds: rustix::system::sysinfo().uptime })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> (tempfile::TempDir, StateDir) {
        let parent = tempfile::tempdir().unwrap();
        let state = StateDir::open(&parent.path().join("agent")).unwrap();
        (parent, state)
    }

    #[test]
    fn the_kernel_counts_on_from_the_last_answer_of_this_boot() {
        let server = Timestamp::constant(1_800_000_000, 0);
        let at = |boot: &str, seconds| Uptime { boot: boot.to_owned(), seconds };
        let last = LastAnswer { server, here: at("a", 1_000) };
        assert_eq!(last.server_at(&at("a", 4_600)), Some(server + SignedDuration::from_hours(1)));
        assert_eq!(last.server_at(&at("b", 4_600)), None, "another boot");
        assert_eq!(last.server_at(&at("a", 999)), None);
    }

    #[test]
    fn without_an_answer_a_clock_is_judged_by_the_last_one_of_this_boot() {
        let (_parent, state) = state();
        let here = clock::now();
        assert_eq!(judge(&state, None, false), ClockCheck::default());
        assert_eq!(judge(&state, None, true).trust, ClockTrust::InDoubt);

        let there = here - SignedDuration::from_hours(20 * 24);
        let heard = ClockReading { here, there, known: TimeSource::Answer };
        for (heard, is_expired) in [(Some(heard), false), (None, false), (None, true)] {
            let ClockCheck { trust, note } = judge(&state, heard, is_expired);
            let ClockTrust::Ahead(by) = trust else { panic!("{trust:?}") };
            assert_eq!(by.as_secs() / 86_400, 20 - u64::from(by.as_secs() < 20 * 86_400), "{by:?}");
            assert!(note.as_deref().is_some_and(|note| note.contains("days ahead of")), "{note:?}");
        }

        let soon = ClockReading { here, there: there + SignedDuration::from_secs(20), ..heard };
        let recorded = || state.read(NAME, MAX_BYTES).unwrap();
        let before = recorded();
        judge(&state, Some(soon), false);
        assert_eq!(recorded(), before, "what is known already is not written again");
        let set = ClockReading { here, there: there + SignedDuration::from_mins(5), ..heard };
        judge(&state, Some(set), false);
        assert_ne!(recorded(), before, "the server's clock was set");

        let of_another_boot = LastAnswer { server: there, here: Uptime { boot: "b".into(), seconds: 0 } };
        of_another_boot.store(&state).unwrap();
        assert_eq!(judge(&state, None, true).trust, ClockTrust::InDoubt);
        assert_eq!(judge(&state, None, false).trust, ClockTrust::Plausible);
    }

    #[test]
    fn an_answer_that_is_damaged_is_none() {
        let (_parent, state) = state();
        state.replace(NAME, b"{").unwrap();
        assert_eq!(judge(&state, None, false), ClockCheck::default());
    }
}
