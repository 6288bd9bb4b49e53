//! Kinds of attributes: what a value may be, how it is read, and how it is named in errors and docs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::value::{Kind, Value};

use super::{AttributeError, Attributes, TypeDef};

pub mod cluster;
pub mod database;
mod apt;
mod bounded;
mod bytes;
mod cidr;
mod command;
mod content;
mod cron_schedule;
mod git;
mod host_name;
mod inline;
mod keywords;
mod order;
mod password_hash;
mod pattern;
mod ports;
mod presence;
mod relative;
mod scalar;
mod setting;
mod source;
mod ssh_key;
mod sysctl_key;
mod written;

pub use apt::{AptFiles, AptName, AptUri, AptWord};
pub use bounded::Bounded;
pub use bytes::ByteCount;
pub use cidr::Cidr;
pub use command::CommandLine;
pub use content::{FileContent, Secret, TreeEntry};
pub use cron_schedule::CronSchedule;
pub use git::{GitRemote, GitRevision};
pub use host_name::HostName;
pub use inline::InlineContent;
pub(crate) use keywords::keywords;
pub use order::OrderNumber;
pub use password_hash::PasswordHash;
pub use pattern::LinePattern;
pub use ports::Ports;
pub use presence::Presence;
pub use relative::RelativePath;
pub use scalar::{AbsolutePath, AccountName, FileMode, Seconds, SystemName};
pub use setting::SettingValue;
pub use source::{ArchiveFormat, FileSource, header_error};
pub use ssh_key::{KeyOption, KeyType, SshPublicKey};
pub use sysctl_key::SysctlKey;
pub use written::ToToml;
pub(crate) use written::quoted;

/// What values an attribute takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeKind {
    Text,
    /// A text, or a whole number, which is read as a text.
    TextOrInteger,
    Boolean,
    /// A whole number within these bounds, both included.
    Integer {
        min: i64,
        max: i64,
    },
    /// One of these words.
    Enum(&'static [&'static str]),
    /// One of these words, or a text with the given meaning.
    EnumOr(&'static [&'static str], &'static str),
    /// A boolean or one of these words.
    BooleanOr(&'static [&'static str]),
    /// A boolean, or a whole number within these bounds, both included.
    BooleanOrInteger {
        min: i64,
        max: i64,
    },
    /// An absolute path, normal: no `.`, `..`, `//` or trailing slash.
    Path,
    /// Text of a file, given inline, by template or by source.
    Content,
    /// Text that is in the catalog itself, given inline, by template or by source.
    InlineContent,
    /// Permission bits as octal text.
    Mode,
    /// A port, or a range of them as text.
    Ports,
    /// A list of arguments, or a text for the shell.
    Command,
    /// A secret or a text.
    Secret,
    /// A text, a number or a boolean, which becomes text; may be secret.
    Setting,
    /// Seconds, or a text such as `5m`.
    Duration,
    /// Bytes, or a text such as `10M`.
    Bytes,
    Pattern,
    /// A list of these; a single value is read as a list of one.
    List(&'static AttributeKind),
    TextMap,
}

impl AttributeKind {
    /// Whether it may contain a sensitive value; a path or a command never may.
    pub fn takes_secrets(self) -> bool {
        matches!(self, Self::Content | Self::InlineContent | Self::Secret | Self::Setting | Self::TextMap)
    }
}

impl fmt::Display for AttributeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |f: &mut fmt::Formatter<'_>, words: &[&str]| {
            words.iter().enumerate().try_for_each(|(i, word)| {
                f.write_str(if i == 0 { "" } else { ", " })?;
                write!(f, "\"{word}\"")
            })
        };
        match self {
            Self::Text => f.write_str("a string"),
            Self::TextOrInteger => f.write_str("a string or an integer"),
            Self::Boolean => f.write_str("true or false"),
            Self::Integer { min, max } => write!(f, "an integer from {min} to {max}"),
            Self::Enum(list) => f.write_str("one of ").and_then(|()| words(f, list)),
            Self::EnumOr(list, other) => {
                f.write_str("one of ").and_then(|()| words(f, list))?;
                write!(f, ", or {other}")
            }
            Self::BooleanOr(list) => f.write_str("true, false or ").and_then(|()| words(f, list)),
            Self::BooleanOrInteger { min, max } => {
                write!(f, "true, false or an integer from {min} to {max}")
            }
            Self::Path => f.write_str("an absolute path"),
            Self::Content | Self::InlineContent => f.write_str("a text"),
            Self::Mode => f.write_str("permission bits as a string such as \"0644\""),
            Self::Ports => f.write_str("a port, or a range such as \"8000-8010\""),
            Self::Command => f.write_str("a list of arguments, or a string for the shell"),
            Self::Secret => f.write_str("a secret string"),
            Self::Setting => f.write_str("a string, a number or a boolean"),
            Self::Duration => f.write_str("seconds, or a string such as \"5m\""),
            Self::Bytes => f.write_str("bytes, or a string such as \"10M\""),
            Self::Pattern => f.write_str("a regular expression as a string"),
            Self::List(inner) => write!(f, "a list, each {inner}"),
            Self::TextMap => f.write_str("a map of strings"),
        }
    }
}

/// Why a value is not of the kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What is wrong, if it is more than the kind.
    pub why: Option<String>,
    pub help: Option<String>,
}

impl Mismatch {
    /// The kind differs, and there is nothing more to say.
    pub const KIND: Self = Self { why: None, help: None };

