//! What keeps a provider from its work.

use std::sync::Arc;

use super::{kept_out, service};
use crate::system::{self, Inspect, Invocation, Output};

/// Why a provider could not.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The machine said no.
    #[error(transparent)]
    System(#[from] system::Error),
    /// File content could not be had.
    #[error(transparent)]
    Content(#[from] crate::content::Error),
    #[error("`{command}` {}", ended(.exit, .said))]
    Command { command: String, exit: system::Exit, said: String },
    /// A file could not be fetched.
    #[error(transparent)]
    Download(#[from] crate::download::Error),
    /// systemd could not be asked, or did not do it.
    #[error(transparent)]
    Systemd(#[from] service::BusError),
    /// Something that it needs is not there.
    #[error("{0}")]
    Missing(String),
    /// Something else is in its way, or another resource wants otherwise.
    #[error("{0}")]
    Conflict(String),
    /// This machine cannot do it.
    #[error("{0}")]
    Unsupported(String),
    /// The agent does not do it: it would harm the machine, or lose what nobody can bring back.
    #[error("{0}")]
    Refused(String),
    /// A tool or the kernel said that it was done, and it was not; or answered with something else than an answer.
    #[error("{0}")]
    Unexpected(String),
    /// It failed by itself, and goes on to: nobody else put it off.
    #[error("{0}")]
    ByItself(String),
    /// A mistake in the agent itself.
    #[error("{0}")]
    Defect(String),
    /// One error of several resources.
    #[error(transparent)]
    Shared(#[from] Arc<Self>),
}

/// How a command ended that failed, with its last words where it had any.
fn ended(exit: &system::Exit, said: &str) -> String {
    let how = match exit {
        system::Exit::Code(_) => format!("failed with {exit}"),
        system::Exit::Signal(_) | system::Exit::TimedOut(_) | system::Exit::Stopped(_) => {
            format!("was {exit}")
        }
    };
    if said.trim().is_empty() { how } else { format!("{how}: {said}") }
}

impl Error {
    /// Whether something is not there that another resource may bring.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Missing(_) => true,
            Self::System(error) => error.kind() == Some(std::io::ErrorKind::NotFound),
            Self::Shared(error) => error.is_missing(),
            _ => false,
        }
    }

    /// Whether what is wrong came about by itself.
    pub fn is_by_itself(&self) -> bool {
        match self {
            Self::ByItself(_) => true,
            Self::Shared(error) => error.is_by_itself(),
            _ => false,
        }
    }

    /// A command failed.
    pub fn command(invocation: &Invocation, output: &Output) -> Self {
        Self::Command {
            command: invocation.command.to_string(),
            exit: output.exit,
            said: output.last_words(),
        }
    }

    /// Of a command that could not write, or get a lock, which many tools call another program's: with what keeps everybody out.
    #[must_use]
    pub fn explained(mut self, machine: &dyn Inspect) -> Self {
        if let Self::Command { said, .. } = &mut self
            && let Some(words) = kept_out::of_words(said, |path| machine.kept_out(path))
        {
            said.push_str(&words);
        }
        self
    }
}
