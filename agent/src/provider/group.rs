//! `group`: groups and their members, in the root's own `group` and `gshadow` files; changed with shadow-utils, which
//! know the locks.
//!
//! Needs a running system. Members are those in the group database: a user whose primary group it is does not count.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use holdfast_catalog::resource::attribute::{AccountName, Presence};
use holdfast_catalog::resource::claim::{Claim, Hold};
use holdfast_catalog::resource::{Group, User};

use super::{
    Alias, Applied, CatalogClaims, ChangeKind, Error, Left, Need, Provider, Reading, Writing, properties,
};
use crate::system::accounts::{self, Database, GroupEntry, ShadowGroup};
use crate::system::{Accounts, Invocation, Liveness};

/// The provider of `group`.
pub struct Groups;

/// The content of the account files; `None` if this root is not a running system.
pub struct Seen(Option<GroupDatabase>);

/// The accounts and, if members are managed, the groups in `/etc/gshadow`.
struct GroupDatabase {
    accounts: Arc<Accounts>,
    shadowed: HashMap<String, ShadowGroup>,
}

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

    fn observe(&self, all: &[&Group], reading: Reading<'_>) -> Result<Seen, Error> {
        let machine = reading.machine;
        if machine.liveness() != Liveness::Live {
            return Ok(Seen(None));
        }
        let has_members = all.iter().any(|want| want.members.is_some());
        let shadowed = if has_members { accounts::shadow_groups(machine)? } else { HashMap::new() };
        Ok(Seen(Some(GroupDatabase { accounts: machine.accounts()?, shadowed })))
    }

    fn plan(&self, want: &Group, Seen(found): &Seen, reading: Reading<'_>) -> Result<Plan, Error> {
        let Some(found) = found else {
            return Ok(Plan::NotApplicable("groups are managed on a running system only".to_owned()));
        };
        let group = found.accounts.group(want.title.as_str());
        if group.is_none() {
            refuse_foreign(want, &found.accounts)?;
        }
        match (want.ensure, group) {
            (Presence::Absent, None) => Ok(Plan::IN_SYNC),
            (Presence::Absent, Some(group)) if group.gid == 0 => {
                Err(Error::Refused(format!("`{}` has the group id 0 and is not removed", want.title)))
            }
            (Presence::Absent, Some(_)) => {
                Ok(Plan::of(vec![Change::new(Property::Ensure, Presence::Present, Presence::Absent)]))
            }
            (Presence::Present, group) => Ok(present(want, group, found, reading.named)),
        }
    }

    fn apply(&self, want: &Group, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let mut applied = Applied::default();
        let accounts = writing.machine.accounts()?;
        let shadowed = accounts::shadow_groups(writing.machine)?;
        for (i, change) in changes.iter().enumerate() {
            for command in correcting(want, change.property, &accounts, shadowed.get(want.title.as_str())) {
                if let Err(error) = writing.run(&command) {
                    applied.failed.push((i, error));
                    break;
                }
            }
        }
        Ok(applied)
    }

    fn aliases(&self, want: &Group, Seen(found): &Seen, reading: Reading<'_>) -> Vec<Alias> {
        let title = want.title.as_str();
        let is_free = want.ensure == Presence::Absent || want.gid.is_some();
        let Some(GroupDatabase { accounts, .. }) = found.as_ref().filter(|_| !is_free) else {
            return Vec::new();
        };
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

/// Refuses a group that is not in the file that is changed here: `groupadd` and `groupdel` have no effect on it.
fn refuse_foreign(want: &Group, accounts: &Accounts) -> Result<(), Error> {
    let foreign = accounts.foreign(Database::Group, want.title.as_str()).map_err(|why| {
        let title = &want.title;
        Error::Unexpected(format!(
            "whether `{title}` comes from another source than /etc/group cannot be told: {why}"
        ))
    })?;
    foreign.map_or(Ok(()), |words| Err(Error::Refused(format!("{words}, which `group` does not manage"))))
}

/// The plan for a group that should exist. Its members may be users that wait for the group themselves: it is made
/// without them, and gets them at the next look.
fn present(
    want: &Group,
    group: Option<&GroupEntry>,
    found: &GroupDatabase,
    named: &CatalogClaims<'_>,
) -> Plan {
    let is_missing = |member: &&AccountName| !is_there(member, &found.accounts);
    let missing = want.members.iter().flatten().filter(is_missing);
    let (waiting, others): (Vec<_>, Vec<_>) = missing.partition(|member| waits(want, member, named));
    if !others.is_empty() {
        return Plan::Pending(without(&others, named));
    }
    let mut changes = group.map_or_else(
        || vec![Change::new(Property::Ensure, Presence::Absent, Presence::Present)],
        |group| differences(want, group, found),
    );
    changes.extend(waiting.into_iter().map(|user| {
        let note = format!("`{user}` becomes a member when the account is there, which waits for this group");
        Change::new(Property::Members, "", user).kind(ChangeKind::Note).note(note)
    }));
    Plan::of(changes)
}

/// Whether a user exists in any source: a user of a directory service can be a member of a group of this machine.
fn is_there(member: &AccountName, accounts: &Accounts) -> bool {
    let member = member.as_str();
    accounts.user(member).is_some() || matches!(accounts.foreign(Database::Passwd, member), Ok(Some(_)))
}

/// Why a group with members that have no account is left alone: a mistyped name must not remove anyone.
fn without(members: &[&AccountName], named: &CatalogClaims<'_>) -> Need {
    const CURE: &str = "; manage the user too, or take the name out of `members`";
    let names: Vec<_> = members.iter().map(|member| format!("`{member}`")).collect();
    let cures = members.iter().map(|member| named.unless_has_user(member.as_str(), CURE));
    let cure = cures.max().unwrap_or_default();
    let why = format!("/etc/passwd has no {}, which must be a member{cure}", names.join(", "));
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
fn differences(want: &Group, group: &GroupEntry, found: &GroupDatabase) -> Vec<Change> {
    let gid = want.gid.filter(|gid| *gid != group.gid).map(|gid| Change::new(Property::Gid, group.gid, gid));
    let is = members(group, found.shadowed.get(&group.name));
    let should = want.members.as_ref().map(|_| joined(possible(want, &found.accounts)));
    let should = should.filter(|should| *should != is);
    gid.into_iter().chain(should.map(|should| Change::new(Property::Members, is, should))).collect()
}

/// The members of a group, for people, with what `/etc/gshadow` has besides: a user listed only there becomes a member
/// with `sg`, without a password, and its administrators can make anyone a member.
fn members(group: &GroupEntry, shadow: Option<&ShadowGroup>) -> String {
    let mut is = sorted(&group.members);
    let Some(shadow) = shadow else { return is };
    let shadowed = sorted(&shadow.members);
    let administrators = sorted(&shadow.administrators);
    let names = |names: &str| if names.is_empty() { "nobody".to_owned() } else { names.to_owned() };
    if shadowed != is {
        is.push_str(&format!(" (in /etc/gshadow: {})", names(&shadowed)));
    }
    if !administrators.is_empty() {
        is.push_str(&format!(" (administered by {administrators})"));
    }
    is
}

fn sorted(members: &[String]) -> String {
    Vec::from_iter(members.iter().map(String::as_str).collect::<BTreeSet<_>>()).join(",")
}

/// The wanted members that exist.
fn possible<'a>(want: &'a Group, accounts: &'a Accounts) -> impl Iterator<Item = &'a AccountName> {
    want.members.iter().flatten().filter(|member| is_there(member, accounts))
}

fn joined<'a>(members: impl IntoIterator<Item = &'a AccountName>) -> String {
    Vec::from_iter(members.into_iter().map(AccountName::as_str).collect::<BTreeSet<_>>()).join(",")
}

/// The commands that correct one property.
fn correcting(
    want: &Group,
    property: Property,
    accounts: &Accounts,
    shadow: Option<&ShadowGroup>,
) -> Vec<Invocation> {
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
            let members = (!members.is_empty()).then(|| setting_members(&name, &members, None));
            [make].into_iter().chain(members).collect()
        }
        (Property::Gid, _) => vec![Invocation::new(words("groupmod").chain(gid).chain(end))],
        (Property::Members, _) => vec![setting_members(&name, &members, shadow)],
    }
}

/// In both files.
fn setting_members(group: &str, members: &str, shadow: Option<&ShadowGroup>) -> Invocation {
    let is_administered = shadow.is_some_and(|shadow| !shadow.administrators.is_empty());
    let administrators: &[&str] = if is_administered { &["--administrators", ""] } else { &[] };
    let members = ["--members", members, "--", group];
    Invocation::new(["gpasswd"].iter().chain(administrators).chain(&members).copied())
}

#[cfg(test)]
mod tests;
