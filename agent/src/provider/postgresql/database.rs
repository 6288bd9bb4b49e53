//! `postgresql_database`, through `pg_database`, and through `pg_extension` of each database whose extensions are
//! managed.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_catalog::resource::PostgresqlDatabase;
use holdfast_catalog::resource::attribute::Presence;
use holdfast_catalog::resource::attribute::database::{ConnectionLimit, SqlName};
use holdfast_catalog::resource::postgresql_database::ServerWord;
use serde::Deserialize;

use super::super::database::joined;
use super::super::{Applied, ChangeKind, Error, Left, Provider, Reading, Taken, Writing, properties};
use super::MAINTENANCE;
use super::observed::Observed;
use super::place::DatabaseAddress;
use super::quoting::{identifier, literal, literals};

mod extension;

/// The provider of `postgresql_database`.
pub struct PostgresqlDatabases;

/// What the servers have.
pub struct Seen {
    servers: Observed<ServerDatabases>,
    /// The extensions of the databases whose extensions are managed.
    extensions: Observed<BTreeSet<String>>,
}

/// What a server has of the databases in question.
#[derive(Deserialize)]
pub struct ServerDatabases {
    databases: BTreeMap<String, DatabaseState>,
    /// Those of the wanted owners that exist.
    roles: BTreeSet<String>,
    /// Extensions that could be created.
    available: BTreeSet<String>,
}

#[derive(Deserialize)]
struct DatabaseState {
    owner: String,
    encoding: String,
    locale: String,
    /// `LC_CTYPE`, which `createdb` can set separately.
    #[serde(default)]
    ctype: Option<String>,
    /// The locale, if its provider is not the C library, and that provider's letter.
    #[serde(default)]
    provider: Option<String>,
    #[serde(default)]
    provider_locale: Option<String>,
    connection_limit: i32,
}

impl DatabaseState {
    /// The locale in words; a single one if all parts are the same.
    fn locale(&self) -> String {
        let provider = match self.provider.as_deref() {
            Some("i") => Some("ICU"),
            Some("b") => Some("PostgreSQL itself"),
            _ => None,
        };
        if let Some(provider) = provider {
            return format!("{} by {provider}", self.provider_locale.as_deref().unwrap_or_default());
        }
        match self
            .ctype
            .as_deref()
            .filter(|ctype| ServerWord::plain(ctype) != ServerWord::plain(&self.locale))
        {
            Some(ctype) => format!("{}, with LC_CTYPE {ctype}", self.locale),
            None => self.locale.clone(),
        }
    }
}

properties! {
    Ensure => "ensure",
    Owner => "owner",
    ConnectionLimit => "connection_limit",
    Extensions => "extensions",
    Encoding => "encoding",
    Locale => "locale",
}

impl Provider for PostgresqlDatabases {
    type Want = PostgresqlDatabase;
    type Seen = Seen;
    type Property = Property;

    const TAKEN: Taken = Taken::Together;

    fn observe(&self, all: &[&PostgresqlDatabase], reading: Reading<'_>) -> Result<Seen, Error> {
        let servers: Observed<ServerDatabases> = Observed::of(all.iter().map(|want| server(want)), |at| {
            let here: Vec<_> = all.iter().copied().filter(|want| server(want) == *at).collect();
            at.ask(reading, &question(&here))
        });
        let is_there = |want: &&&PostgresqlDatabase| {
            servers.get(&server(want)).is_some_and(|found| found.databases.contains_key(want.title.as_str()))
        };
        let inside = all.iter().filter(|want| extensions(want).next().is_some()).filter(is_there);
        let inside = inside.map(|want| itself(want));
        let wanted = literals(all.iter().flat_map(|want| extensions(want)));
        let extensions = Observed::of(inside, |at| at.ask(reading, &extensions_question(&wanted)));
        Ok(Seen { servers, extensions })
    }

