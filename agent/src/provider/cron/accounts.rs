//! Whether the users that run jobs have accounts, which may also come from outside this machine's own files.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use holdfast_catalog::resource::Cron;
use holdfast_catalog::resource::attribute::Presence;

use crate::provider::{Error, answer};
use crate::system::{Exit, Inspect, Invocation, Liveness};

/// The user that has an account wherever there is cron.
const ROOT: &str = "root";

/// How long a directory of accounts, such as LDAP, may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The exit code of `getent` if there is no such entry. Any other code does not say that.
const NO_SUCH_ENTRY: i32 = 2;

/// Whether users have accounts, or why that is unknown. Only those that run jobs and are not in the machine's own
/// files.
pub type KnownUsers = HashMap<String, Result<bool, Error>>;

/// Looks up all users that run jobs, each once.
pub fn look(all: &[&Cron], machine: &dyn Inspect) -> Result<KnownUsers, Error> {
    let accounts = machine.accounts()?;
    let present = all.iter().filter(|want| want.ensure == Presence::Present).map(|want| want.runs_as());
    let unknown: BTreeSet<&str> =
        present.filter(|user| *user != ROOT && accounts.user(user).is_none()).collect();
    let has = |user: &str| match machine.liveness() {
        Liveness::Live => is_known_elsewhere(user, machine),
        Liveness::Directory => Ok(false),
    };
    Ok(unknown.into_iter().map(|user| (user.to_owned(), has(user))).collect())
}

fn is_known_elsewhere(user: &str, machine: &dyn Inspect) -> Result<bool, Error> {
    let command = Invocation::new(["getent", "passwd", user]).timeout(PATIENCE);
    let output = answer(machine, &command)?;
    match output.exit {
        Exit::Code(0) => Ok(true),
        Exit::Code(NO_SUCH_ENTRY) => Ok(false),
        _ => Err(Error::command(&command, &output)),
    }
}
