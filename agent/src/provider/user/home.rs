//! The home directory of an account: it is made from the skeleton if it is missing, and moved if it belongs to the
//! user.
//!
//! `useradd` makes the account first and its home directory afterwards, so one that was asked for can be missing.
//! `usermod` changes the account before it moves the directory. Here the account follows the directory, and is restored
//! if that cannot move.

use std::path::Path;

use crate::provider::text::whole_file;
use crate::provider::{Error, Writing};
use crate::system::accounts::Account;
use crate::system::{Accounts, FileKind, Inspect, Invocation, Permissions, WalkStep};

/// A directory that never exists, by Debian's policy.
const NOWHERE: &str = "/nonexistent";

/// Whether an account should have a home directory and does not.
pub(super) fn is_missing(account: &Account, machine: &dyn Inspect) -> Result<bool, Error> {
    if !account.home.starts_with('/') || account.home == NOWHERE {
        return Ok(false);
    }
    match machine.lstat(Path::new(&account.home))?.map(|stat| stat.kind) {
        None => Ok(true),
        Some(FileKind::Directory) => Ok(false),
        Some(FileKind::Symlink) => refuse_dead_link(account, machine).map(|()| false),
        Some(FileKind::File | FileKind::Other) => Err(Error::Conflict(format!(
            "the home {} of {} is not a directory; remove what is there, or name another `home`",
            account.home, account.name
        ))),
    }
}

/// Refuses a link in place of the home directory that does not lead to a directory.
fn refuse_dead_link(account: &Account, machine: &dyn Inspect) -> Result<(), Error> {
    let path = Path::new(&account.home);
    let found = machine.stat(path)?.map(|stat| stat.kind);
    if found == Some(FileKind::Directory) {
        return Ok(());
    }
    let (home, name, target) = (&account.home, &account.name, machine.read_link(path)?);
    let is = if found.is_some() { "which is not a directory" } else { "where there is nothing" };
    Err(Error::Conflict(format!(
        "the home {home} of {name} is a link to {}, {is}: make that directory, remove the link, or name another `home`",
        target.display()
    )))
}

/// The note if a home directory belongs to another user, so its user may not even be able to enter it. One that belongs
/// to root and that everybody may enter is fine.
pub(super) fn of_another(account: &Account, machine: &dyn Inspect) -> Result<Option<String>, Error> {
    if !account.home.starts_with('/') || account.home == NOWHERE {
        return Ok(None);
    }
    let stat = machine.stat(Path::new(&account.home))?.filter(|stat| stat.uid != account.uid);
    let stat = stat.filter(|stat| stat.uid != 0 || stat.mode & 0o001 == 0);
    Ok(stat.map(|stat| {
        format!(
            "the home {} belongs to the user id {} and has the mode {:04o}; {} has the id {}: give it to the account by \
             hand, or leave `manage_home` out",
            account.home, stat.uid, stat.mode, account.name, account.uid
        )
    }))
}

/// What is left of a removed account: the owner of its home directory, if no account has that id.
pub(super) fn left_behind(
    home: &str,
    accounts: &Accounts,
    machine: &dyn Inspect,
) -> Result<Option<u32>, Error> {
    let stat = machine.lstat(Path::new(home))?.filter(|stat| stat.kind == FileKind::Directory);
    let is_nobodys = |uid: &u32| accounts.users().iter().all(|account| account.uid != *uid);
    Ok(stat.map(|stat| stat.uid).filter(is_nobodys))
}

/// Gives an account another home directory. If the old one belongs to it, it is moved.
pub(super) fn change(account: &Account, home: &str, writing: Writing<'_>) -> Result<(), Error> {
    let machine = writing.machine;
    let accounts = machine.accounts()?;
    let owns = is_own(account, &accounts, machine)?;
    let is_there = machine.lstat(Path::new(home))?.is_some();
    if owns && is_there {
        return Err(Error::Conflict(format!(
            "{home} already exists, so {} is not moved to it: move the content by hand, then remove {}",
            account.home, account.home
        )));
    }
    writing.run(&usermod(account, home))?;
    let done = match (owns, is_there) {
        (true, _) => move_to(account, home, writing),
        (false, true) => Ok(()),
        (false, false) => make(&Account { home: home.to_owned(), ..account.clone() }, writing),
    };
    done.or_else(|error| {
        writing.run(&usermod(account, &account.home))?;
        Err(error)
    })
}

