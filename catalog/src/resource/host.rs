//! `host`: a name in `/etc/hosts`.

use std::fmt;
use std::net::IpAddr;

use super::attribute::{HostName, Presence};
use super::claim::Claim;
use super::define::resource_type;
use super::{Attribute, AttributeError, AttributeKind, Implied, Mismatch, Rules};
use crate::value::Value;

/// An IPv4 or IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostAddress(pub IpAddr);

impl fmt::Display for HostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Attribute for HostAddress {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        text.parse().map(Self).map_err(|_| {
            let why = format!("is `{}`, which is not an address", text.escape_debug());
            Mismatch::because(why).help("write an IPv4 or IPv6 address, without a prefix length")
        })
    }
}

resource_type! {
    /// A name and its address in `/etc/hosts`. The title is the name. What else the file says stays, comments too; an entry
    /// for the same name with an address of the other family (IPv4, IPv6) is another one, and stays as well.
    Host("host"), titled HostName {
        /// Whether the name is there. Absent removes it wherever it is, with its `aliases`; other names on its line keep
        /// their address.
        property ensure: Presence = Presence::Present,
        /// Its address. Other lines that give the name another address of the same family lose it. Without `aliases`, other
        /// names on its line keep the address that they have.
        property ip: Option<HostAddress> => "required, unless absent",
        /// Exactly its other names on that line.
        property aliases: Option<Vec<HostName>>,
    }
}

impl Rules for Host {
    const SETS: &'static [&'static str] = &["aliases"];

    fn validate(&self) -> Vec<AttributeError> {
        let mut errors = Vec::new();
        if self.ensure == Presence::Present && self.ip.is_none() {
            let error = AttributeError::new("ip", "attribute `ip` is missing");
            errors.push(error.help("say its address: ip = \"192.0.2.7\""));
        }
        let aliases = self.aliases.as_deref().unwrap_or_default();
        let twice = |(i, name): (usize, &HostName)| *name == self.title || aliases[..i].contains(name);
        if aliases.iter().enumerate().any(twice) {
            let error = AttributeError::new("aliases", "`aliases` lists a name twice");
            errors.push(error.help("name each once, and leave the title out"));
        }
        errors
    }

    fn implied(&self) -> Vec<Implied> {
        vec![Implied::on_path("/etc/hosts")]
    }

    fn claims(&self) -> Vec<Claim> {
        let aliases = self.aliases.iter().flatten().filter(|_| self.ensure == Presence::Present);
        let families: &[&str] = match self.ip {
            Some(HostAddress(IpAddr::V4(_))) if self.ensure == Presence::Present => &["IPv4"],
            Some(HostAddress(IpAddr::V6(_))) if self.ensure == Presence::Present => &["IPv6"],
            _ => &["IPv4", "IPv6"],
        };
        let names = aliases.chain([&self.title]);
        let each = names.flat_map(|name| families.iter().map(move |family| format!("{name} ({family})")));
        each.map(|entry| Claim::entry("/etc/hosts", "host", entry, self.ensure)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType as _};

    fn wrong(title: &str, attributes: &[(&str, Value)]) -> Vec<&'static str> {
        let attributes: Attributes = attributes.iter().map(|(k, v)| ((*k).into(), v.clone())).collect();
        Host::read(title, &attributes).err().into_iter().flatten().map(|error| error.attribute).collect()
    }

    #[test]
    fn an_entry_has_an_address_and_distinct_names() {
        let ip = ("ip", Value::from("fd00::1"));
        assert_eq!(wrong("db", std::slice::from_ref(&ip)), [""; 0]);
        assert_eq!(wrong("db", &[("ensure", "absent".into())]), [""; 0]);
        assert_eq!(wrong("db", &[]), ["ip"]);
        assert_eq!(wrong("db", &[("ip", "10.0.0.0/8".into())]), ["ip"]);
        assert_eq!(wrong("db\n1.2.3.4 bank", std::slice::from_ref(&ip)), ["title"]);
        for aliases in [vec!["db".into()], vec!["x".into(), "x".into()], vec!["x # y".into()]] {
            assert_eq!(wrong("db", &[ip.clone(), ("aliases", Value::from(aliases))]), ["aliases"]);
        }
    }
}
