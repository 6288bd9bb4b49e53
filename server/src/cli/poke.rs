//! `holdfast poke`: what a git hook runs, so that a push takes effect at once.

use super::{Failed, Format, Socket, print_json};
use crate::admin::{Answer, Request};

/// Asks the server to look at the repository.
pub fn run(socket: &Socket) -> Result<(), Failed> {
    match (socket.ask(&Request::Poke)?, socket.format) {
        (Answer::Done(said), Format::Text) => eprintln!("{said}"),
        (answer, _) => print_json(&answer)?,
    }
    Ok(())
}
