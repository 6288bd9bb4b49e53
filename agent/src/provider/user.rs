//! `user`: accounts, in the root's own `passwd`, `group` and `shadow`; changed with shadow-utils, which know the locks.
//!
//! Needs a running system: under another root nothing is changed, since what makes up an account (its next free id, its
//! home, its group) is for that system to decide. Passwords are never in arguments, which everyone can read.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use holdfast_catalog::resource::User;
use holdfast_catalog::resource::attribute::AccountName;
use holdfast_catalog::resource::attribute::Presence;
use holdfast_catalog::resource::claim::{Claim, Hold};
use zeroize::Zeroizing;

use super::{
    Alias, Applied, ChangeKind, DisplayValue, Error, Left, Provider, Reading, Writing, authorized_key,
    properties,
};
use crate::system::accounts::{self, Account, Database, ShadowGroup};
use crate::system::{Accounts, FileKind, Inspect, Liveness, Stat};

mod command;
mod groups;
mod home;
mod remains;

/// The provider of `user`.
pub struct Users;

/// The content of the account files; `None` if this root is not a running system.
pub struct Seen(Option<UserDatabase>);

/// Accounts, the hashes of those whose password is managed, the stray keys of those whose keys are, and where the groups of some
/// are, what `/etc/gshadow` has of those.
#[derive(Default)]
struct UserDatabase {
    accounts: Arc<Accounts>,
    /// Ids that the catalog gives to users who do not have them yet.
    given: BTreeSet<u32>,
    hashes: HashMap<String, Zeroizing<String>>,
    strays: HashMap<String, Vec<String>>,
    shadow_groups: HashMap<String, ShadowGroup>,
}

/// How a missing home directory is shown.
const NO_HOME: &str = "no directory";

/// The value if there are no stray keys.
const NO_KEYS: &str = "none";

properties! {
    Ensure => "ensure",
    Uid => "uid",
    Gid => "gid",
    Groups => "groups",
    Home => "home",
    Shell => "shell",
    Password => "password",
    Comment => "comment",
    ManageHome => "manage_home",
    PurgeSshKeys => "purge_ssh_keys",
}

impl Provider for Users {
    type Want = User;
    type Seen = Seen;
    type Property = Property;

    fn observe(&self, all: &[&User], reading: Reading<'_>) -> Result<Seen, Error> {
        if reading.machine.liveness() != Liveness::Live {
            return Ok(Seen(None));
        }
        let with_password: BTreeSet<&str> =
            all.iter().filter(|want| want.password.is_some()).map(|want| want.title.as_str()).collect();
        let hashes = hashes(reading.machine, &with_password)?;
        let accounts = reading.machine.accounts()?;
        let strays = strays(all, &accounts, reading);
        let has_other =
            |want: &&User| accounts.user(want.title.as_str()).map(|account| account.uid) != want.uid;
        let given = reading.named.of_type::<User>().filter(has_other).filter_map(|want| want.uid).collect();
        let shadow_groups = groups::shadowed(all, reading.machine)?;
        Ok(Seen(Some(UserDatabase { accounts, given, hashes, strays, shadow_groups })))
    }

    fn plan(&self, want: &User, Seen(found): &Seen, reading: Reading<'_>) -> Result<Plan, Error> {
        let Some(found) = found else {
            return Ok(Plan::NotApplicable("users are managed on a running system only".to_owned()));
        };
        if let Some(why) = refusal(want, &found.accounts) {
            return Err(Error::Refused(why));
        }
        let account = found.accounts.user(want.title.as_str());
        if account.is_none() {
            refuse_foreign(want, &found.accounts)?;
        }
        match (want.ensure, account) {
            (Presence::Absent, None) => {
                refuse_what_is_left(want, &found.accounts, reading.machine)?;
                Ok(Plan::of(remains::differences(want, reading)?))
            }
            (Presence::Absent, Some(_)) => {
                Ok(Plan::of(vec![Change::new(Property::Ensure, Presence::Present, Presence::Absent)]))
            }
            (Presence::Present, account) => Ok(match groups::missing(want, &found.accounts, reading.named) {
                Some(why) => Plan::Pending(why),
                None => match no_shell(want, reading)? {
                    Some(why) => Plan::pending(why),
                    None => Plan::of(match account {
                        None => vec![Change::new(Property::Ensure, Presence::Absent, Presence::Present)],
                        Some(account) => differences(want, account, found, reading.machine)?,
                    }),
                },
            }),
        }
    }

    fn apply(&self, want: &User, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let accounts = writing.machine.accounts()?;
        let mut applied = Applied::default();
        for (i, change) in changes.iter().enumerate() {
            let by_itself = match change.property {
                Property::Ensure if want.ensure == Presence::Absent => remains::remove(want, writing),
                Property::Groups => groups::give_up(want, writing),
                Property::PurgeSshKeys => purge(want, writing),
                Property::ManageHome => make_home(want, writing),
                Property::Home if want.manage_home => move_home(want, writing),
                _ => Ok(()),
            };
            applied.failed.extend(by_itself.err().map(|error| (i, error)));
            for command in command::correcting(want, change.property, &accounts) {
                if let Err(error) = writing.run(&command) {
                    applied.failed.push((i, error));
                    break;
                }
            }
        }
        Ok(applied)
    }

