//! `holdfast poke`: a git hook runs it so that a push takes effect at once.

use std::process::ExitCode;

use super::{CommandError, OutputFormat, Socket, print_json};
use crate::admin::{Answer, Request, VerdictOutcome};

/// The exit code if a commit is in force and a fault in a tenant's data keeps some of its nodes back.
const WITH_FAULTS: u8 = 2;

/// What to look for.
#[derive(clap::Args)]
#[command(
    after_help = "Exit codes with --commit: 0 the commit is in force; 1 it was refused, is superseded, has not arrived, \
                        or the server was not reached; 2 it is in force, but some nodes keep their last catalog: there \
                        are faults in tenants' data, or nodes that the inventory no longer lists where they were added. \
                        Without it: 1 if the repository cannot be read."
)]
pub(super) struct PokeArguments {
    /// Wait until this commit is in force; if it has errors, print them and fail. Its id, or as many of its
    /// first digits as identify it
    #[arg(long, value_name = "COMMIT")]
    commit: Option<String>,
    #[command(flatten)]
    socket: Socket,
}

/// Asks the server to look at the repository.
pub fn run(PokeArguments { commit, socket }: &PokeArguments) -> Result<ExitCode, CommandError> {
    let answer = socket.ask(&Request::Poke { commit: commit.clone() })?;
    let code = match &answer {
        Answer::Judged(verdict) => match verdict.outcome {
            VerdictOutcome::InForce => ExitCode::SUCCESS,
            VerdictOutcome::InForceWithFaults => ExitCode::from(WITH_FAULTS),
            VerdictOutcome::Refused => ExitCode::FAILURE,
        },
        _ => ExitCode::SUCCESS,
    };
    match (answer, socket.format) {
        (Answer::Judged(verdict), OutputFormat::Text) => say!("{}", verdict.text()),
        (Answer::Done(said), OutputFormat::Text) => say!("{said}"),
        (answer, _) => print_json(&answer)?,
    }
    Ok(code)
}
