//! Commands: what is run, with what around it, and what came of it.
//!
//! Arguments without a shell unless a shell is asked for, a cleared environment, an own process group that ends at the
//! timeout, bounded output. Arguments can be seen by every user of the machine: secrets go by environment or input.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use holdfast_catalog::resource::attribute::{Command, Secret};
use zeroize::Zeroizing;

use crate::stop::StopReason;

pub(super) mod child;
mod group;

/// The PATH of every command.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How much of a command's output is kept, unless it says otherwise.
pub const OUTPUT_LIMIT: usize = 64 * 1024;

/// A command and what is around it.
#[derive(Debug, Clone)]
pub struct Invocation {
    pub command: Command,
    /// The working directory; `/` without it.
    pub cwd: Option<PathBuf>,
    /// The user it runs as, with that user's groups and without the agent's terminal; the agent's own without it.
    pub user: Option<String>,
    /// Variables beside `PATH`, `LANG=C.UTF-8` and `HOME`.
    pub environment: Vec<(String, Secret)>,
    /// What it reads from its standard input.
    pub input: Option<Input>,
    /// When its process group is ended, if the run is not over before.
    pub timeout: Duration,
    /// Whether it has no terminal, even where the agent has one: what it asks for on `/dev/tty` fails and waits for nobody.
    pub detached: bool,
    /// Whether it is ended when the run is to stop: only where what it has done by then harms nobody half done.
    pub stoppable: bool,
    /// How many bytes of each output are kept, as whole lines; what is over is read and dropped.
    pub limit: usize,
}

/// Standard input; never shown, and wiped when done.
#[derive(Clone)]
pub struct Input(Zeroizing<Vec<u8>>);

#[cfg(test)]
impl Input {
    /// What a test looks for in it.
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
    /// A program and its arguments.
    pub fn new<S: Into<String>>(arguments: impl IntoIterator<Item = S>) -> Self {
        Self::of(Command::Arguments(arguments.into_iter().map(Into::into).collect()))
    }

    /// A command as a manifest gives it.
    pub fn of(command: Command) -> Self {
        Self {
            command,
            cwd: None,
            user: None,
            environment: Vec::new(),
            input: None,
            timeout: Duration::from_secs(300),
            detached: false,
            stoppable: false,
            limit: OUTPUT_LIMIT,
        }
    }

    /// The program; none of a text for the shell.
    pub(super) fn program(&self) -> Option<&str> {
        match &self.command {
            Command::Arguments(list) => list.first().map(String::as_str),
            Command::Shell(_) => None,
        }
    }

    /// With a variable that may be shown.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// With standard input.
    #[must_use]
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(Input(Zeroizing::new(bytes.into())));
        self
    }

    /// With another timeout.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Without a terminal.
    #[must_use]
    pub fn detached(mut self) -> Self {
        self.detached = true;
        self
    }

    /// Ended when the run is to stop.
    #[must_use]
    pub fn stoppable(mut self) -> Self {
        self.stoppable = true;
        self
    }

    /// With more of the output kept, for what is parsed.
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
    /// By us, since it took too long.
    TimedOut(Duration),
    /// By us, since the run is to stop; or it was not begun for that.
    Stopped(StopReason),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "ended by signal {signal}"),
            Self::TimedOut(after) => write!(f, "ended after its timeout of {} s", after.as_secs_f32()),
            Self::Stopped(why) => write!(f, "interrupted because {why}"),
        }
    }
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub exit: Exit,
    /// The beginning of its standard output; where that was too much, up to the last whole line.
    pub stdout: Vec<u8>,
    /// The end of its standard error, where the reason usually stands; where that was too much, from a whole line on.
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

    /// What it said, for an error: of standard error, or of standard output where that is empty. Of much, the first lines,
    /// where many say what is wrong, and the last ones, where the others do.
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

/// Lines of a failed command that are shown: from the beginning, and from the end.
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
