//! The result of evaluating a part of an expression.

use holdfast_catalog::value::Value;

/// The result of evaluating a part of an expression. CEL's optionals are not among our values.
#[derive(Debug)]
pub(in crate::language) enum Evaluation {
    Value(Value),
    Optional(Option<Value>),
}

impl From<Value> for Evaluation {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}
