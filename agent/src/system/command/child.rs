//! One child process: started, read, and ended in time.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use holdfast_catalog::resource::attribute::CommandLine;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::MemfdFlags;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};

use super::{Exit, Invocation, Output, PATH, group};
use crate::stop::{RunEnd, StopReason};
use crate::system::accounts::{Account, Accounts};
use crate::system::{Error, Result};

/// The time a process group gets between the request to end and the kill, and again after that.
const GRACE: Duration = Duration::from_secs(3);

/// How often the child is polled if the kernel cannot report its end.
const TICK: Duration = Duration::from_millis(20);

/// How often to check whether a stoppable command must be ended.
const HEED: Duration = Duration::from_millis(100);

/// What can end a command from outside.
#[derive(Debug, Clone, Copy)]
pub(in crate::system) struct Bounds<'a> {
    /// Set when the run must stop.
    pub(in crate::system) stop: Option<&'a AtomicBool>,
    /// When the run must be over.
    pub(in crate::system) end: Option<RunEnd>,
}

impl Bounds<'_> {
    /// Why the run must stop, if it must.
    pub(in crate::system) fn stopping(&self) -> Option<StopReason> {
        let is_over = self.end.is_some_and(|end| end.left().is_zero());
        let is_told = self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed));
        is_over.then_some(StopReason::OutOfTime).or(is_told.then_some(StopReason::Told))
    }

    /// How long something may take that may take `own` by itself.
    pub(in crate::system) fn patience(&self, own: Duration) -> Duration {
        self.end.map_or(own, |end| own.min(end.patience()))
    }
}

/// Runs a command until it ends, or to its timeout, the end of the run or, if it is stoppable, until the run must stop.
pub(in crate::system) fn run(
    invocation: &Invocation,
    accounts: &Accounts,
    bounds: Bounds<'_>,
) -> Result<Output> {
    let bounds = Bounds { stop: bounds.stop.filter(|_| invocation.stoppable), ..bounds };
    let is_over = bounds.patience(Duration::MAX).is_zero();
    if let Some(why) = bounds.stopping().filter(|_| is_over || bounds.stop.is_some()) {
        return Ok(Output { exit: Exit::Stopped(why), stdout: Vec::new(), stderr: Vec::new() });
    }
    let mut command = prepare(invocation, accounts)?;
    let failed = |source| Error::Spawn { program: command_name(&invocation.command).to_owned(), source };
    command.stdin(stdin(invocation).map_err(failed)?);
    if let Some(cwd) = invocation.cwd.as_deref().filter(|cwd| !cwd.is_dir()) {
        // Otherwise the program would be reported as missing.
        return Err(Error::NoDirectory {
            command: invocation.command.to_string(),
            directory: cwd.to_owned(),
        });
    }
    if let Some(source) = missing_program(&command, invocation) {
        return Err(failed(source));
    }
    let mut child = command.spawn().map_err(failed)?;
    watch(&mut child, invocation, bounds).map_err(failed)
}

fn command_name(command: &CommandLine) -> &str {
    match command {
        CommandLine::Arguments(list) => list.first().map_or("", String::as_str),
        CommandLine::Shell(_) => "/bin/sh",
    }
}

/// Whether the program is missing, if something other than the kernel starts it, for another user or in a session of
/// its own. That reports a missing program in its own words, with an exit code that the program could also have.
fn missing_program(command: &std::process::Command, invocation: &Invocation) -> Option<io::Error> {
    let program = command_name(&invocation.command);
    if command.get_program() == program {
        return None;
    }
    let is_missing = |at: &Path| at.metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    let path =
        invocation.environment.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.expose());
    let path = path.as_deref().unwrap_or(PATH);
    let is_missing = if program.contains('/') {
        is_missing(&invocation.cwd.as_deref().unwrap_or("/".as_ref()).join(program))
    } else {
        path.split(':').all(|directory| is_missing(&Path::new(directory).join(program)))
    };
    is_missing.then(|| io::Error::from_raw_os_error(Errno::NOENT.raw_os_error()))
}

