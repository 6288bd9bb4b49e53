//! Waiting for the bus, but not for ever: the wait ends if the bus hangs or the run must stop.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Runtime;
use zbus::Connection;
use zbus::connection::Builder;

use super::{ANSWER_TIMEOUT, BusError};
use crate::stop::StopReason;

/// How long an answer of the bus is waited for after this process was asked to stop.
const STOPPED: Duration = Duration::from_secs(10);

/// Why the run must stop, if it must; something that only waits ends at once.
pub(in crate::provider::service) type Stopping<'a> = dyn Fn() -> Option<StopReason> + Sync + 'a;

/// Connects within `patience`. zbus itself asks the bus for its identity without a timeout.
pub(super) fn connect(
    runtime: &Runtime,
    builder: Builder<'_>,
    patience: Duration,
) -> Result<Connection, BusError> {
    let build = builder.method_timeout(ANSWER_TIMEOUT).build();
    wait(runtime, async {
        let built = tokio::time::timeout(patience, build).await;
        built.map_err(|_| BusError::Silent(patience))?.map_err(BusError::Unreachable)
    })
}

/// Waits on a thread of its own, since a runtime cannot be entered from within another.
pub(super) fn wait<T: Send>(
    runtime: &Runtime,
    work: impl Future<Output = Result<T, BusError>> + Send,
) -> Result<T, BusError> {
    let unless_stopped = async {
        tokio::select! {
            biased;
            done = work => done,
            why = crate::stop::asked(STOPPED) => Err(BusError::Stopped(why)),
        }
    };
    std::thread::scope(|scope| match scope.spawn(|| runtime.block_on(unless_stopped)).join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f22_a_bus_that_accepts_and_says_nothing_is_an_error_in_time() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("bus");
        let _hanging = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let address = format!("unix:path={}", socket.display());
        let builder = Builder::address(address.as_str());
        let error = connect(&runtime, builder, Duration::from_millis(20)).unwrap_err().to_string();
        assert!(error.contains("dbus"), "{error}");
    }
}
