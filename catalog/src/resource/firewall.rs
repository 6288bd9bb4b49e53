//! `firewall`: one rule of the machine's one ruleset.

use super::attribute::{Bounded, Cidr, Ports, Presence, keywords};
use super::claim::Claim;
use super::define::resource_type;
use super::{Attribute, AttributeError, AttributeKind, Implied, Mismatch, Rules};
use crate::value::Value;

keywords! {
    /// Which packets a rule applies to.
    FirewallChain {
        /// Those addressed to this machine.
        Input = "input",
        /// Those that it forwards.
        Forward = "forward",
        /// Those that it sends.
        Output = "output",
    }
}

keywords! {
    /// What happens to a packet.
    FirewallAction {
        /// It passes.
        Accept = "accept",
        /// It is discarded silently.
        Drop = "drop",
        /// It is refused, and the sender is notified.
        Reject = "reject",
    }
}

keywords! {
    /// A protocol above IP.
    Protocol {
        /// TCP.
        Tcp = "tcp",
        /// UDP.
        Udp = "udp",
        /// SCTP.
        Sctp = "sctp",
        /// DCCP.
        Dccp = "dccp",
        /// UDP-Lite.
        Udplite = "udplite",
        /// ICMP for IPv4.
        Icmp = "icmp",
        /// ICMP for IPv6.
        Icmpv6 = "icmpv6",
        /// IPsec encapsulated payload.
        Esp = "esp",
        /// IPsec authentication header.
        Ah = "ah",
        /// GRE tunnels.
        Gre = "gre",
        /// IPv6 in IPv4.
        Ipv6 = "ipv6",
        /// IPv4 in IP.
        Ipip = "ipip",
        /// Multicast group management for IPv4.
        Igmp = "igmp",
        /// OSPF routing.
        Ospf = "ospf",
        /// VRRP, as used by keepalived.
        Vrrp = "vrrp",
    }
}

impl Protocol {
    /// Its number, for which no table of names is needed.
    pub fn number(self) -> u8 {
        match self {
            Self::Icmp => 1,
            Self::Igmp => 2,
            Self::Ipip => 4,
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Dccp => 33,
            Self::Ipv6 => 41,
            Self::Gre => 47,
            Self::Esp => 50,
            Self::Ah => 51,
            Self::Icmpv6 => 58,
            Self::Ospf => 89,
            Self::Vrrp => 112,
            Self::Sctp => 132,
            Self::Udplite => 136,
        }
    }

    /// The only version of IP that has it, where not both do.
    pub fn version(self) -> Option<u8> {
        match self {
            Self::Icmp | Self::Igmp => Some(4),
            Self::Icmpv6 => Some(6),
            _ => None,
        }
    }

    /// Whether it has ports.
    pub fn has_ports(self) -> bool {
        matches!(self, Self::Tcp | Self::Udp | Self::Sctp | Self::Dccp | Self::Udplite)
    }
}

/// The name of a network interface; `*` at its end stands for any further characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface(String);

impl Interface {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Attribute for Interface {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let name = text.strip_suffix('*').unwrap_or(text);
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.:@".contains(&b);
        if name.is_empty() || text.len() > 15 || !name.bytes().all(plain) {
            let why = format!("is `{}`, which is not an interface", text.escape_debug());
            return Err(Mismatch::because(why).help("write it as eth0, or eth* for all that begin so"));
        }
        Ok(Self(text.to_owned()))
    }
}

resource_type! {
    /// A rule of the machine's firewall. All rules of a catalog, from whatever class, are one ruleset: the table
    /// `inet holdfast`, loaded whole or not at all, and written to `/etc/nftables.d/holdfast.nft`, which `/etc/nftables.conf`
    /// can include so that it is in force before the agent runs. Other tables are left alone, and what they drop stays dropped.
    /// The title says what the rule is for.
    ///
    /// A chain is made where a rule names it, and begins with what keeps the machine reachable: the loopback interface,
    /// answers to what was let through before, and what IPv6 needs; what belongs to no connection is dropped. What no rule
    /// takes is accepted: `order = 999` with `action = "drop"` and no condition refuses the rest.
    ///
    /// Since the ruleset is one, it is only reported on, and not loaded, as long as the policy of one rule is `audit` or `off`.
    /// When the last rule goes from the catalog, what was loaded stays.
    Firewall("firewall"), titled String {
        /// Which packets it sees: those for this machine, those that it passes on, or those that it sends.
        parameter chain: FirewallChain = FirewallChain::Input,
        /// Its place: lower ones come first, equal ones by title.
        parameter order: Bounded<0, 999> = Bounded::new(50),
        /// What becomes of packets that meet all conditions.
        parameter action: Option<FirewallAction> => "`\"accept\"`; with `rule` what that says",
        /// Only these protocols. `icmp` and `igmp` exist only in IPv4, `icmpv6` only in IPv6: each goes with addresses of its version.
        parameter protocol: Vec<Protocol> => "any",
        /// Only to these ports: `80`, `"8000-8010"`.
        parameter ports: Vec<Ports> => "any",
        /// Only from these addresses and networks, of either version.
        parameter source: Vec<Cidr> => "any",
        /// Only to these addresses and networks, of either version.
        parameter destination: Vec<Cidr> => "any",
        /// Only what comes in by this interface; `*` at its end stands for any further letters.
        parameter interface: Option<Interface> => "any",
        /// Only what goes out by this interface.
        parameter out_interface: Option<Interface> => "any",
        /// Whether such packets are logged, at most ten a second.
        parameter log: bool = false,
        /// The rule in nftables' own words, in place of the attributes for conditions and `action`:
        /// `tcp dport 22 ct state new limit rate 10/minute accept`. Interfaces are named by `iifname` and `oifname`; of those by
        /// `iif` and `oif`, only `lo` is known. A rule that is missing, was altered or has moved is reported under this name.
        property rule: Option<String> => "none",
    }
}

