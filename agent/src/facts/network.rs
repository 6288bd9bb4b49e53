//! Names and addresses. What comes and goes with containers is left out, since stable facts cause compiles.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use holdfast_catalog::value::{Map, Value};

use super::tree::{Tree, host};
use super::{known, text};

mod addresses;

/// Prefixes of interfaces that container runtimes create and remove.
const PASSING: [&str; 5] = ["veth", "cali", "lxc", "tap", "vnet"];

pub(super) fn collect(tree: &Tree, facts: &mut Map) {
    let hostname = hostname(tree);
    let fqdn = fqdn(&hostname, &tree.read("/etc/hosts").unwrap_or_default());
    let domain = fqdn.split_once('.').map(|(_, domain)| domain).unwrap_or_default();
    let networking = known([
        ("hostname", text(hostname.split('.').next().unwrap_or_default())),
        ("fqdn", text(&fqdn)),
        ("domain", text(domain)),
        ("ip", outgoing(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into())),
        (
            "ip6",
            outgoing(Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into()),
        ),
        ("interfaces", Some(interfaces())),
    ]);
    facts.insert("networking".into(), networking);
}

fn hostname(tree: &Tree) -> String {
    let written = tree.own("/etc/hostname").unwrap_or_default();
    let first = written.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    first.map_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned(), str::to_owned)
}

/// The full name according to `/etc/hosts`. DNS is not asked, since it can hang.
fn fqdn(hostname: &str, hosts: &str) -> String {
    if hostname.contains('.') {
        return hostname.to_owned();
    }
    let full = |line: &str| {
        let names: Vec<_> = line.split('#').next()?.split_whitespace().skip(1).collect();
        let found = names.iter().find(|n| n.strip_prefix(hostname).is_some_and(|rest| rest.starts_with('.')));
        found.map(|name| (*name).to_owned())
    };
    hosts.lines().find_map(full).unwrap_or_else(|| hostname.to_owned())
}

/// The source address of the default route. Connecting a datagram socket sends nothing.
fn outgoing(local: IpAddr, far: IpAddr) -> Option<Value> {
    let socket = UdpSocket::bind(SocketAddr::new(local, 0)).ok()?;
    socket.connect(SocketAddr::new(far, 9)).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified() && !ip.is_loopback()).then(|| ip.to_string().into())
}

fn interfaces() -> Value {
    let all = addresses::all().unwrap_or_default();
    let mut out = Map::new();
    for entry in std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name == "lo" || PASSING.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        let field = |field: &str| host(entry.path().join(field)).map(|text| text.trim().to_owned());
        let Some(index) = field("ifindex").and_then(|text| text.parse::<u32>().ok()) else { continue };
        let list = |wanted: fn(&IpAddr) -> bool| {
            let mut found: Vec<_> = all
                .iter()
                .filter(|a| a.interface == index && wanted(&a.ip))
                .map(ToString::to_string)
                .collect();
            found.sort();
            (!found.is_empty()).then(|| found.into_iter().map(Value::from).collect::<Vec<_>>().into())
        };
        let interface = known([
            ("mac", field("address").and_then(text)),
            ("mtu", field("mtu").and_then(|mtu| mtu.parse::<i64>().ok()).map(Value::from)),
            ("addresses", list(IpAddr::is_ipv4)),
            ("addresses6", list(IpAddr::is_ipv6)),
        ]);
        out.insert(name.into(), interface);
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_full_name_is_found_without_dns() {
        let hosts = "127.0.0.1 localhost\n# 192.0.2.1 web1.old.example\n192.0.2.7 web1.acme.example web1\n";
        assert_eq!(fqdn("web1", hosts), "web1.acme.example");
        assert_eq!(fqdn("web", hosts), "web");
        assert_eq!(fqdn("web2.acme.example", hosts), "web2.acme.example");
    }
}
