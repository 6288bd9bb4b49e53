//! The commands, one file each. Only they print; no other part of the server does.
//!
//! Data goes to standard output, messages to standard error. Exit codes: 0 done, 1 failed or found errors, 64 wrong
//! usage; `lookup` and `poke` also use 2 for an error in the data.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};
use holdfast_catalog::harmless;

/// Prints a message on standard error; takes what `format!` takes. Standard error may be closed, which must not end the
/// program.
macro_rules! say {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr().lock(), $($words)*);
    }};
}

mod audit;
mod ca;
mod check;
mod compile;
mod docs;
mod help;
mod init;
mod lookup;
mod node;
mod poke;
mod repository;
mod server;
mod user;

/// Wrong usage, as in `sysexits.h`.
const USAGE: u8 = 64;

/// Configuration management for many small machines: the server and the operator's commands.
#[derive(Parser)]
#[command(name = "holdfast", version, arg_required_else_help = true, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Create a control repository to start from
    Init(init::InitArguments),
    /// Check a control repository and show every problem
    Check(check::CheckArguments),
    /// Look up a value in the data, as one machine sees it
    Lookup(lookup::LookupArguments),
    /// Compile the catalog of one machine
    Compile(compile::CompileArguments),
    /// Write the README.md of each module from its manifests
    Docs(docs::DocsArguments),
    /// Run the server
    Server(server::ServerArguments),
    /// Add, list, show and remove nodes
    #[command(subcommand)]
    Node(node::NodeCommand),
    /// Manage the users of the dashboard
    #[command(subcommand)]
    User(user::UserCommand),
    /// Show the server's certificate authority
    #[command(subcommand)]
    Ca(ca::CaCommand),
    /// Show who did what on the server, or check that nothing in this log was changed
    Audit(audit::AuditArguments),
    /// Make the server read the repository now, as a git hook does
    Poke(poke::PokeArguments),
    /// Explain a command, or the code of an error or warning such as `unknown-key`
    Help(help::HelpArguments),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// How data is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// How a command on a control repository ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CommandOutcome {
    Well,
    /// Not found, errors in the repository, failed.
    Badly,
    /// `lookup`: an error in the data.
    Wrongly,
}

impl From<CommandOutcome> for ExitCode {
    fn from(ended: CommandOutcome) -> Self {
        Self::from(match ended {
            CommandOutcome::Well => 0,
            CommandOutcome::Badly => 1,
            CommandOutcome::Wrongly => 2,
        })
    }
}

/// Where the running server is.
#[derive(Debug, clap::Args)]
pub struct Socket {
    /// The server's data directory
    #[arg(long, value_name = "DIR", default_value = crate::config::DATA_DIR, global = true)]
    data_dir: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value = "text", global = true)]
    format: OutputFormat,
}

impl Socket {
    fn ask(&self, request: &crate::admin::Request) -> Result<crate::admin::Answer, CommandError> {
        Ok(crate::admin::client::ask(&self.data_dir, request)?)
    }
}

/// Why a command failed, in words for the person who typed it.
type CommandError = Box<dyn std::error::Error>;

/// The definition of the whole command line, for the reference.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Runs the command of this process's arguments.
pub fn run() -> ExitCode {
    match Arguments::try_parse() {
        Ok(arguments) => arguments.command.run(),
        Err(error) => {
            // If the terminal is closed, nothing can be done about it.
            let _ = error.print();
            if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
        }
    }
}

impl Command {
    fn run(self) -> ExitCode {
        let done = match self {
            Self::Init(args) => return init::run(&args).into(),
            Self::Check(args) => return check::run(&args).into(),
            Self::Lookup(args) => return lookup::run(&args).into(),
            Self::Compile(args) => return compile::run(&args).into(),
            Self::Docs(args) => return docs::run(&args).into(),
            Self::Help(args) => return help::run(&args),
            Self::Node(command) => command.run(),
            Self::User(command) => command.run(),
            Self::Ca(command) => command.run(),
            Self::Audit(arguments) => audit::run(&arguments),
            Self::Poke(arguments) => match poke::run(&arguments) {
                Ok(code) => return code,
                Err(error) => Err(error),
            },
            Self::Server(arguments) => match server::run(arguments) {
                Ok(code) => return code,
                Err(error) => Err(error),
            },
            Self::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Arguments::command(), "holdfast", &mut script);
                print(String::from_utf8_lossy(&script).trim_end());
                Ok(())
            }
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                say!("error: {}", harmless::block(&error.to_string()));
                ExitCode::FAILURE
            }
        }
    }
}

