//! Types of parameters and data, in Puppet's notation with names of the field.
//!
//! A type says what a value may be and changes nothing about it, except that [`Type::sealed`] makes secret what
//! the type says is secret.

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

pub use format::Format;
pub use secret::{NoAlternative, Shape};

/// All types, as their definitions say it: an example is a type, with a value of it as an expression.
pub fn chapters() -> Vec<Chapter> {
    parse::chapters()
}

/// What a value may be. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    Any,
    Undef,
    /// Anything but null, and of the inner type.
    NotUndef(Arc<Type>),
    /// A string, a number or a boolean.
    Scalar,
    Boolean,
    /// A string of so many characters.
    String(Size),
    /// A whole number within bounds.
    Integer(Bounds<i64>),
    /// A number with a fraction, within bounds.
    Float(Bounds<f64>),
    /// Any number, within bounds.
    Number(Bounds<f64>),
    /// A list of so many elements of one type.
    Array(Arc<Type>, Size),
    /// A list of a type for each place.
    Tuple(Arc<[Type]>),
    /// A map of so many entries, with the type of its keys and of its values.
    Hash(Arc<[Type; 2]>, Size),
    /// A map with these entries and no others.
    Struct(Arc<[Field]>),
    /// Null, or the inner type.
    Optional(Arc<Type>),
    Variant(Arc<[Type]>),
    /// One of these words.
    Enum(Arc<[Arc<str>]>),
    /// A string that one of these patterns finds something in.
    Pattern(Arc<[Pattern]>),
    /// The inner type, and secret.
    Sensitive(Arc<Type>),
    /// A string, or a number, of a meaning.
    Format(Format),
    /// A map of the parameters of a define.
    Define(Arc<str>),
}

/// The least and the greatest, both included.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bounds<T> {
    pub min: Option<T>,
    pub max: Option<T>,
}

/// How many characters, elements or entries.
pub type Size = Bounds<usize>;

impl<T: PartialOrd> Bounds<T> {
    /// Whether a number is within.
    pub fn holds(&self, number: &T) -> bool {
        self.min.as_ref().is_none_or(|min| number >= min) && self.max.as_ref().is_none_or(|max| number <= max)
    }
}

/// A regular expression, equal to another of the same text.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// An entry of a `Struct`, or a parameter of a define.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub name: Arc<str>,
    /// What its value may be.
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

/// What defines there are: a define's name is a type.
pub trait Defines {
    /// The parameters of a define; a parameter with a default is optional. `None` where there is no such define.
    fn parameters(&self, define: &str) -> Option<Arc<[Field]>>;

    /// The names of all, for `did you mean`.
    fn names(&self) -> Vec<Arc<str>>;
}

/// Where there are no defines.
impl Defines for () {
    fn parameters(&self, _: &str) -> Option<Arc<[Field]>> {
        None
    }

    fn names(&self) -> Vec<Arc<str>> {
        Vec::new()
    }
}

/// A value, or a part of one, that is not of its type.
#[derive(Debug, Clone, PartialEq)]
pub struct Misfit {
    /// Where in the value: `shop.root`, `[2]`; empty for the value itself.
    pub path: String,
    /// What is wrong, with the value where it is not a secret, without the path.
    pub message: String,
    pub help: Option<String>,
    /// Where the part stands.
    pub origin: Option<Arc<Origin>>,
    /// The key of the part, where that is what is wrong.
    pub key: Option<Arc<str>>,
}

impl Misfit {
    /// As a diagnostic about `subject` (such as "parameter `vhosts`"); `fallback` is the place where the part has
    /// none of its own. `texts` are the files: with them, a caret is under a key that is wrong.
    pub fn diagnostic(&self, subject: &str, fallback: Option<&Origin>, texts: &Texts<'_>) -> Diagnostic {
        let origin = self.origin.as_deref().or(fallback).cloned();
        let origin = origin.map(|origin| self.key_place(&origin, texts).unwrap_or(origin));
        let at = if self.path.is_empty() { String::new() } else { format!(" at `{}`", self.path) };
        let mut diagnostic =
            Diagnostic::error(Code::WrongType, format!("{subject}{at}: {}", self.message), origin);
        diagnostic.help.clone_from(&self.help);
        diagnostic
    }

    /// Where the key stands whose value is at `value`: before it, or in its header.
    fn key_place(&self, value: &Origin, texts: &Texts<'_>) -> Option<Origin> {
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

/// The text of a file, by its path.
pub type Texts<'a> = dyn Fn(&str) -> Option<String> + 'a;

impl Type {
    /// Parses Puppet's notation: `Array[Host, 1]`.
    ///
    /// # Errors
    /// What is wrong, with its span in `text` and the nearest type's name.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        parse::parse(text)
    }

    /// Whether null is of this type: a parameter of such a type is null where nothing gives it a value.
    pub fn takes_null(&self) -> bool {
        match self {
            Self::Any | Self::Undef | Self::Optional(_) => true,
            Self::Variant(types) => types.iter().any(Self::takes_null),
            Self::Sensitive(inner) => inner.takes_null(),
            _ => false,
        }
    }

    /// The defines that it names, for checking that they exist.
    pub fn defines(&self) -> Vec<Arc<str>> {
        match self {
            Self::Define(name) => vec![name.clone()],
            _ => self.inner().flat_map(Self::defines).collect(),
        }
    }

    /// The types directly inside.
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

    /// Everything in a value that is not of this type, each part with its own origin. A secret is checked by what
    /// it holds, and never quoted.
    pub fn check(&self, value: &Value, defines: &dyn Defines) -> Vec<Misfit> {
        check::check(self, value, defines)
    }
}
