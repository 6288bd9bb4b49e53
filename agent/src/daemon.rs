//! The daemon: a clock that starts a run when it is due, on SIGUSR1 or SIGHUP, and once at the beginning.
//!
//! Each run is a process of its own (`run --once` of the same program). So the daemon holds neither a catalog nor TLS
//! state between runs and stays as small as it began, a run that dies takes nothing with it, and settings are read
//! afresh each time. A run is therefore all that SIGHUP has to start. Once the daemon has begun, a shortage of system
//! resources costs a run, never the daemon.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use holdfast_catalog::certname::Certname;
use rustix::process::{Pid, Signal};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::signal::unix::{self, SignalKind, signal};

use crate::config::Installation;
use crate::identity;
use crate::run;
use crate::state::{self, LockKind, StateDir};
use crate::status::LastRunStatus;

mod patience;

/// This very program, even if its file was replaced in the meantime.
const SELF: &str = "/proc/self/exe";

/// How long a run may take beyond `run_timeout`, for the server and its reports, before the daemon kills it.
const BEYOND: Duration = Duration::from_secs(60 * 60);

/// How long to wait for the end of a run that was killed.
const GONE: Duration = Duration::from_secs(10);

/// Why the daemon cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] state::Error),
    /// This machine has no identity.
    #[error(transparent)]
    Identity(#[from] identity::Error),
    /// The system provides no signals or no processes.
    #[error("cannot start: {0}")]
    Start(#[from] std::io::Error),
}

/// The signals that the daemon handles.
struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    run_now: unix::Signal,
    hangup: unix::Signal,
}

/// What ended a wait.
#[derive(Debug, PartialEq, Eq)]
enum Woken {
    Due,
    Stop,
}

/// Runs until it is told to stop. `once` has the arguments that make this program do one run.
///
/// # Errors
/// Fails if the daemon cannot start. Runs that fail are logged and tried again at their next time.
pub fn run(place: &Installation, once: &[OsString]) -> Result<(), Error> {
    let state = StateDir::open(&place.state_dir)?;
    let certname = run::certname(&state)?;
    // Tells `status` and `doctor` that the daemon runs. A disk that supports no lock makes the runs fail, and they
    // report it.
    let _held = match state.take(LockKind::Daemon) {
        Err(error @ state::Error::Locked(..)) => return Err(error.into()),
        Ok(lock) => {
            lock.note.iter().for_each(|note| tracing::warn!("{note}"));
            Some(lock)
        }
        Err(error) => {
            tracing::warn!("cannot record that the daemon is running: {error}");
            None
        }
    };
    let clock = RunClock { place, state: &state, certname: &certname, program: SELF, once };
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(clock.turn())?)
}

/// What the daemon knows between runs.
struct RunClock<'a> {
    place: &'a Installation,
    state: &'a StateDir,
    certname: &'a Certname,
    program: &'a str,
    once: &'a [OsString],
}

impl RunClock<'_> {
    async fn turn(&self) -> std::io::Result<()> {
        let mut signals = Signals::listen()?;
        loop {
            let before = self.last_run().map(|status| status.run);
            match self.start(&mut signals).await {
                Ok(Woken::Stop) => return Ok(()),
                Ok(Woken::Due) => {}
                Err(error) => tracing::error!("a run could not be started: {error}"),
            }
            let wait = match self.last_run().filter(|status| Some(status.run) != before) {
                Some(status) => Duration::from_secs(status.next_run_seconds),
                None => run::fallback_wait(self.place, self.certname),
            };
            tracing::debug!("the next run is in {} s", wait.as_secs());
            if signals.wait(wait).await == Woken::Stop {
                return Ok(());
            }
        }
    }

    async fn start(&self, signals: &mut Signals) -> std::io::Result<Woken> {
        let (hung_up, theirs) = UnixStream::pair()?;
        let theirs: OwnedFd = theirs.into_std()?.into();
        let child = Command::new(self.program).args(self.once).stdin(Stdio::from(theirs)).spawn()?;
        // The run ends itself at `run_timeout`, and may first have waited that long for another. Only one that is stuck
        // in the kernel, such as on a disk, is killed here.
        signals.during(child, hung_up, 2 * self.place.config.run_timeout() + BEYOND).await
    }

    /// The status of the last run. One that cannot be read counts as `None`: the next run replaces it.
    fn last_run(&self) -> Option<LastRunStatus> {
        LastRunStatus::load(self.state).unwrap_or_else(|error| {
            tracing::warn!("the time of the next run is a guess: {error}");
            None
        })
    }
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            run_now: signal(SignalKind::user_defined1())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until the next run is due, someone asks for one, or the daemon is to stop.
    async fn wait(&mut self, wait: Duration) -> Woken {
        tokio::select! {
            () = tokio::time::sleep(wait) => Woken::Due,
            _ = self.run_now.recv() => Woken::Due,
            _ = self.hangup.recv() => Woken::Due,
            _ = self.terminate.recv() => Woken::Stop,
            _ = self.interrupt.recv() => Woken::Stop,
        }
    }

    /// Waits for the end of a run. If the daemon is told to stop, it tells the run, which ends after the current
    /// resource. A run that hangs is killed, so its lock is freed.
    async fn during(
        &mut self,
        mut child: Child,
        mut hung_up: impl AsyncRead + Unpin,
        limit: Duration,
    ) -> std::io::Result<Woken> {
        tokio::select! {
            biased;
            ended = child.wait() => {
                tell(ended?);
                return Ok(Woken::Due);
            }
            // A run that is stuck in the kernel has reported so; any other ends when it hangs up.
            _ = hung_up.read_u8() => {
                let ended = async { child.wait().await.inspect(|ended| tell(*ended)) };
                return Ok(self.gone(ended, GONE).await);
            }
            () = tokio::time::sleep(limit) => {
                tracing::error!("the run did not end within {} s; ending it", limit.as_secs());
                child.start_kill()?;
                return Ok(self.gone(child.wait(), GONE).await);
            }
            _ = self.terminate.recv() => {
                if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
                    // The run may have ended in this moment, which is just as well.
                    let _ = rustix::process::kill_process(pid, Signal::TERM);
                }
            }
            // The terminal has already sent the signal to the run, and a second one would end it at once.
            _ = self.interrupt.recv() => {}
        }
        // Told to stop once, the daemon stops after the run, whatever becomes of it; told twice, at once.
        let woken = tokio::select! {
            biased;
            woken = self.gone(child.wait(), limit) => woken,
            _ = hung_up.read_u8() => Woken::Due,
            never = patience::ask() => match never {},
        };
        if woken == Woken::Due {
            self.gone(child.wait(), GONE).await;
        }
        Ok(Woken::Stop)
    }

    /// Waits for the end of a run that was told to end, but not for ever, and a signal ends the wait: even SIGKILL does
    /// not end what the kernel holds. Such a run keeps its lock, and the next run reports that.
    async fn gone(
        &mut self,
        end: impl Future<Output = std::io::Result<ExitStatus>>,
        patience: Duration,
    ) -> Woken {
        tokio::select! {
            _ = end => Woken::Due,
            () = tokio::time::sleep(patience) => {
                tracing::error!("it is still there after {} s; leaving it to the kernel", patience.as_secs());
                Woken::Due
            }
            _ = self.terminate.recv() => Woken::Stop,
            _ = self.interrupt.recv() => Woken::Stop,
        }
    }
}

