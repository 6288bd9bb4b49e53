//! Whole numbers within bounds of their own.

use std::fmt;

use super::{Attribute, AttributeKind, Mismatch};
use crate::value::Value;

/// A whole number from `MIN` to `MAX`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bounded<const MIN: i64, const MAX: i64>(i64);

impl<const MIN: i64, const MAX: i64> Bounded<MIN, MAX> {
    /// A number that is known to be within the bounds.
    ///
    /// # Panics
    /// Panics if it is not. In a constant, that is a compile error.
    pub const fn new(number: i64) -> Self {
        assert!(MIN <= number && number <= MAX, "a number out of its bounds");
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl<const MIN: i64, const MAX: i64> fmt::Display for Bounded<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<const MIN: i64, const MAX: i64> Attribute for Bounded<MIN, MAX> {
    const KIND: AttributeKind = AttributeKind::Integer { min: MIN, max: MAX };
    fn read(value: &Value) -> Result<Self, Mismatch> {
        match value.as_int() {
            Some(number) if (MIN..=MAX).contains(&number) => Ok(Self(number)),
            _ => Err(Mismatch::KIND),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bounds_are_included() {
        type Order = Bounded<0, 999>;
        for number in [0, 50, 999] {
            assert_eq!(Order::read(&number.into()).unwrap().get(), number);
        }
        for number in [-1, 1000, i64::MAX] {
            assert!(Order::read(&number.into()).is_err(), "{number}");
        }
        assert!(Order::read(&"50".into()).is_err());
    }
}
