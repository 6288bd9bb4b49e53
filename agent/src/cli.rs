//! The commands: one file each. They print; no other part of the agent does.
//!
//! Data goes to standard output, talk to standard error. Each goes through one function that survives the loss of its
//! reader.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use holdfast_catalog::harmless;

use crate::config::Installation;
use crate::{state, talk};

mod apart;
mod apply;
mod doctor;
mod enroll;
mod facts;
mod logs;
mod outcome;
mod progress;
mod reports;
mod run;
mod status;
mod style;

#[cfg(test)]
pub(crate) use logs::kept;
#[cfg(test)]
pub(crate) use status::status_of;
pub use style::Style;

/// The exit code for wrong usage of any command.
const USAGE: u8 = 64;

/// Enforces the catalog of this machine, and reports drift.
#[derive(Debug, Parser)]
#[command(name = "holdfast-agent", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// The options that every command takes.
#[derive(Debug, Args)]
struct Common {
    /// The file with the settings [default: /etc/holdfast/agent.toml below the root]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The directory for identity, cache, last state and spool [default: /var/lib/holdfast/agent below the root]
    #[arg(long, global = true, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Manage another root directory; resources that need a running system do not apply there
    #[arg(long, global = true, value_name = "DIR", default_value = "/", hide_default_value = true)]
    root: PathBuf,
    /// Exit with 0 (nothing to do), 2 (changed, or would change), 4 (failed) or 6 (both)
    #[arg(long, global = true)]
    detailed_exitcodes: bool,
    /// How data is printed
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text", hide_default_value = true)]
    format: Format,
}

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make this machine a node, with the join string of `holdfast node add`
    Enroll(enroll::Arguments),
    /// Enforce the catalog of this machine, repeatedly or once
    ///
    /// SIGUSR1 or SIGHUP asks the daemon for a run now, which reads the settings again. SIGTERM or Ctrl-C ends a run after
    /// the current resource; SIGHUP does not, so a lost connection does not leave a machine half-way.
    Run(run::Arguments),
    /// Enforce a catalog from a file, without a server: for images, containers and developers' machines
    Apply(apply::Arguments),
    /// Print the facts that this machine reports about itself
    Facts,
    /// Show who this machine is, the result of the last run, and when the next one is
    Status,
    /// Check everything that could keep the agent from working
    Doctor,
    /// Show the reports that the server does not have, and why
    Reports(reports::Arguments),
    /// Print a completion script
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// The definition of the whole command line, for the reference.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command line and returns the exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { USAGE.into() } else { ExitCode::SUCCESS };
        }
    };
    let is_run = matches!(cli.command, Command::Run(_) | Command::Apply(_));
    logs::listen(&cli.common, is_run);
    let done = match cli.command {
        Command::Status | Command::Doctor | Command::Reports(_) => {
            in_time(LOOK, move || dispatch(&cli)).unwrap_or_else(Err)
        }
        _ => dispatch(&cli),
    };
    progress::clear();
    match done {
        Ok(code) => code,
        Err(error) => {
            let words = harmless::block(&format!("{error:#}")).into_owned();
            match is_json() {
                true => tracing::error!(target: logs::SAID, "{words}"),
                false => say(&format!("{} {words}", Style::of(&std::io::stderr()).bad("error:"))),
            }
            ExitCode::FAILURE
        }
    }
}

/// How long a look at the state may take.
const LOOK: Duration = Duration::from_secs(10);

/// Does something on a thread of its own. It is abandoned if a look at the state takes longer than this: nothing ends
/// a call on storage that does not respond.
fn in_time<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<T> {
    let (done, waiting) = channel();
    let thread = std::thread::Builder::new().spawn(move || drop(done.send(work())))?;
    loop {
        match waiting.recv_timeout(patience / 20) {
            Ok(done) => return Ok(done),
            Err(RecvTimeoutError::Timeout) => {
                if let Some(path) = state::silent_for(patience) {
                    return Err(state::Error::Silent(path, patience.as_secs()).into());
                }
            }
            Err(RecvTimeoutError::Disconnected) => match thread.join() {
                Err(panic) => std::panic::resume_unwind(panic),
                Ok(()) => anyhow::bail!("internal error: the command ended without a result"),
            },
        }
    }
}

fn dispatch(cli: &Cli) -> anyhow::Result<ExitCode> {
    let common = &cli.common;
    match &cli.command {
        Command::Enroll(arguments) => enroll::run(arguments, common),
        Command::Run(arguments) => run::run(arguments, common),
        Command::Apply(arguments) => apply::run(arguments, common),
        Command::Facts => facts::run(common),
        Command::Status => status::run(common),
        Command::Doctor => doctor::run(common),
        Command::Reports(arguments) => reports::run(arguments, common),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "holdfast-agent", &mut script);
            print_text(&String::from_utf8_lossy(&script))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

impl Common {
    /// The root directory that is managed. It must exist: a mistyped one is reported and not created.
    fn root(&self) -> anyhow::Result<&Path> {
        anyhow::ensure!(self.root.is_dir(), "there is no directory {} to manage", self.root.display());
        Ok(&self.root)
    }

    fn place(&self) -> anyhow::Result<Installation> {
        Ok(Installation::find(self.root()?, self.config.as_deref(), self.state_dir.as_deref())?)
    }
}

/// Prints pretty JSON on standard output, with nothing in it that controls a terminal.
fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print_text(&(harmless::json(&serde_json::to_string_pretty(value)?) + "\n"))
}

