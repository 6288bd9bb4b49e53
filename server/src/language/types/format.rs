//! Types with names from administration: `Host`, `Port`, `Duration` …

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use holdfast_catalog::value::{Kind, Value};

/// A string or a number with a certain meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StringFormat {
    /// A host name or an IP address.
    Host,
    Ip,
    Ipv4,
    Ipv6,
    /// A network with its prefix length.
    Cidr,
    /// A TCP or UDP port.
    Port,
    /// A host and a port.
    HostPort,
    /// An absolute and normal path: without `.`, `..`, `//` or a trailing slash.
    AbsolutePath,
    /// Seconds, or a text such as `5m`.
    Duration,
    /// Bytes, or a text such as `10M`.
    Size,
    Url,
    Email,
}

impl StringFormat {
    /// All formats.
    pub const ALL: &[Self] = &[
        Self::Host,
        Self::Ip,
        Self::Ipv4,
        Self::Ipv6,
        Self::Cidr,
        Self::Port,
        Self::HostPort,
        Self::AbsolutePath,
        Self::Duration,
        Self::Size,
        Self::Url,
        Self::Email,
    ];

    /// The format with this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|format| format.name() == name)
    }

    /// Its name as a type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "Host",
            Self::Ip => "Ip",
            Self::Ipv4 => "Ipv4",
            Self::Ipv6 => "Ipv6",
            Self::Cidr => "Cidr",
            Self::Port => "Port",
            Self::HostPort => "HostPort",
            Self::AbsolutePath => "AbsolutePath",
            Self::Duration => "Duration",
            Self::Size => "Size",
            Self::Url => "Url",
            Self::Email => "Email",
        }
    }

    /// What it is, with an example.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Host => "a host's name or an address, such as \"db.example\"",
            Self::Ip => "an address, such as \"192.0.2.7\" or \"2001:db8::7\"",
            Self::Ipv4 => "an IPv4 address, such as \"192.0.2.7\"",
            Self::Ipv6 => "an IPv6 address, such as \"2001:db8::7\"",
            Self::Cidr => "a network with its prefix, such as \"192.0.2.0/24\"",
            Self::Port => "a port from 1 to 65535",
            Self::HostPort => "a host and a port, such as \"db.example:5432\" or \"[2001:db8::7]:5432\"",
            Self::AbsolutePath => "an absolute path without `.`, `..`, `//` or a slash at its end",
            Self::Duration => "seconds, or a string such as \"90s\", \"5m\", \"12h\", \"7d\"",
            Self::Size => "bytes, or a string such as \"512K\", \"10M\", \"2G\"",
            Self::Url => "an absolute url, such as \"https://example.org/\"",
            Self::Email => "a mail address, such as \"root@example.org\"",
        }
    }

    /// A value of it, as an expression.
    pub fn sample(self) -> &'static str {
        match self {
            Self::Host => "'www.example.org'",
            Self::Ip | Self::Ipv4 => "'192.0.2.7'",
            Self::Ipv6 => "'2001:db8::7'",
            Self::Cidr => "'192.0.2.0/24'",
            Self::Port => "8080",
            Self::HostPort => "'db.example:5432'",
            Self::AbsolutePath => "'/srv/shop'",
            Self::Duration => "'5m'",
            Self::Size => "'10M'",
            Self::Url => "'https://example.org/'",
            Self::Email => "'root@example.org'",
        }
    }

    /// Whether a plain value has this format.
    pub fn holds(self, value: &Value) -> bool {
        match (self, &value.kind) {
            (Self::Port, Kind::Int(port)) => (1..=65_535).contains(port),
            (Self::Duration | Self::Size, Kind::Int(count)) => *count >= 0,
            (_, Kind::String(text)) => self.holds_text(text),
            _ => false,
        }
    }

    fn holds_text(self, text: &str) -> bool {
        match self {
            Self::Host => is_host(text),
            Self::Ip => text.parse::<IpAddr>().is_ok(),
            Self::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
            Self::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
            Self::Cidr => is_network(text),
            Self::Port => false,
            Self::HostPort => is_host_port(text),
            Self::AbsolutePath => is_normal_path(text),
            Self::Duration => has_unit(text, &["s", "m", "h", "d"]),
            Self::Size => has_unit(
                text,
                &["", "B", "K", "M", "G", "T", "KiB", "MiB", "GiB", "TiB", "kB", "KB", "MB", "GB", "TB"],
            ),
            Self::Url => is_url(text),
            Self::Email => is_mail_address(text),
        }
    }
}

