//! Ports of a transport protocol.

use std::fmt;

use super::{Attribute, AttributeKind, Mismatch};
use crate::value::Value;

/// A port, or a range of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ports {
    pub first: u16,
    /// The last port; equal to `first` if it is a single port.
    pub last: u16,
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { self.first.fmt(f) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

impl Attribute for Ports {
    const KIND: AttributeKind = AttributeKind::Ports;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        if let Some(number) = value.as_int() {
            let port = u16::try_from(number).ok().filter(|port| *port > 0).ok_or(Mismatch::KIND)?;
            return Ok(Self { first: port, last: port });
        }
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let port = |digits: &str| -> Option<u16> {
            let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            digits.parse().ok().filter(|port| plain && *port > 0)
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (port(first), port(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            (Some(first), Some(last)) => {
                let why = format!("is `{text}`, a range that ends before it begins");
                Err(Mismatch::because(why).help(format!("write \"{last}-{first}\"")))
            }
            _ => Err(Mismatch::KIND),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_a_number_or_a_range() {
        let read = |value: Value| Ports::read(&value).map(|ports| ports.to_string());
        assert_eq!(read(80.into()).unwrap(), "80");
        assert_eq!(read("80".into()).unwrap(), "80");
        assert_eq!(read("8000-8010".into()).unwrap(), "8000-8010");
        for bad in [Value::from(0), 65536.into(), "".into(), "80-".into(), "http".into(), "+80".into()] {
            assert!(read(bad.clone()).is_err(), "{bad:?}");
        }
        assert!(read("90-80".into()).unwrap_err().help.unwrap().contains("80-90"));
    }
}
