//! `mysql_grant`: privileges of an account on everything, a database or a table of a MariaDB server.

use std::fmt;

use super::attribute::Presence;
use super::claim::{Claim, Hold};
use super::define::resource_type;
use super::mysql_database::{MysqlDatabase, MysqlName};
use super::mysql_user::{self, MysqlAccount};
use super::{Attribute, AttributeError, AttributeKind, Implied, Mismatch, Rules};
use crate::value::Value;

/// What privileges apply to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum GrantLevel {
    Global,
    Database(MysqlName),
    Table(MysqlName, MysqlName),
}

impl GrantLevel {
    /// The database of the level, if it has one.
    pub fn database(&self) -> Option<&MysqlName> {
        match self {
            Self::Global => None,
            Self::Database(database) | Self::Table(database, _) => Some(database),
        }
    }
}

impl fmt::Display for GrantLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global => f.write_str("*.*"),
            Self::Database(database) => write!(f, "{database}.*"),
            Self::Table(database, table) => write!(f, "{database}.{table}"),
        }
    }
}

impl Attribute for GrantLevel {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let parse = || match text.split_once('.')? {
            ("*", "*") => Some(Self::Global),
            (database, "*") => Some(Self::Database(MysqlName::parse(database)?)),
            (database, table) => Some(Self::Table(MysqlName::parse(database)?, MysqlName::parse(table)?)),
        };
        parse().ok_or_else(|| {
            let why = format!("is `{}`, which cannot have privileges", text.escape_debug());
            Mismatch::because(why)
                .help("write `*.*`, `database.*` or `database.table`; no patterns, no quotes")
        })
    }
}

/// A privilege, by the name under which the server lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MysqlPrivilege(&'static str);

/// Privileges that apply to everything, a database or a table.
const ON_TABLES: [&str; 13] = [
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "CREATE",
    "DROP",
    "REFERENCES",
    "INDEX",
    "ALTER",
    "CREATE VIEW",
    "SHOW VIEW",
    "TRIGGER",
    "DELETE HISTORY",
];

/// Privileges that apply to everything or a database.
const ON_DATABASES: [&str; 6] =
    ["CREATE TEMPORARY TABLES", "LOCK TABLES", "CREATE ROUTINE", "ALTER ROUTINE", "EXECUTE", "EVENT"];

/// Privileges that apply only to everything.
const ON_ALL: [&str; 19] = [
    "FILE",
    "PROCESS",
    "RELOAD",
    "SHOW DATABASES",
    "SHUTDOWN",
    "SUPER",
    "CREATE USER",
    "CREATE TABLESPACE",
    "REPLICATION SLAVE",
    "REPLICATION SLAVE ADMIN",
    "REPLICATION MASTER ADMIN",
    "SLAVE MONITOR",
    "BINLOG ADMIN",
    "BINLOG MONITOR",
    "BINLOG REPLAY",
    "SET USER",
    "FEDERATED ADMIN",
    "CONNECTION ADMIN",
    "READ_ONLY ADMIN",
];

/// Other names of some privileges, with the listed name.
const ALIASES: [(&str, &str); 5] = [
    ("ALL PRIVILEGES", "ALL"),
    ("REPLICATION CLIENT", "BINLOG MONITOR"),
    ("REPLICATION REPLICA", "REPLICATION SLAVE"),
    ("REPLICATION REPLICA ADMIN", "REPLICATION SLAVE ADMIN"),
    ("REPLICA MONITOR", "SLAVE MONITOR"),
];

impl MysqlPrivilege {
    /// All privileges that exist at a level.
    pub const ALL: Self = Self("ALL");

    /// The name of the privilege.
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// The privileges that exist at a level.
    pub fn at(level: &GrantLevel) -> impl Iterator<Item = Self> {
        let (databases, all): (&[&str], &[&str]) = match level {
            GrantLevel::Global => (&ON_DATABASES, &ON_ALL),
            GrantLevel::Database(_) => (&ON_DATABASES, &[]),
            GrantLevel::Table(..) => (&[], &[]),
        };
        ON_TABLES.iter().chain(databases).chain(all).map(|word| Self(word))
    }

    /// A privilege, by a name that the server lists.
    pub fn named(word: &str) -> Option<Self> {
        Self::at(&GrantLevel::Global).find(|one| one.0 == word)
    }
}

impl fmt::Display for MysqlPrivilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Attribute for MysqlPrivilege {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let word = ALIASES.iter().find(|(alias, _)| *alias == text).map_or(text, |(_, word)| word);
        if word == Self::ALL.0 {
            return Ok(Self::ALL);
        }
        Self::named(word).ok_or_else(|| {
            let why = Mismatch::because(format!("is `{}`, which is not a privilege", text.escape_debug()));
            match text.to_ascii_uppercase().as_str() {
                "USAGE" => why.help("USAGE means no privileges: leave it out"),
                "GRANT OPTION" => why.help("use grant_option = true"),
                upper => {
                    let all = Self::at(&GrantLevel::Global).map(Self::as_str).chain(["ALL"]);
                    match crate::spelling::did_you_mean(upper, all) {
                        Some(help) => why.help(help),
                        None => why.help("write it as SHOW PRIVILEGES does, in capitals, or ALL"),
                    }
                }
            }
        })
    }
}

