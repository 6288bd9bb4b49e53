//! Kinds of attributes: what a value may be, how it is read, how it is named in errors and docs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::hash::ContentHash;
use crate::value::{Kind, Sensitive, Value};

use super::{AttributeError, Attributes, TypeDef};

/// What values an attribute takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeKind {
    /// A text.
    Text,
    /// `true` or `false`.
    Boolean,
    /// A whole number within bounds, both included.
    Integer {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// One of some words.
    Enum(&'static [&'static str]),
    /// One of some words, or a text of the given meaning.
    EnumOr(&'static [&'static str], &'static str),
    /// A boolean or one of some words.
    BooleanOr(&'static [&'static str]),
    /// An absolute path, normal: no `.`, `..`, `//` or trailing slash.
    Path,
    /// Text of a file, given inline, by template or by source.
    Content,
    /// Permission bits as octal text.
    Mode,
    /// A list of arguments, or a text for the shell.
    Command,
    /// A secret or a text.
    Secret,
    /// Seconds, or a text such as `5m`.
    Duration,
    /// A list of these; a single one stands for a list of one.
    List(&'static AttributeKind),
    /// Texts by name.
    TextMap,
}

impl AttributeKind {
    /// Whether a sensitive value may flow into it (`trust.md`: never into a path or a command).
    pub fn takes_secrets(self) -> bool {
        matches!(self, Self::Content | Self::Secret | Self::TextMap)
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
            Self::Boolean => f.write_str("true or false"),
            Self::Integer { min, max } => write!(f, "an integer from {min} to {max}"),
            Self::Enum(list) => f.write_str("one of ").and_then(|()| words(f, list)),
            Self::EnumOr(list, other) => {
                f.write_str("one of ").and_then(|()| words(f, list))?;
                write!(f, ", or {other}")
            }
            Self::BooleanOr(list) => f.write_str("true, false or ").and_then(|()| words(f, list)),
            Self::Path => f.write_str("an absolute path"),
            Self::Content => f.write_str("a text"),
            Self::Mode => f.write_str("permission bits as a string such as \"0644\""),
            Self::Command => f.write_str("a list of arguments, or a string for the shell"),
            Self::Secret => f.write_str("a secret string"),
            Self::Duration => f.write_str("seconds, or a string such as \"5m\""),
            Self::List(inner) => write!(f, "a list, each {inner}"),
            Self::TextMap => f.write_str("a map of strings"),
        }
    }
}

/// A value that is not of the kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What is wrong, if more than that the kind differs.
    pub why: Option<String>,
    /// What to do.
    pub help: Option<String>,
}

impl Mismatch {
    /// The kind differs, and no more is to be said.
    pub const KIND: Self = Self { why: None, help: None };

    /// With the reason.
    pub fn because(why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), help: None }
    }

    /// With what to do.
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

    /// Reads a value that is not null.
    ///
    /// # Errors
    /// A value of another kind.
    fn read(value: &Value) -> Result<Self, Mismatch>;

    /// What it is when left out.
    fn absent() -> Option<Self> {
        None
    }
}

/// Reads attributes one by one, so that every error is found.
pub struct Reader<'a> {
    attributes: &'a Attributes,
    errors: Vec<AttributeError>,
}

impl<'a> Reader<'a> {
    /// Over these attributes.
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
                let message = match mismatch.why {
                    Some(why) => format!("`{name}` {why}"),
                    None => format!("`{name}` is {}, not {}", quoted(value), T::KIND),
                };
                self.errors.push(AttributeError { attribute: name, message, help: mismatch.help });
            })
            .ok()
    }

    /// Ends: unknown names are errors too.
    ///
    /// # Errors
    /// Everything that was wrong.
    pub fn finish(self, def: &TypeDef) -> Result<(), Vec<AttributeError>> {
        let mut errors = self.errors;
        for name in self.attributes.keys().filter(|name| def.attribute(name).is_none()) {
            let near = crate::diagnostic::nearest(name, def.attributes.iter().map(|a| a.name));
            errors.push(AttributeError {
                attribute: "title",
                message: format!("`{}` has no attribute `{name}`", def.name),
                help: near.map(|near| format!("did you mean `{near}`?")),
            });
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

/// A value for an error text: short, and masked.
fn quoted(value: &Value) -> String {
    let shown = value.shown();
    match &value.kind {
        Kind::List(_) | Kind::Map(_) | Kind::Null => value.noun().to_owned(),
        _ if shown.chars().count() > 60 => value.noun().to_owned(),
        _ => format!("`{shown}`"),
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
            Some(text) if text.contains('\0') => Err(Mismatch::because("holds a NUL byte")),
            Some(text) => Ok(text.to_owned()),
            None => Err(Mismatch::KIND),
        }
    }
}

impl<T: Attribute + 'static> Attribute for Vec<T> {
    const KIND: AttributeKind = AttributeKind::List(&T::KIND);
    const OPTIONAL: bool = true;
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

/// An absolute, normal path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AbsolutePath(Arc<str>);

impl AbsolutePath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AbsolutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AbsolutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Attribute for AbsolutePath {
    const KIND: AttributeKind = AttributeKind::Path;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let Some(rest) = text.strip_prefix('/') else { return Err(Mismatch::KIND) };
        if text.contains('\0') || text.len() > 4095 {
            return Err(Mismatch::because("holds a NUL byte or is longer than 4095 bytes"));
        }
        if !rest.is_empty() && rest.split('/').any(|part| matches!(part, "" | "." | "..")) {
            let why = format!("is `{}`, which is not normal", text.escape_debug());
            return Err(
                Mismatch::because(why).help("write it without `.`, `..`, `//` and a slash at its end")
            );
        }
        Ok(Self(text.into()))
    }
}