    fn plan(&self, want: &PostgresqlDatabase, seen: &Seen, _: Reading<'_>) -> Result<Plan, Error> {
        seen.servers.plan(&server(want), |found| {
            match (want.ensure, found.databases.get(want.title.as_str())) {
                (Presence::Absent, None) => Ok(Plan::IN_SYNC),
                (Presence::Absent, Some(_)) => {
                    Ok(Plan::of(vec![Change::new(Property::Ensure, Presence::Present, Presence::Absent)]))
                }
                (Presence::Present, database) => match (missing(want, found, database.is_some()), database) {
                    (Some(why), _) => Ok(Plan::pending(why)),
                    (None, None) => {
                        Ok(Plan::of(vec![Change::new(Property::Ensure, Presence::Absent, Presence::Present)]))
                    }
                    (None, Some(database)) if extensions(want).next().is_none() => {
                        Ok(Plan::of(differences(want, database, None)))
                    }
                    (None, Some(database)) => seen.extensions.plan(&itself(want), |extensions| {
                        Ok(Plan::of(differences(want, database, Some(extensions))))
                    }),
                },
            }
        })
    }

    fn apply(
        &self,
        want: &PostgresqlDatabase,
        changes: &[Change],
        writing: Writing<'_>,
    ) -> Result<Applied, Error> {
        let mut applied = Applied::default();
        for (i, change) in changes.iter().enumerate() {
            applied.failed.extend(correct(want, change.property, writing).err().map(|error| (i, error)));
        }
        Ok(applied)
    }

    fn left<'a>(&self, want: &'a PostgresqlDatabase) -> Left<'a> {
        let owner = want.owner.as_ref().map(|owner| ("owner".into(), owner.as_str().into()));
        let extensions =
            want.extensions.as_ref().map(|list| ("extensions".into(), joined(names(list)).into()));
        let limit = ("connection_limit".into(), want.connection_limit.to_string().into());
        let ensure = ("ensure".into(), want.ensure.to_string().into());
        [ensure, limit].into_iter().chain(owner).chain(extensions).collect()
    }
}

fn server(want: &PostgresqlDatabase) -> DatabaseAddress {
    DatabaseAddress::new(want.cluster(), MAINTENANCE)
}

fn itself(want: &PostgresqlDatabase) -> DatabaseAddress {
    DatabaseAddress::new(want.cluster(), want.title.as_str())
}

fn extensions(want: &PostgresqlDatabase) -> impl Iterator<Item = &str> {
    let present = (want.ensure == Presence::Present).then_some(&want.extensions).into_iter().flatten();
    present.flatten().map(SqlName::as_str)
}

/// The query for these databases, their templates, the wanted owners, and the extensions that could be created.
fn question(all: &[&PostgresqlDatabase]) -> String {
    let titles = all.iter().flat_map(|want| [want.title.as_str(), want.template.as_str()]);
    let owners = all.iter().filter_map(|want| want.owner.as_ref()).map(SqlName::as_str);
    let wanted = all.iter().flat_map(|want| extensions(want));
    format!(
        "SELECT json_build_object('databases', (SELECT coalesce(json_object_agg(d.datname, json_build_object(
    'owner', pg_get_userbyid(d.datdba), 'encoding', pg_encoding_to_char(d.encoding),
    'locale', d.datcollate, 'ctype', d.datctype, 'provider', to_jsonb(d)->>'datlocprovider',
    'provider_locale', coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale'),
    'connection_limit', d.datconnlimit)), '{{}}')
  FROM pg_database d WHERE d.datname IN ({})),
 'roles', (SELECT coalesce(json_agg(r.rolname), '[]') FROM pg_roles r WHERE r.rolname IN ({})),
 'available', (SELECT coalesce(json_agg(e.name), '[]') FROM pg_available_extensions e WHERE e.name IN ({})));
",
        literals(titles),
        literals(owners),
        literals(wanted)
    )
}

fn extensions_question(wanted: &str) -> String {
    format!("SELECT coalesce(json_agg(e.extname), '[]') FROM pg_extension e WHERE e.extname IN ({wanted});\n")
}

/// What the database needs and does not exist, in words.
fn missing(want: &PostgresqlDatabase, found: &ServerDatabases, is_there: bool) -> Option<String> {
    let owner = want.owner.as_ref().filter(|owner| !found.roles.contains(owner.as_str()));
    let template =
        Some(&want.template).filter(|name| !is_there && !found.databases.contains_key(name.as_str()));
    let extension = extensions(want).find(|name| !found.available.contains(*name));
    let owner = owner.map(|owner| format!("there is no role `{owner}`"));
    let template = template.map(|name| format!("there is no database `{name}` to copy"));
    owner
        .or(template)
        .or(extension
            .map(|name| format!("the server does not have the extension `{name}`; install its package")))
}

