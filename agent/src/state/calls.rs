//! Which calls on the agent's state are in progress, and for how long: on storage that does not respond, such a call may
//! never return, and nothing can end it. Whoever waits for it can name the path, and give up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The calls of all threads, by their numbers.
static CALLS: Mutex<BTreeMap<u64, (Instant, PathBuf)>> = Mutex::new(BTreeMap::new());

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A call, for as long as this lives.
pub(crate) struct StateCall(u64);

impl StateCall {
    pub(crate) fn on(path: &Path) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        calls().insert(number, (Instant::now(), path.to_owned()));
        Self(number)
    }
}

impl Drop for StateCall {
    fn drop(&mut self) {
        calls().remove(&self.0);
    }
}

/// The path of the call that has taken longest, if it has taken as long as this.
pub(crate) fn silent_for(patience: Duration) -> Option<PathBuf> {
    let calls = calls();
    let (since, path) = calls.values().min_by_key(|(since, _)| *since)?;
    (since.elapsed() >= patience).then(|| path.clone())
}

fn calls() -> MutexGuard<'static, BTreeMap<u64, (Instant, PathBuf)>> {
    CALLS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_does_not_return_is_named_until_it_does() {
        let path = Path::new("/srv/state/status.json");
        let is_named = || calls().values().any(|(_, other)| other == path);
        let call = StateCall::on(path);
        // Tests beside this one have calls of their own.
        while silent_for(Duration::from_millis(50)).is_none() {
            std::thread::yield_now();
        }
        assert!(is_named() && silent_for(Duration::from_secs(3_600)).is_none());
        drop(call);
        assert!(!is_named());
    }
}
