//! `postgresql_database`: a database of a PostgreSQL server.

use std::fmt;

use super::attribute::cluster::Cluster;
use super::attribute::database::{ConnectionLimit, Port, SqlName, is_name};
use super::attribute::{AccountName, Presence, ToToml, quoted};
use super::claim::Claim;
use super::define::resource_type;
use super::{Attribute, AttributeError, AttributeKind, Implied, Mismatch, Rules};
use crate::value::Value;

/// A word that the server knows: an encoding or a locale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerWord(String);

impl ServerWord {
    /// The word as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The word in the form in which it is compared: `de_CH.UTF-8` and `de_CH.utf8` are equal.
    pub fn plain(text: &str) -> String {
        text.chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect()
    }
}

impl fmt::Display for ServerWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ToToml for ServerWord {
    fn written(&self) -> String {
        quoted(self)
    }
}

impl Attribute for ServerWord {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        if is_name(text, b"_-.@", 63) {
            return Ok(Self(text.to_owned()));
        }
        let why = format!("is `{}`, which is neither an encoding nor a locale", text.escape_debug());
        Err(Mismatch::because(why).help("write it as the server does, such as `UTF8` or `de_CH.UTF-8`"))
    }
}

resource_type! {
    /// A database of a PostgreSQL server. The title is its name.
    ///
    /// Encoding and locale of a database cannot be changed: where they differ from what is wanted, that is said and
    /// nothing is done. An absent database is dropped with all that it holds.
    PostgresqlDatabase("postgresql_database"), titled SqlName {
        /// Whether it exists.
        property ensure: Presence = Presence::Present,
        /// The role that owns it.
        property owner: Option<SqlName> => "left alone; of a new one `system_user`",
        /// Its encoding, by PostgreSQL's own name; when it is made.
        parameter encoding: ServerWord = ServerWord("UTF8".to_owned()),
        /// Its locale, such as `de_CH.UTF-8`, which the machine must have; when it is made.
        parameter locale: Option<ServerWord> => "the template's",
        /// The database that it is a copy of, when it is made.
        parameter template: SqlName = SqlName::known("template0"),
        /// Extensions that it has, at least: none is ever dropped, since data may depend on it. What they need comes
        /// with them. They are made with the database; in one that is there, and where others than superusers may create in
        /// `public`, only those that PostgreSQL trusts an owner with are made, as the owner: anything else could call what was
        /// planted there.
        property extensions: Option<Vec<SqlName>>,
        /// How many connections it takes at a time; -1 means no limit.
        property connection_limit: ConnectionLimit = ConnectionLimit::NONE,
        /// Whether it is dropped even while someone is connected, whose connection is ended then.
        parameter force: bool = false,
        /// The server's port, by which its socket is named.
        parameter port: Port = Port::POSTGRESQL,
        /// The account of the machine that is the server's superuser.
        parameter system_user: Option<AccountName> => "`\"postgres\"`",
    }
}

impl PostgresqlDatabase {
    /// Databases that the server itself needs.
    const NEEDED: [&'static str; 3] = ["postgres", "template0", "template1"];

    /// The server that it is in.
    pub fn cluster(&self) -> Cluster<'_> {
        Cluster::new(self.port, self.system_user.as_ref())
    }
}

impl Rules for PostgresqlDatabase {
    const SETS: &'static [&'static str] = &["extensions"];

    fn validate(&self) -> Vec<AttributeError> {
        if self.ensure == Presence::Absent && Self::NEEDED.contains(&self.title.as_str()) {
            let error = AttributeError::new("ensure", format!("`{}` is needed by the server", self.title));
            return vec![error.help("leave it there")];
        }
        Vec::new()
    }

    fn implied(&self) -> Vec<Implied> {
        let mut implied = self.cluster().implied();
        implied.extend(self.owner.iter().map(|role| Implied::on("postgresql_role", role.as_str())));
        if self.ensure == Presence::Present {
            implied.push(Implied::on("postgresql_database", self.template.as_str()));
        }
        implied
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::whole("PostgreSQL database", format!("{} at port {}", self.title, self.port))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType};

    fn database(name: &str, attributes: &[(&str, Value)]) -> Result<PostgresqlDatabase, Vec<AttributeError>> {
        let attributes: Attributes = attributes.iter().map(|(k, v)| ((*k).into(), v.clone())).collect();
        PostgresqlDatabase::read(name, &attributes)
    }

    #[test]
    fn what_the_server_needs_is_not_dropped() {
        for needed in PostgresqlDatabase::NEEDED {
            assert!(database(needed, &[("ensure", "absent".into())]).is_err(), "{needed}");
            assert!(database(needed, &[]).is_ok(), "{needed}");
        }
    }

    #[test]
    fn the_owner_is_made_before_and_removed_after() {
        let owner = || ("owner", Value::from("shop"));
        let made = database("shop", &[owner()]).unwrap().implied();
        assert!(made.contains(&Implied::on("postgresql_role", "shop")));
        let dropped = database("shop", &[owner(), ("ensure", "absent".into())]).unwrap().implied();
        assert!(dropped.contains(&Implied::on("postgresql_role", "shop")));
        assert!(!dropped.contains(&Implied::on("postgresql_database", "template1")));
    }

    #[test]
    fn encodings_and_locales_are_words() {
        for bad in ["UTF8'; DROP", "", "a b"] {
            assert!(database("shop", &[("encoding", bad.into())]).is_err(), "{bad}");
            assert!(database("shop", &[("locale", bad.into())]).is_err(), "{bad}");
        }
        assert_eq!(ServerWord::plain("de_CH.UTF-8"), ServerWord::plain("de_CH.utf8"));
    }
}