/// Permission bits, at most `07777`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode(pub u32);

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl Attribute for Mode {
    const KIND: AttributeKind = AttributeKind::Mode;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        if let Some(number) = value.as_int() {
            let why = format!("is the number {number}");
            let help = format!("write permission bits as a string: \"{:04o}\"", number & 0o7777);
            return Err(Mismatch::because(why).help(help));
        }
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let octal = (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
        if !octal {
            return Err(Mismatch::KIND);
        }
        u32::from_str_radix(text, 8).map(Self).map_err(|_| Mismatch::KIND)
    }
}

/// Seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds(pub u32);

impl Attribute for Seconds {
    const KIND: AttributeKind = AttributeKind::Duration;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        if value.as_int().is_some() {
            return u32::read(value).map(Self).map_err(|_| Mismatch::KIND);
        }
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let factor = match &text[digits.len()..] {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86400,
            _ => return Err(Mismatch::KIND),
        };
        let number: u32 = digits.parse().map_err(|_| Mismatch::KIND)?;
        number.checked_mul(factor).map(Self).ok_or(Mismatch::KIND)
    }
}

/// A text that may be secret.
#[derive(Clone, PartialEq)]
pub struct Secret(Value);

impl Secret {
    /// The text itself, for its target alone.
    pub fn expose(&self) -> Arc<str> {
        let exposed = match &self.0.kind {
            Kind::Sensitive(secret) => secret.expose(),
            _ => self.0.clone(),
        };
        exposed.scalar_text().unwrap_or_default()
    }

    /// Whether it may be shown.
    pub fn is_sensitive(&self) -> bool {
        self.0.is_sensitive()
    }

    /// The text with what is secret masked.
    pub fn shown(&self) -> String {
        match &self.0.kind {
            Kind::Sensitive(secret) => secret.masked(),
            _ => self.0.as_str().unwrap_or_default().to_owned(),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.shown(), f)
    }
}

impl Attribute for Secret {
    const KIND: AttributeKind = AttributeKind::Secret;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = match &value.kind {
            Kind::Sensitive(secret) => secret.expose(),
            _ => value.clone(),
        };
        match text.as_str() {
            Some(text) if !text.contains('\0') => Ok(Self(value.clone())),
            _ => Err(Mismatch::KIND),
        }
    }
}

/// What a file holds: text in the catalog, or content that is fetched by its hash.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// In the catalog, perhaps secret.
    Inline(Secret),
    /// From a module's `files/`.
    Hash {
        /// SHA-256.
        sha256: ContentHash,
        /// Bytes.
        size: u64,
    },
    /// A directory of a module's `files/`: hashes and sizes by relative path.
    Tree(BTreeMap<String, (ContentHash, u64)>),
}

impl Content {
    /// The value of a file of `files/` on the wire.
    pub fn hash_value(sha256: &ContentHash, size: u64) -> Value {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        [("sha256", sha256.as_str().into()), ("size", size.into())].into()
    }

    /// The value of a directory of `files/` on the wire.
    pub fn tree_value(entries: BTreeMap<Arc<str>, Value>) -> Value {
        [("tree", entries.into())].into()
    }

    /// The hashes that it names.
    pub fn hashes(&self) -> Vec<&ContentHash> {
        match self {
            Self::Inline(_) => Vec::new(),
            Self::Hash { sha256, .. } => vec![sha256],
            Self::Tree(entries) => entries.values().map(|(hash, _)| hash).collect(),
        }
    }
}

fn read_hash(value: &Value) -> Option<(ContentHash, u64)> {
    let map = value.as_map().filter(|map| map.len() == 2)?;
    let sha256 = ContentHash::parse(map.get("sha256")?.as_str()?)?;
    Some((sha256, u64::try_from(map.get("size")?.as_int()?).ok()?))
}

fn read_tree(value: &Value) -> Option<Content> {
    let map = value.as_map().filter(|map| map.len() == 1)?;
    let relative =
        |path: &str| !path.split('/').any(|part| matches!(part, "" | "." | "..")) && !path.contains('\0');
    let entry = |(path, value): (&Arc<str>, &Value)| {
        relative(path).then(|| Some((path.to_string(), read_hash(value)?))).flatten()
    };
    map.get("tree")?.as_map()?.iter().map(entry).collect::<Option<_>>().map(Content::Tree)
}

