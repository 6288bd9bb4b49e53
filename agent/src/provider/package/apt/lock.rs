//! Locks of apt and dpkg that another program holds: waited for, once in a run.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::words::{is_locked, lacks_lock};
use crate::provider::Error;
use crate::system::{Invocation, Output, System};

/// Whether this run has waited for another program's lock in vain. It waits once, and later commands fail at once.
pub(super) static LOCK_IS_HELD: AtomicBool = AtomicBool::new(false);

/// How long apt waits for another one that is running, such as the nightly upgrade.
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_secs(300);

/// How soon a lock is tried again for which apt itself does not wait.
const LOCK_PAUSE: Duration = Duration::from_millis(500);

/// Runs apt or dpkg, and waits for locks, once in a run. apt itself waits for dpkg's locks, but not for those of its
/// lists and archives, and dpkg waits for none.
pub(super) fn unlocked(
    machine: &dyn System,
    command: &Invocation,
    lock_is_held: &AtomicBool,
) -> Result<Output, Error> {
    let began = Instant::now();
    loop {
        let output = machine.run(command)?;
        let is_over = lock_is_held.load(Relaxed)
            || machine.stopping().is_some()
            || began.elapsed() >= machine.patience(LOCK_TIMEOUT);
        if is_over || !lacks_lock(&output) {
            return Ok(output);
        }
        crate::at_hand::tell("waiting for a lock of apt that another program holds");
        std::thread::sleep(LOCK_PAUSE);
    }
}

/// Like [`unlocked`], for other callers with an apt command.
pub fn run_unlocked(machine: &dyn System, command: &Invocation) -> Result<Output, Error> {
    let output = unlocked(machine, command, &LOCK_IS_HELD)?;
    if is_locked(&output) {
        LOCK_IS_HELD.store(true, Relaxed);
    }
    if output.succeeded() { Ok(output) } else { Err(Error::command(command, &output).explained(machine)) }
}