/// Logs how a run died. The run itself reports what failed.
fn tell(ended: ExitStatus) {
    use std::os::unix::process::ExitStatusExt as _;
    if let Some(signal) = ended.signal() {
        tracing::error!("the run was ended by signal {signal}; the next one corrects what it left");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Signals belong to the process. Only one test at a time can wait for them, so all of this is one test.
    #[test]
    fn signals_wake_and_stop() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut signals = Signals::listen().unwrap();
            let raise = |which| rustix::process::kill_process(rustix::process::getpid(), which).unwrap();
            let long = Duration::from_secs(3_600);
            assert_eq!(signals.wait(Duration::from_millis(1)).await, Woken::Due);
            for now in [Signal::USR1, Signal::HUP] {
                raise(now);
                assert_eq!(signals.wait(long).await, Woken::Due);
            }
            raise(Signal::TERM);
            assert_eq!(signals.wait(long).await, Woken::Stop);
            let (mut silent, _kept_open) = tokio::io::duplex(1);
            let child = Command::new("true").spawn().unwrap();
            assert_eq!(signals.during(child, &mut silent, long).await.unwrap(), Woken::Due);
            // A run that hangs does not hang the daemon.
            let child = Command::new("sleep").arg("3600").spawn().unwrap();
            assert_eq!(
                signals.during(child, &mut silent, Duration::from_millis(1)).await.unwrap(),
                Woken::Due
            );
            // Nor does a run that hangs up while the kernel holds its thread.
            let child = Command::new("true").spawn().unwrap();
            assert_eq!(signals.during(child, tokio::io::empty(), long).await.unwrap(), Woken::Due);
            // Nor does a run that even SIGKILL does not end.
            let held = std::future::pending;
            assert_eq!(signals.gone(held(), Duration::from_millis(1)).await, Woken::Due);
            raise(Signal::TERM);
            assert_eq!(signals.gone(held(), long).await, Woken::Stop);
            let child = Command::new("sleep").arg("3600").spawn().unwrap();
            raise(Signal::TERM);
            assert_eq!(signals.during(child, &mut silent, long).await.unwrap(), Woken::Stop);

            // If a run cannot be started and the status cannot be read, the daemon waits for the next time.
            let root = tempfile::tempdir().unwrap();
            let place = &Installation::find(root.path(), None, None).unwrap();
            let state = &StateDir::open(&place.state_dir).unwrap();
            std::fs::create_dir(place.state_dir.join("status.json")).unwrap();
            assert!(LastRunStatus::load(state).is_err());
            let certname = &Certname::parse("web1.acme.example").unwrap();
            let clock = RunClock { place, state, certname, program: "/no/such/program", once: &[] };
            let mut turning = std::pin::pin!(clock.turn());
            tokio::select! {
                biased;
                ended = &mut turning => panic!("it ended: {ended:?}"),
                () = tokio::task::yield_now() => {}
            }
            raise(Signal::TERM);
            turning.await.unwrap();
        });
    }
}
