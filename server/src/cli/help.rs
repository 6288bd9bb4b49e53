//! `holdfast help`: what a command does, or what the code of an error or warning means.

use std::process::ExitCode;

use clap::CommandFactory as _;
use holdfast_catalog::harmless;
use holdfast_catalog::spelling::nearest;

use super::{Arguments, USAGE, print};
use crate::diagnostic::Code;
use crate::docs::codes;

/// What to explain.
#[derive(Debug, clap::Args)]
pub(super) struct HelpArguments {
    /// A command, such as `node add`, or a code; without it, this program
    #[arg(value_name = "COMMAND|CODE")]
    topic: Vec<String>,
}

/// Runs the command.
pub(super) fn run(args: &HelpArguments) -> ExitCode {
    match explained(&args.topic) {
        Ok(text) => {
            print(text.trim_end());
            ExitCode::SUCCESS
        }
        Err(why) => {
            say!("error: {why}");
            ExitCode::from(USAGE)
        }
    }
}

fn explained(topic: &[String]) -> Result<String, String> {
    if let [word] = topic
        && let Some(code) = Code::parse(word)
    {
        return Ok(codes::text(code));
    }
    let mut program = Arguments::command();
    program.build();
    let mut command = &mut program;
    for word in topic {
        let words: Vec<String> = command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
        let codes = Code::ALL.iter().map(|code| code.word()).filter(|_| topic.len() == 1);
        let near = nearest(word, words.iter().map(String::as_str).chain(codes)).map(str::to_owned);
        command = command.find_subcommand_mut(word).ok_or_else(|| unknown(word, near.as_deref()))?;
    }
    Ok(command.render_long_help().to_string())
}

fn unknown(word: &str, near: Option<&str>) -> String {
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    format!("`{}` is neither a command nor the code of an error{near}", harmless::line(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(topic: &str) -> Result<String, String> {
        explained(&topic.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_code_a_command_and_the_program_are_explained() {
        let code = asked("unknown-attribute").unwrap();
        assert!(
            code.starts_with("unknown-attribute: ") && code.contains("error[unknown-attribute]: "),
            "{code}"
        );
        assert_eq!(asked("circle"), asked("cycle"), "a word of an earlier version");
        assert!(asked("node add").unwrap().contains("Usage: holdfast node add "));
        assert!(asked("").unwrap().contains("Usage: holdfast <COMMAND>"));
    }

    #[test]
    fn what_is_neither_is_told_with_what_was_meant() {
        let told = |topic: &str| asked(topic).unwrap_err();
        assert_eq!(
            told("unknown-atribute"),
            "`unknown-atribute` is neither a command nor the code of an error; did you mean `unknown-attribute`?"
        );
        assert!(told("chekc").ends_with("did you mean `check`?"));
        assert!(told("node unknown-key").starts_with("`unknown-key` is neither"));
    }
}
