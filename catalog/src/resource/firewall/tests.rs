//! What a rule may contain.

use super::*;
use crate::resource::{Attributes, ResourceType};

fn read(attributes: &[(&str, Value)]) -> Result<Firewall, Vec<AttributeError>> {
    let attributes: Attributes =
        attributes.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
    Firewall::read("web", &attributes)
}

fn refused(attributes: &[(&str, Value)]) -> &'static str {
    read(attributes).unwrap_err()[0].attribute
}

fn list(items: &[&str]) -> Value {
    items.iter().map(|item| Value::from(*item)).collect::<Vec<_>>().into()
}

#[test]
fn a_rule_without_any_attribute_accepts_everything() {
    let rule = read(&[]).unwrap();
    assert_eq!((rule.chain, rule.order.get()), (FirewallChain::Input, 50));
    assert_eq!(rule.verdict(), FirewallAction::Accept);
}

#[test]
fn ports_are_of_protocols_that_have_them() {
    let ports = ("ports", Value::from(vec![80.into(), Value::from("8000-8010")]));
    assert!(read(&[ports.clone(), ("protocol", list(&["tcp", "udp"]))]).is_ok());
    assert_eq!(refused(std::slice::from_ref(&ports)), "ports");
    assert_eq!(refused(&[ports, ("protocol", list(&["tcp", "gre"]))]), "ports");
}

#[test]
fn a_packet_has_both_addresses_of_one_version() {
    let (v4, v6) = (list(&["192.0.2.1"]), list(&["2001:db8::/32"]));
    assert_eq!(refused(&[("source", v4.clone()), ("destination", v6)]), "destination");
    let both = list(&["192.0.2.1", "2001:db8::1"]);
    let rule = read(&[("source", v4), ("destination", both)]).unwrap();
    assert!(rule.matches_family(true) && !rule.matches_family(false));
}

#[test]
fn a_protocol_of_one_version_goes_with_addresses_of_that_version() {
    let (v4, v6) = ("192.0.2.0/24", "2001:db8::/32");
    let rule = |protocols: &[&str], side: &'static str, addresses: &[&str]| {
        read(&[("protocol", list(protocols)), (side, list(addresses))])
    };
    for side in ["source", "destination"] {
        for (protocols, addresses) in [
            (&["icmp"][..], &[v6][..]),
            (&["igmp"], &[v6]),
            (&["icmpv6"], &[v4]),
            (&["icmp"], &[v4, v6]),
            (&["icmpv6"], &[v4, v6]),
            (&["icmp", "igmp"], &[v4, v6]),
            (&["icmp", "icmpv6"], &[v4]),
            (&["tcp", "icmp"], &[v6]),
        ] {
            let errors = rule(protocols, side, addresses).unwrap_err();
            let said = (errors.len(), errors[0].attribute);
            assert_eq!(said, (1, "protocol"), "{protocols:?} {side} {addresses:?}: {errors:?}");
        }
        for (protocols, addresses) in [
            (&["icmp"][..], &[v4][..]),
            (&["icmp", "icmpv6"], &[v4, v6]),
            (&["tcp", "icmp"], &[v4, v6]),
            (&["ipv6", "ipip", "gre", "ospf", "vrrp"], &[v6]),
            (&["ipv6", "ipip"], &[v4]),
            (&["icmpv6"], &[]),
        ] {
            assert!(rule(protocols, side, addresses).is_ok(), "{protocols:?} {side} {addresses:?}");
        }
    }
    let errors = rule(&["icmp"], "source", &[v4, v6]).unwrap_err();
    assert_eq!(errors[0].message, format!("icmp exists only in IPv4, and `source` has `{v6}`"));
}

#[test]
fn interfaces_are_those_that_the_chain_knows() {
    assert_eq!(refused(&[("out_interface", "eth0".into())]), "out_interface");
    assert_eq!(refused(&[("chain", "output".into()), ("interface", "eth0".into())]), "interface");
    let both = [("chain", "forward".into()), ("interface", "eth*".into()), ("out_interface", "br0".into())];
    assert!(read(&both).is_ok());
    for bad in ["", "*", "eth0\"", "eth 0", "a-name-that-is-too-long", "e*h"] {
        assert!(Interface::read(&bad.into()).is_err(), "{bad:?}");
    }
}

#[test]
fn nftables_own_words_are_one_rule_and_stand_alone() {
    for good in [
        "tcp dport 22 ct state new limit rate 10/minute accept",
        "ip saddr { 192.0.2.0/24, 198.51.100.7 } tcp dport { 80, 443 } accept",
        "log prefix \"a; } # comment \" drop",
    ] {
        assert!(read(&[("rule", good.into())]).is_ok(), "{good}");
    }
    for bad in [
        "",
        " ",
        "accept; drop",
        "accept\n} table inet evil {",
        "accept }",
        "{ accept",
        "} accept {",
        "accept # x",
        "log prefix \"a",
        "accept comment \"mine\"",
        "accept \\",
        "ip saddr $x accept",
    ] {
        assert_eq!(refused(&[("rule", bad.into())]), "rule", "{bad:?}");
    }
    assert_eq!(refused(&[("rule", "accept".into()), ("action", "drop".into())]), "rule");
    assert_eq!(refused(&[("rule", "accept".into()), ("source", list(&["192.0.2.1"]))]), "rule");
}
