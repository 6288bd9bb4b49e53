//! The commands of both programs, in each of their formats. If the command line has a command that was not tried, the
//! test fails.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::process::{Command, Output};

use harness::binaries;
use holdfast_catalog::log::{self, LogFormat};

use super::told::Told;

/// One of the two programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TestedProgram {
    Holdfast,
    Agent,
}

impl TestedProgram {
    fn definition(self) -> clap::Command {
        match self {
            Self::Holdfast => holdfast_server::cli::command(),
            Self::Agent => holdfast_agent::cli::command(),
        }
    }

    /// The program, set to log everything in this format.
    pub fn command(self, logs: LogFormat) -> Command {
        let programs = binaries();
        let mut command = Command::new(match self {
            Self::Holdfast => &programs.server,
            Self::Agent => &programs.agent,
        });
        command.env("HOLDFAST_LOG", "debug").env("RUST_BACKTRACE", "1");
        command.env(
            log::FORMAT,
            match logs {
                LogFormat::Text => "text",
                LogFormat::Json => "json",
            },
        );
        command
    }
}

/// The commands that were tried.
#[derive(Debug, Default)]
pub struct Tried {
    commands: BTreeSet<(TestedProgram, String)>,
    /// The format in which programs log meanwhile.
    pub logs: LogFormat,
}

impl Tried {
    /// Nothing tried yet, for programs that log in this format.
    pub fn by(logs: LogFormat) -> Self {
        Self { logs, ..Self::default() }
    }

    /// Records that a command was run, such as `node add`.
    pub fn note(&mut self, program: TestedProgram, words: &str) {
        self.commands.insert((program, words.to_owned()));
    }

    /// Runs a command in each of its formats, and searches all its output. Returns the last output.
    pub fn run<A: AsRef<OsStr>>(
        &mut self,
        told: &mut Told,
        program: TestedProgram,
        words: &str,
        arguments: &[A],
        input: &str,
    ) -> Output {
        self.note(program, words);
        let mut last = None;
        for format in formats(program, words) {
            let mut command = program.command(self.logs);
            command
                .args(words.split(' '))
                .args(arguments)
                .args(format.iter().flat_map(|name| ["--format", name.as_str()]));
            let output = with_input(&mut command, input);
            let what = format!("{command:?}");
            told.look(&format!("what {what} printed"), &output.stdout);
            told.look(&format!("what {what} said"), &output.stderr);
            if self.logs == LogFormat::Json
                && program == TestedProgram::Agent
                && ["run", "apply"].contains(&words)
            {
                are_objects(&String::from_utf8_lossy(&output.stderr));
            }
            last = Some(output);
        }
        last.unwrap()
    }

    /// Checks that every command was run.
    pub fn is_all(&self) {
        for program in [TestedProgram::Holdfast, TestedProgram::Agent] {
            let mut leaves = BTreeSet::new();
            find_leaves(&program.definition(), "", &mut leaves);
            let tried: BTreeSet<_> = self
                .commands
                .iter()
                .filter(|(of, _)| *of == program)
                .map(|(_, words)| words.clone())
                .collect();
            assert_eq!(tried, leaves, "commands of {program:?} that were tried, and those that there are");
        }
    }
}

/// Checks that each line of a log for programs is an object.
pub fn are_objects(log: &str) {
    for line in log.lines() {
        let object: serde_json::Result<serde_json::Map<_, serde_json::Value>> = serde_json::from_str(line);
        assert!(object.is_ok(), "{line}");
    }
}

fn find_leaves(command: &clap::Command, before: &str, leaves: &mut BTreeSet<String>) {
    for inner in command.get_subcommands() {
        let words = format!("{before} {}", inner.get_name()).trim().to_owned();
        match inner.has_subcommands() {
            true => find_leaves(inner, &words, leaves),
            false => drop(leaves.insert(words)),
        }
    }
}

/// The values of a command's `--format`; a single `None` if it has no such option.
fn formats(program: TestedProgram, words: &str) -> Vec<Option<String>> {
    let mut definition = program.definition();
    definition.build();
    let mut command = &definition;
    for word in words.split(' ') {
        command = command.find_subcommand(word).unwrap();
    }
    let format = command.get_arguments().find(|argument| argument.get_id() == "format");
    let values = format.map(clap::Arg::get_possible_values).unwrap_or_default();
    match values.is_empty() {
        true => vec![None],
        false => values.iter().map(|value| Some(value.get_name().to_owned())).collect(),
    }
}

fn with_input(command: &mut Command, input: &str) -> Output {
    use std::io::Write as _;
    use std::process::Stdio;
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It is not an error if a program does not read it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}
