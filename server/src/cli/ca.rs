//! `holdfast ca`: the certificate authority.

use clap::Subcommand;

use super::{CommandError, OutputFormat, Socket, print, print_json};
use crate::admin::{Answer, Request};

/// What to do with the CA.
#[derive(Subcommand)]
pub enum CaCommand {
    /// Show the instance, the key that nodes pin, and the certificates
    Show(Socket),
}

impl CaCommand {
    /// Runs the command.
    pub fn run(self) -> Result<(), CommandError> {
        let Self::Show(socket) = self;
        match (socket.ask(&Request::CaShow)?, socket.format) {
            (Answer::Ca { instance, roots, pin }, OutputFormat::Text) => {
                print(format!("instance  {instance}\npin       sha256:{pin}\n\n{}", roots.trim_end()));
            }
            (answer, _) => print_json(&answer)?,
        }
        Ok(())
    }
}
