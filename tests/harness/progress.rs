//! Shows progress to people who wait: what begins, and every few seconds that it is still running. Silent until a
//! program turns it on, so that tests print nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// The time between two lines: nobody who waits should see nothing for longer than ten seconds.
const HEARTBEAT: Duration = Duration::from_secs(8);

/// How long work must take before the first line is shown, since most steps are over at once.
const FIRST_LINE: Duration = Duration::from_millis(700);

static SHOWN: AtomicBool = AtomicBool::new(false);

/// From now on, shows work that takes long on standard error.
pub fn show() {
    SHOWN.store(true, Ordering::Relaxed);
}

/// Runs `work`, and shows that it is still running.
#[allow(clippy::print_stderr)] // printing is its purpose
pub fn during<T>(what: &str, work: impl FnOnce() -> T) -> T {
    if !SHOWN.load(Ordering::Relaxed) {
        return work();
    }
    told(what, (FIRST_LINE, HEARTBEAT), |line| eprintln!("  {line}"), work)
}

/// Runs `work` while another thread reports on it after `first` and then after every `beat`.
fn told<T>(
    what: &str,
    (first, beat): (Duration, Duration),
    tell: impl Fn(&str) + Send,
    work: impl FnOnce() -> T,
) -> T {
    let (done, is_done) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            let begun = Instant::now();
            let mut pause = first;
            // The other end is dropped when the work ends, even by a panic.
            while is_done.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                match begun.elapsed().as_secs() {
                    0 => tell(&format!("{what} …")),
                    seconds => tell(&format!("{what} … {seconds} s")),
                }
                pause = beat;
            }
        });
        let _done = done;
        work()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Works until this many lines have been shown, and returns them.
    fn lines(lines: usize, pauses: (Duration, Duration)) -> Vec<String> {
        let (teller, heard) = mpsc::channel();
        told(
            "boiling water",
            pauses,
            move |line| teller.send(line.to_owned()).unwrap(),
            || (0..lines).map(|_| heard.recv().unwrap()).collect(),
        )
    }

    #[test]
    fn long_work_is_told_again_and_again_until_it_is_over() {
        let told = lines(3, (Duration::ZERO, Duration::from_millis(1)));
        assert!(told.iter().all(|line| line.starts_with("boiling water …")), "{told:?}");
    }

    #[test]
    fn short_work_says_nothing_and_gives_its_result() {
        let forever = Duration::from_secs(3600);
        let result = told("a blink", (forever, forever), |line| panic!("said {line}"), || 7);
        assert_eq!(result, 7);
    }
}
