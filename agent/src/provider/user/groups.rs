//! The groups of a user in `/etc/group` and `/etc/gshadow`: a user listed in either becomes a member without a password.

use std::collections::{BTreeSet, HashMap};

use holdfast_catalog::resource::User;
use holdfast_catalog::resource::attribute::{AccountName, Presence};
use holdfast_catalog::resource::user::Membership;

use super::{joined, names};
use crate::provider::{CatalogClaims, Error, Need, Writing};
use crate::system::accounts::{self, Database, GroupEntry, ShadowGroup};
use crate::system::{Accounts, Inspect, Invocation};

type ShadowGroups = HashMap<String, ShadowGroup>;

fn is_exact(want: &User) -> bool {
    want.ensure == Presence::Present && want.groups.is_some() && want.membership == Membership::Inclusive
}

/// The groups in `/etc/gshadow`; empty unless a user must be in exactly the named groups.
pub(super) fn shadowed(all: &[&User], machine: &dyn Inspect) -> Result<ShadowGroups, Error> {
    let is_needed = all.iter().any(|want| is_exact(want));
    Ok(if is_needed { accounts::shadow_groups(machine)? } else { ShadowGroups::new() })
}

/// Why a user cannot be in a group that is named.
pub(super) fn missing(want: &User, accounts: &Accounts, named: &CatalogClaims<'_>) -> Option<Need> {
    const CURE: &str = "; manage it too, or name another";
    let is_missing = |group: &&AccountName| found(group.as_str(), accounts).is_none();
    let foreign = |group: &AccountName| accounts.foreign(Database::Group, group.as_str());
    // `useradd` and `usermod` accept any primary group, but write members only to the file.
    let is_nowhere = |group: &&AccountName| !matches!(foreign(group), Ok(Some(_)));
    let primary = want.gid.iter().filter(is_missing).find(is_nowhere);
    let group = primary.or_else(|| want.groups.iter().flatten().find(is_missing))?;
    let why = match foreign(group) {
        Ok(Some(words)) => format!("{words}, to which `user` adds nobody; make the user a member there"),
        Ok(None) => {
            format!("there is no group `{group}`{}", named.unless_has_group(group.as_str(), CURE))
        }
        Err(_) => accounts.missing(Database::Group, group.as_str()),
    };
    Some(Need::account(group.as_str(), why))
}

/// The supplementary groups of a user that count, for people: all of them, or only the wanted ones.
pub(super) fn of(want: &User, accounts: &Accounts, shadowed: &ShadowGroups) -> String {
    let name = want.title.as_str();
    let has = |list: &[String]| list.iter().any(|member| member == name);
    let is_member = |group: &GroupEntry| has(&group.members);
    let is_in_either = |group: &GroupEntry| {
        is_member(group) || shadowed.get(&group.name).is_some_and(|shadow| has(&shadow.members))
    };
    let named: Vec<_> = names(want.groups.as_deref().unwrap_or_default())
        .into_iter()
        .filter_map(|word| Some((word, found(word, accounts)?)))
        .collect();
    let is_named = |name: &str| named.iter().any(|(_, other)| other.name == name);
    let others = accounts.groups().iter().filter(|group| is_in_either(group) && !is_named(&group.name));
    let others = others.filter(|_| want.membership == Membership::Inclusive).map(|group| group.name.as_str());
    // The wanted groups in the form in which they are wanted: a name or a number.
    let wanted = named.iter().filter(|(_, group)| is_member(group)).map(|(word, _)| *word);
    let mut words = joined(wanted.chain(others).collect());
    let administered: BTreeSet<_> =
        administered(want, shadowed).filter(|(group, _)| !is_named(group)).map(|(group, _)| group).collect();
    if !administered.is_empty() {
        words.push_str(&format!(" (and administers {})", joined(administered)));
    }
    words
}

/// The groups whose members a user may change; empty unless the user must be in exactly the named groups.
fn administered<'a>(
    want: &'a User,
    shadowed: &'a ShadowGroups,
) -> impl Iterator<Item = (&'a str, &'a ShadowGroup)> {
    let is_administrator = |shadow: &ShadowGroup| {
        is_exact(want) && shadow.administrators.iter().any(|name| name == want.title.as_str())
    };
    shadowed
        .iter()
        .filter(move |(_, shadow)| is_administrator(shadow))
        .map(|(name, shadow)| (&**name, shadow))
}

