//! What ends a run before its own end: a signal, or its time.
//!
//! The first SIGTERM or Ctrl-C asks a run to end after the resource at hand, whose command ends where that harms nobody
//! ([`crate::system::Invocation::stoppable`]); the second ends the process. SIGHUP, such as from a connection that was lost,
//! ends nothing. When the time of a run is over, whatever it waits for is ended ([`RunEnd`]).

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

/// Why a run is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Somebody said so, by a signal.
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

/// When a run is to be over: no tool, bus or server is waited for any longer.
#[derive(Debug, Clone, Copy)]
pub struct RunEnd(Instant);

/// What a run that is over has, all in all, for putting in order what its end cut short.
const TO_TIDY: Duration = Duration::from_secs(60);

impl RunEnd {
    /// So long from now.
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

    /// Whether even that time is long over: whoever has not ended by now does not.
    pub fn is_long_over(self) -> bool {
        self.0.elapsed() > 2 * TO_TIDY
    }

    /// One so long ago that nothing begins any more.
    #[cfg(test)]
    pub(crate) fn long_ago() -> Self {
        Self(Instant::now().checked_sub(3 * TO_TIDY).unwrap())
    }
}

/// When this process was first asked to stop, and why.
static ASKED: OnceLock<(Instant, StopReason)> = OnceLock::new();

/// This process is to stop: what only waits, such as for a bus, gives up soon.
pub fn ask(why: StopReason) {
    ASKED.get_or_init(|| (Instant::now(), why));
}

/// Waits until this process was asked to stop `grace` ago; answers with why.
pub async fn asked(grace: Duration) -> StopReason {
    loop {
        match ASKED.get() {
            Some((since, why)) if since.elapsed() >= grace => return *why,
            _ => tokio::time::sleep(TICK).await,
        }
    }
}

/// Tells the daemon that began this process that it is as good as over: a thread of it may be in the kernel still, and nobody
/// can wait for that.
pub fn hang_up() {
    // Without a daemon, it is not a socket, and nobody is told.
    let _ = rustix::net::shutdown(std::io::stdin(), rustix::net::Shutdown::Both);
}

/// How often anyone who waits looks whether it is to stop.
const TICK: Duration = Duration::from_millis(100);

/// What a shell calls death by SIGTERM.
const TERMINATED: i32 = 143;

/// A flag that is set by the first signal. A thread of its own listens, for a run has no time to.
///
/// # Errors
/// Where the system gives no thread.
pub fn on_signal() -> std::io::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut terminate, mut interrupt) = {
        let _context = runtime.enter();
        // Who listens does not die of it, and the commands of a run still do.
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
