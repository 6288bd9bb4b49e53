//! SIGTERM and Ctrl-C: the first asks a run to end after the resource at hand, the second ends the process. SIGHUP, such as
//! from a connection that was lost, ends nothing: the run goes on to its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

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
                if set.swap(true, Ordering::Relaxed) {
                    std::process::exit(TERMINATED);
                }
            }
        });
    })?;
    Ok(flag)
}
