//! Database servers, which are asked through their own command-line clients and may not exist yet.

use holdfast_catalog::value::MASK;

use super::{Error, Plan};
use crate::system::{Invocation, Output};

pub mod quoting;
#[cfg(test)]
pub(crate) mod trial;

/// The most bytes of a client's answer that are read.
pub const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// What a server was found to have.
#[derive(Debug)]
pub enum Seen<T> {
    /// This root is not a running system.
    NotLive,
    /// The server cannot be reached, for this reason: its package or service may still be installed.
    Away(String),
    There(T),
}

impl<T> Seen<T> {
    /// Plans with what the server has; pending or not applicable if there is none.
    pub fn plan<P>(&self, plan: impl FnOnce(&T) -> Result<Plan<P>, Error>) -> Result<Plan<P>, Error> {
        match self {
            Self::NotLive => {
                Ok(Plan::NotApplicable("databases are managed on a running system only".to_owned()))
            }
            Self::Away(why) => Ok(Plan::pending(why.clone())),
            Self::There(found) => plan(found),
        }
    }

    /// What the server has, for a provider that looks again while applying.
    ///
    /// # Errors
    /// Fails if the server was there for the plan and no longer is.
    pub fn there(self) -> Result<T, Error> {
        match self {
            Self::There(found) => Ok(found),
            Self::NotLive | Self::Away(_) => Err(Error::missing("the server can no longer be reached")),
        }
    }
}

/// The lines of a client's output that count, without the secret: clients quote the statement that failed.
pub fn words(output: &Output, counts: impl Fn(&str) -> bool, secret: Option<&str>) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> =
        text.lines().map(str::trim_end).filter(|line| !line.is_empty() && counts(line)).collect();
    let said = lines[lines.len().saturating_sub(6)..].join("\n");
    match secret {
        Some(secret) => said.replace(secret, MASK),
        None => said,
    }
}

/// The error for a client that failed, with its output.
pub fn failed(command: &Invocation, output: &Output, said: String) -> Error {
    Error::Command { command: command.command.to_string(), exit: output.exit, said }
}

/// The names joined with commas, in their order.
pub fn joined<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| name.as_ref().to_owned()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::system::double::failed;

    #[test]
    fn what_is_secret_is_not_in_what_a_client_said() {
        let output = failed(1, "ERROR 1: near 'hunter2'\nGRANT x\nERROR 2: no\n");
        let said = words(&output, |line| line.starts_with("ERROR"), Some("hunter2"));
        assert_eq!(said, format!("ERROR 1: near '{MASK}'\nERROR 2: no"));
    }

    #[test]
    fn a_server_that_is_away_is_waited_for() {
        let away = Seen::<()>::Away("it sleeps".to_owned());
        assert_eq!(away.plan(|()| Ok(Plan::<Infallible>::IN_SYNC)).unwrap(), Plan::pending("it sleeps"));
        assert!(matches!(
            Seen::<()>::NotLive.plan(|()| Ok(Plan::<Infallible>::IN_SYNC)).unwrap(),
            Plan::NotApplicable(_)
        ));
    }
}
