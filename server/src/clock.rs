//! Checks whether the machine's clock can be right, by what was signed and recorded before. A server cannot know the
//! time, but it can know that its clock must be wrong, and must then blame no machine for it.

use jiff::{SignedDuration, Timestamp};

/// Synchronized clocks may step back a little.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(10);

/// What is known about the time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// From when the CA's certificate is valid, which is when it was made.
    pub made: Timestamp,
    /// Until when the CA's certificate is valid.
    pub ends: Timestamp,
}

impl Clock {
    /// Why nothing can be served at the time that the clock shows; `None` if the clock can be right.
    pub fn doubt(&self, now: Timestamp) -> Option<String> {
        let (says, made, ends) = (whole(now), whole(self.made), whole(self.ends));
        if now < self.made {
            return Some(format!(
                "the clock of this machine shows {says}, and the CA was made at {made}: the clock is behind. Set it \
                 (`timedatectl`); until then every certificate is refused as not valid yet, on both sides"
            ));
        }
        (now > self.ends).then(|| {
            format!(
                "the clock of this machine shows {says}, and the CA ended at {ends}: set the clock (`timedatectl`) if \
                 it is ahead; until then every certificate is refused as expired"
            )
        })
    }

    /// What is odd about the clock, given when the store was last written; `None` if nothing is.
    pub fn oddness(now: Timestamp, written: Timestamp) -> Option<String> {
        (written > now + TOLERANCE).then(|| {
            format!(
                "the clock of this machine shows {}, and the store was last written at {}: the clock is behind now, or \
                 was ahead then. Machines whose certificates were signed in between are refused until that time has \
                 come",
                whole(now),
                whole(written)
            )
        })
    }
}

/// The time in whole seconds, for people to compare with another.
pub fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADE: Timestamp = Timestamp::constant(1_800_000_000, 0);
    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    #[test]
    fn f29_a_clock_that_cannot_be_right_is_told_with_what_it_says() {
        let clock = Clock { made: MADE, ends: MADE + HOUR };
        assert_eq!(clock.doubt(MADE + HOUR / 2), None);
        let behind = clock.doubt(Timestamp::UNIX_EPOCH).unwrap();
        assert!(
            behind.contains("1970-01-01T00:00:00Z") && behind.contains("the clock is behind"),
            "{behind}"
        );
        let ahead = clock.doubt(MADE + HOUR * 2).unwrap();
        assert!(ahead.contains("if it is ahead") && ahead.contains("2027-01-15T09:00:00Z"), "{ahead}");
    }

    #[test]
    fn a_store_that_is_of_later_is_told_and_a_clock_that_was_set_by_seconds_is_not() {
        assert_eq!(Clock::oddness(MADE, MADE + HOUR / 10), None);
        assert!(Clock::oddness(MADE, MADE + HOUR).unwrap().contains("the clock is behind now"));
    }
}
