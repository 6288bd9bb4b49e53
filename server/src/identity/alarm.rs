//! Which alarms were raised recently: a caller that is refused in a loop must not fill the audit log.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// For how long an alarm about an object covers further ones.
const QUIET: SignedDuration = SignedDuration::from_hours(1);

/// The most alarms of a kind to remember; beyond that, no alarm of that kind is raised until an hour has passed. What
/// strangers can cause does not silence any other kind.
const MAX_ALARMS: usize = 4096;

/// The alarms that were raised, with their times.
#[derive(Default)]
pub struct Alarm(Mutex<HashMap<&'static str, HashMap<String, Timestamp>>>);

impl Alarm {
    /// Whether this alarm is to be raised now; if so, it counts as raised.
    pub fn is_due(&self, action: &'static str, object: &str, now: Timestamp) -> bool {
        self.is_due_after(QUIET, action, object, now)
    }

    /// Like [`Alarm::is_due`], but with another period; each action always has the same one.
    pub fn is_due_after(
        &self,
        quiet: SignedDuration,
        action: &'static str,
        object: &str,
        now: Timestamp,
    ) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sounded = all.entry(action).or_default();
        if sounded.get(object).is_some_and(|last| now.duration_since(*last) < quiet) {
            return false;
        }
        if sounded.len() >= MAX_ALARMS {
            sounded.retain(|_, last| now.duration_since(*last) < quiet);
        }
        let due = sounded.len() < MAX_ALARMS;
        if due {
            sounded.insert(object.to_owned(), now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_covers_the_next_hour_and_only_its_object() {
        let alarm = Alarm::default();
        let start = Timestamp::constant(1_800_000_000, 0);
        assert!(alarm.is_due("a", "web1", start));
        assert!(!alarm.is_due("a", "web1", start + SignedDuration::from_mins(59)));
        assert!(alarm.is_due("a", "web2", start));
        assert!(alarm.is_due("a", "web1", start + SignedDuration::from_mins(61)));
    }

    #[test]
    fn a_flood_is_bounded() {
        let alarm = Alarm::default();
        let start = Timestamp::constant(1_800_000_000, 0);
        let sounded = (0..2 * MAX_ALARMS).filter(|n| alarm.is_due("a", &n.to_string(), start)).count();
        assert_eq!(sounded, MAX_ALARMS);
        assert!(alarm.is_due("another", "web1", start), "a flood of one kind silences no other");
        assert!(alarm.is_due("a", "later", start + SignedDuration::from_hours(2)));
    }
}
