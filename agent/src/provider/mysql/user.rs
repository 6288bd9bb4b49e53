//! `mysql_user`, through `mysql.global_priv`.

use std::borrow::Cow;

use holdfast_catalog::resource::MysqlUser;
use holdfast_catalog::resource::attribute::{Presence, Secret};
use holdfast_catalog::resource::mysql_user::{AuthPlugin, as_hash};

use super::super::database::Seen;
use super::super::{Applied, DisplayValue, Error, Left, Provider, Reading, Taken, Writing, properties};
use super::client;
use super::quoting::{account, literal};

mod entry;
mod hash;

use entry::MysqlUserRow;

/// The provider of `mysql_user`.
pub struct MysqlUsers;

properties! {
    Ensure => "ensure",
    Plugin => "plugin",
    Password => "password",
    MaxConnections => "max_connections",
    RequireTls => "require_tls",
}

impl Provider for MysqlUsers {
    type Want = MysqlUser;
    type Seen = Seen<Vec<MysqlUserRow>>;
    type Property = Property;

    const TAKEN: Taken = Taken::Together;

    fn observe(&self, all: &[&MysqlUser], reading: Reading<'_>) -> Result<Seen<Vec<MysqlUserRow>>, Error> {
        client::ask(reading, &entry::question(all.iter().map(|want| &want.title)))
    }

    fn plan(&self, want: &MysqlUser, seen: &Seen<Vec<MysqlUserRow>>, _: Reading<'_>) -> Result<Plan, Error> {
        seen.plan(|entries| {
            let changes = match (want.ensure, entries.iter().find(|entry| entry.is_of(&want.title))) {
                (Presence::Absent, None) => Vec::new(),
                (Presence::Absent, Some(_)) => {
                    vec![Change::new(Property::Ensure, Presence::Present, Presence::Absent)]
                }
                (Presence::Present, None) => vec![Change::new(Property::Ensure, Presence::Absent, Presence::Present)],
                (Presence::Present, Some(entry)) => {
                    let changes = differences(want, entry);
                    if keeps_password(want, &changes) {
                        hash_in(entry, want)?;
                    }
                    changes
                }
            };
            let own = entries.iter().any(|entry| entry.is_of(&want.title) && entry.is_me());
            match changes.iter().find(|change| own && locks_out(want, change.property)) {
                Some(change) => Err(Error::Refused(format!(
                    "the agent connects as `{}`, and could not connect any more: its `{}` is not changed; change it by \
                     hand, together with root's option file",
                    want.title, change.property
                ))),
                None => Ok(Plan::of(changes)),
            }
        })
    }

    fn apply(&self, want: &MysqlUser, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let hash = match &want.password {
            Some(password) => Some(hash_of(password)),
            None if keeps_password(want, changes) => Some(present_hash(want, writing)?),
            None => None,
        };
        let hash = hash.as_deref();
        let mut applied = Applied::default();
        for (i, change) in changes.iter().enumerate() {
            let sql = correcting(want, change.property, hash);
            let done = client::tell(writing, &sql, hash);
            applied.failed.extend(done.err().map(|error| (i, error)));
        }
        Ok(applied)
    }

    fn left<'a>(&self, want: &'a MysqlUser) -> Left<'a> {
        let mut left: Left<'a> = vec![("ensure".into(), want.ensure.to_string().into())];
        let mut add = |name: &'static str, value: Option<Cow<'a, str>>| {
            left.extend(value.map(|value| (name.into(), value)));
        };
        add("password", want.password.as_ref().map(|password| password.expose().to_string().into()));
        add("plugin", want.plugin.as_ref().map(|plugin| plugin.as_str().into()));
        add("max_connections", want.max_connections.map(|most| most.to_string().into()));
        add("require_tls", want.require_tls.map(|tls| tls.to_string().into()));
        left
    }
}

/// Whether the agent could no longer connect if this property of its own account were changed.
fn locks_out(want: &MysqlUser, property: Property) -> bool {
    match property {
        Property::Ensure | Property::Password => true,
        Property::Plugin => want.plugin.as_ref().is_some_and(|plugin| plugin.as_str() != "unix_socket"),
        Property::RequireTls => want.require_tls == Some(true),
        Property::MaxConnections => false,
    }
}

