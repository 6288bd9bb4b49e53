//! The text of `/etc/hosts`: its lines, and edits of single ones.

use std::net::IpAddr;

/// The lines of a text that give names to addresses.
pub(super) struct HostTable<'a>(Vec<HostLine<'a>>);

/// An address and its names, the first of them the canonical one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct HostLine<'a> {
    ip: IpAddr,
    names: Vec<&'a str>,
    /// The comment at the end, with the white space before it.
    comment: &'a str,
}

/// What a text says about a name, in one family of addresses.
pub(super) struct HostNames<'a> {
    /// The other names of the lines that begin with it and have its address, each once; `None` if there is no such
    /// line.
    pub(super) own: Option<Vec<&'a str>>,
    /// All its addresses, each once; that of its own line comes first.
    pub(super) addresses: Vec<IpAddr>,
}

impl<'a> HostTable<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        Self(text.lines().filter_map(HostLine::parse).collect())
    }

    /// Whether the name occurs anywhere.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|line| line.has(name))
    }

    /// The other names of the name's own lines whose address should not be `ip`, each once.
    pub(super) fn fellows(&self, name: &str, ip: Option<IpAddr>) -> Vec<&'a str> {
        let is_own = |line: &&HostLine<'_>| line.names[0].eq_ignore_ascii_case(name);
        let elsewhere = |line: &&HostLine<'_>| ip.is_none_or(|ip| same_family(line.ip, ip) && line.ip != ip);
        let names = self.0.iter().filter(is_own).filter(elsewhere).flat_map(|line| &line.names);
        each_once(names.copied(), name)
    }

    /// What the text says about a name whose address should be `ip`.
    pub(super) fn find(&self, name: &str, ip: IpAddr) -> HostNames<'a> {
        let with_name = self.0.iter().filter(|line| line.has(name) && same_family(line.ip, ip));
        let own = own(with_name.clone(), name, ip);
        let others = with_name.filter(|line| own.is_none_or(|own| !std::ptr::eq(own, *line)));
        let mut addresses: Vec<IpAddr> = Vec::new();
        for line in own.into_iter().chain(others) {
            if !addresses.contains(&line.ip) {
                addresses.push(line.ip);
            }
        }
        let is_own = |line: &&HostLine<'a>| {
            line.names[0].eq_ignore_ascii_case(name) && own.is_some_and(|own| own.ip == line.ip)
        };
        let names = self.0.iter().filter(is_own).flat_map(|line| &line.names[1..]);
        HostNames { own: own.map(|_| each_once(names.copied(), name)), addresses }
    }
}

/// Names other than `beside`, each once.
fn each_once<'a>(names: impl Iterator<Item = &'a str>, beside: &str) -> Vec<&'a str> {
    let mut once = Vec::new();
    for other in names.filter(|other| !other.eq_ignore_ascii_case(beside)) {
        if !once.contains(&other) {
            once.push(other);
        }
    }
    once
}

/// Of the lines with a name, the one to change: one where it comes first, preferably with the right address.
fn own<'t, 'a>(
    lines: impl Iterator<Item = &'t HostLine<'a>> + Clone,
    name: &str,
    ip: IpAddr,
) -> Option<&'t HostLine<'a>> {
    let mut canonical = lines.filter(|line| line.names[0].eq_ignore_ascii_case(name));
    canonical.clone().find(|line| line.ip == ip).or_else(|| canonical.next())
}

impl<'a> HostLine<'a> {
    /// Parses a line that gives a name to an address.
    fn parse(line: &'a str) -> Option<Self> {
        let content = line.split('#').next().unwrap_or_default().trim_end();
        let mut words = content.split_ascii_whitespace();
        let ip = words.next()?.parse().ok()?;
        let names: Vec<&str> = words.collect();
        (!names.is_empty()).then(|| Self { ip, names, comment: line[content.len()..].trim_end() })
    }

    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|other| other.eq_ignore_ascii_case(name))
    }

    fn has_others(&self, name: &str) -> bool {
        self.names.iter().any(|other| !other.eq_ignore_ascii_case(name))
    }

    fn text(&self) -> String {
        format!("{}\t{}{}\n", self.ip, self.names.join(" "), self.comment)
    }

    /// The line without a name; empty if it had no other.
    fn without(mut self, name: &str) -> String {
        self.names.retain(|other| !other.eq_ignore_ascii_case(name));
        if self.names.is_empty() { String::new() } else { self.text() }
    }
}

/// Whether both are IPv4, or both IPv6.
pub(super) fn same_family(a: IpAddr, b: IpAddr) -> bool {
    a.is_ipv4() == b.is_ipv4()
}

