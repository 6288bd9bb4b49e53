//! Which files sshd reads keys from, according to sshd itself and its whole configuration.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use holdfast_catalog::resource::AuthorizedKey;
use holdfast_catalog::resource::attribute::Presence;

use super::place::KeysFile;
use crate::provider::Error;
use crate::system::accounts::Account;
use crate::system::{Accounts, Inspect, Invocation, Liveness};

const SSHD: &str = "/usr/sbin/sshd";

/// How long sshd may take to print its settings.
const PATIENCE: Duration = Duration::from_secs(10);

/// The setting, as sshd prints it.
const SETTING: &str = "authorizedkeysfile ";

/// Users and key files that sshd does not read, with what it reads instead. Empty if sshd does not say.
pub(super) type OtherFiles = BTreeMap<(String, String), String>;

/// Asks sshd once for all users, and once more for each user whose file is not among those that it reads: a `Match`
/// block may apply.
pub(super) fn look(
    all: &[&AuthorizedKey],
    accounts: &Accounts,
    machine: &dyn Inspect,
) -> Result<OtherFiles, Error> {
    let present = all.iter().filter(|want| want.ensure == Presence::Present);
    let mut places = BTreeMap::new();
    for want in present {
        let account = accounts.user(want.user.as_str());
        places.extend(account.and_then(|account| Some(((&account.name, place_of(want, account)?), account))));
    }
    let mut others = OtherFiles::new();
    if places.is_empty()
        || machine.liveness() == Liveness::Directory
        || machine.stat(Path::new(SSHD))?.is_none()
    {
        return Ok(others);
    }
    let Some(usual) = files(machine, None)? else { return Ok(others) };
    for ((user, file), account) in places {
        if reads(&usual, &file, account) {
            continue;
        }
        let Some(own) = files(machine, Some(user))? else { continue };
        if !reads(&own, &file, account) {
            let words: Vec<_> = own.iter().map(|pattern| expanded(pattern, account)).collect();
            let words = if words.is_empty() { "none".to_owned() } else { words.join(" and ") };
            others.insert((user.clone(), file), words);
        }
    }
    Ok(others)
}

fn place_of(want: &AuthorizedKey, account: &Account) -> Option<String> {
    match &want.target {
        Some(target) => Some(target.as_str().to_owned()),
        None => KeysFile::at_home(account).map(|place| place.file),
    }
}

/// The value of `AuthorizedKeysFile`, for all users or for one; `None` if sshd does not say.
fn files(machine: &dyn Inspect, user: Option<&str>) -> Result<Option<Vec<String>>, Error> {
    let about = user.map(|user| format!("user={user},host=localhost,addr=127.0.0.1"));
    let words = [SSHD, "-T"].into_iter().chain(about.iter().flat_map(|about| ["-C", about.as_str()]));
    let output = machine.probe(&Invocation::new(words).timeout(PATIENCE))?;
    if !output.succeeded() {
        return Ok(None);
    }
    let text = output.text();
    let line = text.lines().find_map(|line| line.strip_prefix(SETTING));
    Ok(line.map(|files| files.split_whitespace().filter(|file| *file != "none").map(str::to_owned).collect()))
}

fn reads(patterns: &[String], file: &str, account: &Account) -> bool {
    patterns.iter().any(|pattern| expanded(pattern, account) == file)
}

/// A pattern for a user, expanded as in sshd_config(5): `%h`, `%u`, `%U`, `%%`. A relative path is in the home
/// directory.
fn expanded(pattern: &str, account: &Account) -> String {
    let home = account.home.trim_end_matches('/');
    let mut path = String::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match if letter == '%' { letters.next() } else { None } {
            None => path.push(letter),
            Some('h') => path.push_str(home),
            Some('u') => path.push_str(&account.name),
            Some('U') => path.push_str(&account.uid.to_string()),
            Some(other) => path.push(other),
        }
    }
    if path.starts_with('/') { path } else { format!("{home}/{path}") }
}
