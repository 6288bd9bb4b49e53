//! Types of parameters and data, in Puppet's notation, with additional names from system administration.
//!
//! A type says which values are allowed and does not change them, except that [`Type::sealed`] makes secret what the
//! type declares as secret.

use std::sync::Arc;

use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::Value;
use regex::Regex;

use crate::diagnostic::{Code, Diagnostic};

use super::fault::Fault;
use super::word::Chapter;

mod check;
mod format;
mod parse;
mod secret;
mod show;

pub use format::StringFormat;
pub use secret::{NoAlternative, TypeShape};

/// The documentation of all types. An example is a type, with a value of it as an expression.
pub fn chapters() -> Vec<Chapter> {
    parse::chapters()
}

/// The set of values that are allowed. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    Any,
    Undef,
    /// Any value of the inner type except null.
    NotUndef(Arc<Type>),
    /// A string, a number or a boolean.
    Scalar,
    Boolean,
    /// A string with a number of characters within bounds.
    String(LengthBounds),
    /// An integer within bounds.
    Integer(Bounds<i64>),
    /// A float within bounds.
    Float(Bounds<f64>),
    /// Any number within bounds.
    Number(Bounds<f64>),
    /// A list of elements of one type, with a length within bounds.
    Array(Arc<Type>, LengthBounds),
    /// A list with a type for each position.
    Tuple(Arc<[Type]>),
    /// A map with a number of entries within bounds, and the types of its keys and values.
    Hash(Arc<[Type; 2]>, LengthBounds),
    /// A map with these entries and no others.
    Struct(Arc<[StructField]>),
    /// Null, or the inner type.
    Optional(Arc<Type>),
    Variant(Arc<[Type]>),
    /// One of these strings.
    Enum(Arc<[Arc<str>]>),
    /// A string that one of these patterns matches.
    Pattern(Arc<[ComparableRegex]>),
    /// The inner type, as a secret.
    Sensitive(Arc<Type>),
    /// A string or a number with a certain meaning.
    Format(StringFormat),
    /// A map with the parameters of a define.
    Define(Arc<str>),
}

/// The smallest and the largest value, both included.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bounds<T> {
    pub min: Option<T>,
    pub max: Option<T>,
}

/// The number of characters, elements or entries.
pub type LengthBounds = Bounds<usize>;

impl<T: PartialOrd> Bounds<T> {
    /// Whether a number is within the bounds.
    pub fn holds(&self, number: &T) -> bool {
        self.min.as_ref().is_none_or(|min| number >= min) && self.max.as_ref().is_none_or(|max| number <= max)
    }
}

/// A regular expression; equal to another one with the same text.
#[derive(Debug, Clone)]
pub struct ComparableRegex(Regex);

impl PartialEq for ComparableRegex {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// An entry of a `Struct`, or a parameter of a define.
#[derive(Debug, Clone, PartialEq)]
pub struct StructField {
    pub name: Arc<str>,
    /// The type of its value.
    pub of: Type,
    /// Whether it may be left out.
    pub need: Need,
}

/// Whether an entry may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It must be there.
    Required,
    /// It may be left out.
    Optional,
}

/// The defines that exist: the name of a define is a type.
pub trait Defines {
    /// The parameters of a define, where one with a default is optional; `None` if there is no such define.
    fn parameters(&self, define: &str) -> Option<Arc<[StructField]>>;

    /// The names of all defines, for `did you mean`.
    fn names(&self) -> Vec<Arc<str>>;
}

/// No defines.
impl Defines for () {
    fn parameters(&self, _: &str) -> Option<Arc<[StructField]>> {
        None
    }

    fn names(&self) -> Vec<Arc<str>> {
        Vec::new()
    }
}

/// A value, or a part of one, that is not of its type.
#[derive(Debug, Clone, PartialEq)]
pub struct Misfit {
    /// The path of the part in the value: `shop.root`, `[2]`; empty for the value itself.
    pub path: String,
    /// What is wrong, without the path; it includes the value unless that is a secret.
    pub message: String,
    pub help: Option<String>,
    /// The place of the part.
    pub origin: Option<Arc<Origin>>,
    /// The key of the part, if the key is wrong.
    pub key: Option<Arc<str>>,
}

impl Misfit {
    /// Converts it to a diagnostic about `subject` (such as "parameter `vhosts`"). `fallback` is the place to use if
    /// the part has none of its own. `texts` are the files, needed to place a caret under a wrong key.
    pub fn diagnostic(&self, subject: &str, fallback: Option<&Origin>, texts: &TextSource<'_>) -> Diagnostic {
        let origin = self.origin.as_deref().or(fallback).cloned();
        let origin = origin.map(|origin| self.key_place(&origin, texts).unwrap_or(origin));
        let at = if self.path.is_empty() { String::new() } else { format!(" at `{}`", self.path) };
        let mut diagnostic =
            Diagnostic::error(Code::WrongType, format!("{subject}{at}: {}", self.message), origin);
        diagnostic.help.clone_from(&self.help);
        diagnostic
    }

    /// The place of the key whose value is at `value`: before the value, or in its header.
    fn key_place(&self, value: &Origin, texts: &TextSource<'_>) -> Option<Origin> {
        let (key, text) = (self.key.as_ref()?, texts(&value.file)?);
        let start = value.start as usize;
        let header = text.get(start..value.end as usize)?;
        let found = if header.starts_with('[') && header.rfind(&**key).is_some() {
            start + header.rfind(&**key)?
        } else {
            let before = text.get(..start)?.trim_end().strip_suffix('=')?.trim_end();
            before.strip_suffix(['"', '\'']).unwrap_or(before).strip_suffix(&**key)?.len()
        };
        let place = Origin::locate(&value.file, &text, found..found + key.len());
        Some(Origin { level: value.level.clone(), ..place })
    }
}

/// Returns the text of a file, by its path.
pub type TextSource<'a> = dyn Fn(&str) -> Option<String> + 'a;

impl Type {
    /// Parses Puppet's notation: `Array[Host, 1]`.
    ///
    /// # Errors
    /// What is wrong, with its span in `text` and the name of the most similar type.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        parse::parse(text)
    }

    /// Whether null is of this type. A parameter of such a type is null if it is given no value.
    pub fn takes_null(&self) -> bool {
        match self {
            Self::Any | Self::Undef | Self::Optional(_) => true,
            Self::Variant(types) => types.iter().any(Self::takes_null),
            Self::Sensitive(inner) => inner.takes_null(),
            _ => false,
        }
    }

    /// The defines that it refers to, to check that they exist.
    pub fn defines(&self) -> Vec<Arc<str>> {
        match self {
            Self::Define(name) => vec![name.clone()],
            _ => self.inner().flat_map(Self::defines).collect(),
        }
    }

    /// The types directly inside this one.
    pub fn inner(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        match self {
            Self::NotUndef(inner)
            | Self::Array(inner, _)
            | Self::Optional(inner)
            | Self::Sensitive(inner) => Box::new(std::iter::once(&**inner)),
            Self::Tuple(types) | Self::Variant(types) => Box::new(types.iter()),
            Self::Hash(types, _) => Box::new(types.iter()),
            Self::Struct(fields) => Box::new(fields.iter().map(|field| &field.of)),
            _ => Box::new(std::iter::empty()),
        }
    }

    /// Everything in a value that is not of this type, each part with its own origin. The content of a secret is
    /// checked too, and never quoted.
    pub fn check(&self, value: &Value, defines: &dyn Defines) -> Vec<Misfit> {
        check::check(self, value, defines)
    }
}
