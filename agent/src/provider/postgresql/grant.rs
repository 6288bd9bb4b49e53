//! `postgresql_grant`, through the access lists of databases, schemas, tables and sequences.

use std::borrow::Cow;
use std::collections::BTreeSet;

use holdfast_catalog::resource::attribute::Presence;
use holdfast_catalog::resource::postgresql_grant::{GrantObject, PostgresqlPrivilege};
use holdfast_catalog::resource::{PostgresqlDatabase, PostgresqlGrant};

use super::super::database::joined;
use super::super::{Applied, ChangeKind, Error, Left, Provider, Reading, Taken, Writing, properties};
use super::MAINTENANCE;
use super::observed::Observed;
use super::place::DatabaseAddress;

mod access;
mod statement;

use access::{GrantAccess, GrantAccesses};

/// The provider of `postgresql_grant`.
pub struct PostgresqlGrants;

/// The databases of each server, and who may do what in each database.
pub struct Seen {
    servers: Observed<BTreeSet<String>>,
    access: Observed<GrantAccesses>,
}

properties! {
    Ensure => "ensure",
    Privileges => "privileges",
    WithGrantOption => "with_grant_option",
    DefaultPrivileges => "default_privileges",
}

impl Provider for PostgresqlGrants {
    type Want = PostgresqlGrant;
    type Seen = Seen;
    type Property = Property;

    const TAKEN: Taken = Taken::Together;

    fn observe(&self, all: &[&PostgresqlGrant], reading: Reading<'_>) -> Result<Seen, Error> {
        let servers: Observed<BTreeSet<String>> = Observed::of(all.iter().map(|want| server(want)), |at| {
            let here = all.iter().filter(|want| server(want) == *at);
            at.ask(reading, &access::databases_question(here.map(|want| want.database.as_str())))
        });
        let is_there = |want: &&&PostgresqlGrant| {
            servers.get(&server(want)).is_some_and(|databases| databases.contains(want.database.as_str()))
        };
        let access = Observed::of(all.iter().filter(is_there).map(|want| place(want)), |at| {
            let here: Vec<_> = all.iter().copied().filter(|want| place(want) == *at).collect();
            at.ask(reading, &access::question(&here))
        });
        Ok(Seen { servers, access })
    }

    fn plan(&self, want: &PostgresqlGrant, seen: &Seen, reading: Reading<'_>) -> Result<Plan, Error> {
        seen.servers.plan(&server(want), |databases| {
            if !databases.contains(want.database.as_str()) {
                return Ok(match want.ensure {
                    Presence::Absent if !is_to_come(want, reading) => Plan::IN_SYNC,
                    _ => Plan::pending(format!("there is no database `{}`", want.database)),
                });
            }
            seen.access.plan(&place(want), |found| match (want.ensure, found.of(want)) {
                (Presence::Absent, access) => taking(want, access),
                (Presence::Present, Some(access)) => Ok(match access.missing(want) {
                    Some(why) => Plan::pending(why),
                    None => Plan::of(differences(want, access)),
                }),
                (Presence::Present, None) => Err(Error::Defect("internal error: it was not read".to_owned())),
            })
        })
    }

    fn apply(
        &self,
        want: &PostgresqlGrant,
        changes: &[Change],
        writing: Writing<'_>,
    ) -> Result<Applied, Error> {
        let mut applied = Applied::default();
        for (i, change) in changes.iter().enumerate() {
            let sql = statement::correcting(want, change.property);
            let done = place(want).tell(writing, &sql, None);
            applied.failed.extend(done.err().map(|error| (i, error)));
        }
        Ok(applied)
    }

    fn left<'a>(&self, want: &'a PostgresqlGrant) -> Left<'a> {
        let mut left: Left<'a> = vec![
            ("ensure".into(), want.ensure.to_string().into()),
            ("privileges".into(), words(&want.each_privilege()).into()),
            ("with_grant_option".into(), want.with_grant_option.to_string().into()),
        ];
        let defaults = (!want.default_privileges.is_empty()).then(|| default_roles(want).into());
        left.extend(defaults.map(|roles: Cow<'_, str>| ("default_privileges".into(), roles)));
        left
    }
}

