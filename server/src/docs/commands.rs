//! The page of a program's commands, from its definition with clap.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command};

use super::markdown::{code, one_line, plain, sentence, table};

/// The page of a program: its commands with their arguments, and its exit codes.
pub fn page(program: &Command, exit_codes: &[(u8, &str)]) -> String {
    let mut program = program.clone();
    program.build();
    let mut page = format!("# `{}`\n\n{}\n", program.get_name(), about(&program));
    let everywhere: Vec<&Arg> = program.get_arguments().filter(|arg| is_shown(arg)).collect();
    if !everywhere.is_empty() {
        page.push_str("\nEvery command takes:\n\n");
        page.push_str(&arguments(&everywhere));
    }
    let global = |arg: &Arg| everywhere.iter().any(|other| other.get_id() == arg.get_id());
    for command in program.get_subcommands() {
        section(&mut page, program.get_name(), command, &global);
    }
    page.push_str("\n## Exit codes\n\n");
    page.push_str(&table(
        ["code", "means"],
        exit_codes.iter().map(|(code, means)| [code.to_string(), (*means).to_owned()]),
    ));
    page
}

fn section(page: &mut String, above: &str, command: &Command, is_global: &dyn Fn(&Arg) -> bool) {
    // clap's own `help` command, which has no arguments once it is built, only repeats what is on this page.
    let is_of_clap = command.get_name() == "help" && command.get_positionals().next().is_none();
    if command.is_hide_set() || is_of_clap {
        return;
    }
    let name = format!("{above} {}", command.get_name());
    let _ = write!(page, "\n## `{name}`\n\n{}\n", about(command));
    let own: Vec<&Arg> = command.get_arguments().filter(|arg| is_shown(arg) && !is_global(arg)).collect();
    if command.get_subcommands().next().is_none() {
        let words: Vec<String> = own.iter().map(|arg| usage(arg)).collect();
        let _ =
            write!(page, "\n```text\n{}\n```\n", [std::slice::from_ref(&name), &words].concat().join(" "));
    }
    if !own.is_empty() {
        let _ = write!(page, "\n{}", arguments(&own));
    }
    for inner in command.get_subcommands() {
        section(page, &name, inner, is_global);
    }
}

fn about(command: &Command) -> String {
    let text = command.get_long_about().or_else(|| command.get_about());
    let text = text.map(ToString::to_string).unwrap_or_default();
    let paragraphs = text.split("\n\n").map(|paragraph| sentence(&plain(&one_line(paragraph))));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

fn is_shown(arg: &Arg) -> bool {
    !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version")
}

fn arguments(of: &[&Arg]) -> String {
    let row = |arg: &&Arg| [code(&written(arg)), described(arg)];
    table(["argument", "what it is"], of.iter().map(row))
}

/// An argument as it is written: `--node NAME`, `--explain`, `DIR`.
fn written(arg: &Arg) -> String {
    let value = if takes_value(arg) { value_name(arg) } else { String::new() };
    match (arg.get_long(), arg.get_short()) {
        (None, None) => value,
        (Some(long), _) => format!("--{long} {value}").trim_end().to_owned(),
        (None, Some(short)) => format!("-{short} {value}").trim_end().to_owned(),
    }
}

/// An argument in a usage line: in brackets if it is optional.
fn usage(arg: &Arg) -> String {
    let many = if matches!(arg.get_action(), ArgAction::Append) { "…" } else { "" };
    let text = format!("{}{many}", written(arg));
    if arg.is_required_set() { text } else { format!("[{text}]") }
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

fn value_name(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let joined = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    if joined.is_empty() { arg.get_id().as_str().to_uppercase() } else { joined }
}

fn described(arg: &Arg) -> String {
    let help = arg.get_help().map(|help| plain(&one_line(&help.to_string()))).unwrap_or_default();
    let mut text = sentence(&help);
    let values = arg.get_possible_values();
    let shown: Vec<String> = values.iter().filter(|v| !v.is_hide_set()).map(|v| code(v.get_name())).collect();
    if takes_value(arg) && shown.len() > 1 {
        let _ = write!(text, " One of {}.", shown.join(", "));
    }
    let defaults: Vec<String> = arg.get_default_values().iter().map(|v| code(&v.to_string_lossy())).collect();
    if takes_value(arg) && !defaults.is_empty() {
        let _ = write!(text, " Default: {}.", defaults.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::*;

    /// A program of the tests
    #[derive(Parser)]
    #[command(name = "thing")]
    enum Thing {
        /// Look at something
        Look {
            /// Where
            #[arg(value_name = "DIR")]
            at: String,
            /// How <much>
            #[arg(long, default_value = "2")]
            depth: u8,
            /// All of it
            #[arg(long)]
            all: bool,
        },
    }

    #[test]
    fn a_command_says_what_it_takes() {
        let page = page(&Thing::command(), &[(0, "done")]);
        assert!(page.contains("## `thing look`\n\nLook at something.\n\n```text\nthing look DIR [--depth DEPTH] [--all]\n```"), "{page}");
        assert!(page.contains("| `--depth DEPTH` | How &lt;much>. Default: `2`. |"), "{page}");
        assert!(page.contains("| `--all` | All of it. |") && page.contains("| 0 | done |"), "{page}");
        assert!(!page.contains("help"), "{page}");
    }
}
