//! `mysql_database`: a database of a MariaDB server.

use std::fmt;

use super::attribute::database::is_name;
use super::attribute::{Presence, ToToml, quoted};
use super::claim::Claim;
use super::define::resource_type;
use super::{Attribute, AttributeError, AttributeKind, Implied, Mismatch, Rules, mysql_user};
use crate::value::Value;

/// The name of a database or table: without a dot, which separates the two.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MysqlName(String);

impl MysqlName {
    /// Parses a name.
    pub fn parse(text: &str) -> Option<Self> {
        is_name(text, b"_-+@$", 64).then(|| Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MysqlName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Attribute for MysqlName {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        Self::parse(text).ok_or_else(|| {
            let why = format!("is `{}`, which is not a name for a database", text.escape_debug());
            let help =
                "begin with a letter, digit or `_`; then also `-`, `+`, `@`, `$`; at most 64 characters";
            Mismatch::because(why).help(help)
        })
    }
}

/// A character set or a collation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charset(String);

impl Charset {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Charset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ToToml for Charset {
    fn written(&self) -> String {
        quoted(self)
    }
}

impl Attribute for Charset {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        if text == "utf8" || text.starts_with("utf8_") {
            let why = format!("is `{text}`, which means different things depending on the server's settings");
            return Err(Mismatch::because(why).help("write `utf8mb4`, or `utf8mb3` for the old meaning"));
        }
        let small = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if !text.is_empty() && text.len() <= 64 && text.bytes().all(small) {
            return Ok(Self(text.to_owned()));
        }
        let why = format!("is `{}`, which is neither a character set nor a collation", text.escape_debug());
        Err(Mismatch::because(why)
            .help("write it as the server does, such as `utf8mb4` or `utf8mb4_unicode_ci`"))
    }
}

resource_type! {
    /// A database of a MariaDB server. The title is its name. An absent one is dropped with all that it holds.
    ///
    /// Character set and collation are those of tables that are made later: a change converts nothing.
    MysqlDatabase("mysql_database"), titled MysqlName {
        /// Whether it exists.
        property ensure: Presence = Presence::Present,
        /// The character set of its new tables.
        property charset: Charset = Charset("utf8mb4".to_owned()),
        /// The collation of its new tables.
        property collate: Option<Charset> => "left alone; of a new one that of the character set",
    }
}

impl MysqlDatabase {
    /// Databases of the server itself.
    pub const NEEDED: [&'static str; 4] = ["information_schema", "mysql", "performance_schema", "sys"];
}

impl Rules for MysqlDatabase {
    fn validate(&self) -> Vec<AttributeError> {
        let mut errors = Vec::new();
        if Self::NEEDED.contains(&self.title.as_str()) {
            let error = AttributeError::new("title", format!("`{}` is the server's own", self.title));
            errors.push(error.help("leave it as it is"));
        }
        if let Some(collate) = &self.collate
            && collate != &self.charset
            && !collate.as_str().starts_with(&format!("{}_", self.charset))
        {
            let message = format!("`{collate}` is not a collation of the character set `{}`", self.charset);
            let help = format!("its collations begin with `{}_`", self.charset);
            errors.push(AttributeError::new("collate", message).help(help));
        }
        errors
    }

    fn implied(&self) -> Vec<Implied> {
        mysql_user::server()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::whole("MariaDB database", self.title.as_str())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType};

    fn database(title: &str, attributes: &[(&str, &str)]) -> Result<MysqlDatabase, Vec<AttributeError>> {
        let attributes: Attributes = attributes.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        MysqlDatabase::read(title, &attributes)
    }

    #[test]
    fn a_collation_is_one_of_its_character_set() {
        assert!(database("shop", &[("collate", "utf8mb4_unicode_ci")]).is_ok());
        assert!(database("shop", &[("charset", "binary"), ("collate", "binary")]).is_ok());
        assert!(database("shop", &[("collate", "latin1_swedish_ci")]).unwrap_err()[0].help.is_some());
        assert!(database("shop", &[("charset", "utf8")]).unwrap_err()[0].help.is_some());
        assert!(database("shop", &[("charset", "UTF8MB4")]).is_err());
    }

    #[test]
    fn names_have_no_dot_and_no_quote_and_are_not_the_servers() {
        assert!(database("shop_2", &[]).is_ok());
        for bad in ["a.b", "a`b", "", "mysql", "sys", "a b", "%"] {
            assert!(database(bad, &[]).is_err(), "{bad}");
        }
    }
}
