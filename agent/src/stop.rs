//! What ends a run early: a signal, or its time limit.
//!
//! The first SIGTERM or Ctrl-C asks a run to end after the current resource, whose command is ended if that does no
//! harm ([`crate::system::Invocation::stoppable`]); the second ends the process. SIGHUP, such as from a lost
//! connection, ends nothing. When the time of a run is over, whatever it waits for is ended ([`RunEnd`]).

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

/// Why a run must stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Someone asked for it, with a signal.
    Told,
    /// Its time is over.
    OutOfTime,
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Told => "the run was told to stop",
            Self::OutOfTime => "the run reached its time limit (run_timeout)",
        })
    }
}

/// When a run must be over: after that, no tool, bus or server is waited for.
#[derive(Debug, Clone, Copy)]
pub struct RunEnd(Instant);

/// How much time a run that is over has in total to tidy up what its end interrupted.
const TO_TIDY: Duration = Duration::from_secs(60);

impl RunEnd {
    /// The end of a run that may take `limit` from now on.
    pub fn after(limit: Duration) -> Self {
        Self(Instant::now() + limit)
    }

    /// How long the run may still take.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// How long something that begins now may take.
    pub fn patience(self) -> Duration {
        match self.left() {
            Duration::ZERO => (self.0 + TO_TIDY).saturating_duration_since(Instant::now()),
            left => left,
        }
    }

    /// Whether even that time is long over: what has not ended by now will not end.
    pub fn is_long_over(self) -> bool {
        self.0.elapsed() > 2 * TO_TIDY
    }

    /// An end so long ago that nothing begins any more.
    #[cfg(test)]
    pub(crate) fn long_ago() -> Self {
        Self(Instant::now().checked_sub(3 * TO_TIDY).unwrap())
    }
}

/// When this process was first asked to stop, and why.
static ASKED: OnceLock<(Instant, StopReason)> = OnceLock::new();

/// Asks this process to stop: what only waits, such as for a bus, gives up soon.
pub fn ask(why: StopReason) {
    ASKED.get_or_init(|| (Instant::now(), why));
}

/// Waits until `grace` has passed since this process was asked to stop; returns why.
pub async fn asked(grace: Duration) -> StopReason {
    loop {
        match ASKED.get() {
            Some((since, why)) if since.elapsed() >= grace => return *why,
            _ => tokio::time::sleep(TICK).await,
        }
    }
}

/// Tells the process that started this one, by the socket that is its standard input, that it has practically ended,
/// with this exit code: a thread of it may still be in the kernel, and nobody can wait for that.
pub fn hang_up(code: u8) {
    // If standard input is not a socket, or nobody reads there, nobody is told.
    let _ = rustix::net::send(std::io::stdin(), &[code], rustix::net::SendFlags::NOSIGNAL);
    let _ = rustix::net::shutdown(std::io::stdin(), rustix::net::Shutdown::Both);
}

/// How often something that waits checks whether it must stop.
const TICK: Duration = Duration::from_millis(100);

/// The exit code of a shell for death by SIGTERM.
const TERMINATED: i32 = 143;

/// A flag that the first signal sets. A thread of its own listens, since a run has no time to.
///
/// # Errors
/// Fails if the system provides no thread.
pub fn on_signal() -> std::io::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut terminate, mut interrupt) = {
        let _context = runtime.enter();
        // A process that listens does not die of it, and the commands of a run still do.
        drop(signal(SignalKind::hangup())?);
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
    };
    let set = flag.clone();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
                ask(StopReason::Told);
                if set.swap(true, Ordering::Relaxed) {
                    std::process::exit(TERMINATED);
                }
            }
        });
    })?;
    Ok(flag)
}
