//! One resource as nftables statements, without their comment. No I/O.

use std::collections::BTreeSet;

use holdfast_catalog::resource::Firewall;
use holdfast_catalog::resource::attribute::{Cidr, Ports};
use holdfast_catalog::resource::firewall::{Interface, Protocol};

use super::name;

/// The limit on how many packets are logged.
const LOG_LIMIT: &str = "limit rate 10/second burst 20 packets";

/// The statements of a rule. There is more than one if both versions of IP are named, or packets are logged.
pub fn statements(want: &Firewall) -> Vec<String> {
    if let Some(rule) = &want.rule {
        return vec![rule.trim().to_owned()];
    }
    let with_addresses = !want.source.is_empty() || !want.destination.is_empty();
    let families: &[Option<bool>] = if with_addresses { &[Some(true), Some(false)] } else { &[None] };
    let possible = families.iter().filter(|family| family.is_none_or(|v4| want.matches_family(v4)));
    possible.flat_map(|family| of_family(want, *family)).collect()
}

fn of_family(want: &Firewall, v4: Option<bool>) -> Vec<String> {
    let mut conditions = Vec::new();
    let mut add = |condition: Option<String>| conditions.extend(condition);
    add(want.interface.as_ref().map(|name| interface("iifname", name)));
    add(want.out_interface.as_ref().map(|name| interface("oifname", name)));
    if let Some(v4) = v4 {
        add(addresses("saddr", &want.source, v4));
        add(addresses("daddr", &want.destination, v4));
    }
    add(protocol(&want.protocol, &want.ports));
    let with = |end: &str| {
        let all = conditions.iter().map(String::as_str).chain([end]);
        all.collect::<Vec<_>>().join(" ")
    };
    let log = format!("{LOG_LIMIT} log prefix \"{}\"", name::log_prefix(&want.title));
    let log = want.log.then(|| with(&log));
    log.into_iter().chain([with(&want.verdict().to_string())]).collect()
}

fn interface(key: &str, name: &Interface) -> String {
    format!("{key} \"{}\"", name.as_str())
}

/// The condition on addresses; `None` if any address of the version matches, unless that alone is the condition.
fn addresses(key: &str, all: &[Cidr], v4: bool) -> Option<String> {
    let of_version: Vec<Cidr> = all.iter().copied().filter(|cidr| cidr.is_v4() == v4).collect();
    let (family, version) = if v4 { ("ip", "ipv4") } else { ("ip6", "ipv6") };
    if of_version.is_empty() {
        return None;
    }
    let fewest = without_contained(&of_version);
    if fewest.iter().any(|cidr| cidr.length() == 0) {
        return Some(format!("meta nfproto {version}"));
    }
    Some(format!("{family} {key} {}", one_or_set(&fewest)))
}

/// Removes networks that are inside others: they add nothing, and nftables refuses a set with both.
fn without_contained(all: &[Cidr]) -> Vec<Cidr> {
    let mut all = all.to_vec();
    all.sort_unstable_by_key(|cidr| (cidr.length(), cidr.address()));
    all.dedup();
    let mut kept: Vec<Cidr> = Vec::with_capacity(all.len());
    for cidr in all {
        if !kept.iter().any(|wider| wider.contains(&cidr)) {
            kept.push(cidr);
        }
    }
    kept.sort_unstable();
    kept
}

fn protocol(all: &[Protocol], ports: &[Ports]) -> Option<String> {
    // Written as numbers, since the table of names may be missing.
    let numbers = || one_or_set(&Vec::from_iter(all.iter().map(|p| p.number()).collect::<BTreeSet<_>>()));
    match (all, ports) {
        ([], _) => None,
        (_, []) => Some(format!("meta l4proto {}", numbers())),
        ([one], ports) => Some(format!("{one} dport {}", one_or_set(&merged(ports)))),
        (_, ports) => Some(format!("meta l4proto {} th dport {}", numbers(), one_or_set(&merged(ports)))),
    }
}