/// Ends a user's administration of other groups, with which the user could become a member again.
pub(super) fn give_up(want: &User, writing: Writing<'_>) -> Result<(), Error> {
    if !is_exact(want) {
        return Ok(());
    }
    let (accounts, shadowed) = (writing.machine.accounts()?, accounts::shadow_groups(writing.machine)?);
    let wanted: BTreeSet<_> = names(want.groups.as_deref().unwrap_or_default())
        .into_iter()
        .filter_map(|word| Some(found(word, &accounts)?.name.as_str()))
        .collect();
    let others = administered(want, &shadowed).filter(|(group, _)| !wanted.contains(group));
    others.into_iter().try_for_each(|(group, shadow)| {
        let rest = shadow.administrators.iter().map(String::as_str);
        let rest = joined(rest.filter(|name| *name != want.title.as_str()).collect());
        writing.run(&Invocation::new(["gpasswd", "--administrators", &rest, "--", group])).map(drop)
    })
}

/// The group with a name or, if no group has that name, with that number.
fn found<'a>(word: &str, accounts: &'a Accounts) -> Option<&'a GroupEntry> {
    accounts.group(word).or_else(|| {
        let gid: u32 = word.parse().ok()?;
        accounts.groups().iter().find(|group| group.gid == gid)
    })
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::value::Value;

    use super::*;
    use crate::provider::Plan;
    use crate::provider::trial::{self, want};
    use crate::provider::user::Users;
    use crate::system::double::{Double, failed, said};

    fn machine() -> Double {
        let double = Double::new(|command| {
            Some(match command.command.to_string().as_str() {
                "getent passwd ldapu" => said("ldapu:*:60001:60001::/home/ldapu:/bin/sh\n"),
                "getent group ldapg" => said("ldapg:*:60002:\n"),
                command if command.starts_with("getent") => failed(2, ""),
                _ => said(""),
            })
        });
        double.put("/etc/passwd", "carl:x:1:60002::/:\n");
        double.put("/etc/group", "www:x:33:carl\nv4:x:11:\nadm:x:4:\n");
        double.put("/etc/gshadow", "www:!::\nv4:!::carl\nadm:!:alice,carl:\n");
        double
    }

    fn in_groups(groups: &[&str], membership: &str) -> User {
        let groups: Vec<_> = groups.iter().map(|group| Value::from(*group)).collect();
        want("carl", &[("groups", groups.into()), ("membership", membership.into())])
    }

    #[test]
    fn who_is_a_member_by_gshadow_alone_is_a_member() {
        let machine = machine();
        let exact = in_groups(&["www"], "inclusive");
        let changes = trial::said(&trial::changes(&Users, &machine, &exact));
        assert_eq!(changes, ["groups: v4,www (and administers adm) -> www"]);
        assert!(trial::correct(&Users, &machine, &exact).unwrap().failed.is_empty());
        assert_eq!(machine.ran(), ["gpasswd --administrators alice -- adm", "usermod --groups www -- carl"]);
        assert_eq!(trial::changes(&Users, &machine, &in_groups(&["www"], "minimum")), []);
        machine.put("/etc/gshadow", "www:!:carl:\nv4:!::\nadm:!:alice:\n");
        assert_eq!(trial::changes(&Users, &machine, &exact), [], "www is carl's anyway");
    }

    #[test]
    fn an_account_or_a_group_of_another_source_is_named_as_that() {
        let machine = machine();
        for ensure in ["present", "absent"] {
            let error = trial::plan(&Users, &machine, &want::<User>("ldapu", &[("ensure", ensure.into())]));
            let error = error.unwrap_err().to_string();
            let words = "`ldapu` comes from another source than /etc/passwd (`passwd:` in /etc/nsswitch.conf), which `user` \
                         does not manage";
            assert_eq!(error, words);
        }
        let Plan::Pending(why) = trial::plan(&Users, &machine, &in_groups(&["ldapg"], "minimum")).unwrap()
        else {
            panic!("usermod does nothing about it")
        };
        assert!(why.why.starts_with("`ldapg` comes from another source than /etc/group"), "{why:?}");
        let primary = want("carl", &[("gid", "ldapg".into())]);
        assert_eq!(trial::changes(&Users, &machine, &primary), [], "any primary group will do");
    }
}
