//! One child process: started, read, ended in time.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use holdfast_catalog::resource::attribute::Command;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::MemfdFlags;
use rustix::process::{Pid, PidfdFlags, Signal};

use super::{Exit, Invocation, Output, PATH};
use crate::system::accounts::{Account, Accounts};
use crate::system::{Error, Result};

/// What a process group gets between being asked to end and being made to.
const GRACE: Duration = Duration::from_secs(3);

/// How often the child is asked for, where the kernel cannot tell of its end.
const TICK: Duration = Duration::from_millis(20);

/// How often a command that may be ended is looked after for that.
const HEED: Duration = Duration::from_millis(100);

/// Runs a command to its end, to its timeout, or until `stop` is set where it may be ended for that.
pub(in crate::system) fn run(
    invocation: &Invocation,
    accounts: &Accounts,
    stop: Option<&AtomicBool>,
) -> Result<Output> {
    let stop = stop.filter(|_| invocation.stoppable);
    if is_set(stop) {
        return Ok(Output { exit: Exit::Stopped, stdout: Vec::new(), stderr: Vec::new() });
    }
    let mut command = prepare(invocation, accounts)?;
    let failed = |source| Error::Spawn { program: command_name(&invocation.command).to_owned(), source };
    command.stdin(stdin(invocation).map_err(failed)?);
    if let Some(cwd) = invocation.cwd.as_deref().filter(|cwd| !cwd.is_dir()) {
        // Else it would be the program that is missed.
        return Err(Error::NoDirectory {
            command: invocation.command.to_string(),
            directory: cwd.to_owned(),
        });
    }
    let mut child = command.spawn().map_err(failed)?;
    watch(&mut child, invocation, stop).map_err(failed)
}

fn is_set(stop: Option<&AtomicBool>) -> bool {
    stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
}

fn command_name(command: &Command) -> &str {
    match command {
        Command::Arguments(list) => list.first().map_or("", String::as_str),
        Command::Shell(_) => "/bin/sh",
    }
}

fn prepare(invocation: &Invocation, accounts: &Accounts) -> Result<std::process::Command> {
    let mut argv: Vec<&str> = match &invocation.command {
        Command::Arguments(list) => list.iter().map(String::as_str).collect(),
        Command::Shell(text) => vec!["/bin/sh", "-c", text],
    };
    let user = invocation.user.as_deref().map(|user| account(invocation, user, accounts)).transpose()?;
    let own = rustix::process::geteuid().as_raw();
    let switch = user.filter(|user| user.uid != own).map(switch_arguments);
    if let Some(switch) = &switch {
        argv.splice(0..0, switch.iter().map(String::as_str));
    }
    let in_session = invocation.detached && File::open("/dev/tty").is_ok();
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
        // A new session is a new group, and its maker must not lead one already.
        command.process_group(0);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

fn account<'a>(invocation: &Invocation, user: &str, accounts: &'a Accounts) -> Result<&'a Account> {
    let by_number = || accounts.uid(user).and_then(|uid| accounts.users().iter().find(|u| u.uid == uid));
    accounts
        .user(user)
        .or_else(by_number)
        .ok_or_else(|| Error::NoSuchUser { command: invocation.command.to_string(), user: user.to_owned() })
}

/// Becomes the user with all of its groups; the standard library can set no supplementary groups.
fn switch_arguments(user: &Account) -> [String; 5] {
    let (uid, gid) = (format!("--reuid={}", user.uid), format!("--regid={}", user.gid));
    ["setpriv".to_owned(), uid, gid, "--init-groups".to_owned(), "--".to_owned()]
}

/// Standard input as a file in memory: it can be as long as it likes, and nobody waits for whom.
fn stdin(invocation: &Invocation) -> io::Result<Stdio> {
    let Some(input) = &invocation.input else { return Ok(Stdio::null()) };
    let mut file = File::from(rustix::fs::memfd_create("input", MemfdFlags::CLOEXEC)?);
    file.write_all(&input.0)?;
    file.rewind()?;
    Ok(Stdio::from(file))
}

