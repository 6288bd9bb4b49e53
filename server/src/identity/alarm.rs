//! Which alarms were sounded lately: whoever is refused in a loop must not fill the audit log.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// So long one alarm about one object covers the next.
const QUIET: SignedDuration = SignedDuration::from_hours(1);

/// So many alarms are remembered; beyond, none is due until the hour is over.
const MOST: usize = 4096;

/// What was sounded, and when.
#[derive(Default)]
pub struct Alarm(Mutex<HashMap<(&'static str, String), Timestamp>>);

impl Alarm {
    /// Whether this alarm is to be sounded now; if so, it counts as sounded.
    pub fn is_due(&self, action: &'static str, object: &str, now: Timestamp) -> bool {
        let mut sounded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (action, object.to_owned());
        if sounded.get(&key).is_some_and(|last| now.duration_since(*last) < QUIET) {
            return false;
        }
        if sounded.len() >= MOST {
            sounded.retain(|_, last| now.duration_since(*last) < QUIET);
        }
        let due = sounded.len() < MOST;
        if due {
            sounded.insert(key, now);
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
        let sounded = (0..2 * MOST).filter(|n| alarm.is_due("a", &n.to_string(), start)).count();
        assert_eq!(sounded, MOST);
        assert!(alarm.is_due("a", "later", start + SignedDuration::from_hours(2)));
    }
}
