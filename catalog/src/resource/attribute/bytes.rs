//! A size: bytes, or a number with a unit.

use super::{Attribute, AttributeKind, Mismatch};
use crate::value::Value;

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteCount(pub u64);

impl Attribute for ByteCount {
    const KIND: AttributeKind = AttributeKind::Bytes;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        if let Some(number) = value.as_int() {
            return u64::try_from(number).map(Self).map_err(|_| Mismatch::KIND);
        }
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let factor: u64 = match &text[digits.len()..] {
            "B" => 1,
            "K" => 1 << 10,
            "M" => 1 << 20,
            "G" => 1 << 30,
            "T" => 1 << 40,
            _ => return Err(Mismatch::KIND),
        };
        let number: u64 = digits.parse().map_err(|_| Mismatch::KIND)?;
        number.checked_mul(factor).map(Self).ok_or(Mismatch::KIND)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_1024() {
        assert_eq!(ByteCount::read(&"10M".into()).unwrap(), ByteCount(10 * 1024 * 1024));
        assert_eq!(ByteCount::read(&512.into()).unwrap(), ByteCount(512));
        for bad in
            [Value::from("10"), "M".into(), "10MB".into(), "-1K".into(), (-1).into(), "99999999T".into()]
        {
            assert!(ByteCount::read(&bad).is_err(), "{bad:?}");
        }
    }
}
