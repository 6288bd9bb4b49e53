//! Who may do what, as the server's access lists have it.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_catalog::resource::PostgresqlGrant;
use holdfast_catalog::resource::attribute::database::SqlName;
use holdfast_catalog::resource::postgresql_grant::{GrantObject, PostgresqlPrivilege};
use serde::Deserialize;

use super::super::quoting::{literal, literals};

/// How many objects are named in a note.
const NAMED: usize = 3;

/// What was found of the privileges that are asked for, each under what they are of.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct GrantAccesses(BTreeMap<String, GrantAccess>);

/// What a role may do with the objects that one grant is about.
#[derive(Debug, Deserialize)]
pub struct GrantAccess {
    /// Whether the role is there.
    role: bool,
    /// Whether the schema is there.
    schema: bool,
    /// The objects that there are.
    pub objects: Vec<Object>,
    /// What later objects come with, by the role that makes them, of roles that are there.
    defaults: BTreeMap<String, HeldPrivileges>,
}

/// An object, and what the role may do with it.
#[derive(Debug, Deserialize)]
pub struct Object {
    name: String,
    /// Whether nobody ever granted or revoked anything on it, as on one that was just made.
    #[serde(default)]
    untouched: bool,
    held: HeldPrivileges,
    /// Privileges that are held on some of its columns.
    #[serde(default)]
    columns: BTreeSet<String>,
}

/// Privileges that are held.
type HeldPrivileges = BTreeMap<String, Privilege>;

/// How a privilege is held.
#[derive(Debug, Deserialize)]
struct Privilege {
    /// Whether it may be granted to others.
    grantable: bool,
    /// Who granted it beside the owner.
    other: Option<String>,
}

/// Asks which of these databases there are.
pub fn databases_question<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names = literals(names);
    format!("SELECT coalesce(json_agg(d.datname), '[]') FROM pg_database d WHERE d.datname IN ({names});\n")
}

/// What tells the answers of one question apart: all that a grant's access depends on.
fn key(want: &PostgresqlGrant) -> String {
    let name = want.object.as_ref().map(SqlName::as_str).unwrap_or_default();
    let database = want.database.as_str();
    // No name holds a space.
    [want.on.to_string().as_str(), want.role.as_str(), database, want.schema(), name].join(" ")
}

/// Asks for the access of all these grants.
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
    /// What was found for a grant.
    pub fn of(&self, want: &PostgresqlGrant) -> Option<&GrantAccess> {
        self.0.get(&key(want))
    }
}

impl GrantAccess {
    /// What the privileges need and is not there.
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

    /// Whether the role has any of the privileges, on any object or on those to come.
    pub fn holds_any(&self, want: &PostgresqlGrant) -> bool {
        let wanted = want.each_privilege();
        let to_come = want.default_privileges.iter().filter_map(|role| self.defaults.get(role.as_str()));
        let mut all = self.objects.iter().map(|object| &object.held).chain(to_come);
        all.any(|held| wanted.iter().any(|one| held.contains_key(&one.to_string())))
    }

    /// The first object of which the role has any of the privileges on single columns.
    pub fn holds_on_columns(&self, want: &PostgresqlGrant) -> Option<&str> {
        let wanted = want.each_privilege();
        let is_held = |object: &&Object| wanted.iter().any(|one| object.columns.contains(&one.to_string()));
        self.objects.iter().find(is_held).map(|object| object.name.as_str())
    }

    /// The privileges that the role has on every object.
    pub fn held_on_all(&self, wanted: &[PostgresqlPrivilege]) -> Vec<PostgresqlPrivilege> {
        let on_all = |one: &PostgresqlPrivilege| self.objects.iter().all(|object| object.has(*one));
        wanted.iter().copied().filter(on_all).collect()
    }

    /// Whether the role lacks privileges only on objects that came since anything was granted.
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

    /// On what the role lacks a privilege.
    pub fn lacking(&self, wanted: &[PostgresqlPrivilege]) -> Option<String> {
        let lacks = |object: &&Object| wanted.iter().any(|one| !object.has(*one));
        let lacking: Vec<&str> =
            self.objects.iter().filter(lacks).map(|object| object.name.as_str()).collect();
        let (named, more) = (&lacking[..lacking.len().min(NAMED)], lacking.len().saturating_sub(NAMED));
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!lacking.is_empty()).then(|| format!("missing on {}{more}", named.join(", ")))
    }

    /// Whether some privilege that is held can be granted on, or cannot, against the wish.
    pub fn differs_in_option(&self, want: &PostgresqlGrant) -> bool {
        let wanted = want.each_privilege();
        let held = |object: &Object| {
            let held = wanted.iter().filter_map(|one| object.held.get(&one.to_string()));
            held.filter(|privilege| privilege.grantable != want.with_grant_option).count()
        };
        self.objects.iter().any(|object| held(object) > 0)
    }

    /// An object on which one of the privileges was granted by someone else than its owner.
    pub fn granted_by_another(&self, want: &PostgresqlGrant) -> Option<(&str, &str)> {
        let wanted = want.each_privilege();
        self.objects.iter().find_map(|object| {
            let held = wanted.iter().filter_map(|one| object.held.get(&one.to_string()));
            let other = held.filter_map(|privilege| privilege.other.as_deref()).next()?;
            Some((object.name.as_str(), other))
        })
    }

    /// Roles whose later objects come with all of the privileges.
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