/// The text with the name on one line of its own, and on no other of that family. Other names of a line keep their
/// address, unless they are aliases that belong to the name.
pub(super) fn with(text: &str, name: &str, ip: IpAddr, aliases: Option<Vec<&str>>) -> String {
    let table = HostTable::parse(text);
    let family = table.0.iter().filter(|line| line.has(name) && same_family(line.ip, ip));
    let own = own(family, name, ip);
    let leaves = aliases.is_none() && own.is_some_and(|line| line.ip != ip && line.has_others(name));
    let stays = own.filter(|_| !leaves);
    let kept = || stays.map(|line| line.names[1..].to_vec()).unwrap_or_default();
    let names = [name].into_iter().chain(aliases.unwrap_or_else(kept)).collect();
    let new = HostLine { ip, names, comment: stays.map_or("", |line| line.comment) };
    let mut placed = false;
    let mut edited = edit(text, |line| {
        if !line.has(name) || !same_family(line.ip, ip) {
            None
        } else if !placed && Some(&line) == own {
            placed = true;
            let left = if leaves { line.without(name) } else { String::new() };
            Some(left + &new.text())
        } else {
            Some(line.without(name))
        }
    });
    if !placed {
        edited.extend((!edited.is_empty() && !edited.ends_with('\n')).then_some('\n'));
        edited.push_str(&new.text());
    }
    edited
}

/// The text without the name, and without these aliases on its own lines. Other names keep their address.
pub(super) fn without(text: &str, name: &str, aliases: &[&str]) -> String {
    edit(text, |mut line| {
        let is_own = line.names[0].eq_ignore_ascii_case(name);
        let goes = |other: &&str| is_own && aliases.iter().any(|alias| other.eq_ignore_ascii_case(alias));
        line.has(name).then(|| {
            line.names.retain(|other| !goes(other));
            line.without(name)
        })
    })
}

/// Replaces lines. Those for which `replace` returns `None` are kept unchanged, byte for byte.
fn edit<'a>(text: &'a str, mut replace: impl FnMut(HostLine<'a>) -> Option<String>) -> String {
    let mut edited = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match HostLine::parse(line).and_then(&mut replace) {
            Some(new) => edited.push_str(&new),
            None => edited.push_str(line),
        }
    }
    edited
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
127.0.0.1 localhost
127.0.1.1\tweb1.acme.example web1  # of the installer
::1     localhost ip6-localhost

# 10.0.0.9 db
10.0.0.9   DB  primary
10.0.0.8 db";

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_keeps_its_line_its_aliases_and_its_comment() {
        let alone = "10.0.0.9 db # kept\n";
        assert_eq!(with(alone, "db", ip("10.0.0.1"), None), "10.0.0.1\tdb # kept\n");
        let edited = with(TEXT, "web1.acme.example", ip("10.0.0.1"), Some(vec!["web1"]));
        assert_eq!(edited, TEXT.replace("127.0.1.1\tweb1.acme.example", "10.0.0.1\tweb1.acme.example"),);
        let edited = with(TEXT, "web1.acme.example", ip("127.0.1.1"), Some(vec!["www"]));
        assert_eq!(edited, TEXT.replace("example web1 ", "example www "));
    }

    #[test]
    fn a_name_stands_on_one_line_of_each_family() {
        let edited = with(TEXT, "db", ip("10.0.0.8"), None);
        assert!(edited.ends_with("# 10.0.0.9 db\n10.0.0.9\tprimary\n10.0.0.8\tdb\n"), "{edited}");
        let edited = with(TEXT, "web1", ip("10.0.0.1"), None);
        assert!(edited.contains("127.0.1.1\tweb1.acme.example  # of the installer\n"), "{edited}");
        assert!(edited.ends_with("10.0.0.8 db\n10.0.0.1\tweb1\n"), "{edited}");
        let edited = with(TEXT, "localhost", ip("127.0.0.2"), None);
        assert!(edited.starts_with("127.0.0.2\tlocalhost\n127.0.1.1"), "{edited}");
        assert!(edited.contains("::1     localhost ip6-localhost\n"), "{edited}");
    }

    #[test]
    fn other_names_of_a_line_keep_their_address() {
        let hosts = "127.0.0.1   chef chef localhost localhost4 # all\n::1 chef localhost\n";
        let edited = with(hosts, "chef", ip("192.168.3.10"), None);
        assert_eq!(edited, "127.0.0.1\tlocalhost localhost4 # all\n192.168.3.10\tchef\n::1 chef localhost\n");
        let two = with("10.0.0.1 db a\n10.0.0.2 db b\n", "db", ip("10.0.0.3"), None);
        assert_eq!(two, "10.0.0.1\ta\n10.0.0.3\tdb\n10.0.0.2\tb\n");
        assert_eq!(without(hosts, "chef", &["localhost4"]), "127.0.0.1\tlocalhost # all\n::1\tlocalhost\n");
        let named = |text, name, to: Option<&str>| HostTable::parse(text).fellows(name, to.map(ip)).join(" ");
        assert_eq!(named(hosts, "chef", None), "localhost localhost4");
        assert_eq!(named(hosts, "chef", Some("::1")), "");
    }

    #[test]
    fn equal_lines_become_one() {
        let edited = with("10.0.0.1 a\n10.0.0.1 a\n", "a", ip("10.0.0.1"), None);
        assert_eq!(edited, "10.0.0.1\ta\n");
    }

    #[test]
    fn a_name_that_goes_goes_everywhere() {
        let edited = without(TEXT, "db", &["primary"]);
        assert!(edited.ends_with("# 10.0.0.9 db\n"), "{edited}");
        assert!(without(TEXT, "ip6-localhost", &[]).contains("\n::1\tlocalhost\n"));
        assert!(!HostTable::parse(&without(TEXT, "localhost", &[])).has("localhost"));
    }
}
