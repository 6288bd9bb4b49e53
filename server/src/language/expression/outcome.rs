//! What a part of an expression comes to.

use holdfast_catalog::value::Value;

/// What a part of an expression comes to: CEL's optionals are not values of ours.
#[derive(Debug)]
pub(in crate::language) enum Outcome {
    Value(Value),
    Optional(Option<Value>),
}

impl From<Value> for Outcome {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}
