//! Who may do what, according to the server's access lists.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_catalog::resource::PostgresqlGrant;
use holdfast_catalog::resource::attribute::database::SqlName;
use holdfast_catalog::resource::postgresql_grant::{GrantObject, PostgresqlPrivilege};
use serde::Deserialize;

use super::super::quoting::{literal, literals};

/// The most objects that a note names.
const MAX_NAMED: usize = 3;

/// The access that was found for each grant, by `key`.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct GrantAccesses(BTreeMap<String, GrantAccess>);

/// What a role may do with the objects of one grant.
#[derive(Debug, Deserialize)]
pub struct GrantAccess {
    /// Whether the role exists.
    role: bool,
    /// Whether it may do everything, whatever is granted to it.
    #[serde(default)]
    superuser: bool,
    /// Whether the schema exists.
    schema: bool,
    /// The objects that exist.
    pub objects: Vec<Object>,
    /// The privileges that later objects come with, by the role that creates them; only roles that exist.
    defaults: BTreeMap<String, HeldPrivileges>,
}

/// An object, and what the role may do with it.
#[derive(Debug, Deserialize)]
pub struct Object {
    name: String,
    /// Whether nothing was ever granted or revoked on it, as on a new object.
    #[serde(default)]
    untouched: bool,
    held: HeldPrivileges,
    /// Privileges that are held on some of its columns.
    #[serde(default)]
    columns: BTreeSet<String>,
    /// Who else gives the role a privilege: the roles of which it is a member; no name stands for `PUBLIC`.
    #[serde(default)]
    by_others: BTreeMap<String, BTreeSet<Option<String>>>,
}

/// The privileges that are held, by name.
type HeldPrivileges = BTreeMap<String, Privilege>;

/// How a privilege is held.
#[derive(Debug, Deserialize)]
struct Privilege {
    /// Whether it may be granted to others.
    grantable: bool,
    /// Who granted it, if that was not the owner.
    other: Option<String>,
}

/// The query which of these databases exist.
pub fn databases_question<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names = literals(names);
    format!("SELECT coalesce(json_agg(d.datname), '[]') FROM pg_database d WHERE d.datname IN ({names});\n")
}

/// What identifies the answer for a grant: everything that its access depends on.
fn key(want: &PostgresqlGrant) -> String {
    let name = want.object.as_ref().map(SqlName::as_str).unwrap_or_default();
    let database = want.database.as_str();
    // No name contains a space.
    [want.on.to_string().as_str(), want.role.as_str(), database, want.schema(), name].join(" ")
}

/// The query for the access of all these grants.
pub fn question(all: &[&PostgresqlGrant]) -> String {
    let rows: BTreeSet<String> = all.iter().map(|want| row(want)).collect();
    format!(
        include_str!("access.sql"),
        rows = rows.into_iter().collect::<Vec<_>>().join(",\n"),
        makers = literals(all.iter().flat_map(|want| &want.default_privileges).map(SqlName::as_str))
    )
}

fn row(want: &PostgresqlGrant) -> String {
    let name = match want.on {
        GrantObject::Database => Some(&want.database),
        _ => want.object.as_ref(),
    };
    let name = name.map_or("NULL::text".to_owned(), |name| format!("{}::text", literal(name.as_str())));
    let texts = [&key(want), want.role.as_str(), &want.on.to_string(), want.schema()].map(literal);
    format!("({}, {name})", texts.join(", "))
}

impl GrantAccesses {
    /// The access that was found for a grant.
    pub fn of(&self, want: &PostgresqlGrant) -> Option<&GrantAccess> {
        self.0.get(&key(want))
    }
}

impl GrantAccess {
    /// What the privileges need and does not exist, in words.
    pub fn missing(&self, want: &PostgresqlGrant) -> Option<String> {
        let one = matches!(want.on, GrantObject::Table | GrantObject::Sequence);
        let maker = want.default_privileges.iter().find(|role| !self.defaults.contains_key(role.as_str()));
        if !self.role {
            Some(format!("there is no role `{}`", want.role))
        } else if let Some(maker) = maker {
            Some(format!("there is no role `{maker}`"))
        } else if want.on != GrantObject::Database && !self.schema {
            Some(format!("there is no schema `{}` in the database `{}`", want.schema(), want.database))
        } else if one && self.objects.is_empty() {
            let name = want.object.as_ref().map(SqlName::as_str).unwrap_or_default();
            let place = format!("`{}.{name}` in the database `{}`", want.schema(), want.database);
            Some(format!("there is no {} {place}", want.on))
        } else {
            None
        }
    }

    /// Whether the role has any of the privileges, on any object or on later ones.
    pub fn holds_any(&self, want: &PostgresqlGrant) -> bool {
        let wanted = want.each_privilege();
        let to_come = want.default_privileges.iter().filter_map(|role| self.defaults.get(role.as_str()));
        let mut all = self.objects.iter().map(|object| &object.held).chain(to_come);
        all.any(|held| wanted.iter().any(|one| held.contains_key(&one.to_string())))
    }

