//! `group`: groups and their members, in the root's own `group` file; changed with shadow-utils, which know the locks.
//!
//! Needs a running system. Members are those in the group database: a user whose primary group it is does not count.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use holdfast_catalog::resource::attribute::{AccountName, Presence};
use holdfast_catalog::resource::claim::{Claim, Hold};
use holdfast_catalog::resource::{Group, User};

use super::{
    Alias, Applied, CatalogClaims, ChangeKind, Error, Left, Need, Provider, Reading, Writing, properties,
};
use crate::system::accounts::GroupEntry;
use crate::system::{Accounts, Invocation, Liveness};

/// The provider of `group`.
pub struct Groups;

/// The content of the account files; `None` if this root is not a running system.
pub struct Seen(Option<Arc<Accounts>>);

/// Whether the catalog gives an id to a group that does not have it yet.
fn is_given(gid: u32, accounts: &Accounts, named: &CatalogClaims<'_>) -> bool {
    named.of_type::<Group>().any(|group| {
        group.gid == Some(gid) && accounts.group(group.title.as_str()).map(|is| is.gid) != Some(gid)
    })
}

properties! {
    Ensure => "ensure",
    Gid => "gid",
    Members => "members",
}

impl Provider for Groups {
    type Want = Group;
    type Seen = Seen;
    type Property = Property;

    fn observe(&self, _: &[&Group], reading: Reading<'_>) -> Result<Seen, Error> {
        let is_live = reading.machine.liveness() == Liveness::Live;
        Ok(Seen(is_live.then(|| reading.machine.accounts()).transpose()?))
    }

    fn plan(&self, want: &Group, Seen(accounts): &Seen, reading: Reading<'_>) -> Result<Plan, Error> {
        let Some(accounts) = accounts else {
            return Ok(Plan::NotApplicable("groups are managed on a running system only".to_owned()));
        };
        match (want.ensure, accounts.group(want.title.as_str())) {
            (Presence::Absent, None) => Ok(Plan::IN_SYNC),
            (Presence::Absent, Some(group)) if group.gid == 0 => {
                Err(Error::Refused(format!("`{}` has the group id 0 and is not removed", want.title)))
            }
            (Presence::Absent, Some(_)) => {
                Ok(Plan::of(vec![Change::new(Property::Ensure, Presence::Present, Presence::Absent)]))
            }
            (Presence::Present, group) => Ok(present(want, group, accounts, reading.named)),
        }
    }

    fn apply(&self, want: &Group, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let mut applied = Applied::default();
        let accounts = writing.machine.accounts()?;
        for (i, change) in changes.iter().enumerate() {
            for command in correcting(want, change.property, &accounts) {
                if let Err(error) = writing.run(&command) {
                    applied.failed.push((i, error));
                    break;
                }
            }
        }
        Ok(applied)
    }

    fn aliases(&self, want: &Group, Seen(accounts): &Seen, reading: Reading<'_>) -> Vec<Alias> {
        let title = want.title.as_str();
        let is_free = want.ensure == Presence::Absent || want.gid.is_some();
        let Some(accounts) = accounts.as_ref().filter(|_| !is_free) else { return Vec::new() };
        let gid = accounts.group(title).map(|group| group.gid);
        let Some(gid) = gid.filter(|gid| is_given(*gid, accounts, reading.named)) else {
            return Vec::new();
        };
        let taken = Claim::object("id of a group", gid.to_string(), Hold::Taken);
        Alias::all([taken], format!("`{title}` has it on this machine"))
    }

    fn left<'a>(&self, want: &'a Group) -> Left<'a> {
        let gid = want.gid.map(|gid| ("gid".into(), gid.to_string().into()));
        let members = want.members.as_ref().map(|members| ("members".into(), joined(members).into()));
        let ensure: (Cow<'static, str>, Cow<'a, str>) = ("ensure".into(), want.ensure.to_string().into());
        [ensure].into_iter().chain(gid).chain(members).collect()
    }
}