    fn aliases(&self, want: &User, Seen(found): &Seen, _: Reading<'_>) -> Vec<Alias> {
        let title = want.title.as_str();
        let Some(found) = found.as_ref().filter(|_| want.ensure == Presence::Present && want.uid.is_none())
        else {
            return Vec::new();
        };
        let uid = found.accounts.user(title).map(|account| account.uid);
        let Some(uid) = uid.filter(|uid| found.given.contains(uid)) else { return Vec::new() };
        let taken = Claim::object("id of a user", uid.to_string(), Hold::Taken);
        Alias::all([taken], format!("`{title}` has it on this machine"))
    }

    fn left<'a>(&self, want: &'a User) -> Left<'a> {
        let mut left: Left<'a> = vec![("ensure".into(), want.ensure.to_string().into())];
        let mut add = |name: &'static str, value: Option<Cow<'a, str>>| {
            left.extend(value.map(|value| (name.into(), value)));
        };
        add("uid", want.uid.map(|uid| uid.to_string().into()));
        add("gid", want.gid.as_ref().map(|gid| gid.as_str().into()));
        add("groups", want.groups.as_ref().map(|groups| joined(names(groups)).into()));
        add("home", want.home.as_ref().map(|home| home.as_str().into()));
        add("manage_home", want.manage_home.then(|| "true".into()));
        add("shell", want.shell.as_ref().map(|shell| shell.as_str().into()));
        add("password", want.password.as_ref().map(|hash| hash.expose().to_string().into()));
        add("comment", want.comment.as_deref().map(Cow::Borrowed));
        add("purge_ssh_keys", want.purge_ssh_keys.then(|| NO_KEYS.into()));
        left
    }
}

/// The password hashes of only these users, by name.
fn hashes(
    machine: &dyn Inspect,
    users: &BTreeSet<&str>,
) -> Result<HashMap<String, Zeroizing<String>>, Error> {
    if users.is_empty() {
        return Ok(HashMap::new());
    }
    let shadow = accounts::shadow(machine)?;
    let entry = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| users.contains(name))?;
        Some((name.to_owned(), Zeroizing::new(fields.next()?.to_owned())))
    };
    Ok(shadow.lines().filter_map(entry).collect())
}

/// Stray keys, by user, of those whose keys are managed. A file that cannot be read holds up only its own purge.
fn strays(all: &[&User], accounts: &Accounts, reading: Reading<'_>) -> HashMap<String, Vec<String>> {
    let managed = all.iter().filter(|want| want.purge_ssh_keys);
    let users: Vec<_> = managed.filter_map(|want| accounts.user(want.title.as_str())).collect();
    if users.is_empty() {
        return HashMap::new();
    }
    let sources = authorized_key::KeySources::ask(reading.machine).map_err(Arc::new);
    let found = users.into_iter().map(|account| {
        let sources = sources.as_ref().map_err(|error| Error::from(error.clone()));
        let found = sources
            .and_then(|sources| authorized_key::strays(account, sources, reading.machine, reading.named));
        (account.name.clone(), found.unwrap_or_else(|error| vec![format!("unknown: {error}")]))
    });
    found.collect()
}

/// Removes the stray keys of the account as it is now.
fn purge(want: &User, writing: Writing<'_>) -> Result<(), Error> {
    let accounts = writing.machine.accounts()?;
    accounts.user(want.title.as_str()).map_or(Ok(()), |account| authorized_key::purge(account, writing))
}

/// Why a change is refused: it would break the machine.
fn refusal(want: &User, accounts: &Accounts) -> Option<String> {
    let is_root = accounts.user(want.title.as_str()).is_some_and(|account| account.uid == 0);
    (is_root && want.ensure == Presence::Absent)
        .then(|| format!("`{}` has the user id 0 and is not removed", want.title))
}

/// Refuses an account that is not in the file which is changed here: `useradd` and `userdel` could do nothing about it.
fn refuse_foreign(want: &User, accounts: &Accounts) -> Result<(), Error> {
    let foreign = accounts.foreign(Database::Passwd, want.title.as_str()).map_err(|why| {
        let title = &want.title;
        Error::Unexpected(format!(
            "whether `{title}` comes from another source than /etc/passwd cannot be told: {why}"
        ))
    })?;
    foreign.map_or(Ok(()), |words| Err(Error::Refused(format!("{words}, which `user` does not manage"))))
}