/// Whether a text is a host name: labels of letters, digits and hyphens, and underscores, which names of some services
/// have.
fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        let edges_fit = !label.starts_with('-') && !label.ends_with('-');
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (1..=63).contains(&label.len()) && edges_fit && label.bytes().all(fits)
    };
    if text.parse::<IpAddr>().is_ok() {
        return true;
    }
    // If the last label has only digits, an address was meant.
    let looks_like_address =
        text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    text.len() <= 253 && !looks_like_address && text.split('.').all(is_label)
}

fn is_network(text: &str) -> bool {
    let Some((address, prefix)) = text.split_once('/') else { return false };
    let is_number = (1..=3).contains(&prefix.len()) && prefix.bytes().all(|b| b.is_ascii_digit());
    match (address.parse(), prefix.parse::<u8>()) {
        (Ok(IpAddr::V4(_)), Ok(prefix)) => is_number && prefix <= 32,
        (Ok(IpAddr::V6(_)), Ok(prefix)) => is_number && prefix <= 128,
        _ => false,
    }
}

fn is_host_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let is_port = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    is_port
        && bracketed.map_or_else(|| !host.contains(':') && is_host(host), |v6| v6.parse::<Ipv6Addr>().is_ok())
}

fn is_normal_path(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('/') else { return false };
    let is_segment = |segment: &str| !matches!(segment, "" | "." | "..");
    !text.contains('\0') && (rest.is_empty() || rest.split('/').all(is_segment))
}

/// Whether a text is digits and one of the units.
fn has_unit(text: &str, units: &[&str]) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    (1..=15).contains(&digits) && units.contains(&&text[digits..])
}

fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    is_scheme && !rest.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

fn is_mail_address(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else { return false };
    let fits = |c: char| c.is_ascii_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c);
    !local.is_empty() && local.chars().all(fits) && is_host(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(format: StringFormat, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(format.holds(&(*text).into()), "{format:?} {text}");
        }
        for text in bad {
            assert!(!format.holds(&(*text).into()), "{format:?} {text}");
        }
    }

    #[test]
    fn each_format_knows_its_own() {
        check(
            StringFormat::Host,
            &["db", "a.b-c.example", "192.0.2.1", "::1"],
            &["", "-a", "a..b", "a b", "192.0.2.300"],
        );
        check(StringFormat::Ip, &["192.0.2.1", "2001:db8::1"], &["192.0.2", "db"]);
        check(StringFormat::Ipv4, &["192.0.2.1"], &["::1"]);
        check(StringFormat::Ipv6, &["::1"], &["192.0.2.1"]);
        check(StringFormat::Cidr, &["192.0.2.0/24", "::/0"], &["192.0.2.0/33", "192.0.2.0", "192.0.2.0/+4"]);
        check(StringFormat::HostPort, &["db:5432", "[::1]:80"], &["db", "db:0", "::1:80", "db:99999", ":80"]);
        check(StringFormat::AbsolutePath, &["/", "/srv/a b"], &["srv", "/srv/", "/a//b", "/a/../b", ""]);
        check(StringFormat::Duration, &["5m", "90s"], &["5", "m", "5 m", "-5m"]);
        check(StringFormat::Size, &["10M", "512", "2GiB"], &["M", "1.5G", "10X"]);
        check(StringFormat::Url, &["https://a.example/x?y"], &["a.example", "https://", "https://a b"]);
        check(StringFormat::Email, &["root@a.example"], &["root", "@a", "a@b c"]);
        check(StringFormat::Port, &[], &["80"]);
        assert!(StringFormat::Port.holds(&443.into()) && !StringFormat::Port.holds(&0.into()));
        assert!(StringFormat::Duration.holds(&30.into()) && !StringFormat::Size.holds(&(-1).into()));
    }
}
