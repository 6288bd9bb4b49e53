//! Which files sshd reads keys from, according to sshd itself and its whole configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use holdfast_catalog::resource::AuthorizedKey;
use holdfast_catalog::resource::attribute::Presence;

use super::place::{self, KeysFile};
use crate::provider::Error;
use crate::system::accounts::Account;
use crate::system::{Accounts, FileKind, Inspect, Invocation, Liveness};

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
        let account = place::account(want, accounts);
        places.extend(
            account.and_then(|account| Some(((account.name.clone(), place_of(want, &account)?), account))),
        );
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
        if reads(&usual, &file, &account) {
            continue;
        }
        let Some(own) = files(machine, Some(&user))? else { continue };
        if !reads(&own, &file, &account) {
            let words: Vec<_> = own.iter().map(|pattern| expanded(pattern, &account)).collect();
            let words = if words.is_empty() { "none".to_owned() } else { words.join(" and ") };
            others.insert((user, file), words);
        }
    }
    Ok(others)
}

/// The files that sshd reads by default.
const USUAL: [&str; 2] = [".ssh/authorized_keys", ".ssh/authorized_keys2"];

/// A file that sshd reads for an account.
#[derive(Clone)]
pub(in crate::provider) struct ReadFile {
    pub(super) place: KeysFile,
    /// Whether it is the file in the home directory to which keys are added.
    pub(super) is_usual: bool,
    /// Whether sshd reads it for other accounts too.
    pub(super) is_shared: bool,
}

/// Where sshd reads keys. It is asked once for all users, and for each user only if its configuration may differ by
/// user.
pub(in crate::provider) struct KeySources {
    patterns: Vec<String>,
    by_user: bool,
}

impl KeySources {
    /// Asks sshd; assumes its defaults if it is not installed or does not answer.
    pub(in crate::provider) fn ask(machine: &dyn Inspect) -> Result<Self, Error> {
        let is_live = machine.liveness() == Liveness::Live && machine.stat(Path::new(SSHD))?.is_some();
        Ok(match if is_live { files(machine, None)? } else { None } {
            Some(patterns) => Self { patterns, by_user: may_be_by_user(machine)? },
            None => Self { patterns: USUAL.map(str::to_owned).into(), by_user: false },
        })
    }

    /// All files that sshd reads for an account, and the usual one even if sshd does not read it now.
    pub(in crate::provider) fn of(
        &self,
        account: &Account,
        machine: &dyn Inspect,
    ) -> Result<Vec<ReadFile>, Error> {
        let own = if self.by_user { files(machine, Some(&account.name))? } else { None };
        let patterns = own.as_ref().unwrap_or(&self.patterns);
        let usual = KeysFile::at_home(account);
        let in_home = |pattern: &str| !pattern.starts_with('/') || pattern.contains("%h");
        let mut found: Vec<_> =
            usual.into_iter().map(|place| ReadFile { place, is_usual: true, is_shared: false }).collect();
        let has_home = !found.is_empty();
        for pattern in patterns.iter().filter(|pattern| has_home || !in_home(pattern)) {
            let path = expanded(pattern, account);
            if found.iter().all(|other| other.place.file != path) {
                let place = KeysFile::at(&path, account);
                found.push(ReadFile { place, is_usual: false, is_shared: path == *pattern });
            }
        }
        Ok(found)
    }
}

/// Whether a part of the configuration may apply to some users only. A file that cannot be read may contain such a part.
fn may_be_by_user(machine: &dyn Inspect) -> Result<bool, Error> {
    const PARTS: &str = "/etc/ssh/sshd_config.d";
    let mut files = vec![PathBuf::from("/etc/ssh/sshd_config")];
    if machine.stat(Path::new(PARTS))?.is_some_and(|stat| stat.kind == FileKind::Directory) {
        files.extend(machine.list(Path::new(PARTS))?.into_iter().map(|name| Path::new(PARTS).join(name)));
    }
    let is_part = |line: &str| {
        let mut words = line.split([' ', '\t', '=', '"']).filter(|word| !word.is_empty());
        let keyword = words.next().unwrap_or_default().to_ascii_lowercase();
        let is_other = |path: &str| path != "/etc/ssh/sshd_config.d/*.conf";
        keyword == "match" || (keyword == "include" && words.any(is_other))
    };
    let has_part = |path: PathBuf| match machine.read_text(&path) {
        Ok(text) => text.unwrap_or_default().lines().any(is_part),
        Err(_) => true,
    };
    Ok(files.into_iter().any(has_part))
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