impl Firewall {
    /// The file that keeps the ruleset across a reboot.
    pub const FILE: &'static str = "/etc/nftables.d/holdfast.nft";

    /// What happens to a packet that meets all conditions.
    pub fn verdict(&self) -> FirewallAction {
        self.action.unwrap_or(FirewallAction::Accept)
    }

    /// Whether its addresses allow it to match IPv4 packets, or IPv6 packets.
    pub fn matches_family(&self, v4: bool) -> bool {
        let has = |list: &[Cidr]| list.is_empty() || list.iter().any(|cidr| cidr.is_v4() == v4);
        has(&self.source) && has(&self.destination)
    }

    /// A protocol that no packet with these addresses has, or addresses that no packet with these protocols has.
    fn unmatched(&self) -> Option<String> {
        let is_v4 = |protocol: &Protocol| protocol.version().map(|version| version == 4);
        let alone = self.protocol.iter().find(|one| is_v4(one).is_some_and(|v4| !self.matches_family(v4)));
        if let (Some(protocol), Some(version)) = (alone, alone.and_then(|one| one.version())) {
            return Some(format!(
                "{protocol} exists only in IPv{version}, and no packet of that has these addresses"
            ));
        }
        let addresses = [("source", &self.source), ("destination", &self.destination)];
        [true, false].into_iter().find_map(|v4| {
            let is_other = |protocol: &Protocol| is_v4(protocol) == Some(!v4);
            let first = self.protocol.first().filter(|_| self.protocol.iter().all(is_other))?;
            let is_of = |cidr: &&Cidr| cidr.is_v4() == v4;
            let (name, cidr) =
                addresses.iter().find_map(|(name, all)| Some((name, all.iter().find(is_of)?)))?;
            let version = if v4 { 6 } else { 4 };
            Some(format!("{first} exists only in IPv{version}, and `{name}` has `{cidr}`"))
        })
    }

    fn has_conditions(&self) -> bool {
        !self.protocol.is_empty()
            || !self.ports.is_empty()
            || !self.source.is_empty()
            || !self.destination.is_empty()
            || self.interface.is_some()
            || self.out_interface.is_some()
    }
}

impl Rules for Firewall {
    const SETS: &'static [&'static str] = &["protocol", "ports", "source", "destination"];

    fn validate(&self) -> Vec<AttributeError> {
        let mut errors = Vec::new();
        let mut refuse = |attribute, message: String, help: &str| {
            errors.push(AttributeError::new(attribute, message).help(help));
        };
        if let Some(rule) = &self.rule {
            if self.has_conditions() || self.action.is_some() || self.log {
                let help = "say all of it in `rule`, or leave `rule` out";
                refuse("rule", "`rule` replaces conditions, `action` and `log`".to_owned(), help);
            }
            if let Err(why) = is_one_rule(rule) {
                refuse(
                    "rule",
                    format!("`rule` {why}"),
                    "write one rule in one line, and one resource for each",
                );
            }
        }
        let portless = self.protocol.iter().find(|protocol| !protocol.has_ports());
        match (self.ports.is_empty(), self.protocol.is_empty(), portless) {
            (false, true, _) => {
                refuse("ports", "`ports` needs a `protocol`".to_owned(), "add protocol = \"tcp\"");
            }
            (false, false, Some(protocol)) => {
                refuse(
                    "ports",
                    format!("{protocol} has no ports"),
                    "leave `ports` out, or make it two rules",
                );
            }
            _ => {}
        }
        if self.chain == FirewallChain::Input && self.out_interface.is_some() {
            let why = "a packet for this machine has no outgoing interface".to_owned();
            refuse("out_interface", why, "use `interface`, or another `chain`");
        }
        if self.chain == FirewallChain::Output && self.interface.is_some() {
            let why = "a packet from this machine has no incoming interface".to_owned();
            refuse("interface", why, "use `out_interface`, or another `chain`");
        }
        if !self.matches_family(true) && !self.matches_family(false) {
            let why = "`source` and `destination` have no version of IP in common".to_owned();
            refuse("destination", why, "both addresses of a packet have the same version");
        } else if let Some(why) = self.unmatched() {
            refuse(
                "protocol",
                why,
                "make it two rules: `icmp` for IPv4 and `icmpv6` for IPv6, each with its addresses",
            );
        }
        errors
    }

    fn implied(&self) -> Vec<Implied> {
        // The service empties the kernel's tables when it starts.
        vec![
            Implied::on("package", "nftables"),
            Implied::after("service", "nftables"),
            Implied::on_parent(Self::FILE),
        ]
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::entry(Self::FILE, "rule", self.title.as_str(), Presence::Present)]
    }
}

/// Checks that a text in nftables' syntax is only one rule, and leaves the comment to the agent.
fn is_one_rule(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    let (mut quoted, mut depth) = (false, 0_u32);
    let mut bare = String::new();
    for c in text.chars() {
        match c {
            c if c.is_control() => return Err("has a line break or another control character".to_owned()),
            '"' => quoted = !quoted,
            _ if quoted => continue,
            ';' | '#' | '\\' | '$' => return Err(format!("has a `{c}`")),
            '{' => depth += 1,
            '}' => depth = depth.checked_sub(1).ok_or("closes a brace that it did not open")?,
            _ => {}
        }
        bare.push(c);
    }
    if quoted || depth > 0 {
        return Err("leaves a quotation mark or a brace open".to_owned());
    }
    if bare.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == "comment") {
        return Err("has a comment, which the title is".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