/// Merges ranges that overlap.
fn merged(ports: &[Ports]) -> Vec<Ports> {
    let mut ports = ports.to_vec();
    ports.sort_unstable();
    let mut merged: Vec<Ports> = Vec::with_capacity(ports.len());
    for next in ports {
        match merged.last_mut() {
            Some(last) if next.first <= last.last => last.last = last.last.max(next.last),
            _ => merged.push(next),
        }
    }
    merged
}

fn one_or_set<T: ToString>(items: &[T]) -> String {
    match items {
        [one] => one.to_string(),
        items => format!("{{ {} }}", Vec::from_iter(items.iter().map(T::to_string)).join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::value::Value;

    use super::*;
    use crate::provider::trial::want;

    fn said(attributes: &[(&str, Value)]) -> Vec<String> {
        statements(&want::<Firewall>("web", attributes))
    }

    fn list(items: &[&str]) -> Value {
        items.iter().map(|item| Value::from(*item)).collect::<Vec<_>>().into()
    }

    #[test]
    fn conditions_are_all_of_what_is_given() {
        assert_eq!(said(&[]), ["accept"]);
        assert_eq!(said(&[("action", "drop".into())]), ["drop"]);
        let all = [
            ("chain", "forward".into()),
            ("interface", "eth*".into()),
            ("out_interface", "br0".into()),
            ("source", "192.0.2.0/24".into()),
            ("destination", "198.51.100.7".into()),
            ("protocol", "tcp".into()),
            ("ports", list(&["443", "80", "8000-8010"])),
            ("action", "reject".into()),
        ];
        assert_eq!(
            said(&all),
            ["iifname \"eth*\" oifname \"br0\" ip saddr 192.0.2.0/24 ip daddr 198.51.100.7 \
              tcp dport { 80, 443, 8000-8010 } reject"]
        );
    }

    #[test]
    fn several_protocols_are_one_statement() {
        let dns = [("protocol", list(&["udp", "tcp"])), ("ports", 53.into())];
        assert_eq!(said(&dns), ["meta l4proto { 6, 17 } th dport 53 accept"]);
        assert_eq!(said(&[("protocol", "gre".into())]), ["meta l4proto 47 accept"]);
    }

    #[test]
    fn each_version_of_ip_is_a_statement_of_its_own() {
        let both = list(&["192.0.2.1", "2001:db8::/32", "192.0.2.0/24"]);
        assert_eq!(
            said(&[("source", both.clone())]),
            ["ip saddr 192.0.2.0/24 accept", "ip6 saddr 2001:db8::/32 accept"]
        );
        let narrowed = [("source", both), ("destination", "2001:db8::1".into())];
        assert_eq!(said(&narrowed), ["ip6 saddr 2001:db8::/32 ip6 daddr 2001:db8::1 accept"]);
        assert_eq!(said(&[("source", "0.0.0.0/0".into())]), ["meta nfproto ipv4 accept"]);
    }

    #[test]
    fn what_overlaps_is_merged() {
        let ports = list(&["100", "80-90", "85-95", "90"]);
        assert_eq!(
            said(&[("protocol", "udp".into()), ("ports", ports)]),
            ["udp dport { 80-95, 100 } accept"]
        );
        let nested = list(&["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "192.0.2.1"]);
        assert_eq!(said(&[("source", nested)]), ["ip saddr { 10.0.0.0/8, 192.0.2.1 } accept"]);
    }

    #[test]
    fn what_is_logged_is_logged_a_little_and_then_judged() {
        assert_eq!(
            said(&[("protocol", "tcp".into()), ("action", "drop".into()), ("log", true.into())]),
            [
                "meta l4proto 6 limit rate 10/second burst 20 packets log prefix \"holdfast:web \"",
                "meta l4proto 6 drop"
            ]
        );
    }

    #[test]
    fn nftables_own_words_are_left_as_they_are() {
        assert_eq!(said(&[("rule", " tcp dport 22 accept ".into())]), ["tcp dport 22 accept"]);
    }
}
