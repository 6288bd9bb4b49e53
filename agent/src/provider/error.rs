//! What keeps a provider from doing its work.

use std::sync::Arc;

use super::{Need, kept_out, service};
use crate::system::{self, Inspect, Invocation, Output};

/// Why a provider failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The machine refused an operation.
    #[error(transparent)]
    System(#[from] system::Error),
    /// The content of a file is not available.
    #[error(transparent)]
    Content(#[from] crate::content::Error),
    #[error("`{command}` {}", .exit.of_failure(.said))]
    Command { command: String, exit: system::Exit, said: String },
    /// A file could not be downloaded.
    #[error(transparent)]
    Download(#[from] crate::download::Error),
    /// systemd could not be asked, or did not do what it was asked.
    #[error(transparent)]
    Systemd(#[from] service::BusError),
    /// Something that the resource needs is missing.
    #[error("{0}")]
    Missing(Need),
    /// Something else is in the way, or another resource wants something different.
    #[error("{0}")]
    Conflict(String),
    /// This machine cannot do it.
    #[error("{0}")]
    Unsupported(String),
    /// The agent refuses: it would harm the machine, or lose what cannot be restored.
    #[error("{0}")]
    Refused(String),
    /// A tool or the kernel reported success without effect, or gave an answer that is not one.
    #[error("{0}")]
    Unexpected(String),
    /// It failed by itself, and continues to: nothing else changed it.
    #[error("{0}")]
    ByItself(String),
    /// A bug in the agent itself.
    #[error("{0}")]
    Defect(String),
    /// One error that several resources share.
    #[error(transparent)]
    Shared(#[from] Arc<Self>),
}

impl Error {
    /// An error because something that the resource needs is missing.
    pub fn missing(need: impl Into<Need>) -> Self {
        Self::Missing(need.into())
    }

    /// What is missing that another resource may bring, if that is the cause.
    pub fn need(&self) -> Option<Need> {
        match self {
            Self::Missing(need) => Some(need.clone()),
            Self::System(error) => error.missing().map(|path| Need::path(path, error.to_string())),
            Self::Shared(error) => error.need(),
            _ => None,
        }
    }

    /// Whether nothing else caused the failure.
    pub fn is_by_itself(&self) -> bool {
        match self {
            Self::ByItself(_) => true,
            Self::Shared(error) => error.is_by_itself(),
            _ => false,
        }
    }

    /// The error for a command that failed.
    pub fn command(invocation: &Invocation, output: &Output) -> Self {
        Self::Command {
            command: invocation.command.to_string(),
            exit: output.exit,
            said: output.last_words(),
        }
    }

    /// Adds what keeps everything out, if a command could not write or get a lock. Many tools blame a lock on another
    /// program.
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
