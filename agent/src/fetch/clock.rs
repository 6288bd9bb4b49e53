//! How far this machine's clock is from the server's, by the time that each answer carries.
//!
//! Certificates reveal a wrong clock only if one of them is not valid at its time. Reports, ages and the next run
//! depend on it all the same.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use holdfast_catalog::state;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{DATE, HeaderMap};

use crate::clock::now;

/// Two clocks that are this far apart cannot both be right: no answer takes that long, and the validity of a
/// certificate begins this long before it is made.
const APART: SignedDuration = SignedDuration::from_mins(30);

/// How to find out which clock is wrong.
pub(super) const TELL: &str =
    "run `date -u` on both, compare with a clock that is right, and correct the other";

/// The readings of both clocks at the last answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Clocks(Arc<Mutex<Option<ClockReading>>>);

/// What both clocks showed at one moment.
#[derive(Debug, Clone, Copy)]
pub struct ClockReading {
    pub here: Timestamp,
    pub there: Timestamp,
    /// How the server's time is known.
    pub known: TimeSource,
}

/// How the server's time is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeSource {
    /// It came with an answer.
    Answer,
    /// It came with an earlier answer, and the kernel counted the seconds since.
    Counted,
}

impl Clocks {
    /// Keeps the server's time from an answer.
    pub(super) fn note(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        let there = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
        if let Some(there) = there {
            let said = ClockReading { here: now(), there: there.timestamp(), known: TimeSource::Answer };
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
        }
    }

    /// The readings, if there was an answer that had a time.
    pub(super) fn reading(&self) -> Option<ClockReading> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClockReading {
    /// How far this machine's clock is ahead; zero if the two are not far apart, or it is behind.
    pub fn ahead(self) -> Duration {
        let ahead = self.here.duration_since(self.there);
        if ahead > APART { ahead.unsigned_abs() } else { Duration::ZERO }
    }

    /// A warning, if the clocks are far apart.
    pub fn words(self) -> Option<String> {
        let ahead = self.here.duration_since(self.there);
        (ahead.abs() > APART).then(|| {
            format!(
                "the clock of this machine is {} {} the server's clock ({:.0} here, {:.0} there{}): the times that are \
                 shown come from both; {TELL}",
                state::span(ahead.abs()),
                if ahead.is_positive() { "ahead of" } else { "behind" },
                self.here,
                self.there,
                match self.known {
                    TimeSource::Answer => "",
                    TimeSource::Counted => " by the seconds that have passed since its last answer",
                }
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_are_apart_are_told_whichever_is_ahead() {
        let there = Timestamp::constant(1_800_000_000, 0);
        let reading = |minutes| ClockReading {
            here: there + SignedDuration::from_mins(minutes),
            there,
            known: TimeSource::Answer,
        };
        let said = |minutes| reading(minutes).words();
        assert_eq!((said(29), said(-29)), (None, None));
        let ahead = |minutes| reading(minutes).ahead();
        assert_eq!([29, 35, -35].map(ahead), [0, 35 * 60, 0].map(Duration::from_secs));
        assert!(said(35).unwrap().contains("is 35 min ahead of the server's clock"));
        assert!(said(-2_880).unwrap().contains("is 2 days behind the server's clock"));
    }

    #[test]
    fn an_answer_tells_the_server_s_clock() {
        let clocks = Clocks::default();
        for (date, tells) in [("garbage", false), ("Tue, 15 Nov 1994 08:12:31 GMT", true)] {
            clocks.note(&[(DATE, date.parse().unwrap())].into_iter().collect());
            let words = clocks.reading().and_then(ClockReading::words).unwrap_or_default();
            assert_eq!(words.contains("1994-11-15T08:12:31Z there"), tells, "{words}");
        }
    }
}
