//! Who owns a tree, with everything in it.

use std::path::{Path, PathBuf};

use holdfast_catalog::count::counted;
use holdfast_catalog::resource::attribute::AccountName;

use super::friends::Friends;
use super::marker;
use super::{Change, Property};
use crate::provider::{Error, Need};
use crate::system::accounts::Database;
use crate::system::{Accounts, Inspect, Stat, System, WalkStep, path_text, shown_text};

/// The wanted user and group, as ids; `None` if not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owners {
    pub uid: Option<u32>,
    pub gid: Option<u32>,
}

/// Members of a tree that belong to others.
#[derive(Default)]
struct ForeignMembers {
    first: Option<(PathBuf, u32)>,
    count: usize,
}

impl Owners {
    /// Looks up the ids. The error says which account is missing.
    pub fn of(
        owner: Option<&AccountName>,
        group: Option<&AccountName>,
        accounts: &Accounts,
    ) -> Result<Self, Need> {
        let find = |name: Option<&AccountName>, database, id: fn(&Accounts, &str) -> Option<u32>| {
            let missing =
                |name: &AccountName| Need::account(name.as_str(), accounts.missing(database, name.as_str()));
            name.map(|name| id(accounts, name.as_str()).ok_or_else(|| missing(name))).transpose()
        };
        Ok(Self {
            uid: find(owner, Database::Passwd, Accounts::uid)?,
            gid: find(group, Database::Group, Accounts::gid)?,
        })
    }

    /// Looks up a user and its primary group, or another group. The agent's own ids are used where none is set.
    pub fn of_user(
        user: Option<&AccountName>,
        group: Option<&AccountName>,
        accounts: &Accounts,
    ) -> Result<Self, Need> {
        let mut owners = Self::of(user, group, accounts)?;
        let primary = || accounts.find_user(user?.as_str()).map(|account| account.gid);
        owners.gid = owners.gid.or_else(primary);
        Ok(owners)
    }

    /// How much of a path and of everything below it belongs to others: one change for the owner, one for the group.
    pub fn differences(
        &self,
        path: &Path,
        names: [Option<&AccountName>; 2],
        friends: &Friends<'_>,
        accounts: &Accounts,
        machine: &dyn Inspect,
    ) -> Result<Vec<Change>, Error> {
        let (mut owners, mut groups) = (ForeignMembers::default(), ForeignMembers::default());
        if self.uid.is_none() && self.gid.is_none() {
            return Ok(Vec::new());
        }
        self.visit(path, friends, machine, &mut |path, own, stat| {
            owners.see(path, own.uid, stat.uid);
            groups.see(path, own.gid, stat.gid);
        })?;
        let owner =
            names[0].and_then(|name| owners.change(Property::Owner, path, name, |id| accounts.user_name(id)));
        let group = names[1]
            .and_then(|name| groups.change(Property::Group, path, name, |id| accounts.group_name(id)));
        Ok(owner.into_iter().chain(group).collect())
    }

    /// Gives a path and everything below it to these owners, as far as it is not theirs. A program loses its set-id
    /// bits when its owner changes: the previous owner may have set them.
    pub fn give_all(&self, path: &Path, friends: &Friends<'_>, machine: &dyn System) -> Result<(), Error> {
        let mut others = Vec::new();
        self.visit(path, friends, machine, &mut |path, own, stat| {
            let differs = |should: Option<u32>, is| should.is_some_and(|should| should != is);
            if differs(own.uid, stat.uid) || differs(own.gid, stat.gid) {
                others.push((path.to_owned(), own));
            }
        })?;
        others.iter().try_for_each(|(path, own)| Ok(machine.set_owner(path, own.uid, own.gid, None)?))
    }

    /// Calls `see` with each path and who should own it, without those parts that other resources manage.
    fn visit(
        &self,
        path: &Path,
        friends: &Friends<'_>,
        machine: &dyn Inspect,
        see: &mut dyn FnMut(&Path, Self, &Stat),
    ) -> Result<(), Error> {
        let Some(stat) = machine.lstat(path)? else { return Ok(()) };
        see(path, *self, &stat);
        if stat.kind != crate::system::FileKind::Directory {
            return Ok(());
        }
        machine.walk(path, &mut |met| {
            let member = met?;
            if member.path != Path::new(marker::NAME) {
                let theirs = friends.share_of(member.path);
                let own =
                    Self { uid: self.uid.filter(|_| !theirs.owner), gid: self.gid.filter(|_| !theirs.group) };
                see(&path.join(member.path), own, &member.stat);
            }
            Ok(WalkStep::Into)
        })?;
        Ok(())
    }
}

impl ForeignMembers {
    fn see(&mut self, path: &Path, should: Option<u32>, is: u32) {
        if should.is_some_and(|should| should != is) {
            self.first.get_or_insert_with(|| (path.to_owned(), is));
            self.count += 1;
        }
    }

    /// Shown in the form in which it is wanted, so the next run compares like with like.
    fn change(
        self,
        property: Property,
        top: &Path,
        name: &AccountName,
        named: impl Fn(u32) -> String,
    ) -> Option<Change> {
        let (path, id) = self.first?;
        let number = name.as_str().bytes().all(|b| b.is_ascii_digit());
        let change = Change::new(property, if number { id.to_string() } else { named(id) }, name);
        let below = path_text(path.strip_prefix(top).unwrap_or(&path)).into_owned();
        Some(match (&*shown_text(&below), self.count) {
            ("", 1) => change,
            ("", count) => change.note(format!("of {count} paths")),
            (below, 1) => change.note(format!("of {below}")),
            (below, count) => {
                change.note(format!("of {below} and {}", counted(count - 1, "other", "others")))
            }
        })
    }
}