/// Prints one or more lines. It is not an error if the reader stops early, as `head` does; any other failure is.
fn print(text: impl std::fmt::Display) {
    print_bytes(Ok(format!("{text}\n").into_bytes()));
}

fn print_bytes(text: std::io::Result<Vec<u8>>) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let written = text.and_then(|text| out.write_all(&text)).and_then(|()| out.flush());
    if let Err(error) = written
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        say!("error: cannot write to standard output: {error}");
        std::process::exit(1);
    }
}

/// Prints a value as JSON, on several lines.
fn print_json(value: &impl serde::Serialize) -> Result<(), CommandError> {
    print(harmless::json(&serde_json::to_string_pretty(value)?));
    Ok(())
}

/// Prints a line that contains text from elsewhere. On a terminal the line is wrapped here, so that only the program's
/// own text begins at the left edge: otherwise a machine could send a text as long as the terminal is wide, whose next
/// line looks like the row of another machine.
fn print_wrapped(line: &str) {
    let size = terminal_size::terminal_size_of(std::io::stdout());
    match size {
        Some((terminal_size::Width(width), _)) => wrapped(line, width.into()).iter().for_each(print),
        None => print(line),
    }
}

/// Splits a line into lines of at most `width` columns; all but the first are indented.
fn wrapped(line: &str, width: usize) -> Vec<String> {
    const INDENT: &str = "    ";
    let width = width.max(2 * INDENT.len());
    let mut lines = vec![String::new()];
    let mut used = 0;
    for c in line.chars() {
        // A character that is not ASCII may be two columns wide.
        let columns = if c.is_ascii() { 1 } else { 2 };
        if used + columns > width {
            lines.push(INDENT.to_owned());
            used = INDENT.len();
        }
        used += columns;
        if let Some(last) = lines.last_mut() {
            last.push(c);
        }
    }
    lines
}

/// Prints a table for people. Columns are as wide as their content, and control characters are escaped.
fn print_table(heading: &[&str], rows: &[Vec<String>]) {
    table(heading, rows).iter().for_each(|line| print_wrapped(line));
}

fn table(heading: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let heading = heading.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
    let rows = rows.iter().map(|row| row.iter().map(|cell| one_cell(cell)).collect());
    let lines: Vec<Vec<String>> = std::iter::once(heading).chain(rows).collect();
    let width = |column: usize| {
        lines
            .iter()
            .filter_map(|line| line.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<_> = (0..lines[0].len()).map(width).collect();
    let padded = |line: &Vec<String>| {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    lines.iter().map(padded).collect()
}

/// The most characters of a cell. Longer texts are shown whole in JSON and on the pages.
const MAX_CELL: usize = 300;

/// A text from elsewhere as a cell of a table: control characters are escaped, and runs of spaces are removed, which
/// could push the rest of the text to where another row begins.
fn one_cell(text: &str) -> String {
    let text = harmless::line(text).split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(MAX_CELL) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Formats a time for people.
fn time(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_of_others_is_no_row_and_no_more_than_a_cell() {
        let row = |cell: &str| table(&["NODE", "WHY"], &[vec!["web1".to_owned(), cell.to_owned()]]);
        assert_eq!(
            row(&format!("no answer{}db9  in order", " ".repeat(200)))[1],
            "web1  no answer db9 in order"
        );
        assert_eq!(row(&"x".repeat(70_000))[1].chars().count(), "web1  ".len() + MAX_CELL + 1);
        assert!(row("a\u{1b}[2J\nb")[1].ends_with("a\\u{1b}[2J\\nb"));
    }

    #[test]
    fn what_is_wider_than_the_terminal_goes_on_indented() {
        assert_eq!(wrapped("web1  in order", 20), ["web1  in order"]);
        let lines = wrapped(&format!("web1  {}db9  failed", "·".repeat(60)), 40);
        assert!(lines.len() > 2 && lines[1..].iter().all(|line| line.starts_with("    ")), "{lines:?}");
        assert_eq!(wrapped("äöüäöüäöü", 8), ["äöüä", "    öü", "    äö", "    ü"]);
    }

    #[test]
    fn the_tree_of_commands_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn nothing_in_a_table_steers_the_terminal() {
        let rows = [vec!["web1".to_owned(), "\u{1b}[2J\u{202e}abc".to_owned()]];
        let lines = table(&["NODE", "COMMIT"], &rows);
        assert_eq!(lines, ["NODE  COMMIT", "web1  \\u{1b}[2J\\u{202e}abc"]);
    }
}