fn prepare(invocation: &Invocation, accounts: &Accounts) -> Result<std::process::Command> {
    let mut argv: Vec<&str> = match &invocation.command {
        CommandLine::Arguments(list) => list.iter().map(String::as_str).collect(),
        CommandLine::Shell(text) => vec!["/bin/sh", "-c", text],
    };
    let user = invocation.user.as_deref().map(|user| account(invocation, user, accounts)).transpose()?;
    let user = user.as_deref();
    let own = rustix::process::geteuid().as_raw();
    let switch = user.filter(|user| user.uid != own).map(switch_arguments);
    if let Some(switch) = &switch {
        argv.splice(0..0, switch.iter().map(String::as_str));
    }
    // A process with the terminal of the user who started the agent can type into it on that user's behalf.
    let in_session = switch.is_some() || invocation.detached && File::open("/dev/tty").is_ok();
    if in_session {
        argv.insert(0, "setsid");
    }
    let mut command = std::process::Command::new(argv.first().copied().unwrap_or_default());
    command.args(argv.iter().skip(1)).env_clear().env("PATH", PATH).env("LANG", "C.UTF-8");
    let runs_as = user.or_else(|| accounts.users().iter().find(|user| user.uid == own));
    command.env("HOME", runs_as.map_or("/root", |user| &user.home));
    if let Some(user) = user {
        command.env("USER", &user.name).env("LOGNAME", &user.name);
    }
    for (name, value) in &invocation.environment {
        command.env(name, &*value.expose());
    }
    command.current_dir(invocation.cwd.as_deref().unwrap_or("/".as_ref()));
    if !in_session {
        // A new session is also a new process group, and its creator must not already lead one.
        command.process_group(0);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

fn account<'a>(invocation: &Invocation, user: &str, accounts: &'a Accounts) -> Result<Cow<'a, Account>> {
    accounts
        .find_user(user)
        .ok_or_else(|| Error::NoSuchUser { command: invocation.command.to_string(), user: user.to_owned() })
}

/// The arguments that switch to the user with all of its groups; the standard library cannot set supplementary groups.
fn switch_arguments(user: &Account) -> [String; 5] {
    let (uid, gid) = (format!("--reuid={}", user.uid), format!("--regid={}", user.gid));
    ["setpriv".to_owned(), uid, gid, "--init-groups".to_owned(), "--".to_owned()]
}

/// Standard input as a file in memory: it can have any length, and neither side waits for the other.
fn stdin(invocation: &Invocation) -> io::Result<Stdio> {
    let Some(input) = &invocation.input else { return Ok(Stdio::null()) };
    let mut file = File::from(rustix::fs::memfd_create("input", MemfdFlags::CLOEXEC)?);
    file.write_all(&input.0)?;
    file.rewind()?;
    Ok(Stdio::from(file))
}

/// Reads both outputs until the child has ended; processes that it left running may keep them open. A child that even a
/// kill does not end, such as one that waits for a disk, is abandoned.
fn watch(child: &mut Child, invocation: &Invocation, bounds: Bounds<'_>) -> io::Result<Output> {
    let mut stdout = ChildOutput::new(child.stdout.take().map(OwnedFd::from), Keep::First(invocation.limit))?;
    let mut stderr = ChildOutput::new(child.stderr.take().map(OwnedFd::from), Keep::Last(invocation.limit))?;
    let pid = Pid::from_child(child);
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok();
    let mut deadline = Deadline::new(invocation.timeout, bounds);
    let status = loop {
        // Processes that were asked to end and still run get their time for that, even if the child itself has ended.
        let has_ended = group::has_ended(pid);
        if has_ended
            && !(deadline.is_asking() && group::has_others(pid))
            && let Some(status) = child.try_wait()?
        {
            break Some(status);
        }
        if let Some(why) = bounds.stopping().filter(|_| bounds.stop.is_some()) {
            deadline.stop(why);
        }
        match deadline.due() {
            Some(Due::Signal(signal)) => {
                // The group is not reaped before the child is, so its id cannot have been reused.
                let _ = rustix::process::kill_process_group(pid, signal);
            }
            Some(Due::Nothing) => break None,
            None => {}
        }
        let left = if bounds.stop.is_some() { deadline.left().min(HEED) } else { deadline.left() };
        wait(pidfd.as_ref().filter(|_| !has_ended), [&stdout, &stderr], left)?;
        stdout.take_all()?;
        stderr.take_all()?;
    };
    stdout.take_all()?;
    stderr.take_all()?;
    Ok(Output { exit: deadline.exit(status, pid), stdout: stdout.lines(), stderr: stderr.lines() })
}

/// Waits until a stream has data, the child ends, or the time is over.
fn wait(pidfd: Option<&OwnedFd>, streams: [&ChildOutput; 2], left: Duration) -> io::Result<()> {
    let mut fds: Vec<_> = streams.into_iter().filter_map(|stream| stream.fd.as_ref()).collect();
    fds.extend(pidfd);
    let mut fds: Vec<_> =
        fds.into_iter().map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)).collect();
    let left = if pidfd.is_some() { left } else { left.min(TICK) };
    let timeout = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
    match rustix::event::poll(&mut fds, Some(&timeout)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// When the child is asked to end, when it is killed, and when it is abandoned.
struct Deadline {
    timeout: Duration,
    next: Instant,
    /// How many signals it was sent.
    sent: usize,
    /// Set if it is ended because of the run, and not of its own timeout.
    stopped: Option<StopReason>,
}

/// What to do next about a child that does not end.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    Signal(Signal),
    Nothing,
}

