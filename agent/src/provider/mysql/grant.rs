//! `mysql_grant`, through the privileges that `information_schema` lists.

use std::collections::BTreeSet;

use holdfast_catalog::resource::MysqlGrant;
use holdfast_catalog::resource::attribute::Presence;
use holdfast_catalog::resource::mysql_grant::{GrantLevel, MysqlPrivilege};

use super::super::database::{Seen, joined};
use super::super::{Applied, ChangeKind, Error, Left, Provider, Reading, Taken, Writing, properties};
use super::client;
use super::quoting::{account, identifier, pattern};

mod held;

use held::{GrantTable, Row};

/// The provider of `mysql_grant`.
pub struct MysqlGrants;

properties! {
    Ensure => "ensure",
    Privileges => "privileges",
    GrantOption => "grant_option",
}

impl Provider for MysqlGrants {
    type Want = MysqlGrant;
    type Seen = Seen<GrantTable>;
    type Property = Property;

    const TAKEN: Taken = Taken::Together;

    fn observe(&self, all: &[&MysqlGrant], reading: Reading<'_>) -> Result<Seen<GrantTable>, Error> {
        let rows: Seen<Vec<Row>> = client::ask(reading, &held::question(all))?;
        Ok(match rows {
            Seen::NotLive => Seen::NotLive,
            Seen::Away(why) => Seen::Away(why),
            Seen::There(rows) => Seen::There(GrantTable::of(rows)),
        })
    }

    fn plan(&self, want: &MysqlGrant, seen: &Seen<GrantTable>, reading: Reading<'_>) -> Result<Plan, Error> {
        if let Some(other) = reading.named.of_type::<MysqlGrant>().find(|other| contradicts(other, want)) {
            return Err(Error::Conflict(format!(
                "mysql_grant[{}] sets `grant_option` differently, but `{}` has it for all of `{}` or not at all: set \
                 it once",
                other.title, want.user, want.on
            )));
        }
        seen.plan(|held| {
            Ok(match (want.ensure, held.missing(want)) {
                (Presence::Absent, _) => taken(want, held),
                (Presence::Present, Some(why)) => Plan::pending(why),
                (Presence::Present, None) => Plan::of(differences(want, held)),
            })
        })
    }

    fn apply(&self, want: &MysqlGrant, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let mut applied = Applied::default();
        for (i, change) in changes.iter().enumerate() {
            let done =
                correcting(want, change.property, writing).and_then(|sql| client::tell(writing, &sql, None));
            applied.failed.extend(done.err().map(|error| (i, error)));
        }
        Ok(applied)
    }

    fn left<'a>(&self, want: &'a MysqlGrant) -> Left<'a> {
        let option = want.grant_option.map(|option| ("grant_option".into(), option.to_string().into()));
        let ensure = ("ensure".into(), want.ensure.to_string().into());
        let privileges = ("privileges".into(), words(&wanted(want)).into());
        [ensure, privileges].into_iter().chain(option).collect()
    }
}

/// Whether another resource wants a different `grant_option`: the server keeps one for each account and level.
fn contradicts(other: &MysqlGrant, want: &MysqlGrant) -> bool {
    let option = |grant: &MysqlGrant| grant.grant_option.filter(|_| grant.ensure == Presence::Present);
    (&other.user, &other.on) == (&want.user, &want.on)
        && option(other).zip(option(want)).is_some_and(|(one, another)| one != another)
}

/// The wanted privileges, each once.
fn wanted(want: &MysqlGrant) -> BTreeSet<MysqlPrivilege> {
    match want.privileges.contains(&MysqlPrivilege::ALL) {
        true => BTreeSet::from([MysqlPrivilege::ALL]),
        false => want.privileges.iter().copied().collect(),
    }
}

fn words(privileges: &BTreeSet<MysqlPrivilege>) -> String {
    joined(privileges.iter().map(|one| one.as_str()))
}

/// How the server lists a level, and how it may list it: an unescaped `_` in a grant was meant literally by whoever
/// granted it.
fn places(level: &GrantLevel) -> Vec<String> {
    match level {
        GrantLevel::Database(database) => {
            let escaped = pattern(database.as_str());
            let raw = Some(database.to_string()).filter(|raw| *raw != escaped);
            [escaped].into_iter().chain(raw).map(|name| format!("{name}.*")).collect()
        }
        other => vec![other.to_string()],
    }
}

/// The levels that contain a level, as the server lists them.
fn wider(level: &GrantLevel) -> Vec<String> {
    let database = match level {
        GrantLevel::Table(database, _) => places(&GrantLevel::Database(database.clone())),
        GrantLevel::Database(_) | GrantLevel::Global => Vec::new(),
    };
    let global = (*level != GrantLevel::Global).then(|| GrantLevel::Global.to_string());
    database.into_iter().chain(global).collect()
}

