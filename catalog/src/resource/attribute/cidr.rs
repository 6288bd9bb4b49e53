//! IP networks of either version.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Attribute, AttributeKind, Mismatch};
use crate::value::Value;

/// A network, or one address, which is a network of the full length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    address: IpAddr,
    length: u8,
}

impl Cidr {
    /// The first address of the network.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The number of leading bits that its addresses have in common.
    pub fn length(&self) -> u8 {
        self.length
    }

    /// Whether it is IPv4.
    pub fn is_v4(&self) -> bool {
        self.address.is_ipv4()
    }

    /// Whether it includes every address of `other`.
    pub fn contains(&self, other: &Self) -> bool {
        self.is_v4() == other.is_v4()
            && self.length <= other.length
            && first(other.address, self.length) == self.address
    }

    fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => whole,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok()?,
            Some(_) => return None,
        };
        (length <= whole).then_some(Self { address, length })
    }
}

/// The first address of the network of `length` bits that contains `address`.
fn first(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            Ipv4Addr::from(u32::from(v4) & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            Ipv6Addr::from(u128::from(v6) & mask).into()
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = if self.is_v4() { 32 } else { 128 };
        if self.length == whole { self.address.fmt(f) } else { write!(f, "{}/{}", self.address, self.length) }
    }
}

impl Attribute for Cidr {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let Some(read) = Self::parse(text) else {
            let why = format!("is `{}`, which is neither an address nor a network", text.escape_debug());
            return Err(Mismatch::because(why).help("write it as 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32"));
        };
        let network = Self { address: first(read.address, read.length), ..read };
        if network != read {
            let why = format!("is `{text}`, an address within a network");
            return Err(Mismatch::because(why).help(format!("for the network, write {network}")));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        Cidr::read(&text.into()).unwrap_or_else(|error| panic!("{text}: {error:?}"))
    }

    #[test]
    fn addresses_and_networks_of_both_versions_are_read_and_shown() {
        for text in ["192.0.2.1", "192.0.2.0/24", "0.0.0.0/0", "2001:db8::1", "2001:db8::/32", "::/0"] {
            assert_eq!(cidr(text).to_string(), text);
        }
        assert_eq!(cidr("192.0.2.1/32"), cidr("192.0.2.1"));
        for bad in
            ["", "192.0.2", "192.0.2.0/33", "192.0.2.0/+8", "::/129", "host", "10.0.0.0/8\n", "10.0.0.0/"]
        {
            assert!(Cidr::read(&bad.into()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_address_within_a_network_is_met_with_the_network() {
        let help = Cidr::read(&"10.1.2.3/8".into()).unwrap_err().help.unwrap();
        assert!(help.contains("10.0.0.0/8"), "{help}");
    }

    #[test]
    fn a_network_contains_what_lies_in_it() {
        assert!(cidr("10.0.0.0/8").contains(&cidr("10.1.0.0/16")));
        assert!(cidr("::/0").contains(&cidr("2001:db8::1")));
        assert!(!cidr("10.1.0.0/16").contains(&cidr("10.0.0.0/8")));
        assert!(!cidr("0.0.0.0/0").contains(&cidr("::1")));
    }
}