/// Reads both outputs until the child has ended; what it left running may keep them open.
fn watch(child: &mut Child, invocation: &Invocation, stop: Option<&AtomicBool>) -> io::Result<Output> {
    let mut stdout = Stream::new(child.stdout.take().map(OwnedFd::from), Keep::First(invocation.limit))?;
    let mut stderr = Stream::new(child.stderr.take().map(OwnedFd::from), Keep::Last(invocation.limit))?;
    let pid = Pid::from_child(child);
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok();
    let mut deadline = Deadline::new(invocation.timeout);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if is_set(stop) {
            deadline.stop();
        }
        if let Some(signal) = deadline.due() {
            // The group is not reaped before the child is, so its number cannot be anyone else's.
            let _ = rustix::process::kill_process_group(pid, signal);
        }
        let left = if stop.is_some() { deadline.left().min(HEED) } else { deadline.left() };
        wait(pidfd.as_ref(), [&stdout, &stderr], left)?;
        stdout.take_all()?;
        stderr.take_all()?;
    };
    stdout.take_all()?;
    stderr.take_all()?;
    Ok(Output { exit: deadline.exit(status), stdout: stdout.lines(), stderr: stderr.lines() })
}

/// Waits until a stream has something, the child ends, or the time is over.
fn wait(pidfd: Option<&OwnedFd>, streams: [&Stream; 2], left: Duration) -> io::Result<()> {
    let mut fds: Vec<_> = streams.into_iter().filter_map(|stream| stream.fd.as_ref()).collect();
    fds.extend(pidfd);
    let mut fds: Vec<_> =
        fds.into_iter().map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)).collect();
    let left = if pidfd.is_some() { left } else { left.min(TICK) };
    let timeout = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
    match rustix::event::poll(&mut fds, Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// When the child is asked to end, and when it is made to.
struct Deadline {
    timeout: Duration,
    next: Instant,
    asked: bool,
    stopped: bool,
}

impl Deadline {
    fn new(timeout: Duration) -> Self {
        Self { timeout, next: Instant::now() + timeout, asked: false, stopped: false }
    }

    /// The time is over now.
    fn stop(&mut self) {
        if !self.asked && !self.stopped {
            self.stopped = true;
            self.next = Instant::now();
        }
    }

    fn left(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    /// The signal whose time has come.
    fn due(&mut self) -> Option<Signal> {
        if Instant::now() < self.next {
            return None;
        }
        self.next = Instant::now() + GRACE;
        let signal = if self.asked { Signal::KILL } else { Signal::TERM };
        self.asked = true;
        Some(signal)
    }

    fn exit(&self, status: ExitStatus) -> Exit {
        match (self.asked, status.code(), status.signal()) {
            (true, ..) if self.stopped => Exit::Stopped,
            (true, ..) => Exit::TimedOut(self.timeout),
            (false, Some(code), _) => Exit::Code(code),
            (false, None, signal) => Exit::Signal(signal.unwrap_or(0)),
        }
    }
}

#[derive(Clone, Copy)]
enum Keep {
    First(usize),
    Last(usize),
}

/// One output of the child.
struct Stream {
    fd: Option<OwnedFd>,
    keep: Keep,
    kept: Vec<u8>,
    cut: bool,
}

impl Stream {
    fn new(fd: Option<OwnedFd>, keep: Keep) -> io::Result<Self> {
        if let Some(fd) = &fd {
            rustix::io::ioctl_fionbio(fd, true)?;
        }
        Ok(Self { fd, keep, kept: Vec::new(), cut: false })
    }

    /// Takes what is there without waiting, as much as a pipe holds: a child that never stops cannot hold us here.
    fn take_all(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        for _ in 0..64 {
            let Some(fd) = &self.fd else { return Ok(()) };
            match rustix::io::read(fd, &mut buffer) {
                Ok(0) => self.fd = None,
                Ok(length) => self.add(&buffer[..length]),
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
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

    /// What was kept, without the line that was cut: half a secret is not recognised as one, and would be shown.
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
