//! `postgresql_role`, through `pg_authid` and `pg_auth_members`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use holdfast_catalog::resource::PostgresqlRole;
use holdfast_catalog::resource::attribute::database::SqlName;
use holdfast_catalog::resource::attribute::{Presence, Secret};
use holdfast_catalog::resource::user::Membership;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::super::database::joined;
use super::super::{
    Applied, DisplayValue, Error, Left, Property as _, Provider, Reading, Taken, Writing, properties,
};
use super::MAINTENANCE;
use super::observed::Observed;
use super::place::DatabaseAddress;
use super::quoting::{identifier, literal, literals};
use super::verifier;

/// The provider of `postgresql_role`.
pub struct Roles;

/// What a server has of the roles in question.
#[derive(Deserialize)]
pub struct ServerRoles {
    /// The role that the agent is connected as.
    me: String,
    roles: BTreeMap<String, RoleAttributes>,
}

#[derive(Deserialize)]
struct RoleAttributes {
    login: bool,
    superuser: bool,
    createdb: bool,
    createrole: bool,
    replication: bool,
    inherit: bool,
    connection_limit: i32,
    /// Its password hash, if that matters.
    kept: Option<String>,
    member_of: BTreeSet<String>,
}

properties! {
    Ensure => "ensure",
    Login => "login",
    Superuser => "superuser",
    Createdb => "createdb",
    Createrole => "createrole",
    Replication => "replication",
    Inherit => "inherit",
    ConnectionLimit => "connection_limit",
    MemberOf => "member_of",
    Password => "password",
}

impl Provider for Roles {
    type Want = PostgresqlRole;
    type Seen = Observed<ServerRoles>;
    type Property = Property;

    const TAKEN: Taken = Taken::Together;

    fn observe(&self, all: &[&PostgresqlRole], reading: Reading<'_>) -> Result<Observed<ServerRoles>, Error> {
        Ok(Observed::of(all.iter().map(|want| place(want)), |at| {
            let here: Vec<_> = all.iter().copied().filter(|want| place(want) == *at).collect();
            at.ask(reading, &question(&here))
        }))
    }

    fn plan(
        &self,
        want: &PostgresqlRole,
        seen: &Observed<ServerRoles>,
        _: Reading<'_>,
    ) -> Result<Plan, Error> {
        seen.plan(&place(want), |found| {
            if let Some(why) = refusal(want, found) {
                return Err(Error::Refused(why));
            }
            let missing =
                want.member_of.iter().flatten().find(|group| !found.roles.contains_key(group.as_str()));
            Ok(match (want.ensure, found.roles.get(want.title.as_str())) {
                (Presence::Absent, None) => Plan::IN_SYNC,
                (Presence::Absent, Some(_)) => {
                    Plan::of(vec![Change::new(Property::Ensure, Presence::Present, Presence::Absent)])
                }
                (Presence::Present, role) => match missing {
                    Some(group) => Plan::pending(format!("there is no role `{group}`")),
                    None => Plan::of(role.map_or_else(
                        || vec![Change::new(Property::Ensure, Presence::Absent, Presence::Present)],
                        |role| differences(want, role),
                    )),
                },
            })
        })
    }

    fn apply(
        &self,
        want: &PostgresqlRole,
        changes: &[Change],
        writing: Writing<'_>,
    ) -> Result<Applied, Error> {
        let sets_password =
            changes.iter().any(|change| matches!(change.property, Property::Ensure | Property::Password));
        let kept = want.password.as_ref().filter(|_| sets_password).map(kept_as).transpose()?;
        let kept = kept.as_ref().map(|kept| kept.as_str());
        let mut applied = Applied::default();
        for (i, change) in changes.iter().enumerate() {
            let done = correcting(want, change.property, kept, writing).and_then(|sql| {
                let secret = kept.filter(|kept| sql.contains(*kept));
                place(want).tell(writing, &sql, secret)
            });
            applied.failed.extend(done.err().map(|error| (i, error)));
        }
        Ok(applied)
    }

