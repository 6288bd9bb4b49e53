//! What attributes of database servers have in common: names that are used in SQL, ports, connection limits.

use std::borrow::Cow;
use std::fmt;

use super::{Attribute, AttributeKind, Mismatch};
use crate::value::Value;

/// A TCP port; for PostgreSQL also part of its socket's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port(pub u16);

impl Port {
    /// PostgreSQL's default port.
    pub const POSTGRESQL: Self = Self(5432);
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Attribute for Port {
    const KIND: AttributeKind = AttributeKind::Integer { min: 1, max: u16::MAX as i64 };
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let port = value.as_int().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
        port.map(Self).ok_or(Mismatch::KIND)
    }
}

/// How many connections there may be at a time; -1 means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimit(pub i32);

impl ConnectionLimit {
    /// As many as the server accepts.
    pub const NONE: Self = Self(-1);

    /// None but those of superusers.
    pub const NOBODY: Self = Self(0);
}

impl fmt::Display for ConnectionLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Attribute for ConnectionLimit {
    const KIND: AttributeKind = AttributeKind::Integer { min: -1, max: i32::MAX as i64 };
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let limit = value.as_int().and_then(|limit| i32::try_from(limit).ok()).filter(|limit| *limit >= -1);
        limit.map(Self).ok_or(Mismatch::KIND)
    }
}

/// A name of a role, database, schema or table: without quotes or spaces, never like an option, and no longer than what
/// the server keeps of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SqlName(Cow<'static, str>);

impl SqlName {
    /// How many bytes PostgreSQL keeps of a name.
    const MAX_BYTES: usize = 63;

    /// A name that is known to be valid.
    pub(crate) const fn known(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SqlName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Attribute for SqlName {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        if is_name(text, b"_-.+@$", Self::MAX_BYTES) {
            return Ok(Self(Cow::Owned(text.to_owned())));
        }
        let why = format!("is `{}`, which is not a name for a database server", text.escape_debug());
        let help =
            "begin with a letter, digit or `_`; then also `-`, `.`, `+`, `@`, `$`; at most 63 characters";
        Err(Mismatch::because(why).help(help))
    }
}

/// Whether a text consists of ASCII letters and digits, and these further bytes; the first is a letter, a digit or `_`.
pub(crate) fn is_name(text: &str, more: &[u8], limit: usize) -> bool {
    let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    first && text.len() <= limit && text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_name_ends_a_quoted_one(text in any::<String>()) {
            if let Ok(name) = SqlName::read(&text.as_str().into()) {
                prop_assert!(!name.as_str().contains(['"', '\'', '`', '\\', ';', ' ', '\n', '\0', ':']));
                prop_assert!((1..=63).contains(&name.as_str().len()));
            }
        }
    }

    #[test]
    fn names_are_those_that_operators_give() {
        for good in ["shop", "Shop_2", "web-1", "first.last@example.com", "_x", "2fast"] {
            assert!(SqlName::read(&good.into()).is_ok(), "{good}");
        }
        for bad in ["", "-c", "a b", "a\"; DROP TABLE x", "a'b", "a\\b", "ä", &"x".repeat(64)] {
            assert!(SqlName::read(&bad.into()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ports_and_limits_have_bounds() {
        assert_eq!(Port::read(&5433.into()).unwrap(), Port(5433));
        assert!(Port::read(&0.into()).is_err() && Port::read(&65536.into()).is_err());
        assert_eq!(ConnectionLimit::read(&(-1).into()).unwrap(), ConnectionLimit::NONE);
        assert!(ConnectionLimit::read(&(-2).into()).is_err());
    }
}