    /// The first object on whose columns the role has any of the privileges.
    pub fn holds_on_columns(&self, want: &PostgresqlGrant) -> Option<&str> {
        let wanted = want.each_privilege();
        let is_held = |object: &&Object| wanted.iter().any(|one| object.columns.contains(&one.to_string()));
        self.objects.iter().find(is_held).map(|object| object.name.as_str())
    }

    /// How the role has some of the privileges that are not granted to it itself.
    pub fn by_others(&self, want: &PostgresqlGrant) -> Option<String> {
        let wanted = want.each_privilege();
        if self.superuser {
            return Some(format!("`{}` is a superuser, and has all privileges", want.role));
        }
        self.objects.iter().find_map(|object| {
            let of = |one: &PostgresqlPrivilege| Some((*one, object.by_others.get(&one.to_string())?));
            let others: Vec<_> = wanted.iter().filter_map(of).collect();
            let by: BTreeSet<_> = others.iter().flat_map(|(_, by)| by.iter()).collect();
            let by = by
                .into_iter()
                .map(|role| role.as_ref().map_or("PUBLIC".to_owned(), |role| format!("the role `{role}`")));
            let by = by.collect::<Vec<_>>().join(" and ");
            let which: Vec<_> = others.iter().map(|(one, _)| *one).collect();
            let words = || {
                format!("`{}` still has {} on `{}`, by {by}", want.role, super::words(&which), object.name)
            };
            (!which.is_empty()).then(words)
        })
    }

    /// The privileges that the role has on every object.
    pub fn held_on_all(&self, wanted: &[PostgresqlPrivilege]) -> Vec<PostgresqlPrivilege> {
        let on_all = |one: &PostgresqlPrivilege| self.objects.iter().all(|object| object.has(*one));
        wanted.iter().copied().filter(on_all).collect()
    }

    /// Whether the role lacks privileges only on objects that were created since anything was granted.
    pub fn lacks_on_new_alone(&self, wanted: &[PostgresqlPrivilege]) -> bool {
        let lacks = |object: &&Object| wanted.iter().any(|one| !object.has(*one));
        self.objects.iter().filter(lacks).all(|object| object.untouched)
    }

    /// The privileges that the role has on every object that is not new.
    pub fn held_on_old(&self, wanted: &[PostgresqlPrivilege]) -> Vec<PostgresqlPrivilege> {
        let mut old = self.objects.iter().filter(|object| !object.untouched).peekable();
        let any = old.peek().is_some();
        let old: Vec<&Object> = old.collect();
        let on_all = |one: &PostgresqlPrivilege| any && old.iter().all(|object| object.has(*one));
        wanted.iter().copied().filter(on_all).collect()
    }

    /// The objects on which the role lacks a privilege, in words.
    pub fn lacking(&self, wanted: &[PostgresqlPrivilege]) -> Option<String> {
        let lacks = |object: &&Object| wanted.iter().any(|one| !object.has(*one));
        let lacking: Vec<&str> =
            self.objects.iter().filter(lacks).map(|object| object.name.as_str()).collect();
        let (named, more) =
            (&lacking[..lacking.len().min(MAX_NAMED)], lacking.len().saturating_sub(MAX_NAMED));
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!lacking.is_empty()).then(|| format!("missing on {}{more}", named.join(", ")))
    }

    /// Whether the grant option of some held privilege differs from what is wanted.
    pub fn differs_in_option(&self, want: &PostgresqlGrant) -> bool {
        let wanted = want.each_privilege();
        let held = |object: &Object| {
            let held = wanted.iter().filter_map(|one| object.held.get(&one.to_string()));
            held.filter(|privilege| privilege.grantable != want.with_grant_option).count()
        };
        self.objects.iter().any(|object| held(object) > 0)
    }

    /// An object on which someone other than its owner granted one of the privileges, and who that was.
    pub fn granted_by_another(&self, want: &PostgresqlGrant) -> Option<(&str, &str)> {
        let wanted = want.each_privilege();
        self.objects.iter().find_map(|object| {
            let held = wanted.iter().filter_map(|one| object.held.get(&one.to_string()));
            let other = held.filter_map(|privilege| privilege.other.as_deref()).next()?;
            Some((object.name.as_str(), other))
        })
    }

    /// The roles whose later objects come with all of the privileges.
    pub fn default_roles(&self, want: &PostgresqlGrant) -> String {
        let wanted = want.each_privilege();
        let comes = |role: &&str| {
            let held = |one: &PostgresqlPrivilege| self.defaults.get(*role)?.get(&one.to_string());
            wanted.iter().all(|one| held(one).is_some_and(|held| held.grantable || !want.with_grant_option))
        };
        let roles: BTreeSet<&str> =
            want.default_privileges.iter().map(SqlName::as_str).filter(comes).collect();
        super::joined(roles)
    }
}

impl Object {
    fn has(&self, privilege: PostgresqlPrivilege) -> bool {
        self.held.contains_key(&privilege.to_string())
    }
}
