//! Whether the users that run jobs have accounts, which may also come from outside this machine's own files.

use std::collections::{BTreeSet, HashMap};

use holdfast_catalog::resource::Cron;
use holdfast_catalog::resource::attribute::Presence;

use crate::provider::Error;
use crate::system::Inspect;

/// The user that has an account wherever there is cron.
const ROOT: &str = "root";

/// Whether users have accounts, or why that is unknown. Only those that run jobs and are not in the machine's own
/// files.
pub type KnownUsers = HashMap<String, Result<bool, String>>;

/// Looks up all users that run jobs, each once.
pub fn look(all: &[&Cron], machine: &dyn Inspect) -> Result<KnownUsers, Error> {
    let accounts = machine.accounts()?;
    let present = all.iter().filter(|want| want.ensure == Presence::Present).map(|want| want.runs_as());
    let unknown: BTreeSet<&str> =
        present.filter(|user| *user != ROOT && accounts.user(user).is_none()).collect();
    let has = |user: &str| accounts.user_elsewhere(user).map(|found| found.is_some());
    Ok(unknown.into_iter().map(|user| (user.to_owned(), has(user))).collect())
}
