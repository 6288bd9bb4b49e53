//! SIGTERM and Ctrl-C: the first asks a run to end after the resource at hand, whose command ends where that harms nobody
//! ([`crate::system::Invocation::stoppable`]); the second ends the process. SIGHUP, such as from a connection that was lost, ends nothing: the run goes on to its end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

/// When this process was first asked to stop.
static ASKED: OnceLock<Instant> = OnceLock::new();

/// This process is to stop: what only waits, such as for a bus, gives up soon.
pub fn ask() {
    ASKED.get_or_init(Instant::now);
}

/// Waits until this process was asked to stop `grace` ago.
pub async fn asked(grace: Duration) {
    while ASKED.get().is_none_or(|since| since.elapsed() < grace) {
        tokio::time::sleep(TICK).await;
    }
}

/// How often whoever waits looks whether it is to stop.
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
                ask();
                if set.swap(true, Ordering::Relaxed) {
                    std::process::exit(TERMINATED);
                }
            }
        });
    })?;
    Ok(flag)
}