    fn left<'a>(&self, want: &'a PostgresqlRole) -> Left<'a> {
        let mut left: Left<'a> = vec![("ensure".into(), want.ensure.to_string().into())];
        left.extend(
            switches(want).map(|(switch, _, should)| (switch.name().into(), should.to_string().into())),
        );
        left.push(("connection_limit".into(), want.connection_limit.to_string().into()));
        let member_of = want.member_of.as_ref().map(|groups| joined(names(groups)).into());
        left.extend(member_of.map(|groups: Cow<'_, str>| ("member_of".into(), groups)));
        let password = want.password.as_ref().map(|password| password.expose().to_string().into());
        left.extend(password.map(|password: Cow<'_, str>| ("password".into(), password)));
        left
    }
}

fn place(want: &PostgresqlRole) -> DatabaseAddress {
    DatabaseAddress::new(want.cluster(), MAINTENANCE)
}

/// The query for these roles, for the groups that they should be members of, and for the hashes of managed passwords.
fn question(all: &[&PostgresqlRole]) -> String {
    let titles = all.iter().map(|want| want.title.as_str());
    let groups = all.iter().flat_map(|want| want.member_of.iter().flatten()).map(SqlName::as_str);
    let with_password = all.iter().filter(|want| want.password.is_some()).map(|want| want.title.as_str());
    let (asked, kept) = (literals(titles.chain(groups)), literals(with_password));
    format!(
        "SELECT json_build_object('me', current_user, 'roles', coalesce(json_object_agg(a.rolname, json_build_object(
  'login', a.rolcanlogin, 'superuser', a.rolsuper, 'createdb', a.rolcreatedb, 'createrole', a.rolcreaterole,
  'replication', a.rolreplication, 'inherit', a.rolinherit, 'connection_limit', a.rolconnlimit,
  'kept', CASE WHEN a.rolname IN ({kept}) THEN a.rolpassword END,
  'member_of', (SELECT coalesce(json_agg(g.rolname), '[]')
    FROM pg_auth_members m JOIN pg_authid g ON g.oid = m.roleid WHERE m.member = a.oid))), '{{}}'))
FROM pg_authid a WHERE a.rolname IN ({asked});
"
    )
}

/// The attributes that are on or off: the property, PostgreSQL's keyword, and the wanted value.
fn switches(want: &PostgresqlRole) -> impl Iterator<Item = (Property, &'static str, bool)> {
    [
        (Property::Login, "LOGIN", want.login),
        (Property::Superuser, "SUPERUSER", want.superuser),
        (Property::Createdb, "CREATEDB", want.createdb),
        (Property::Createrole, "CREATEROLE", want.createrole),
        (Property::Replication, "REPLICATION", want.replication),
        (Property::Inherit, "INHERIT", want.inherit),
    ]
    .into_iter()
}

impl RoleAttributes {
    fn has(&self, switch: Property) -> bool {
        match switch {
            Property::Login => self.login,
            Property::Superuser => self.superuser,
            Property::Createdb => self.createdb,
            Property::Createrole => self.createrole,
            Property::Replication => self.replication,
            _ => self.inherit,
        }
    }

    /// The groups that count: all of them, or only the wanted ones.
    fn groups(&self, want: &PostgresqlRole) -> BTreeSet<&str> {
        let wanted = names(want.member_of.as_deref().unwrap_or_default());
        let counts = |group: &&str| want.membership == Membership::Inclusive || wanted.contains(group);
        self.member_of.iter().map(String::as_str).filter(counts).collect()
    }
}

/// Why a change is refused: it would lock the agent out.
fn refusal(want: &PostgresqlRole, found: &ServerRoles) -> Option<String> {
    if want.title.as_str() != found.me {
        return None;
    }
    let why = match (want.ensure, want.login, want.superuser) {
        (Presence::Absent, ..) => "it is not removed; leave it out of the catalog",
        (_, false, _) => "it must be able to log in; use login = true",
        (_, _, false) => "it must stay a superuser; use superuser = true",
        _ => return None,
    };
    Some(format!("the agent connects as the role `{}`: {why}", found.me))
}

