//! A position: what has the smaller number comes first.

use super::{Attribute, AttributeKind, Mismatch};
use crate::value::Value;

/// A number from 0 to 999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrderNumber(pub u16);

impl Attribute for OrderNumber {
    const KIND: AttributeKind = AttributeKind::Integer { min: 0, max: 999 };
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let number = value.as_int().and_then(|i| u16::try_from(i).ok());
        number.filter(|number| *number <= 999).map(Self).ok_or(Mismatch::KIND)
    }
}
