//! Keys of kernel settings below `/proc/sys`.

use std::fmt;

use super::{Attribute, AttributeKind, Mismatch};
use crate::value::Value;

/// The key of a kernel setting, such as `net.ipv4.ip_forward` or `net/ipv4/conf/eth0.1/rp_filter`. As in sysctl(8), the
/// first separator decides which one it is; the other then has no special meaning.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SysctlKey {
    written: String,
    path: String,
    file: String,
}

impl SysctlKey {
    /// The path at which the kernel shows the value.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The key with `/` as the separator, the same for every way to write it.
    pub fn name(&self) -> &str {
        self.path.strip_prefix("/proc/sys/").unwrap_or(&self.path)
    }

    /// The setting itself: the kernel has two names for some.
    pub fn setting(&self) -> &str {
        match self.name() {
            "net/ipv4/conf/all/forwarding" => "net/ipv4/ip_forward",
            "net/nf_conntrack_max" => "net/netfilter/nf_conntrack_max",
            "vm/nr_hugepages_mempolicy" => "vm/nr_hugepages",
            name => name,
        }
    }

    /// Whether the kernel changes another setting together with this one: what is set for all interfaces is set for
    /// each.
    pub fn spreads_to(&self, other: &Self) -> bool {
        let of = |family: &str, setting: &str| {
            let inside = other.name().strip_prefix(family).and_then(|name| name.strip_prefix("/conf/"));
            inside.and_then(|name| name.rsplit_once('/')).is_some_and(|(_, leaf)| leaf == setting)
        };
        let spreads = match self.setting() {
            "net/ipv4/ip_forward" => {
                of("net/ipv4", "forwarding") || other.name() == "net/ipv4/conf/all/accept_redirects"
            }
            "net/ipv6/conf/all/forwarding" => of("net/ipv6", "forwarding"),
            "net/ipv6/conf/all/disable_ipv6" => of("net/ipv6", "disable_ipv6"),
            "net/ipv6/conf/all/addr_gen_mode" => of("net/ipv6", "addr_gen_mode"),
            _ => false,
        };
        spreads && self.setting() != other.setting()
    }

    /// The file that keeps the value across a reboot. It is read after those of distributions and images, whose names
    /// begin with `99-` at most, and after `99-sysctl.conf`, which is `/etc/sysctl.conf`. A name that begins with a
    /// letter is read later still.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Reads a key as a file of `sysctl.d` may write it.
    pub fn parse(text: &str) -> Option<Self> {
        let dotted = text.find(['.', '/']).is_some_and(|at| text[at..].starts_with('.'));
        let swapped = |c| match c {
            '.' => '/',
            '/' => '.',
            other => other,
        };
        let name = if dotted { text.chars().map(swapped).collect() } else { text.to_owned() };
        let character = |b: u8| b.is_ascii_alphanumeric() || b"_-.:@+".contains(&b);
        let is_part = |part: &str| {
            !matches!(part, "" | "." | "..") && part.bytes().all(character) && !part.starts_with('-')
        };
        if text.len() > 200 || name.split('/').count() < 2 || !name.split('/').all(is_part) {
            return None;
        }
        let file = format!("/etc/sysctl.d/99-zz-holdfast-{}.conf", name.replace('/', "."));
        Some(Self { written: text.to_owned(), path: format!("/proc/sys/{name}"), file })
    }
}

impl fmt::Display for SysctlKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl Attribute for SysctlKey {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        Self::parse(text).ok_or_else(|| {
            let why = format!("is `{}`, which is not a key of a kernel setting", text.escape_debug());
            let help = "write it as `net.ipv4.ip_forward`, or as `net/ipv4/conf/eth0.1/rp_filter` where a part has dots";
            Mismatch::because(why).help(help)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> SysctlKey {
        SysctlKey::read(&text.into()).unwrap()
    }

    #[test]
    fn the_first_separator_decides() {
        for written in ["net.ipv4.conf.eth0/1.rp_filter", "net/ipv4/conf/eth0.1/rp_filter"] {
            let key = key(written);
            assert_eq!(key.path(), "/proc/sys/net/ipv4/conf/eth0.1/rp_filter");
            assert_eq!(key.name(), "net/ipv4/conf/eth0.1/rp_filter");
            assert_eq!(key.file(), "/etc/sysctl.d/99-zz-holdfast-net.ipv4.conf.eth0.1.rp_filter.conf");
            assert_eq!(key.to_string(), written);
        }
        assert_eq!(key("vm.swappiness").path(), "/proc/sys/vm/swappiness");
    }

    #[test]
    fn no_key_leaves_the_kernels_settings() {
        for bad in [
            "",
            "vm",
            "../etc/passwd",
            "net/../x",
            "/net/x",
            "net//x",
            "a.b=c",
            "a.b\nc",
            "-w.x",
            "a.-b",
            "a.*",
        ] {
            assert!(SysctlKey::read(&bad.into()).unwrap_err().help.is_some(), "{bad}");
        }
    }

    #[test]
    fn some_settings_have_two_names_and_some_change_others() {
        let of = |text: &str| key(text).setting().to_owned();
        assert_eq!(of("net.ipv4.conf.all.forwarding"), of("net/ipv4/ip_forward"));
        assert_ne!(of("net.ipv4.conf.eth0.forwarding"), of("net/ipv4/ip_forward"));
        let spreads = |one: &str, other: &str| key(one).spreads_to(&key(other));
        for (one, other) in [
            ("net.ipv4.ip_forward", "net.ipv4.conf.eth0.forwarding"),
            ("net.ipv4.conf.all.forwarding", "net.ipv4.conf.all.accept_redirects"),
            ("net.ipv6.conf.all.forwarding", "net/ipv6/conf/eth0.1/forwarding"),
            ("net.ipv6.conf.all.disable_ipv6", "net.ipv6.conf.default.disable_ipv6"),
        ] {
            assert!(spreads(one, other) && !spreads(other, one), "{one} and {other}");
        }
        for (one, other) in [
            ("net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"),
            ("net.ipv4.ip_forward", "net.ipv6.conf.eth0.forwarding"),
            ("net.ipv4.conf.all.rp_filter", "net.ipv4.conf.eth0.rp_filter"),
        ] {
            assert!(!spreads(one, other), "{one} and {other}");
        }
    }
}