/// How an existing role differs.
fn differences(want: &PostgresqlRole, role: &RoleAttributes) -> Vec<Change> {
    let mut changes: Vec<Change> = switches(want)
        .filter(|(switch, _, should)| role.has(*switch) != *should)
        .map(|(switch, _, should)| Change::new(switch, !should, should))
        .collect();
    if want.connection_limit.0 != role.connection_limit {
        changes.push(Change::new(Property::ConnectionLimit, role.connection_limit, want.connection_limit));
    }
    if let Some(groups) = &want.member_of {
        let (is, should) = (joined(role.groups(want)), joined(names(groups)));
        changes.extend((is != should).then(|| Change::new(Property::MemberOf, is, should)));
    }
    let is_kept =
        |password: &Secret| verifier::is_of(role.kept.as_deref().unwrap_or_default(), &password.expose());
    if want.password.as_ref().is_some_and(|password| !is_kept(password)) {
        changes.push(Change::new(Property::Password, DisplayValue::Masked, DisplayValue::Masked));
    }
    changes
}

/// The names in order, each once.
fn names(list: &[SqlName]) -> BTreeSet<&str> {
    list.iter().map(SqlName::as_str).collect()
}

fn kept_as(password: &Secret) -> Result<Zeroizing<String>, Error> {
    let failed =
        |error| Error::Unexpected(format!("cannot read random numbers for the salt of a password: {error}"));
    verifier::for_server(&password.expose()).map_err(failed)
}

/// The SQL that corrects one property, all of which takes effect or none.
fn correcting(
    want: &PostgresqlRole,
    property: Property,
    kept: Option<&str>,
    writing: Writing<'_>,
) -> Result<Zeroizing<String>, Error> {
    let role = identifier(want.title.as_str());
    let word = |word: &str, should: bool| format!("{}{word}", if should { "" } else { "NO" });
    let password = kept.map(|kept| format!("PASSWORD {}", literal(kept)));
    let statements = match (property, want.ensure) {
        (Property::Ensure, Presence::Absent) => format!("DROP ROLE {role};\n"),
        (Property::Ensure, Presence::Present) => {
            let words: Vec<_> = switches(want).map(|(_, name, should)| word(name, should)).collect();
            let groups = names(want.member_of.as_deref().unwrap_or_default());
            format!(
                "CREATE ROLE {role} WITH {} CONNECTION LIMIT {} {};\n{}",
                words.join(" "),
                want.connection_limit,
                password.unwrap_or_default(),
                groups.into_iter().map(|group| joining(group, &role)).collect::<String>()
            )
        }
        (Property::Password, _) => format!("ALTER ROLE {role} WITH {};\n", password.unwrap_or_default()),
        (Property::ConnectionLimit, _) => {
            format!("ALTER ROLE {role} WITH CONNECTION LIMIT {};\n", want.connection_limit)
        }
        (Property::MemberOf, _) => membership(want, &role, writing)?,
        _ => {
            let switch = switches(want).filter(|(name, ..)| *name == property);
            switch
                .map(|(_, name, should)| format!("ALTER ROLE {role} WITH {};\n", word(name, should)))
                .collect()
        }
    };
    Ok(Zeroizing::new(format!("BEGIN;\n{statements}COMMIT;\n")))
}

fn joining(group: &str, role: &str) -> String {
    format!("GRANT {} TO {role};\n", identifier(group))
}

/// The statements that add the role to the wanted groups and, if `member_of` is the complete list, remove it from the
/// others.
fn membership(want: &PostgresqlRole, role: &str, writing: Writing<'_>) -> Result<String, Error> {
    let wanted = names(want.member_of.as_deref().unwrap_or_default());
    let join: String = wanted.iter().map(|group| joining(group, role)).collect();
    let found = place(want).ask::<ServerRoles>(writing.reading(), &question(&[want]))?.there()?;
    let has = found.roles.get(want.title.as_str()).map(|role| role.groups(want)).unwrap_or_default();
    let leave = has.difference(&wanted).map(|group| format!("REVOKE {} FROM {role};\n", identifier(group)));
    Ok(join + &leave.collect::<String>())
}

#[cfg(test)]
mod tests;
