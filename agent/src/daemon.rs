//! The daemon: a clock that starts a run at its time, on SIGUSR1, and once at the beginning.
//!
//! Each run is a process of its own (`run --once` by the same program). So the daemon holds neither catalog nor TLS
//! between runs and stays as small as it began, a run that dies takes nobody with it, and settings are fresh each time.

use std::ffi::OsString;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};
use tokio::signal::unix::{self, SignalKind, signal};

use crate::config::Place;
use crate::identity::{self, Identity};
use crate::run;
use crate::state::{self, StateDir};
use crate::status::Status;

/// This very program, even where its file was replaced meanwhile.
const SELF: &str = "/proc/self/exe";

/// Why there is no daemon.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// State cannot be used.
    #[error(transparent)]
    State(#[from] state::Error),
    /// This machine has no identity.
    #[error(transparent)]
    Identity(#[from] identity::Error),
    /// The system gives no signals or no processes.
    #[error("cannot start: {0}")]
    Start(#[from] std::io::Error),
}

/// Signals that the daemon knows.
struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    run_now: unix::Signal,
}

/// What ended a wait.
#[derive(Debug, PartialEq, Eq)]
enum Woken {
    Due,
    Stop,
}

/// Runs until it is told to stop. `once` are the arguments that make this program do one run.
///
/// # Errors
/// Where it cannot begin. Runs that fail are told and tried again at their next time.
pub fn run(place: &Place, once: &[OsString]) -> Result<(), Error> {
    let state = StateDir::open(&place.state_dir)?;
    Identity::load(&state)?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(turn(place, &state, once))
}

async fn turn(place: &Place, state: &StateDir, once: &[OsString]) -> Result<(), Error> {
    let mut signals = Signals {
        terminate: signal(SignalKind::terminate())?,
        interrupt: signal(SignalKind::interrupt())?,
        run_now: signal(SignalKind::user_defined1())?,
    };
    loop {
        let before = Status::load(state)?.map(|status| status.run);
        let child = Command::new(SELF).args(once).stdin(Stdio::null()).spawn()?;
        if signals.during(child).await? == Woken::Stop {
            return Ok(());
        }
        let after = Status::load(state)?.filter(|status| Some(status.run) != before);
        let wait = match after {
            Some(status) => Duration::from_secs(status.next_run_seconds),
            None => run::fallback_wait(place, &Identity::load(state)?.certname),
        };
        tracing::debug!("the next run is in {} s", wait.as_secs());
        if signals.wait(wait).await == Woken::Stop {
            return Ok(());
        }
    }
}

impl Signals {
    /// Waits for the next run's time, a wish for one, or the end.
    async fn wait(&mut self, wait: Duration) -> Woken {
        tokio::select! {
            () = tokio::time::sleep(wait) => Woken::Due,
            _ = self.run_now.recv() => Woken::Due,
            _ = self.terminate.recv() => Woken::Stop,
            _ = self.interrupt.recv() => Woken::Stop,
        }
    }

    /// Waits for a run's end; told to stop, it tells the run, which ends after the resource at hand.
    async fn during(&mut self, mut child: Child) -> std::io::Result<Woken> {
        tokio::select! {
            ended = child.wait() => {
                tell(ended?);
                return Ok(Woken::Due);
            }
            _ = self.terminate.recv() => {
                if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
                    // It may have ended just now, which is as well.
                    let _ = rustix::process::kill_process(pid, Signal::TERM);
                }
            }
            // The terminal has told the run already, and a second signal would end it at once.
            _ = self.interrupt.recv() => {}
        }
        child.wait().await?;
        Ok(Woken::Stop)
    }
}

/// A run says itself what failed; what it cannot say is how it died.
fn tell(ended: ExitStatus) {
    use std::os::unix::process::ExitStatusExt as _;
    if let Some(signal) = ended.signal() {
        tracing::error!("the run was ended by signal {signal}; the next one mends what it left");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Signals are the process's: one test at a time waits for them, and all of it is one test.
    #[test]
    fn signals_wake_and_stop() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut signals = Signals {
                terminate: signal(SignalKind::terminate()).unwrap(),
                interrupt: signal(SignalKind::interrupt()).unwrap(),
                run_now: signal(SignalKind::user_defined1()).unwrap(),
            };
            let raise = |which| rustix::process::kill_process(rustix::process::getpid(), which).unwrap();
            let long = Duration::from_secs(3_600);
            assert_eq!(signals.wait(Duration::from_millis(1)).await, Woken::Due);
            raise(Signal::USR1);
            assert_eq!(signals.wait(long).await, Woken::Due);
            raise(Signal::TERM);
            assert_eq!(signals.wait(long).await, Woken::Stop);
            let child = Command::new("true").spawn().unwrap();
            assert_eq!(signals.during(child).await.unwrap(), Woken::Due);
            let child = Command::new("sleep").arg("3600").spawn().unwrap();
            raise(Signal::TERM);
            assert_eq!(signals.during(child).await.unwrap(), Woken::Stop);
        });
    }
}