/// Whether the account switches to the password plugin and should keep the password that it has.
fn keeps_password(want: &MysqlUser, changes: &[Change]) -> bool {
    want.password.is_none()
        && want.plugin.as_ref().is_some_and(|plugin| plugin.as_str() == AuthPlugin::PASSWORD)
        && changes.iter().any(|change| change.property == Property::Plugin)
}

/// The hash that an account has. None is made up: nobody could log in with it.
fn hash_in<'a>(entry: &'a MysqlUserRow, want: &MysqlUser) -> Result<&'a str, Error> {
    let why = || format!("`{}` has no password to log in with; set `password`", want.title);
    entry.hash().ok_or_else(|| Error::missing(why()))
}

/// The hash that an account has now.
fn present_hash(want: &MysqlUser, writing: Writing<'_>) -> Result<String, Error> {
    let entries = MysqlUsers.observe(&[want], writing.reading())?.there()?;
    match entries.iter().find(|entry| entry.is_of(&want.title)) {
        Some(entry) => hash_in(entry, want).map(str::to_owned),
        None => Err(Error::missing(format!("`{}` does not exist any more", want.title))),
    }
}

/// How an existing account differs.
fn differences(want: &MysqlUser, entry: &MysqlUserRow) -> Vec<Change> {
    let mut changes = Vec::new();
    let plugin = want.plugin.as_ref().filter(|plugin| entry.plugins() != plugin.as_str());
    changes.extend(plugin.map(|plugin| Change::new(Property::Plugin, entry.plugins(), plugin)));
    // Another plugin is set together with the password.
    let password = want.password.as_ref().filter(|_| plugin.is_none());
    if password.is_some_and(|password| !entry.is_known_by_hash(&hash_of(password))) {
        changes.push(Change::new(Property::Password, DisplayValue::Masked, DisplayValue::Masked));
    }
    if let Some(most) = want.max_connections.filter(|most| i64::from(*most) != entry.max_connections()) {
        changes.push(Change::new(Property::MaxConnections, entry.max_connections(), most));
    }
    if let Some(tls) = want.require_tls.filter(|tls| *tls != entry.requires_tls()) {
        changes.push(Change::new(Property::RequireTls, !tls, tls));
    }
    changes
}

/// The hash that the server should keep: the given one, or that of the password.
fn hash_of(password: &Secret) -> String {
    let password = password.expose();
    as_hash(&password).unwrap_or_else(|| hash::of(&password))
}

/// The statement that corrects one property.
fn correcting(want: &MysqlUser, property: Property, hash: Option<&str>) -> String {
    let who = account(&want.title);
    let most = want.max_connections.map(|most| format!(" WITH MAX_USER_CONNECTIONS {most}"));
    let tls = want.require_tls.map(|tls| if tls { " REQUIRE SSL" } else { " REQUIRE NONE" });
    let (most, tls) = (most.unwrap_or_default(), tls.unwrap_or_default());
    match (property, want.ensure) {
        (Property::Ensure, Presence::Absent) => format!("DROP USER {who};\n"),
        (Property::Ensure, Presence::Present) => {
            format!("CREATE USER {who} IDENTIFIED VIA {}{tls}{most};\n", identification(want, hash))
        }
        (Property::Password | Property::Plugin, _) => {
            format!("ALTER USER {who} IDENTIFIED VIA {};\n", identification(want, hash))
        }
        (Property::MaxConnections, _) => format!("ALTER USER {who}{most};\n"),
        (Property::RequireTls, _) => format!("ALTER USER {who}{tls};\n"),
    }
}

/// How the account is authenticated. Without a password, the password plugin gets a text that is not the hash of any
/// password, since an empty one would allow an empty password.
fn identification(want: &MysqlUser, hash: Option<&str>) -> String {
    match want.plugin.as_ref().map_or(AuthPlugin::PASSWORD, AuthPlugin::as_str) {
        AuthPlugin::PASSWORD => {
            format!("{} USING {}", AuthPlugin::PASSWORD, literal(hash.unwrap_or("invalid")))
        }
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests;
