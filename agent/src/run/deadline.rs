//! A run has a deadline: after that, what waits is ended and what has not begun is skipped, so its lock is freed and
//! its report is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};

use super::held::RunWatch;
use crate::config::Installation;
use crate::stop::{RunEnd, StopReason};

/// What can end a run early.
#[derive(Clone, Copy)]
pub(super) struct RunBounds<'a> {
    pub(super) stop: &'a Arc<AtomicBool>,
    pub(super) end: RunEnd,
    pub(super) watch: &'a RunWatch,
}

impl<'a> RunBounds<'a> {
    /// Bounds that begin now: the server's answer has limits of its own, and takes nothing from the catalog's time.
    pub(super) fn now(place: &Installation, stop: &'a Arc<AtomicBool>, watch: &'a RunWatch) -> Self {
        Self { stop, end: RunEnd::after(place.config.run_timeout()), watch }
    }
}

/// Does `work`, and asks it to stop at `end`. Also returns whether it was asked.
pub(super) fn within<T>(end: RunEnd, stop: &AtomicBool, work: impl FnOnce() -> T) -> (T, bool) {
    let (done, waiting) = channel::<()>();
    std::thread::scope(|scope| {
        let clock = scope.spawn(move || {
            // The wait ends when the sender is dropped; nothing is ever sent.
            let over = waiting.recv_timeout(end.left()) == Err(RecvTimeoutError::Timeout);
            if over {
                stop.store(true, Ordering::Relaxed);
                crate::stop::ask(StopReason::OutOfTime);
            }
            over
        });
        let worked = work();
        drop(done);
        (worked, clock.join().unwrap_or(false))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn work_that_takes_too_long_is_asked_to_stop_and_other_work_is_not() {
        let stop = AtomicBool::new(false);
        let quick = within(RunEnd::after(Duration::from_secs(3_600)), &stop, || 7);
        assert_eq!((quick, stop.load(Ordering::Relaxed)), ((7, false), false));
        let until_stopped = || {
            while !stop.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
        };
        assert_eq!(within(RunEnd::after(Duration::from_millis(1)), &stop, until_stopped), ((), true));
    }
}
