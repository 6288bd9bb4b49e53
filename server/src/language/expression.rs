//! Expressions: the semantics of CEL over [`Value`], with spans, secrets, laziness and limits of our own.
//!
//! This is not a general CEL: it has no protobuf messages, no bytes and no timestamps, and `uint` is an integer
//! (`docs/decisions/0001-expressions.md`).

use std::ops::Range;
use std::sync::Arc;

use holdfast_catalog::value::Value;

use super::fault::Fault;
use super::scope::Scope;
use super::word::Chapter;

mod binding;
pub(super) mod evaluate;
pub(super) mod function;
pub(super) mod literal;
pub(super) mod operator;
pub(super) mod outcome;
mod parse;
mod token;
pub(super) mod tree;

pub(crate) use operator::compare;

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;

/// The documentation of everything that can be in an expression.
pub fn chapters() -> Vec<Chapter> {
    let signs = Chapter::new("Operators", tree::SIGNS.iter().copied());
    [signs, tree::Macro::chapter()].into_iter().chain(function::chapters()).collect()
}

/// A parsed expression, which can be evaluated many times. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Expression {
    source: Arc<str>,
    parsed: Arc<ParsedExpression>,
}

#[derive(Debug)]
struct ParsedExpression {
    root: tree::AstNode,
    uses: Uses,
}

/// What an expression uses from its scope, found without evaluating it.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Uses {
    /// Names from the scope, each with the fields selected from it; variables of macros are not among them.
    pub paths: Vec<PathUse>,
    /// Functions of the scope; built-in functions are not among them.
    pub functions: Vec<CallUse>,
    /// Paths that are compared with a literal, by `==` or `!=`.
    pub compared: Vec<ComparisonUse>,
}

/// A comparison such as `port == 80`.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparisonUse {
    pub path: Arc<str>,
    pub value: Value,
    /// The place of the comparison in the expression.
    pub span: Range<usize>,
}

/// A path such as `facts.os.family`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathUse {
    pub path: Arc<str>,
    /// Its place in the expression.
    pub span: Range<usize>,
}

impl PathUse {
    /// The name in the scope: `facts`.
    pub fn root(&self) -> &str {
        self.path.split('.').next().unwrap_or_default()
    }
}

/// A call such as `lookup('ntp_servers')`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallUse {
    pub name: Arc<str>,
    /// The place of the function's name in the expression.
    pub span: Range<usize>,
    /// The first argument, if it is a string literal: the key to look up, or the template's name.
    pub text: Option<Arc<str>>,
}

impl Expression {
    /// Parses what is between `${` and `}`.
    ///
    /// # Errors
    /// Returns an error if it is not an expression; the span is in `source`.
    pub fn parse(source: &str) -> Result<Self, Fault> {
        let mut root = parse::parse(source)?;
        let uses = binding::bind(&mut root)?;
        Ok(Self { source: source.into(), parsed: Arc::new(ParsedExpression { root, uses }) })
    }

    /// The text that it was parsed from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What it uses from its scope.
    pub fn uses(&self) -> &Uses {
        &self.parsed.uses
    }

    /// Names and functions that `scope` does not have, found without evaluating.
    pub fn unknown(&self, scope: &dyn Scope) -> Vec<Fault> {
        let names = scope.names();
        let unknown_names =
            self.uses().paths.iter().filter(|path| !names.iter().any(|n| **n == *path.root()));
        let named = unknown_names.map(|path| {
            let span = path.span.start..path.span.start + path.root().len();
            evaluate::unknown_in_expression(path.root(), &span, scope)
        });
        let functions = self.uses().functions.iter();
        let unknown_functions = functions.filter(|call| !scope.functions().contains(&&*call.name));
        named.chain(unknown_functions.map(|c| evaluate::unknown_function(&c.name, &c.span, scope))).collect()
    }

    /// Its value in a scope. A value that is passed through or selected keeps its origin; a computed value has none.
    /// What was computed from a secret is a secret.
    ///
    /// # Errors
    /// The first thing that is wrong; the span is in [`Expression::source`].
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<Value, Fault> {
        evaluate::Evaluator::new(scope).root(&self.parsed.root)
    }
}