/// How an existing database differs; its extensions only if they were asked for.
fn differences(
    want: &PostgresqlDatabase,
    database: &DatabaseState,
    has: Option<&BTreeSet<String>>,
) -> Vec<Change> {
    let mut changes = Vec::new();
    if let Some(owner) = want.owner.as_ref().filter(|owner| owner.as_str() != database.owner) {
        changes.push(Change::new(Property::Owner, &database.owner, owner));
    }
    if want.connection_limit.0 != database.connection_limit {
        changes.push(Change::new(
            Property::ConnectionLimit,
            database.connection_limit,
            want.connection_limit,
        ));
    }
    if let (Some(wanted), Some(has)) = (&want.extensions, has) {
        let (is, should) = (names(wanted).into_iter().filter(|name| has.contains(*name)), names(wanted));
        let (is, should) = (joined(is), joined(should));
        changes.extend((is != should).then(|| Change::new(Property::Extensions, is, should)));
    }
    changes.extend(fixed(Property::Encoding, &database.encoding, Some(&want.encoding)));
    changes.extend(fixed(Property::Locale, &database.locale(), want.locale.as_ref()));
    changes
}

/// A note about what cannot be changed.
fn fixed(property: Property, is: &str, should: Option<&ServerWord>) -> Option<Change> {
    let should = should.filter(|should| ServerWord::plain(should.as_str()) != ServerWord::plain(is))?;
    let note =
        format!("the {property} of a database cannot be changed: dump the database and create it again");
    Some(Change::new(property, is, should).kind(ChangeKind::Note).note(note))
}

/// The names in order, each once.
fn names(list: &[SqlName]) -> BTreeSet<&str> {
    list.iter().map(SqlName::as_str).collect()
}

/// Corrects one property.
fn correct(want: &PostgresqlDatabase, property: Property, writing: Writing<'_>) -> Result<(), Error> {
    let name = identifier(want.title.as_str());
    let tell = |sql: String| server(want).tell(writing, &sql, None);
    match (property, want.ensure) {
        (Property::Ensure, Presence::Absent) => {
            tell(format!("DROP DATABASE {name}{};\n", if want.force { " WITH (FORCE)" } else { "" }))
        }
        (Property::Ensure, Presence::Present) if extensions(want).next().is_some() => {
            make_with_extensions(want, writing)
        }
        (Property::Ensure, Presence::Present) => tell(making(want, want.connection_limit)),
        (Property::Owner, _) => tell(want.owner.iter().map(|owner| owning(&name, owner)).collect()),
        (Property::ConnectionLimit, _) => tell(limiting(want)),
        (Property::Extensions, _) => extension::add(want, writing),
        // Only reported, since it cannot be changed.
        (Property::Encoding | Property::Locale, _) => Ok(()),
    }
}

fn owning(name: &str, owner: &SqlName) -> String {
    format!("ALTER DATABASE {name} OWNER TO {};\n", identifier(owner.as_str()))
}

fn limiting(want: &PostgresqlDatabase) -> String {
    let name = identifier(want.title.as_str());
    format!("ALTER DATABASE {name} WITH CONNECTION LIMIT {};\n", want.connection_limit)
}

/// Creates the database, and its extensions while nobody can connect to it.
fn make_with_extensions(want: &PostgresqlDatabase, writing: Writing<'_>) -> Result<(), Error> {
    server(want).tell(writing, &making(want, ConnectionLimit::NOBODY), None)?;
    let added = extension::add_first(want, writing);
    server(want).tell(writing, &limiting(want), None)?;
    added
}

fn making(want: &PostgresqlDatabase, limit: ConnectionLimit) -> String {
    let owner = want.owner.as_ref().map(|owner| format!(" OWNER {}", identifier(owner.as_str())));
    let locale = want.locale.as_ref().map(|locale| {
        let locale = literal(locale.as_str());
        format!(" LC_COLLATE {locale} LC_CTYPE {locale}")
    });
    format!(
        "CREATE DATABASE {} WITH{} TEMPLATE {} ENCODING {}{} CONNECTION LIMIT {};\n",
        identifier(want.title.as_str()),
        owner.unwrap_or_default(),
        identifier(want.template.as_str()),
        literal(want.encoding.as_str()),
        locale.unwrap_or_default(),
        limit
    )
}

#[cfg(test)]
mod tests;
