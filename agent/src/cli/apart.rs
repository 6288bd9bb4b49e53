//! A run of `run --once` as a process of its own. If the kernel holds a thread of it, such as at a file system that does
//! not respond, that process does not end, not even by SIGKILL. This one does, and so the shell does not wait.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

/// This very program, even if its file was replaced in the meantime.
const SELF: &str = "/proc/self/exe";

/// How long a run that has printed its result may take to end.
const GONE: Duration = Duration::from_secs(5);

/// Does a run with these arguments, and returns its exit code.
///
/// # Errors
/// Fails if the process cannot be started.
pub(super) fn run(arguments: impl IntoIterator<Item = OsString>) -> io::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut command = Command::new(SELF);
    command.args(arguments);
    runtime.block_on(until_told(command, GONE))
}

async fn until_told(mut command: Command, gone: Duration) -> io::Result<u8> {
    // Ctrl-C reaches the run by itself, and the loss of the terminal ends neither.
    let (mut terminate, _interrupt, _hangup) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?);
    let (mut told, theirs) = UnixStream::pair()?;
    let theirs: OwnedFd = theirs.into_std()?.into();
    let mut child = command.stdin(Stdio::from(theirs)).spawn()?;
    // Only the run keeps the other end open.
    drop(command);
    loop {
        tokio::select! {
            biased;
            ended = child.wait() => return Ok(ended.map_or(1, code)),
            said = told.read_u8() => {
                let ended = tokio::time::timeout(gone, child.wait()).await;
                return Ok(ended.ok().and_then(Result::ok).map_or_else(|| left(&child, said.ok()), code));
            }
            _ = terminate.recv() => {
                if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
                    // The run may have ended in this moment, which is just as well.
                    let _ = rustix::process::kill_process(pid, Signal::TERM);
                }
            }
        }
    }
}

/// The exit code of a run that does not end; a failure if it did not say.
fn left(child: &Child, said: Option<u8>) -> u8 {
    let process = child.id().map(|id| format!(", as process {id}")).unwrap_or_default();
    super::note(&format!(
        "the kernel still holds a part of the run{process}; `holdfast-agent doctor` says more"
    ));
    said.unwrap_or(1)
}

/// The exit code as a shell has it.
fn code(ended: ExitStatus) -> u8 {
    let of_signal = || ended.signal().map_or(1, |signal| 128 + signal);
    u8::try_from(ended.code().unwrap_or_else(of_signal)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(script: &str) -> u8 {
        let mut command = Command::new("sh");
        command.args(["-c", script]).kill_on_drop(true);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(until_told(command, Duration::from_millis(50))).unwrap()
    }

    #[test]
    fn a_run_that_has_told_its_code_and_does_not_end_holds_nobody_up() {
        assert_eq!(of("exit 6"), 6);
        assert_eq!(of("kill -KILL $$"), 137);
        assert_eq!(of(r"printf '\004' >&0; exec sleep 3600"), 4);
    }
}
