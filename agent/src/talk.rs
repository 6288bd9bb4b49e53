//! Talk on standard error, and output that nobody waits for. A thread of its own writes it, so only that thread waits
//! for a reader. A journal that hangs must hold up neither a run nor the daemon.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use holdfast_catalog::count::counted;

/// How long to wait until a line is written. After one failure nobody waits, until somebody reads again.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most bytes that wait for a reader; anything beyond that is lost.
const MAX_BYTES: usize = 256 * 1024;

static TALK: Talk = Talk::new(PATIENCE);

static ERROR: LazyLock<Option<Arc<File>>> = LazyLock::new(|| opened(std::io::stderr()));
static OUTPUT: LazyLock<Option<Arc<File>>> = LazyLock::new(|| opened(std::io::stdout()));

/// Writes to standard error. There may be no reader, which must neither make it wait for long nor end the program.
pub(crate) fn error(words: &[u8]) {
    if let Some(to) = &*ERROR {
        TALK.write(to, words);
    }
}

/// Writes to standard output without waiting for a reader.
pub(crate) fn output(words: &[u8]) {
    if let Some(to) = &*OUTPUT {
        TALK.write(to, words);
    }
}

/// What to report elsewhere if nobody reads the talk.
pub(crate) fn trouble() -> Option<String> {
    TALK.has_trouble().then(|| {
        format!(
            "the log is not being read, for example because the journal hangs: after {} s the agent stopped waiting, \
             and some messages may be lost; see `systemctl status systemd-journald`",
            PATIENCE.as_secs()
        )
    })
}

fn opened(stream: impl AsFd) -> Option<Arc<File>> {
    let own: OwnedFd = stream.as_fd().try_clone_to_owned().ok()?;
    Some(Arc::new(File::from(own)))
}

/// Talk, and the thread that writes it.
struct Talk {
    state: Mutex<Queue>,
    moved: Condvar,
    patience: Duration,
}

/// What waits, and what became of the pieces before it.
struct Queue {
    waiting: VecDeque<(Arc<File>, Vec<u8>)>,
    bytes: usize,
    /// How many pieces were added, and how many were written.
    given: u64,
    taken: u64,
    /// Whether no piece was written in time; until all are, nobody waits.
    is_stuck: bool,
    /// Lost pieces that have not been reported.
    lost: u64,
    /// Whether this has ever been stuck.
    had_trouble: bool,
    has_writer: bool,
}

impl Talk {
    const fn new(patience: Duration) -> Self {
        let state = Queue {
            waiting: VecDeque::new(),
            bytes: 0,
            given: 0,
            taken: 0,
            is_stuck: false,
            lost: 0,
            had_trouble: false,
            has_writer: false,
        };
        Self { state: Mutex::new(state), moved: Condvar::new(), patience }
    }

    fn state(&self) -> MutexGuard<'_, Queue> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_trouble(&self) -> bool {
        self.state().had_trouble
    }

    /// Writes, and waits until that is done, but not for long.
    fn write(&'static self, to: &Arc<File>, words: &[u8]) {
        let mut state = self.state();
        if !state.has_writer {
            let writer = std::thread::Builder::new().name("talk".to_owned()).spawn(|| self.take());
            if writer.is_err() {
                drop(state);
                let _ = (&**to).write_all(words);
                return;
            }
            state.has_writer = true;
        }
        if state.bytes > 0 && state.bytes + words.len() > MAX_BYTES {
            state.lost += 1;
            return;
        }
        state.bytes += words.len();
        state.given += 1;
        let mine = state.given;
        state.waiting.push_back((to.clone(), words.to_vec()));
        self.moved.notify_all();
        if state.is_stuck {
            return;
        }
        let is_waiting = |state: &mut Queue| state.taken < mine;
        let waited = self.moved.wait_timeout_while(state, self.patience, is_waiting);
        let (mut state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            (state.is_stuck, state.had_trouble) = (true, true);
        }
    }

    /// Writes what waits, piece by piece, for as long as the process lives.
    fn take(&self) {
        let mut state = self.state();
        loop {
            state = self
                .moved
                .wait_while(state, |state| state.waiting.is_empty())
                .unwrap_or_else(PoisonError::into_inner);
            let Some((to, words)) = state.waiting.pop_front() else { continue };
            drop(state);
            // A reader that closed it wants no more.
            let _ = (&*to).write_all(&words);
            state = self.state();
            state.bytes -= words.len();
            state.taken += 1;
            if state.waiting.is_empty() {
                state.is_stuck = false;
                if state.lost > 0 {
                    let lost = counted(state.lost, "line is", "lines are")
                        + " lost here: they were not read in time\n";
                    state.lost = 0;
                    state.given += 1;
                    state.bytes += lost.len();
                    state.waiting.push_back((to, lost.into_bytes()));
                }
            }
            self.moved.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::time::Instant;

    use super::*;

    /// A pipe that accepts nothing more until somebody reads from it.
    fn full() -> (BufReader<std::io::PipeReader>, Arc<File>) {
        let (reader, writer) = std::io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let mut dots = [b'.'; 4096];
        dots[4095] = b'\n';
        while rustix::io::write(&writer, &dots).is_ok() {}
        rustix::io::ioctl_fionbio(&writer, false).unwrap();
        (BufReader::new(reader), Arc::new(File::from(OwnedFd::from(writer))))
    }

    #[test]
    fn who_does_not_read_holds_nobody_up_and_is_told_what_is_lost() {
        let talk: &'static Talk = Box::leak(Box::new(Talk::new(Duration::from_millis(20))));
        let (reader, to) = full();
        let began = Instant::now();
        let line = format!("{}\n", "x".repeat(999));
        let many = 2 * MAX_BYTES / line.len();
        (0..many).for_each(|_| talk.write(&to, line.as_bytes()));
        assert!(talk.has_trouble() && began.elapsed() < Duration::from_secs(60));
        drop(to);
        let mut lines = reader.lines().map(Result::unwrap).filter(|line| !line.starts_with('.'));
        let mut kept = 0;
        let told = lines.find(|line| {
            kept += usize::from(line.starts_with('x'));
            !line.starts_with('x')
        });
        assert!(kept > 100 && kept < many, "{kept}");
        assert_eq!(told.unwrap(), format!("{} lines are lost here: they were not read in time", many - kept));
    }

    #[test]
    fn who_reads_is_told_all_in_order_before_anybody_goes_on() {
        let talk: &'static Talk = Box::leak(Box::new(Talk::new(PATIENCE)));
        let (reader, writer) = std::io::pipe().unwrap();
        let to = Arc::new(File::from(OwnedFd::from(writer)));
        for words in ["one\n", "two\n", "three\n"] {
            talk.write(&to, words.as_bytes());
        }
        let lines = BufReader::new(reader).lines().take(3).map(Result::unwrap);
        assert_eq!(Vec::from_iter(lines), ["one", "two", "three"]);
        assert!(!talk.has_trouble());
    }
}
