//! `holdfast poke`: what a git hook runs, so that a push takes effect at once.

use std::process::ExitCode;

use super::{Failed, Format, Socket, print_json};
use crate::admin::{Answer, Outcome, Request};

/// The exit code where a commit is in force and a fault in a tenant's data keeps some of its nodes from it.
const WITH_FAULTS: u8 = 2;

/// What to look for.
#[derive(clap::Args)]
#[command(
    after_help = "Exit codes with --commit: 0 the commit is in force; 1 it was refused, is superseded, has not come, \
                        or the server was not reached; 2 it is in force, and some nodes keep what they have: faults in \
                        tenants' data, or nodes that the inventory no longer has where they were added."
)]
pub struct Arguments {
    /// Wait until this commit is in force; where something is wrong with it, say what, and fail
    #[arg(long, value_name = "COMMIT", value_parser = commit_id)]
    commit: Option<String>,
    #[command(flatten)]
    socket: Socket,
}

/// The server knows commits by their whole ids alone, and would wait for any other word in vain.
fn commit_id(text: &str) -> Result<String, String> {
    let hash = text.strip_prefix("dir-").unwrap_or(text);
    let is_whole = matches!(hash.len(), 40 | 64) && hash.bytes().all(|b| b"0123456789abcdef".contains(&b));
    match is_whole {
        true => Ok(text.to_owned()),
        false => Err("give a commit's whole id, as `git rev-parse HEAD` prints it".to_owned()),
    }
}

/// Asks the server to look at the repository.
pub fn run(Arguments { commit, socket }: &Arguments) -> Result<ExitCode, Failed> {
    let answer = socket.ask(&Request::Poke { commit: commit.clone() })?;
    let code = match &answer {
        Answer::Judged(verdict) => match verdict.outcome {
            Outcome::InForce => ExitCode::SUCCESS,
            Outcome::InForceWithFaults => ExitCode::from(WITH_FAULTS),
            Outcome::Refused => ExitCode::FAILURE,
        },
        _ => ExitCode::SUCCESS,
    };
    match (answer, socket.format) {
        (Answer::Judged(verdict), Format::Text) => say!("{}", verdict.text()),
        (Answer::Done(said), Format::Text) => say!("{said}"),
        (answer, _) => print_json(&answer)?,
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_commit_s_id_is_not_waited_for() {
        let hash = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(commit_id(hash).as_deref(), Ok(hash));
        assert!(commit_id(&format!("dir-{hash}")).is_ok());
        for bad in ["HEAD", "main", "0123456", "", "dir-x"] {
            assert!(commit_id(bad).is_err_and(|why| why.contains("git rev-parse")), "{bad}");
        }
    }
}
