//! Commands: what is run, in which environment, and the result.
//!
//! Arguments are passed without a shell unless one is asked for. The environment is cleared, the command has its own
//! process group, which is ended at the timeout, and its output is bounded. Every user of the machine can see
//! arguments, so secrets are passed in the environment or on standard input.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use holdfast_catalog::resource::attribute::{CommandLine, Secret};
use zeroize::Zeroizing;

use crate::stop::StopReason;

pub(super) mod child;
mod group;

/// The `PATH` of every command.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How much of a command's output is kept by default, in bytes.
pub const MAX_OUTPUT: usize = 64 * 1024;

/// A command and its environment.
#[derive(Debug, Clone)]
pub struct Invocation {
    pub command: CommandLine,
    /// The working directory; `/` if not set.
    pub cwd: Option<PathBuf>,
    /// The user it runs as, with that user's groups and without the agent's terminal; the agent's own if not set.
    pub user: Option<String>,
    /// Variables besides `PATH`, `LANG=C.UTF-8` and `HOME`.
    pub environment: Vec<(String, Secret)>,
    /// Its standard input.
    pub input: Option<Input>,
    /// When its process group is ended, if the run is not over earlier.
    pub timeout: Duration,
    /// Whether it has no terminal, even if the agent has one: what it asks on `/dev/tty` then fails and waits for
    /// nobody.
    pub detached: bool,
    /// Whether it is ended when the run must stop: only if what it has done by then does no harm half done.
    pub stoppable: bool,
    /// How many bytes of each output are kept, as whole lines; the rest is read and dropped.
    pub limit: usize,
}

/// Standard input; never shown, and wiped when it is dropped.
#[derive(Clone)]
pub struct Input(Zeroizing<Vec<u8>>);

#[cfg(test)]
impl Input {
    /// The bytes, for tests.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[input]")
    }
}

impl Invocation {
    /// Runs a program with arguments.
    pub fn new<S: Into<String>>(arguments: impl IntoIterator<Item = S>) -> Self {
        Self::of(CommandLine::Arguments(arguments.into_iter().map(Into::into).collect()))
    }

    /// Runs a command as a manifest gives it.
    pub fn of(command: CommandLine) -> Self {
        Self {
            command,
            cwd: None,
            user: None,
            environment: Vec::new(),
            input: None,
            timeout: Duration::from_secs(300),
            detached: false,
            stoppable: false,
            limit: MAX_OUTPUT,
        }
    }

    /// The program; `None` for a shell command.
    pub(super) fn program(&self) -> Option<&str> {
        match &self.command {
            CommandLine::Arguments(list) => list.first().map(String::as_str),
            CommandLine::Shell(_) => None,
        }
    }

    /// Sets a variable that may be shown.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the standard input.
    #[must_use]
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(Input(Zeroizing::new(bytes.into())));
        self
    }

    /// Sets the timeout.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs it without a terminal.
    #[must_use]
    pub fn detached(mut self) -> Self {
        self.detached = true;
        self
    }

    /// Allows it to be ended when the run must stop.
    #[must_use]
    pub fn stoppable(mut self) -> Self {
        self.stoppable = true;
        self
    }

    /// Keeps more of the output, in bytes, for output that is parsed.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
    /// The agent ended it, since it took too long.
    TimedOut(Duration),
    /// The agent ended it, or did not start it, since the run must stop.
    Stopped(StopReason),
    /// It is still there, as this process, although the agent killed it: the kernel holds it.
    Held(i32),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "ended by signal {signal}"),
            Self::TimedOut(after) => write!(f, "ended after its timeout of {} s", after.as_secs_f32()),
            Self::Stopped(why) => write!(f, "interrupted because {why}"),
            Self::Held(pid) => write!(
                f,
                "still there after SIGKILL: the kernel holds its process {pid}, as at a disk that does not answer"
            ),
        }
    }
}

impl Exit {
    /// How a command ended that failed, to follow its name, with the end of its output if it had any.
    pub fn of_failure(&self, said: &str) -> String {
        let verb = match self {
            Self::Code(_) => "failed with",
            Self::Held(_) => "is",
            Self::Signal(_) | Self::TimedOut(_) | Self::Stopped(_) => "was",
        };
        if said.trim().is_empty() { format!("{verb} {self}") } else { format!("{verb} {self}: {said}") }
    }
}

/// The result of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub exit: Exit,
    /// The beginning of its standard output; if that was too long, up to the last whole line.
    pub stdout: Vec<u8>,
    /// The end of its standard error, where the reason usually is; if that was too long, from the first whole line on.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Whether it ended with code 0.
    pub fn succeeded(&self) -> bool {
        self.exit == Exit::Code(0)
    }

    /// Standard output as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }

    /// The output of a failed command for an error: standard error, or standard output if that is empty. If it is long,
    /// the first lines, where many tools say what is wrong, and the last ones, where the others do.
    pub fn last_words(&self) -> String {
        let said = if self.stderr.trim_ascii().is_empty() { &self.stdout } else { &self.stderr };
        let text = String::from_utf8_lossy(said);
        let lines: Vec<_> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let Some(left_out) = lines.len().checked_sub(FIRST_WORDS + LAST_WORDS).filter(|count| *count > 1)
        else {
            return lines.join("\n");
        };
        let (first, last) = (&lines[..FIRST_WORDS], &lines[lines.len() - LAST_WORDS..]);
        format!("{}\n[{left_out} lines left out]\n{}", first.join("\n"), last.join("\n"))
    }
}

/// How many lines of a failed command are shown, from the beginning and from the end.
const FIRST_WORDS: usize = 3;
const LAST_WORDS: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn words(lines: usize) -> String {
        let stderr: String = (1..=lines).map(|line| format!("line {line}\n\n")).collect();
        Output { exit: Exit::Code(1), stdout: b"out".to_vec(), stderr: stderr.into_bytes() }.last_words()
    }

    #[test]
    fn the_first_words_and_the_last_are_kept() {
        assert_eq!(words(0), "out");
        assert_eq!(words(9).lines().count(), 9);
        let many = words(40);
        assert!(many.starts_with("line 1\nline 2\nline 3\n[32 lines left out]\nline 36\n"), "{many}");
        assert!(many.ends_with("line 40"));
    }
}