impl Attribute for Content {
    const KIND: AttributeKind = AttributeKind::Content;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        if let Some((sha256, size)) = read_hash(value) {
            return Ok(Self::Hash { sha256, size });
        }
        if let Some(tree) = read_tree(value) {
            return Ok(tree);
        }
        Secret::read(value).map(Self::Inline)
    }
}

/// How a program is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Without a shell: program and arguments.
    Arguments(Vec<String>),
    /// By `/bin/sh -c`.
    Shell(String),
}

impl Command {
    /// The program, where it is given by an absolute path.
    pub fn program_path(&self) -> Option<&str> {
        let program = match self {
            Self::Arguments(list) => list.first().map(String::as_str),
            Self::Shell(text) => text.split_whitespace().next(),
        };
        program.filter(|p| p.starts_with('/'))
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arguments(list) => f.write_str(&list.join(" ")),
            Self::Shell(text) => f.write_str(text),
        }
    }
}

impl Attribute for Command {
    const KIND: AttributeKind = AttributeKind::Command;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        match &value.kind {
            Kind::String(text) if !text.trim().is_empty() => String::read(value).map(Self::Shell),
            Kind::List(list) if !list.is_empty() => Vec::<String>::read(value).map(Self::Arguments),
            _ => Err(Mismatch::KIND),
        }
    }
}

/// A name of the machine's accounts or packages: no slash, no colon, no space, never like an option.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SystemName(String);

impl SystemName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SystemName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Attribute for SystemName {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        let rest = |b: u8| b.is_ascii_alphanumeric() || b"_-.+:@\\$".contains(&b);
        if first && text.len() <= 255 && text.bytes().all(rest) {
            Ok(Self(text.to_owned()))
        } else {
            let why = format!("is `{}`, which is not a name", text.escape_debug());
            Err(Mismatch::because(why).help("begin with a letter or digit; no spaces and no slashes"))
        }
    }
}

/// Reads one of some words into an enum that prints as the word.
macro_rules! keywords {
    ($(#[doc = $doc:literal])+ $name:ident { $( $(#[doc = $vdoc:literal])+ $variant:ident = $word:literal ),+ $(,)? }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $( $(#[doc = $vdoc])+ $variant ),+ }

        impl $crate::resource::Attribute for $name {
            const KIND: $crate::resource::AttributeKind = $crate::resource::AttributeKind::Enum(&[$($word),+]);
            fn read(value: &$crate::value::Value) -> Result<Self, $crate::resource::Mismatch> {
                match value.as_str() {
                    $( Some($word) => Ok(Self::$variant), )+
                    _ => Err($crate::resource::Mismatch::KIND),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $( Self::$variant => $word ),+ })
            }
        }
    };
}
pub(crate) use keywords;

/// A text that may be shown, for what the agent itself gives to a command.
impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

/// A secret for tests and for targets made by the agent itself.
impl From<Sensitive> for Secret {
    fn from(sensitive: Sensitive) -> Self {
        Self(Kind::Sensitive(sensitive).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_and_normal() {
        for good in ["/", "/etc", "/etc/a b"] {
            assert!(AbsolutePath::read(&good.into()).is_ok(), "{good}");
        }
        for bad in ["etc", "", "/etc/", "/a//b", "/a/../b", "/a/.", "/a\0b"] {
            assert!(AbsolutePath::read(&bad.into()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_mode_that_is_a_number_is_met_with_the_cure() {
        let error = Mode::read(&0o644.into()).unwrap_err();
        assert!(error.help.unwrap().contains("\"0644\""));
        assert_eq!(Mode::read(&"0755".into()).unwrap(), Mode(0o755));
        assert!(Mode::read(&"0999".into()).is_err());
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(Seconds::read(&"5m".into()).unwrap(), Seconds(300));
        assert_eq!(Seconds::read(&7.into()).unwrap(), Seconds(7));
        assert!(Seconds::read(&"5".into()).is_err());
    }

    #[test]
    fn content_by_hash_is_told_from_text() {
        let hash = ContentHash::of(b"x");
        let value = Content::hash_value(&hash, 1);
        assert_eq!(Content::read(&value).unwrap(), Content::Hash { sha256: hash.clone(), size: 1 });
        let tree = Content::tree_value([(Arc::from("a/b"), value.clone())].into());
        assert_eq!(Content::read(&tree).unwrap().hashes(), [&hash]);
        let escaping = Content::tree_value([(Arc::from("../b"), value)].into());
        assert!(Content::read(&escaping).is_err());
        assert!(matches!(Content::read(&"text".into()), Ok(Content::Inline(_))));
    }

    #[test]
    fn names_are_never_options_or_paths() {
        assert!(SystemName::read(&"python3.11".into()).is_ok());
        for bad in ["-rf", "a/b", "a b", "", "a\nb"] {
            assert!(SystemName::read(&bad.into()).is_err(), "{bad:?}");
        }
    }
}