/// Why nobody can log in with the shell: shadow-utils accept any path.
fn no_shell(want: &User, reading: Reading<'_>) -> Result<Option<String>, Error> {
    let Some(shell) = want.shell.as_ref().map(|shell| shell.as_str()) else { return Ok(None) };
    let is_program = |stat: &Stat| stat.kind == FileKind::File && stat.mode & 0o111 != 0;
    let wrong = match reading.machine.stat(Path::new(shell))? {
        None => "does not exist",
        Some(stat) if !is_program(&stat) => "is not a program",
        Some(_) => return Ok(None),
    };
    let cure = reading.named.unless_has_file(shell, "; manage the package that brings it, or name another");
    Ok(Some(format!("the shell `{shell}` {wrong}, so no one could log in as `{}`{cure}", want.title)))
}

/// Makes the home directory of the account as it is now.
fn make_home(want: &User, writing: Writing<'_>) -> Result<(), Error> {
    let accounts = writing.machine.accounts()?;
    accounts.user(want.title.as_str()).map_or(Ok(()), |account| home::make(account, writing))
}

/// Moves the home directory of the account as it is now: it may just have been given another id, and its home with it.
fn move_home(want: &User, writing: Writing<'_>) -> Result<(), Error> {
    let accounts = writing.machine.accounts()?;
    match (accounts.user(want.title.as_str()), &want.home) {
        (Some(account), Some(home)) => home::change(account, home.as_str(), writing),
        _ => Ok(()),
    }
}

/// Fails while something is left that `userdel` could not remove: it removes the account first.
fn refuse_what_is_left(want: &User, accounts: &Accounts, machine: &dyn Inspect) -> Result<(), Error> {
    let usual = format!("/home/{}", want.title);
    let home = want.home.as_ref().map_or(usual.as_str(), |home| home.as_str());
    match want.manage_home.then(|| home::left_behind(home, accounts, machine)).transpose()?.flatten() {
        Some(uid) => Err(Error::Refused(format!(
            "the account is gone, but {home} is not, and belongs to the unknown user id {uid}: check what is in it and \
             remove it, or leave `manage_home` out"
        ))),
        None => Ok(()),
    }
}

/// How an existing account differs.
fn differences(
    want: &User,
    account: &Account,
    found: &UserDatabase,
    machine: &dyn Inspect,
) -> Result<Vec<Change>, Error> {
    let mut changes = Vec::new();
    let mut text = |property: Property, is: &str, should: Option<&str>| {
        changes.extend(should.filter(|should| *should != is).map(|should| Change::new(property, is, should)));
    };
    let uid = want.uid.map(|uid| uid.to_string());
    text(Property::Uid, &account.uid.to_string(), uid.as_deref());
    if let Some(groups) = &want.groups {
        let is = groups::of(want, &found.accounts, &found.shadow_groups);
        text(Property::Groups, &is, Some(&joined(names(groups))));
    }
    text(Property::Home, &account.home, want.home.as_ref().map(|home| home.as_str()));
    text(Property::Shell, &account.shell, want.shell.as_ref().map(|shell| shell.as_str()));
    text(Property::Comment, &account.comment, want.comment.as_deref());
    if let Some(gid) = &want.gid
        && found.accounts.gid(gid.as_str()) != Some(account.gid)
    {
        let is = found.accounts.group_name(account.gid);
        changes.push(Change::new(Property::Gid, is, gid).also([account.gid.to_string()]));
    }
    if want.password.as_ref().is_some_and(|hash| !has_password(&hash.expose(), account, found)) {
        changes.push(Change::new(Property::Password, DisplayValue::Masked, DisplayValue::Masked));
    }
    let is_moved = changes.iter().any(|change| change.property == Property::Home);
    if want.manage_home && !is_moved && home::is_missing(account, machine)? {
        changes.push(Change::new(Property::ManageHome, NO_HOME, true));
    }
    let strays = found.strays.get(&account.name).filter(|strays| !strays.is_empty());
    let stray = |strays: &Vec<String>| Change::new(Property::PurgeSshKeys, strays.join(", "), NO_KEYS);
    changes.extend(strays.map(|strays| stray(strays).unclaimed(authorized_key::givers(account, strays))));
    if want.manage_home && changes.is_empty() {
        let words = home::of_another(account, machine)?;
        let said = |words| Change::new(Property::ManageHome, true, true).kind(ChangeKind::Note).note(words);
        changes.extend(words.map(said));
    }
    Ok(changes)
}

/// Whether the hash is the wanted one; for `!`, any locked one is.
fn has_password(should: &str, account: &Account, found: &UserDatabase) -> bool {
    let is = found.hashes.get(&account.name).map_or("", |hash| hash.as_str());
    is == should || (should == "!" && is.starts_with(['!', '*']))
}

/// The names in order, each once.
fn names(list: &[AccountName]) -> BTreeSet<&str> {
    list.iter().map(AccountName::as_str).collect()
}

fn joined(names: BTreeSet<&str>) -> String {
    Vec::from_iter(names).join(",")
}

#[cfg(test)]
mod tests;
