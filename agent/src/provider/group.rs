//! `group`: groups and their members, by the root's own `group`; changed by shadow-utils, which know the locks.
//!
//! Needs a running system. Members are those of the group database: whoever has it as the primary group is none of them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use holdfast_catalog::resource::Group;
use holdfast_catalog::resource::attribute::Presence;
use holdfast_catalog::resource::attribute::SystemName;

use super::{Applied, Change, Error, Left, Plan, Provider, Reading, Writing};
use crate::system::accounts::GroupEntry;
use crate::system::{Accounts, Invocation, Liveness};

/// Groups of users.
pub struct Groups;

/// What the account files have; none where this root is no running system.
pub struct Seen(Option<Arc<Accounts>>);

impl Provider for Groups {
    type Want = Group;
    type Seen = Seen;

    fn observe(&self, _: &[&Group], reading: Reading<'_>) -> Result<Seen, Error> {
        let is_live = reading.machine.liveness() == Liveness::Live;
        Ok(Seen(is_live.then(|| reading.machine.accounts()).transpose()?))
    }

    fn plan(&self, want: &Group, Seen(accounts): &Seen, _: Reading<'_>) -> Result<Plan, Error> {
        let Some(accounts) = accounts else {
            return Ok(Plan::NotApplicable("groups are managed on a running system only".to_owned()));
        };
        match (want.ensure, accounts.group(want.title.as_str())) {
            (Presence::Absent, None) => Ok(Plan::IN_SYNC),
            (Presence::Absent, Some(group)) if group.gid == 0 => {
                Err(Error::Refused(format!("`{}` has the group id 0 and is not removed", want.title)))
            }
            (Presence::Absent, Some(_)) => {
                Ok(Plan::of(vec![Change::new("ensure", Presence::Present, Presence::Absent)]))
            }
            (Presence::Present, group) => Ok(match missing_member(want, accounts) {
                Some(user) => Plan::Pending(format!("there is no user `{user}`")),
                None => Plan::of(group.map_or_else(
                    || vec![Change::new("ensure", Presence::Absent, Presence::Present)],
                    |group| differences(want, group),
                )),
            }),
        }
    }

    fn apply(&self, want: &Group, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let mut applied = Applied::default();
        for (i, change) in changes.iter().enumerate() {
            for command in mending(want, &change.property) {
                if let Err(error) = writing.run(&command) {
                    applied.failed.push((i, error));
                    break;
                }
            }
        }
        Ok(applied)
    }

    fn left<'a>(&self, want: &'a Group) -> Left<'a> {
        let gid = want.gid.map(|gid| ("gid".into(), gid.to_string().into()));
        let members = want.members.as_ref().map(|members| ("members".into(), joined(members).into()));
        let ensure: (Cow<'static, str>, Cow<'a, str>) = ("ensure".into(), want.ensure.to_string().into());
        [ensure].into_iter().chain(gid).chain(members).collect()
    }
}

/// A user who is to be a member, and is not there.
fn missing_member<'a>(want: &'a Group, accounts: &Accounts) -> Option<&'a SystemName> {
    want.members.iter().flatten().find(|member| accounts.user(member.as_str()).is_none())
}

/// What differs of a group that is there.
fn differences(want: &Group, group: &GroupEntry) -> Vec<Change> {
    let gid = want.gid.filter(|gid| *gid != group.gid).map(|gid| Change::new("gid", group.gid, gid));
    let is = Vec::from_iter(group.members.iter().map(String::as_str).collect::<BTreeSet<_>>()).join(",");
    let should = want.members.as_deref().map(joined).filter(|should| *should != is);
    gid.into_iter().chain(should.map(|should| Change::new("members", is, should))).collect()
}

fn joined(members: &[SystemName]) -> String {
    Vec::from_iter(members.iter().map(SystemName::as_str).collect::<BTreeSet<_>>()).join(",")
}

/// What mends one property.
fn mending(want: &Group, property: &str) -> Vec<Invocation> {
    let name = want.title.to_string();
    let gid = want.gid.map(|gid| ["--gid".to_owned(), gid.to_string()]).into_iter().flatten();
    let words = |command: &str| [command.to_owned()].into_iter();
    let end = ["--".to_owned(), name.clone()];
    match (property, want.ensure) {
        ("ensure", Presence::Absent) => vec![Invocation::new(words("groupdel").chain(end))],
        ("ensure", Presence::Present) => {
            let system = want.system.then(|| "--system".to_owned());
            let make = Invocation::new(words("groupadd").chain(gid).chain(system).chain(end));
            let members = want.members.as_ref().filter(|members| !members.is_empty());
            [make].into_iter().chain(members.map(|members| setting_members(&name, members))).collect()
        }
        ("gid", _) => vec![Invocation::new(words("groupmod").chain(gid).chain(end))],
        ("members", _) => vec![setting_members(&name, want.members.as_deref().unwrap_or_default())],
        _ => Vec::new(),
    }
}

fn setting_members(group: &str, members: &[SystemName]) -> Invocation {
    Invocation::new(["gpasswd", "--members", &joined(members), "--", group])
}

#[cfg(test)]
mod tests;