    /// A mismatch for this reason.
    pub fn because(why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), help: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// A Rust type that an attribute can have.
pub trait Attribute: Sized {
    /// What values it takes.
    const KIND: AttributeKind;
    /// Whether it may be left out without a default.
    const OPTIONAL: bool = false;
    /// How an empty value is written, if it can be.
    const EMPTY: Option<&'static str> = None;

    /// Reads a value that is not null.
    ///
    /// # Errors
    /// Fails if the value is of another kind.
    fn read(value: &Value) -> Result<Self, Mismatch>;

    /// The value if it is left out.
    fn absent() -> Option<Self> {
        None
    }
}

/// Reads attributes one by one, so every error is found.
pub struct AttributeReader<'a> {
    attributes: &'a Attributes,
    errors: Vec<AttributeError>,
}

impl<'a> AttributeReader<'a> {
    /// A reader of these attributes.
    pub fn new(attributes: &'a Attributes) -> Self {
        Self { attributes, errors: Vec::new() }
    }

    /// Reads the title.
    pub fn title<T: Attribute>(&mut self, title: &str) -> Option<T> {
        self.take("title", &Value::from(title))
    }

    /// Reads one attribute, or its default.
    pub fn attribute<T: Attribute>(&mut self, name: &'static str, default: Option<T>) -> Option<T> {
        match self.attributes.get(name) {
            Some(value) if !value.is_null() => self.take(name, value),
            _ => {
                let value = default.or_else(T::absent);
                if value.is_none() {
                    let message = format!("attribute `{name}` is missing; it takes {}", T::KIND);
                    self.errors.push(AttributeError::new(name, message));
                }
                value
            }
        }
    }

    fn take<T: Attribute>(&mut self, name: &'static str, value: &Value) -> Option<T> {
        if value.is_sensitive() && !T::KIND.takes_secrets() {
            let message = format!("a sensitive value cannot be `{name}`, which is shown");
            self.errors.push(AttributeError::new(name, message));
            return None;
        }
        T::read(value)
            .map_err(|mismatch| {
                let is_of_kind = mismatch.why.is_none();
                let message = match mismatch.why {
                    Some(why) => format!("`{name}` {why}"),
                    None => format!("`{name}` is {}, not {}", offending(value), T::KIND),
                };
                self.errors.push(AttributeError {
                    attribute: name,
                    message,
                    help: mismatch.help,
                    is_of_kind,
                });
            })
            .ok()
    }

    /// Ends reading: unknown names are errors, too.
    ///
    /// # Errors
    /// Returns everything that was wrong.
    pub fn finish(self, def: &TypeDef) -> Result<(), Vec<AttributeError>> {
        let mut errors = self.errors;
        for name in self.attributes.keys().filter(|name| def.attribute(name).is_none()) {
            errors.push(AttributeError {
                attribute: "title",
                message: format!("`{}` has no attribute `{name}`", def.name),
                help: crate::spelling::did_you_mean(name, def.attributes.iter().map(|a| a.name)),
                is_of_kind: false,
            });
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

/// A value for an error text: short, and masked.
fn offending(value: &Value) -> String {
    match &value.kind {
        // a mask in place of the value would only look like one
        Kind::Sensitive(secret) if secret.as_pieces().is_none() => {
            format!("{}, which is secret and not shown", secret.expose().noun())
        }
        _ => value.brief().map_or_else(|| value.noun().to_owned(), |shown| format!("`{shown}`")),
    }
}

impl<T: Attribute> Attribute for Option<T> {
    const KIND: AttributeKind = T::KIND;
    const OPTIONAL: bool = true;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        T::read(value).map(Some)
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl Attribute for bool {
    const KIND: AttributeKind = AttributeKind::Boolean;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        value.as_bool().ok_or(Mismatch::KIND)
    }
}

impl Attribute for u32 {
    const KIND: AttributeKind = AttributeKind::Integer { min: 0, max: u32::MAX as i64 };
    fn read(value: &Value) -> Result<Self, Mismatch> {
        value.as_int().and_then(|i| Self::try_from(i).ok()).ok_or(Mismatch::KIND)
    }
}

/// A text without NUL.
impl Attribute for String {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        match value.as_str() {
            Some(text) if text.contains('\0') => Err(Mismatch::because("contains a NUL byte")),
            Some(text) => Ok(text.to_owned()),
            None => Err(Mismatch::KIND),
        }
    }
}

impl<T: Attribute + 'static> Attribute for Vec<T> {
    const KIND: AttributeKind = AttributeKind::List(&T::KIND);
    const OPTIONAL: bool = true;
    const EMPTY: Option<&'static str> = Some("`[]`");
    fn read(value: &Value) -> Result<Self, Mismatch> {
        match &value.kind {
            Kind::List(list) => list.iter().map(T::read).collect(),
            _ => T::read(value).map(|one| vec![one]),
        }
    }
    fn absent() -> Option<Self> {
        Some(Self::new())
    }
}

impl Attribute for BTreeMap<String, Secret> {
    const KIND: AttributeKind = AttributeKind::TextMap;
    const OPTIONAL: bool = true;
    const EMPTY: Option<&'static str> = Some("`{}`");
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let map = value.as_map().ok_or(Mismatch::KIND)?;
        let entry = |(k, v): (&Arc<str>, &Value)| match Secret::read(v) {
            Ok(text) if !k.is_empty() && !k.contains(['=', '\0']) => Ok((k.to_string(), text)),
            Ok(_) => Err(Mismatch::because(format!("has the name `{}`", k.escape_default()))),
            Err(_) => Err(Mismatch::because(format!("has {} as `{k}`, not a string", v.noun()))),
        };
        map.iter().map(entry).collect()
    }
    fn absent() -> Option<Self> {
        Some(Self::new())
    }
}
