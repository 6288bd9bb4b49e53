//! Waiting for the bus, and not for ever: a bus that hangs, or a run that is to stop, ends the wait.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Runtime;
use zbus::Connection;
use zbus::connection::Builder;

use super::{ANSWER_TIMEOUT, BusError};
use crate::stop::StopReason;

/// How long an answer of the bus is waited for after this process was asked to stop.
const STOPPED: Duration = Duration::from_secs(10);

/// Why the run is to stop, where it is: what only waits heeds that at once.
pub(in crate::provider::service) type Stopping<'a> = dyn Fn() -> Option<StopReason> + Sync + 'a;

/// A connection that is there within `patience`. The bus is asked who it is by zbus without a timeout of its own.
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

/// On a thread of its own: a runtime cannot be entered from within another.
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
