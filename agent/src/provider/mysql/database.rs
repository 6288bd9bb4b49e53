//! `mysql_database`, through `information_schema.SCHEMATA`.

use holdfast_catalog::resource::MysqlDatabase;
use holdfast_catalog::resource::attribute::Presence;
use holdfast_catalog::resource::mysql_database::Charset;
use serde::Deserialize;

use super::super::database::Seen;
use super::super::{Applied, Error, Left, Provider, Reading, Taken, Writing, properties};
use super::client;
use super::quoting::{identifier, literals};

/// The provider of `mysql_database`.
pub struct MysqlDatabases;

/// A database that exists.
#[derive(Debug, Deserialize)]
pub struct DatabaseRow {
    name: String,
    charset: String,
    collate: String,
}

properties! {
    Ensure => "ensure",
    Charset => "charset",
    Collate => "collate",
}

impl Provider for MysqlDatabases {
    type Want = MysqlDatabase;
    type Seen = Seen<Vec<DatabaseRow>>;
    type Property = Property;

    const TAKEN: Taken = Taken::Together;

    fn observe(&self, all: &[&MysqlDatabase], reading: Reading<'_>) -> Result<Seen<Vec<DatabaseRow>>, Error> {
        client::ask(reading, &question(all))
    }

    fn plan(
        &self,
        want: &MysqlDatabase,
        seen: &Seen<Vec<DatabaseRow>>,
        _: Reading<'_>,
    ) -> Result<Plan, Error> {
        seen.plan(|databases| {
            let changes = match (want.ensure, databases.iter().find(|one| one.name == want.title.as_str())) {
                (Presence::Absent, None) => Vec::new(),
                (Presence::Absent, Some(_)) => {
                    vec![Change::new(Property::Ensure, Presence::Present, Presence::Absent)]
                }
                (Presence::Present, None) => {
                    vec![Change::new(Property::Ensure, Presence::Absent, Presence::Present)]
                }
                (Presence::Present, Some(database)) => Vec::from_iter(difference(want, database)),
            };
            Ok(Plan::of(changes))
        })
    }

    fn apply(
        &self,
        want: &MysqlDatabase,
        changes: &[Change],
        writing: Writing<'_>,
    ) -> Result<Applied, Error> {
        let mut applied = Applied::default();
        for (i, change) in changes.iter().enumerate() {
            let done = client::tell(writing, &correcting(want, change.property), None);
            applied.failed.extend(done.err().map(|error| (i, error)));
        }
        Ok(applied)
    }

    fn left<'a>(&self, want: &'a MysqlDatabase) -> Left<'a> {
        let collate = want.collate.as_ref().map(|collate| ("collate".into(), collate.as_str().into()));
        let ensure = ("ensure".into(), want.ensure.to_string().into());
        [ensure, ("charset".into(), want.charset.as_str().into())].into_iter().chain(collate).collect()
    }
}

fn question(all: &[&MysqlDatabase]) -> String {
    format!(
        "SELECT JSON_OBJECT('name', SCHEMA_NAME, 'charset', DEFAULT_CHARACTER_SET_NAME, 'collate', DEFAULT_COLLATION_NAME)
FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN ({});
",
        literals(all.iter().map(|want| want.title.as_str()))
    )
}

/// How an existing database differs. Another character set changes the collation, too.
fn difference(want: &MysqlDatabase, database: &DatabaseRow) -> Option<Change> {
    if database.charset != want.charset.as_str() {
        return Some(Change::new(Property::Charset, &database.charset, &want.charset));
    }
    let collate = want.collate.as_ref().filter(|collate| collate.as_str() != database.collate)?;
    Some(Change::new(Property::Collate, &database.collate, collate))
}

/// The statement that corrects one property.
fn correcting(want: &MysqlDatabase, property: Property) -> String {
    let name = identifier(want.title.as_str());
    let collate = want.collate.as_ref().map(Charset::as_str).map(|collate| format!(" COLLATE {collate}"));
    let charset = format!("CHARACTER SET {}{}", want.charset, collate.unwrap_or_default());
    match (property, want.ensure) {
        (Property::Ensure, Presence::Absent) => format!("DROP DATABASE {name};\n"),
        (Property::Ensure, Presence::Present) => format!("CREATE DATABASE {name} {charset};\n"),
        (Property::Charset | Property::Collate, _) => format!("ALTER DATABASE {name} {charset};\n"),
    }
}

#[cfg(test)]
mod tests;
