//! Waiting for a condition. This is the only place where the tests sleep, so that no test waits longer than it must, or
//! passes because a machine happened to be fast.

use std::fmt::Display;
use std::thread;
use std::time::{Duration, Instant};

/// The time between two checks: short compared with what is waited for, long compared with the cost of a check.
const PAUSE: Duration = Duration::from_millis(40);

/// The condition did not hold in time: what was waited for, and what the last check saw instead.
#[derive(Debug, thiserror::Error)]
#[error("{what}: not within {timeout:?}; last: {last}")]
pub struct TimedOut {
    what: String,
    timeout: Duration,
    last: String,
}

/// Calls `look` until it returns an answer, and returns that. The last error is part of the message on giving up.
pub fn until<T, E: Display>(
    what: &str,
    timeout: Duration,
    mut look: impl FnMut() -> Result<T, E>,
) -> Result<T, TimedOut> {
    let deadline = Instant::now() + timeout;
    loop {
        match look() {
            Ok(found) => return Ok(found),
            Err(last) if Instant::now() >= deadline => {
                return Err(TimedOut { what: what.into(), timeout, last: last.to_string() });
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

/// Lets time pass, in a test of what happens over time.
pub fn pass(time: Duration) {
    thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_answer_ends_the_wait() {
        let mut looks = 0;
        let found = until("the third look", Duration::from_secs(60), || {
            looks += 1;
            if looks == 3 { Ok(looks) } else { Err("not yet") }
        });
        assert_eq!(found.unwrap(), 3);
    }

    #[test]
    fn giving_up_says_what_was_seen_last() {
        let error = until("the page", Duration::ZERO, || Err::<(), _>("status 503")).unwrap_err();
        assert_eq!(error.to_string(), "the page: not within 0ns; last: status 503");
    }
}