/// Set if nobody waits for what is printed: it goes to the daemon's journal.
static UNATTENDED: AtomicBool = AtomicBool::new(false);

/// Set if everything that a run writes to standard error is lines of JSON.
static IS_JSON: AtomicBool = AtomicBool::new(false);

fn is_json() -> bool {
    IS_JSON.load(Ordering::Relaxed)
}

/// Prints data on standard output. A reader that has seen enough, such as `head`, is not an error; a full disk is. A
/// reader that pages through the output is waited for.
fn print_text(text: &str) -> anyhow::Result<()> {
    if UNATTENDED.load(Ordering::Relaxed) {
        talk::output(text.as_bytes());
        return Ok(());
    }
    write_to(std::io::stdout().lock(), text)
}

fn write_to(mut out: impl std::io::Write, text: &str) -> anyhow::Result<()> {
    progress::clear();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

/// Prints talk on standard error. There may be no reader, which must not end the program.
fn say(words: &str) {
    if is_json() {
        tracing::info!(target: logs::SAID, "{words}");
        return;
    }
    progress::clear();
    talk::error(format!("{words}\n").as_bytes());
}

/// Prints a warning on standard error.
fn note(words: &str) {
    if is_json() {
        tracing::warn!(target: logs::SAID, "{words}");
        return;
    }
    say(&format!("{} {}", Style::of(&std::io::stderr()).warn("note:"), harmless::line(words)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn wrong_usage_has_its_own_exit_code_and_help_is_none() {
        let code = |arguments: &[&str]| {
            let all = std::iter::once("holdfast-agent").chain(arguments.iter().copied());
            format!("{:?}", main(all.map(OsString::from)))
        };
        assert_eq!(code(&["apply"]), format!("{:?}", ExitCode::from(64)));
        assert_eq!(code(&["--nonsense"]), format!("{:?}", ExitCode::from(64)));
        assert_eq!(code(&["--help"]), format!("{:?}", ExitCode::SUCCESS));
    }

    #[test]
    fn a_look_at_a_state_that_does_not_answer_ends_and_names_the_path() {
        let (_answers, storage) = channel::<()>();
        let hangs = move || {
            let _call = state::StateCall::on(Path::new("/srv/state"));
            storage.recv()
        };
        let error = in_time(Duration::from_millis(40), hangs).unwrap_err().to_string();
        assert!(error.contains("did not answer for"), "{error}");
        assert_eq!(in_time(Duration::from_secs(3_600), || 7).unwrap(), 7);
    }

    #[test]
    fn a_root_that_is_not_there_is_not_made() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("typo").into_os_string();
        for command in ["run", "status", "doctor", "facts"] {
            let given = ["holdfast-agent".into(), command.into(), "--root".into(), root.clone()];
            assert_eq!(format!("{:?}", main(given)), format!("{:?}", ExitCode::FAILURE), "{command}");
        }
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn to_look_makes_nothing() {
        let root = tempfile::tempdir().unwrap();
        let state = root.path().join("var/lib/holdfast/agent");
        let looks = |made: usize| {
            for command in ["status", "doctor", "facts", "reports"] {
                main(["holdfast-agent".into(), command.into(), "--root".into(), root.path().into()]);
                let holds = |at: &Path| std::fs::read_dir(at).map_or(0, Iterator::count);
                assert_eq!((holds(root.path()), holds(&state)), (made, 0), "{command}");
            }
        };
        looks(0);
        state::StateDir::open(&state).unwrap();
        looks(1);
    }

    #[test]
    fn output_that_cannot_be_written_is_an_error_and_a_closed_pipe_is_none() {
        struct Out(std::io::ErrorKind);
        impl std::io::Write for Out {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        assert!(write_to(Out(std::io::ErrorKind::BrokenPipe), "x").is_ok());
        assert!(write_to(Out(std::io::ErrorKind::StorageFull), "x").is_err());
    }

    #[test]
    fn a_join_string_as_an_argument_is_refused_and_not_repeated() {
        let given = ["holdfast-agent", "enroll", "a-join-string"];
        assert!(Cli::try_parse_from(given).is_ok(), "an error of the parser would quote it");
        let code = format!("{:?}", main(given.into_iter().map(OsString::from)));
        assert_eq!(code, format!("{:?}", ExitCode::from(USAGE)));
    }
}