impl Deadline {
    fn new(timeout: Duration, bounds: Bounds<'_>) -> Self {
        let next = bounds.patience(timeout);
        let stopped = (next < timeout).then_some(StopReason::OutOfTime);
        Self { timeout, next: Instant::now() + next, sent: 0, stopped }
    }

    /// Ends the time now.
    fn stop(&mut self, why: StopReason) {
        if self.sent == 0 {
            self.stopped = Some(why);
            self.next = Instant::now();
        }
    }

    /// Whether it was asked to end, and not killed yet.
    fn is_asking(&self) -> bool {
        self.sent == 1
    }

    fn left(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    /// The step that is due now, if any.
    fn due(&mut self) -> Option<Due> {
        if Instant::now() < self.next {
            return None;
        }
        self.next = Instant::now() + GRACE;
        self.sent += 1;
        Some(match self.sent {
            1 => Due::Signal(Signal::TERM),
            2 => Due::Signal(Signal::KILL),
            _ => Due::Nothing,
        })
    }

    /// How a child ended; without a status, it was abandoned.
    fn exit(&self, status: Option<ExitStatus>, child: Pid) -> Exit {
        let Some(status) = status else { return Exit::Held(child.as_raw_pid()) };
        match (self.sent, self.stopped) {
            (0, _) => match status.code() {
                Some(code) => Exit::Code(code),
                None => Exit::Signal(status.signal().unwrap_or(0)),
            },
            (_, Some(why)) => Exit::Stopped(why),
            (_, None) => Exit::TimedOut(self.timeout),
        }
    }
}

#[derive(Clone, Copy)]
enum Keep {
    First(usize),
    Last(usize),
}

/// One output of the child.
struct ChildOutput {
    fd: Option<OwnedFd>,
    keep: Keep,
    kept: Vec<u8>,
    cut: bool,
}

impl ChildOutput {
    fn new(fd: Option<OwnedFd>, keep: Keep) -> io::Result<Self> {
        if let Some(fd) = &fd {
            rustix::io::ioctl_fionbio(fd, true)?;
        }
        Ok(Self { fd, keep, kept: Vec::new(), cut: false })
    }

    /// Reads what is available without waiting, at most as much as a pipe can contain: a child that never stops writing
    /// cannot hold us here.
    fn take_all(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        for _ in 0..64 {
            let Some(fd) = &self.fd else { return Ok(()) };
            match rustix::io::read(fd, &mut buffer) {
                Ok(0) => self.fd = None,
                Ok(length) => self.add(&buffer[..length]),
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    fn add(&mut self, bytes: &[u8]) {
        match self.keep {
            Keep::First(limit) => {
                let room = limit.saturating_sub(self.kept.len()).min(bytes.len());
                self.kept.extend_from_slice(&bytes[..room]);
                self.cut |= room < bytes.len();
            }
            Keep::Last(limit) => {
                self.kept.extend_from_slice(bytes);
                if self.kept.len() > 2 * limit {
                    self.kept.drain(..self.kept.len() - limit);
                    self.cut = true;
                }
            }
        }
    }

    /// What was kept, without a line that was cut off: half a secret would not be recognized, and would be shown.
    fn lines(mut self) -> Vec<u8> {
        match self.keep {
            _ if !self.cut => {}
            Keep::First(_) => {
                let end = self.kept.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                self.kept.truncate(end);
            }
            Keep::Last(_) => {
                let start =
                    self.kept.iter().position(|byte| *byte == b'\n').map_or(self.kept.len(), |at| at + 1);
                self.kept.drain(..start);
            }
        }
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f22_what_no_signal_ends_is_left_in_time() {
        let bounds = Bounds { stop: None, end: Some(RunEnd::after(Duration::ZERO)) };
        let mut deadline = Deadline::new(Duration::ZERO, bounds);
        let mut due = || {
            deadline.next = Instant::now();
            deadline.due()
        };
        assert_eq!(due(), Some(Due::Signal(Signal::TERM)));
        assert_eq!(due(), Some(Due::Signal(Signal::KILL)));
        assert_eq!(due(), Some(Due::Nothing));
        let child = Pid::from_raw(812).unwrap();
        assert_eq!(deadline.exit(Some(ExitStatus::from_raw(9)), child), Exit::TimedOut(Duration::ZERO));
        let left = deadline.exit(None, child);
        assert_eq!(left, Exit::Held(812));
        assert!(left.to_string().contains("still there after SIGKILL: the kernel holds its process 812"));
    }
}
