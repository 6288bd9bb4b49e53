//! Names that are parsed once and then trusted.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A node's name: lower-case DNS labels with at least one dot-free label, at most 253 bytes (RFC 1123).
///
/// It is safe as a file name: it has no slash, no leading dot or dash, and no control character.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Certname(Arc<str>);

/// A name of the ownership or function tree: reseller, customer, role, stage, environment, label.
///
/// Grammar: `[a-z0-9][a-z0-9_-]{0,62}`; safe as a path segment.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(Arc<str>);

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    #[error("`{0}` is not a certname: use lower-case DNS labels such as web1.acme.example")]
    Certname(String),
    #[error(
        "`{0}` is not a name: use lower-case letters, digits, `-` and `_`, beginning with a letter or digit"
    )]
    Slug(String),
}

impl Certname {
    /// Parses a certname.
    ///
    /// # Errors
    /// Fails on upper case, empty labels, labels over 63 bytes, characters other than `a-z0-9-`, and more than 253
    /// bytes.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let label = |label: &str| {
            let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|b| inner(b) || b == b'-')
                && label.bytes().next().is_some_and(inner)
                && label.bytes().last().is_some_and(inner)
        };
        if text.len() <= 253 && text.split('.').all(label) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidName::Certname(shortened(text)))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Slug {
    /// Parses a slug.
    ///
    /// # Errors
    /// Fails on anything outside the grammar, and so on an empty text.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let ok = text.len() <= 63
            && text.bytes().next().is_some_and(inner)
            && text.bytes().all(|b| inner(b) || b == b'-' || b == b'_');
        if ok { Ok(Self(text.into())) } else { Err(InvalidName::Slug(shortened(text))) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A hostile text for an error: escaped and bounded.
fn shortened(text: &str) -> String {
    let mut out: String = text.chars().take(80).flat_map(char::escape_default).collect();
    if text.chars().count() > 80 {
        out.push('…');
    }
    out
}

macro_rules! text_name {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::parse(&text)
            }
        }
        impl std::str::FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::parse(text)
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.to_string()
            }
        }
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string" })
            }
        }
    };
}
text_name!(Certname);
text_name!(Slug);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certnames_are_lower_case_dns_names() {
        for good in ["web1.acme.example", "localhost", "a.b", "x-1.y"] {
            assert_eq!(Certname::parse(good).unwrap().as_str(), good);
        }
        for bad in
            ["", ".", "a..b", "A.b", "-a.b", "a-.b", "a/b", "../x", "a b", "a\u{0}", "ä.b", &"a".repeat(64)]
        {
            assert!(Certname::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn slugs_are_safe_path_segments() {
        for good in ["acme", "web_shop", "a-1", "9"] {
            assert!(Slug::parse(good).is_ok(), "{good:?}");
        }
        for bad in ["", ".", "..", "a/b", "-a", "_a", "A", "a.b"] {
            assert!(Slug::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_error_escapes_what_it_quotes() {
        let error = Certname::parse("a\u{1b}[31m").unwrap_err().to_string();
        assert!(!error.contains('\u{1b}'));
    }
}
