//! The signals that the server handles. Only those that ask it to stop end it.

use tokio::signal::unix::{self, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum SignalAction {
    Stop,
    /// To look at the repository at once; with the name of the signal.
    Look(&'static str),
}

/// The signals that the server listens for.
pub struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    hangup: unix::Signal,
    users: [unix::Signal; 2],
}

impl Signals {
    /// Listens for signals from now on.
    ///
    /// # Errors
    /// Returns an error if the system does not deliver signals.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            users: [signal(SignalKind::user_defined1())?, signal(SignalKind::user_defined2())?],
        })
    }

    /// Waits for the next signal that asks for something.
    pub async fn next(&mut self) -> SignalAction {
        let [first, second] = &mut self.users;
        tokio::select! {
            _ = self.terminate.recv() => SignalAction::Stop,
            _ = self.interrupt.recv() => SignalAction::Stop,
            _ = self.hangup.recv() => SignalAction::Look("SIGHUP"),
            _ = first.recv() => SignalAction::Look("SIGUSR1"),
            _ = second.recv() => SignalAction::Look("SIGUSR2"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Signal, getpid, kill_process};

    /// Signals belong to the whole process, so one test covers them all.
    #[tokio::test]
    async fn f45_a_signal_ends_the_server_only_where_it_asks_for_that() {
        let mut signals = Signals::listen().unwrap();
        for (signal, name) in [(Signal::HUP, "SIGHUP"), (Signal::USR1, "SIGUSR1"), (Signal::USR2, "SIGUSR2")]
        {
            kill_process(getpid(), signal).unwrap();
            assert_eq!(signals.next().await, SignalAction::Look(name));
        }
        for signal in [Signal::TERM, Signal::INT] {
            kill_process(getpid(), signal).unwrap();
            assert_eq!(signals.next().await, SignalAction::Stop);
        }
    }
}
