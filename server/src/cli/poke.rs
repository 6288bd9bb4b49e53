//! `holdfast poke`: what a git hook runs, so that a push takes effect at once.

use super::{Failed, Format, Socket, print_json};
use crate::admin::{Answer, Request};

/// What to look for.
#[derive(clap::Args)]
pub struct Arguments {
    /// Wait until this commit is in force; where it is broken, say what is wrong and fail
    #[arg(long, value_name = "COMMIT")]
    commit: Option<String>,
    #[command(flatten)]
    socket: Socket,
}

/// Asks the server to look at the repository.
pub fn run(Arguments { commit, socket }: &Arguments) -> Result<(), Failed> {
    match (socket.ask(&Request::Poke { commit: commit.clone() })?, socket.format) {
        (Answer::Done(said), Format::Text) => eprintln!("{said}"),
        (answer, _) => print_json(&answer)?,
    }
    Ok(())
}
