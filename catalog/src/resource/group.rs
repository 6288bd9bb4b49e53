//! `group`: a group of the machine.

use std::collections::BTreeSet;

use super::attribute::{AccountName, Presence};
use super::claim::{Claim, Hold};
use super::define::resource_type;
use super::user::name_error;
use super::{AttributeError, Implied, Rules};

resource_type! {
    /// A group of the machine. The title is its name. A group that comes from another source than /etc/group, such as LDAP, is not managed: the resource fails, and names the source.
    Group("group"), titled AccountName {
        /// Whether it exists.
        property ensure: Presence = Presence::Present,
        /// Its numeric id.
        property gid: Option<u32> => "left alone; of a new group the next that is free",
        /// Whether a new group gets an id of the system's range.
        parameter system: bool = false,
        /// Exactly the users that are members by the group database, in /etc/group and in /etc/gshadow. Administrators of the group, who could change them, are removed.
        property members: Option<Vec<AccountName>>,
    }
}

impl Rules for Group {
    const SETS: &'static [&'static str] = &["members"];

    fn validate(&self) -> Vec<AttributeError> {
        let is_present = self.ensure == Presence::Present;
        is_present.then(|| name_error(&self.title)).flatten().into_iter().collect()
    }

    fn implied(&self) -> Vec<Implied> {
        if self.ensure == Presence::Absent {
            // It may be the primary group of a user who is removed, or who gets another one in this run.
            return vec![Implied::AfterAll("user")];
        }
        self.members.iter().flatten().map(|member| Implied::on("user", member.as_str())).collect()
    }

    fn claims(&self) -> Vec<Claim> {
        let name = self.title.as_str();
        let mut claims = vec![Claim::entry("/etc/group", "group", name, self.ensure)];
        if self.ensure == Presence::Absent {
            return claims;
        }
        claims.extend(self.gid.map(|gid| Claim::whole("id of a group", gid.to_string())));
        if let Some(members) = &self.members {
            let all: BTreeSet<_> = members.iter().map(ToString::to_string).collect();
            let member = |user: &String| Claim::object("groups of", user, Hold::Member(name.to_owned()));
            claims.extend(all.iter().map(member));
            claims.push(Claim::object("members of the group", name, Hold::Members(all)));
        }
        claims
    }
}