/// Whether the catalog creates the database, which comes with privileges: PostgreSQL lets everyone connect to a new
/// one.
fn is_to_come(want: &PostgresqlGrant, reading: Reading<'_>) -> bool {
    let mut all = reading.named.of_type::<PostgresqlDatabase>();
    all.any(|database| {
        database.ensure == Presence::Present
            && database.title == want.database
            && database.cluster() == want.cluster()
    })
}

fn server(want: &PostgresqlGrant) -> DatabaseAddress {
    DatabaseAddress::new(want.cluster(), MAINTENANCE)
}

/// Where the object is looked up: a privilege on a database itself needs no session in it.
fn place(want: &PostgresqlGrant) -> DatabaseAddress {
    match want.on {
        GrantObject::Database => server(want),
        _ => DatabaseAddress::new(want.cluster(), want.database.as_str()),
    }
}

fn words(privileges: &[PostgresqlPrivilege]) -> String {
    joined(privileges.iter().map(ToString::to_string))
}

fn default_roles(want: &PostgresqlGrant) -> String {
    joined(want.default_privileges.iter().map(|role| role.as_str()).collect::<BTreeSet<_>>())
}

/// The plan if the privileges should be revoked.
fn taking(want: &PostgresqlGrant, access: Option<&GrantAccess>) -> Result<Plan, Error> {
    let on_columns = access.and_then(|access| access.holds_on_columns(want));
    let is_held = |access: &&GrantAccess| access.holds_any(want) || on_columns.is_some();
    // What is granted to others is not this resource's: that the role has it all the same is said in each run.
    let by_others = access.and_then(|access| access.by_others(want));
    let Some(access) = access.filter(is_held) else {
        let said = |words| {
            Change::new(Property::Ensure, want.ensure, want.ensure).kind(ChangeKind::Note).note(words)
        };
        return Ok(Plan::of(by_others.map(said).into_iter().collect()));
    };
    if let Some((object, grantor)) = access.granted_by_another(want) {
        return Err(Error::Refused(format!(
            "a privilege on `{object}` was granted by the role `{grantor}`, which is not its owner: revoke it as that role, \
             or take the grant option away from it with CASCADE"
        )));
    }
    let change = Change::new(Property::Ensure, Presence::Present, Presence::Absent);
    let on_columns = on_columns.map(|object| format!("on columns of {object}, too"));
    let notes: Vec<String> = on_columns.into_iter().chain(by_others).collect();
    Ok(Plan::of(vec![if notes.is_empty() { change } else { change.note(notes.join("; ")) }]))
}

/// The differences if everything exists that the privileges refer to.
fn differences(want: &PostgresqlGrant, access: &GrantAccess) -> Vec<Change> {
    let mut changes = Vec::new();
    let wanted = want.each_privilege();
    let held = access.held_on_all(&wanted);
    if !access.objects.is_empty() && !access.holds_any(want) {
        let change = Change::new(Property::Ensure, Presence::Absent, Presence::Present);
        let is_new = want.on.is_many() && access.lacks_on_new_alone(&wanted);
        changes.push(if is_new { change.kind(ChangeKind::Moved) } else { change });
        return changes;
    }
    if held != wanted {
        let is_new = want.on.is_many() && access.lacks_on_new_alone(&wanted);
        let change = if is_new {
            let held = Some(words(&access.held_on_old(&wanted))).filter(|held| !held.is_empty());
            let is =
                held.map_or("not on what is new".to_owned(), |held| format!("{held}, not on what is new"));
            Change::new(Property::Privileges, is, words(&wanted)).kind(ChangeKind::Moved)
        } else {
            Change::new(Property::Privileges, words(&held), words(&wanted))
        };
        changes.push(match access.lacking(&wanted) {
            Some(note) if want.on.is_many() => change.note(note),
            _ => change,
        });
    }
    if access.differs_in_option(want) {
        changes.push(Change::new(Property::WithGrantOption, !want.with_grant_option, want.with_grant_option));
    }
    let (is, should) = (access.default_roles(want), default_roles(want));
    changes.extend((is != should).then(|| Change::new(Property::DefaultPrivileges, is, should)));
    changes
}

#[cfg(test)]
mod tests;