/// The plan for a group that should exist. Its members may be users that wait for the group themselves: it is made
/// without them, and gets them at the next look.
fn present(want: &Group, group: Option<&GroupEntry>, accounts: &Accounts, named: &CatalogClaims<'_>) -> Plan {
    let is_missing = |member: &&AccountName| accounts.user(member.as_str()).is_none();
    let missing = want.members.iter().flatten().filter(is_missing);
    let (waiting, others): (Vec<_>, Vec<_>) = missing.partition(|member| waits(want, member, named));
    if !others.is_empty() {
        return Plan::Pending(without(&others, named));
    }
    let mut changes = group.map_or_else(
        || vec![Change::new(Property::Ensure, Presence::Absent, Presence::Present)],
        |group| differences(want, group, accounts),
    );
    changes.extend(waiting.into_iter().map(|user| {
        let note = format!("`{user}` becomes a member when the account is there, which waits for this group");
        Change::new(Property::Members, "", user).kind(ChangeKind::Note).note(note)
    }));
    Plan::of(changes)
}

/// Why a group with members that have no account is left alone: a mistyped name must not remove anyone.
fn without(members: &[&AccountName], named: &CatalogClaims<'_>) -> Need {
    const CURE: &str = "; manage the user too, or take the name out of `members`";
    let names: Vec<_> = members.iter().map(|member| format!("`{member}`")).collect();
    let cures = members.iter().map(|member| named.unless_has_user(member.as_str(), CURE));
    let cure = cures.max().unwrap_or_default();
    let why = format!("/etc/passwd has no {}, which is to be a member{cure}", names.join(", "));
    match members {
        [member] => Need::account(member.as_str(), why),
        _ => why.into(),
    }
}

/// Whether the catalog has this user, who is created after the group.
fn waits(want: &Group, member: &AccountName, named: &CatalogClaims<'_>) -> bool {
    named.of_type::<User>().any(|user| {
        let mut groups = user.gid.iter().chain(user.groups.iter().flatten());
        user.title == *member && user.ensure == Presence::Present && groups.any(|group| *group == want.title)
    })
}

/// How an existing group differs.
fn differences(want: &Group, group: &GroupEntry, accounts: &Accounts) -> Vec<Change> {
    let gid = want.gid.filter(|gid| *gid != group.gid).map(|gid| Change::new(Property::Gid, group.gid, gid));
    let is = Vec::from_iter(group.members.iter().map(String::as_str).collect::<BTreeSet<_>>()).join(",");
    let should = want.members.as_ref().map(|_| joined(possible(want, accounts)));
    let should = should.filter(|should| *should != is);
    gid.into_iter().chain(should.map(|should| Change::new(Property::Members, is, should))).collect()
}

/// The wanted members that exist.
fn possible<'a>(want: &'a Group, accounts: &'a Accounts) -> impl Iterator<Item = &'a AccountName> {
    want.members.iter().flatten().filter(|member| accounts.user(member.as_str()).is_some())
}

fn joined<'a>(members: impl IntoIterator<Item = &'a AccountName>) -> String {
    Vec::from_iter(members.into_iter().map(AccountName::as_str).collect::<BTreeSet<_>>()).join(",")
}

/// The commands that correct one property.
fn correcting(want: &Group, property: Property, accounts: &Accounts) -> Vec<Invocation> {
    let name = want.title.to_string();
    let members = joined(possible(want, accounts));
    let gid = want.gid.map(|gid| ["--gid".to_owned(), gid.to_string()]).into_iter().flatten();
    let words = |command: &str| [command.to_owned()].into_iter();
    let end = ["--".to_owned(), name.clone()];
    match (property, want.ensure) {
        (Property::Ensure, Presence::Absent) => vec![Invocation::new(words("groupdel").chain(end))],
        (Property::Ensure, Presence::Present) => {
            let system = want.system.then(|| "--system".to_owned());
            let make = Invocation::new(words("groupadd").chain(gid).chain(system).chain(end));
            let members = (!members.is_empty()).then(|| setting_members(&name, &members));
            [make].into_iter().chain(members).collect()
        }
        (Property::Gid, _) => vec![Invocation::new(words("groupmod").chain(gid).chain(end))],
        (Property::Members, _) => vec![setting_members(&name, &members)],
    }
}

fn setting_members(group: &str, members: &str) -> Invocation {
    Invocation::new(["gpasswd", "--members", members, "--", group])
}

#[cfg(test)]
mod tests;