/// What is to be revoked. Privileges of a wider level are not this resource's: each run reports that the account still has them.
fn taken(want: &MysqlGrant, held: &GrantTable) -> Plan {
    let has = |place: &String| held.any(want, place) || held.on_columns(want, place).next().is_some();
    let is = if places(&want.on).iter().any(has) { Presence::Present } else { Presence::Absent };
    let still = wider(&want.on).into_iter().find(|place| held.any(want, place)).map(|place| {
        let has = words(&held.of_wanted(want, &place));
        format!("`{}` still has {has} on {}, by its privileges on {place}", want.user, want.on)
    });
    let change = Change::new(Property::Ensure, is, Presence::Absent);
    match (is, still) {
        (Presence::Absent, None) => Plan::IN_SYNC,
        (Presence::Absent, Some(still)) => Plan::of(vec![change.kind(ChangeKind::Note).note(still)]),
        (Presence::Present, None) => Plan::of(vec![change]),
        (Presence::Present, Some(still)) => Plan::of(vec![change.note(still)]),
    }
}

/// The differences if account and table exist.
fn differences(want: &MysqlGrant, held: &GrantTable) -> Vec<Change> {
    let place = &places(&want.on)[0];
    let (has, wanted) = (held.of_wanted(want, place), wanted(want));
    let mut changes = Vec::new();
    let is_made = !held.any(want, place);
    if is_made {
        changes.push(Change::new(Property::Ensure, Presence::Absent, Presence::Present));
    } else if has != wanted {
        changes.push(Change::new(Property::Privileges, words(&has), words(&wanted)));
    }
    // Privileges that are granted bring the option with them.
    let differs = |option: &bool| *option != held.has_option(want, place) && !(is_made && *option);
    let option = want.grant_option.filter(differs);
    changes.extend(option.map(|option| Change::new(Property::GrantOption, !option, option)));
    changes
}

/// The statements that correct one property.
fn correcting(want: &MysqlGrant, property: Property, writing: Writing<'_>) -> Result<String, Error> {
    let (who, privileges) = (account(&want.user), listed(&wanted(want)));
    let place = object(&want.on, &places(&want.on)[0]);
    let may_grant = want.grant_option == Some(true);
    Ok(match (property, want.ensure) {
        (Property::Ensure, Presence::Absent) => taking(want, writing)?,
        (Property::Ensure, Presence::Present) if may_grant => {
            format!("GRANT {privileges} ON {place} TO {who} WITH GRANT OPTION;\n")
        }
        (Property::Ensure, Presence::Present) | (Property::Privileges, _) => {
            format!("GRANT {privileges} ON {place} TO {who};\n")
        }
        (Property::GrantOption, _) if may_grant => {
            format!("GRANT USAGE ON {place} TO {who} WITH GRANT OPTION;\n")
        }
        (Property::GrantOption, _) => format!("REVOKE GRANT OPTION ON {place} FROM {who};\n"),
    })
}

/// The statements that revoke the privileges wherever they are held, and with all of them the grant option.
fn taking(want: &MysqlGrant, writing: Writing<'_>) -> Result<String, Error> {
    let held = MysqlGrants.observe(&[want], writing.reading())?.there()?;
    let who = account(&want.user);
    let all = want.grant_option == Some(true) || want.privileges.contains(&MysqlPrivilege::ALL);
    let mut sql = String::new();
    for place in &places(&want.on) {
        let of_columns = held.on_columns(want, place).map(|(privilege, columns)| {
            let columns: Vec<_> = columns.iter().map(|column| identifier(column)).collect();
            format!("{} ({})", privilege.as_str(), columns.join(", "))
        });
        let of_columns: Vec<_> = of_columns.collect();
        if !of_columns.is_empty() {
            sql += &format!("REVOKE {} ON {} FROM {who};\n", of_columns.join(", "), object(&want.on, place));
        }
    }
    for place in places(&want.on).iter().filter(|place| held.any(want, place)) {
        let object = object(&want.on, place);
        sql += &format!("REVOKE {} ON {object} FROM {who};\n", listed(&wanted(want)));
        if all && held.has_option(want, place) {
            sql += &format!("REVOKE GRANT OPTION ON {object} FROM {who};\n");
        }
    }
    Ok(sql)
}

fn listed(privileges: &BTreeSet<MysqlPrivilege>) -> String {
    privileges.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ")
}

/// A level as it is written in a statement, from the name under which the server lists it.
fn object(level: &GrantLevel, place: &str) -> String {
    match level {
        GrantLevel::Global => "*.*".to_owned(),
        GrantLevel::Database(_) => format!("{}.*", identifier(place.trim_end_matches(".*"))),
        GrantLevel::Table(database, table) => {
            format!("{}.{}", identifier(database.as_str()), identifier(table.as_str()))
        }
    }
}

#[cfg(test)]
mod tests;
