//! The daemon: a clock that starts a run at its time, on SIGUSR1 or SIGHUP, and once at the beginning.
//!
//! Each run is a process of its own (`run --once` by the same program). So the daemon holds neither catalog nor TLS
//! between runs and stays as small as it began, a run that dies takes nobody with it, and settings are fresh each time: all
//! that SIGHUP usually asks for is a run. Once begun, a shortage of the system costs a run and never the daemon.

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

/// This very program, even where its file was replaced meanwhile.
const SELF: &str = "/proc/self/exe";

/// How long a run may take beyond `run_timeout`, for the server and its reports, before it is ended from outside.
const BEYOND: Duration = Duration::from_secs(60 * 60);

/// How long one that was ended so has to be gone.
const GONE: Duration = Duration::from_secs(10);

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
    hangup: unix::Signal,
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
pub fn run(place: &Installation, once: &[OsString]) -> Result<(), Error> {
    let state = StateDir::open(&place.state_dir)?;
    let certname = run::certname(&state)?;
    // So that `status` and `doctor` know. A disk that takes no lock costs runs, and they say so themselves.
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

/// What the daemon knows while it turns.
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
        // The run ends itself at `run_timeout`, but can only have waited for another before; only one that the kernel holds, such as at
        // a disk, is ended here.
        signals.during(child, hung_up, 2 * self.place.config.run_timeout() + BEYOND).await
    }

    /// How the last run went; a status that cannot be read counts as none, for the next run replaces it.
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

    /// Waits for the next run's time, a wish for one, or the end.
    async fn wait(&mut self, wait: Duration) -> Woken {
        tokio::select! {
            () = tokio::time::sleep(wait) => Woken::Due,
            _ = self.run_now.recv() => Woken::Due,
            _ = self.hangup.recv() => Woken::Due,
            _ = self.terminate.recv() => Woken::Stop,
            _ = self.interrupt.recv() => Woken::Stop,
        }
    }

    /// Waits for a run's end; told to stop, it tells the run, which ends after the resource at hand.
    /// One that hangs is ended, so that its lock is free.
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
            // A run that is held by the kernel says so; any other ends with that.
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
                    // It may have ended just now, which is as well.
                    let _ = rustix::process::kill_process(pid, Signal::TERM);
                }
            }
            // The terminal has told the run already, and a second signal would end it at once.
            _ = self.interrupt.recv() => {}
        }
        // Told to stop, it stops, whatever becomes of the run; told twice, at once.
        let woken = tokio::select! {
            biased;
            woken = self.gone(child.wait(), limit) => woken,
            _ = hung_up.read_u8() => Woken::Due,
        };
        if woken == Woken::Due {
            self.gone(child.wait(), GONE).await;
        }
        Ok(Woken::Stop)
    }

    /// Waits for the end of a run that was told to end, but neither for ever nor against a signal: what the kernel holds, not even
    /// SIGKILL ends. Its lock is its own still, and the next run says so.
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

/// A run says itself what failed; what it cannot say is how it died.
fn tell(ended: ExitStatus) {
    use std::os::unix::process::ExitStatusExt as _;
    if let Some(signal) = ended.signal() {
        tracing::error!("the run was ended by signal {signal}; the next one corrects what it left");
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
            // One that hangs does not hang the daemon.
            let child = Command::new("sleep").arg("3600").spawn().unwrap();
            assert_eq!(
                signals.during(child, &mut silent, Duration::from_millis(1)).await.unwrap(),
                Woken::Due
            );
            // Nor does one that hangs up, and whose thread the kernel holds.
            let child = Command::new("true").spawn().unwrap();
            assert_eq!(signals.during(child, tokio::io::empty(), long).await.unwrap(), Woken::Due);
            // Nor does one that not even SIGKILL ends.
            let held = std::future::pending;
            assert_eq!(signals.gone(held(), Duration::from_millis(1)).await, Woken::Due);
            raise(Signal::TERM);
            assert_eq!(signals.gone(held(), long).await, Woken::Stop);
            let child = Command::new("sleep").arg("3600").spawn().unwrap();
            raise(Signal::TERM);
            assert_eq!(signals.during(child, &mut silent, long).await.unwrap(), Woken::Stop);

            // A run that cannot be started, beside a status that cannot be read, is waited out.
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