resource_type! {
    /// Privileges of an account on everything, a database or a table. The title is any name.
    ///
    /// They are the least that the account has: what others granted it stays. `ensure = "absent"` takes exactly these
    /// privileges away. Where the account still has them by a wider level (`*.*`, or the database of a table), each report says
    /// so. A `_` in a database's name is itself and no wildcard.
    MysqlGrant("mysql_grant"), titled String {
        /// Whether the account has the privileges at this level.
        property ensure: Presence = Presence::Present,
        /// The account, as `user@host`.
        parameter user: MysqlAccount,
        /// What they are on: `*.*`, `database.*` or `database.table`.
        parameter on: GrantLevel,
        /// The privileges; `"ALL"` is all that there are at that level.
        property privileges: Vec<MysqlPrivilege> => "required",
        /// Whether the account may grant what it has there to others: all of it, whichever resource gave it; left alone
        /// without it.
        property grant_option: Option<bool>,
    }
}

impl MysqlGrant {
    fn wrong_privileges(&self) -> Option<AttributeError> {
        if self.privileges.is_empty() {
            let error = AttributeError::new("privileges", "attribute `privileges` is missing or empty");
            return Some(error.help("give ALL, or privileges such as SELECT"));
        }
        let fits = |one: &MysqlPrivilege| {
            *one == MysqlPrivilege::ALL || MysqlPrivilege::at(&self.on).any(|p| p == *one)
        };
        let wrong = self.privileges.iter().find(|one| !fits(one))?;
        let error = AttributeError::new("privileges", format!("there is no {wrong} on `{}`", self.on));
        let known: Vec<_> = MysqlPrivilege::at(&self.on).map(MysqlPrivilege::as_str).collect();
        Some(error.help(format!("there are {}", known.join(", "))))
    }
}

impl Rules for MysqlGrant {
    const SETS: &'static [&'static str] = &["privileges"];

    fn validate(&self) -> Vec<AttributeError> {
        let mut errors = Vec::from_iter(self.wrong_privileges());
        if let Some(own) = self.on.database().filter(|name| name.as_str() == MysqlDatabase::NEEDED[0]) {
            let error = AttributeError::new("on", format!("there are no privileges on `{own}`"));
            errors.push(error.help("everyone can see their own part of it"));
        }
        errors
    }

    fn implied(&self) -> Vec<Implied> {
        let user = self.user.to_string();
        let mut implied = mysql_user::server();
        implied.push(Implied::on("mysql_user", user));
        implied.extend(self.on.database().map(|name| Implied::on("mysql_database", name.as_str())));
        implied
    }

    fn claims(&self) -> Vec<Claim> {
        let said = |what: &str, said: &str| {
            let name = format!("{what} on {} for {}", self.on, self.user);
            Claim::object("MariaDB privilege", name, Hold::Said(said.to_owned()))
        };
        let wanted = |one: &MysqlPrivilege| {
            self.privileges.contains(&MysqlPrivilege::ALL) || self.privileges.contains(one)
        };
        let each = MysqlPrivilege::at(&self.on).filter(wanted);
        let granting = self.grant_option.filter(|_| self.ensure == Presence::Present);
        let granting = granting.map(|granting| said("GRANT OPTION", &granting.to_string()));
        each.map(|one| said(one.as_str(), &self.ensure.to_string())).chain(granting).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType};

    fn grant(on: &str, privileges: &[&str]) -> Result<MysqlGrant, Vec<AttributeError>> {
        let privileges = Value::from(privileges.iter().map(|word| Value::from(*word)).collect::<Vec<_>>());
        let all: Attributes =
            [("user".into(), "app@%".into()), ("on".into(), on.into()), ("privileges".into(), privileges)]
                .into();
        MysqlGrant::read("app", &all)
    }

    #[test]
    fn levels_are_parsed_and_patterns_refused() {
        for good in ["*.*", "shop.*", "shop.orders", "shop_2.*"] {
            assert_eq!(grant(good, &["SELECT"]).unwrap().on.to_string(), good);
        }
        for bad in ["shop", "*", "*.orders", "sh%p.*", "`shop`.*", "shop.a.b", "shop.", ".x", "shop\\_a.*"] {
            assert!(grant(bad, &["SELECT"]).unwrap_err()[0].help.is_some(), "{bad}");
        }
    }

    #[test]
    fn privileges_fit_their_level() {
        assert!(grant("*.*", &["PROCESS", "REPLICATION CLIENT"]).is_ok());
        assert!(grant("shop.*", &["CREATE TEMPORARY TABLES", "EVENT"]).is_ok());
        assert!(grant("shop.orders", &["ALL PRIVILEGES"]).is_ok());
        for (on, word) in
            [("shop.*", "PROCESS"), ("shop.orders", "EXECUTE"), ("*.*", "USAGE"), ("*.*", "SELCT")]
        {
            assert!(grant(on, &[word]).unwrap_err()[0].help.is_some(), "{on} {word}");
        }
        assert_eq!(grant("shop.*", &[]).unwrap_err()[0].attribute, "privileges");
    }

    #[test]
    fn aliases_are_the_name_that_the_server_lists() {
        assert_eq!(grant("*.*", &["REPLICATION CLIENT"]).unwrap().privileges[0].as_str(), "BINLOG MONITOR");
        assert_eq!(grant("*.*", &["ALL PRIVILEGES"]).unwrap().privileges, [MysqlPrivilege::ALL]);
    }

    #[test]
    fn it_comes_after_its_account_and_database() {
        let implied = grant("shop.orders", &["SELECT"]).unwrap().implied();
        assert!(implied.contains(&Implied::on("mysql_user", "app@%")));
        assert!(implied.contains(&Implied::on("mysql_database", "shop")));
    }
}