fn usermod(account: &Account, home: &str) -> Invocation {
    Invocation::new(["usermod", "--home", home, "--", &account.name])
}

fn move_to(account: &Account, home: &str, writing: Writing<'_>) -> Result<(), Error> {
    whole_file::make_parents(writing.machine, Path::new(home))?;
    let command = ["mv", "--no-target-directory", "--", &account.home, home];
    writing.run(&Invocation::new(command)).map(|_| ())
}

/// Whether the directory belongs to this user and to no other; `/` or `/var/www` does not.
fn is_own(account: &Account, accounts: &Accounts, machine: &dyn Inspect) -> Result<bool, Error> {
    let stat = machine.lstat(Path::new(&account.home))?;
    let shares =
        |other: &Account| other.name != account.name && Path::new(&other.home).starts_with(&account.home);
    Ok(stat.is_some_and(|stat| stat.kind == FileKind::Directory && stat.uid == account.uid)
        && !accounts.users().iter().any(shares))
}

/// Makes the home directory of an account as `useradd` would, completely or not at all.
pub(super) fn make(account: &Account, writing: Writing<'_>) -> Result<(), Error> {
    let machine = writing.machine;
    let home = Path::new(&account.home);
    whole_file::make_parents(machine, home)?;
    let Defaults { mode, skeleton } = Defaults::read(machine)?;
    let access = |mode| Permissions { mode, uid: Some(account.uid), gid: Some(account.gid) };
    let staged = machine.stage_tree(home, access(mode), Some(account.uid))?;
    let (inside, skeleton) = (staged.inside(), Path::new(&skeleton));
    if machine.lstat(skeleton)?.is_some_and(|stat| stat.kind == FileKind::Directory) {
        machine.walk(skeleton, &mut |met| {
            let member = met.map_err(crate::system::Error::from)?;
            let (path, access) = (Path::new("/").join(member.path), access(member.stat.permissions()));
            match member.stat.kind {
                FileKind::Directory => inside.make_dir(&path, access)?,
                FileKind::File => {
                    let _ = inside.stage(&path, access, &mut member.open()?.file)?.commit()?;
                }
                FileKind::Symlink => {
                    let target = machine.read_link(&skeleton.join(member.path))?;
                    inside.make_symlink(&path, &target, access)?;
                }
                FileKind::Other => {}
            }
            Ok(WalkStep::Into)
        })?;
    }
    inside.set_mode(Path::new("/"), mode)?;
    Ok(staged.commit(Path::new("/"))?)
}

/// How new home directories are made on this machine.
struct Defaults {
    mode: u32,
    skeleton: String,
}

impl Defaults {
    fn read(machine: &dyn Inspect) -> Result<Self, Error> {
        let text = |path: &str| machine.read_text(Path::new(path)).map(Option::unwrap_or_default);
        let (login, useradd) = (text("/etc/login.defs")?, text("/etc/default/useradd")?);
        let word = |name: &str| {
            let mut words = login.lines().map(str::split_ascii_whitespace);
            words.find_map(|mut words| words.next().filter(|first| *first == name).and(words.next()))
        };
        let octal = |name: &str| word(name).and_then(|text| u32::from_str_radix(text, 8).ok());
        let mode = octal("HOME_MODE").or_else(|| octal("UMASK").map(|mask| !mask)).unwrap_or(0o755) & 0o777;
        let skeleton = useradd.lines().find_map(|line| line.trim().strip_prefix("SKEL="));
        Ok(Self { mode, skeleton: skeleton.unwrap_or("/etc/skel").to_owned() })
    }
}
