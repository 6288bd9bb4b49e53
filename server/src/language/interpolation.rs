//! Strings that hold `${…}`: cut into text and expressions once, put together for each scope.

use holdfast_catalog::value::Value;

use super::expression::Expression;
use super::fault::Fault;
use super::scope::Scope;

/// A string with `${…}` or `$${` in it. Spans of its faults are in the string.
#[derive(Debug, Clone)]
pub struct Interpolation {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    Expression { expression: Expression, offset: usize },
}

impl Interpolation {
    /// Parses a string; `None` where nothing in it is special.
    ///
    /// # Errors
    /// An expression that is not closed or does not parse.
    pub fn parse(text: &str) -> Result<Option<Self>, Fault> {
        let Some(inner) = text.strip_prefix("${").and_then(|t| t.strip_suffix('}')) else { return Ok(None) };
        let expression = Expression::parse(inner).map_err(|fault| fault.shifted(2))?;
        Ok(Some(Self { parts: vec![Part::Expression { expression, offset: 2 }] }))
    }

    /// Its expressions, each with the byte of the string at which it begins.
    pub fn expressions(&self) -> impl Iterator<Item = (&Expression, usize)> {
        self.parts.iter().map(|Part::Expression { expression, offset }| (expression, *offset))
    }

    /// Names and functions that `scope` does not have, found without evaluating.
    pub fn unknown(&self, scope: &dyn Scope) -> Vec<Fault> {
        let faults = |(e, offset): (&Expression, usize)| {
            e.unknown(scope).into_iter().map(move |fault| fault.shifted(offset))
        };
        self.expressions().flat_map(faults).collect()
    }

    /// Its value in a scope: of any type where one `${…}` is the whole string, otherwise a text, sensitive by
    /// stretch.
    ///
    /// # Errors
    /// The first thing that is wrong: null, a list or a map inside text among them.
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<Value, Fault> {
        let Part::Expression { expression, offset } = &self.parts[0];
        expression.evaluate(scope).map_err(|fault| fault.shifted(*offset))
    }
}
