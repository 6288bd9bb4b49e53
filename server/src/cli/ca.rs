//! `holdfast ca`: the certificate authority.

use clap::Subcommand;

use super::{Failed, Format, Socket, print, print_json};
use crate::admin::{Answer, Request};

/// What to do with the CA.
#[derive(Subcommand)]
pub enum Command {
    /// Show the instance, the key that nodes pin, and the certificates
    Show(Socket),
}

impl Command {
    /// Runs the command.
    pub fn run(self) -> Result<(), Failed> {
        let Self::Show(socket) = self;
        match (socket.ask(&Request::CaShow)?, socket.format) {
            (Answer::Ca { instance, roots, pin }, Format::Text) => {
                print(format!("instance  {instance}\npin       sha256:{pin}\n\n{}", roots.trim_end()));
            }
            (answer, _) => print_json(&answer)?,
        }
        Ok(())
    }
}
