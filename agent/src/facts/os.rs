//! The system: distribution, kernel, locale and time zone.

use std::collections::BTreeMap;

use holdfast_catalog::hash::sha256;
use holdfast_catalog::value::{Map, Value};

use super::tree::{Tree, host};
use super::{known, text};

pub(super) fn collect(tree: &Tree, facts: &mut Map) {
    facts.insert("os".into(), distribution(tree));
    let uname = rustix::system::uname();
    let lossy = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    let kernel = known([("name", text(lossy(uname.sysname()))), ("release", text(lossy(uname.release())))]);
    facts.insert("kernel".into(), kernel);
    facts.insert("architecture".into(), lossy(uname.machine()).into());
    let rest = [
        ("timezone", timezone(tree)),
        ("machine_id", machine_id(tree)),
        ("service_manager", std::path::Path::new("/run/systemd/system").exists().then(|| "systemd".into())),
    ];
    facts.extend(rest.into_iter().filter_map(|(name, value)| Some((name.into(), value?))));
}

fn distribution(tree: &Tree) -> Value {
    let release = tree.read("/etc/os-release").or_else(|| tree.read("/usr/lib/os-release"));
    let fields = os_release(&release.unwrap_or_default());
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    // Debian's os-release has only the major number; the minor one is here.
    let full = match (field("ID"), tree.own("/etc/debian_version")) {
        ("debian", Some(version)) if version.starts_with(|c: char| c.is_ascii_digit()) => version,
        _ => field("VERSION_ID").to_owned(),
    };
    let full = full.trim();
    let release = known([
        ("full", text(full)),
        ("major", text(full.split('.').next().unwrap_or_default())),
        ("codename", text(field("VERSION_CODENAME"))),
    ]);
    known([
        ("name", text(field("ID"))),
        ("family", text(family(field("ID"), field("ID_LIKE")))),
        ("release", Some(release)),
        ("selinux", selinux()),
    ])
}

/// Parses `KEY=value` lines; the values are unquoted.
fn os_release(text: &str) -> BTreeMap<String, String> {
    let line = |line: &str| {
        let (key, value) = line.trim().split_once('=')?;
        Some((key.to_owned(), value.trim_matches(['"', '\'']).to_owned()))
    };
    text.lines().filter(|text| !text.starts_with('#')).filter_map(line).collect()
}

/// The family, in the usual words: `debian`, `redhat`, `suse`, …; or the distribution itself if it has none.
fn family(id: &str, like: &str) -> String {
    let of = |word: &str| match word {
        "debian" | "ubuntu" => Some("debian"),
        "rhel" | "fedora" | "centos" | "rocky" | "almalinux" => Some("redhat"),
        "suse" | "sles" | "opensuse" => Some("suse"),
        "arch" => Some("archlinux"),
        _ => None,
    };
    let words = std::iter::once(id).chain(like.split_whitespace());
    words.filter_map(of).next().unwrap_or(id).to_owned()
}

fn selinux() -> Option<Value> {
    let mode = match host("/sys/fs/selinux/enforce")?.trim() {
        "1" => "enforcing",
        _ => "permissive",
    };
    Some(mode.into())
}

fn timezone(tree: &Tree) -> Option<Value> {
    let linked = tree.link("/etc/localtime");
    let zone = linked.as_deref().and_then(|target| target.split_once("zoneinfo/")).map(|(_, zone)| zone);
    zone.and_then(text).or_else(|| text(tree.read("/etc/timezone")?))
}

/// A hash of the machine id: the id itself is confidential (machine-id(5)), and equal hashes reveal a cloned disk just
/// as well.
fn machine_id(tree: &Tree) -> Option<Value> {
    let id = tree.read("/etc/machine-id")?;
    let id = id.trim();
    let real = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    real.then(|| sha256(format!("holdfast machine-id {id}").as_bytes())[..32].into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_those_of_the_field() {
        for (id, like, expected) in [
            ("debian", "", "debian"),
            ("ubuntu", "debian", "debian"),
            ("linuxmint", "ubuntu debian", "debian"),
            ("rocky", "rhel centos fedora", "redhat"),
            ("opensuse-leap", "suse opensuse", "suse"),
            ("alpine", "", "alpine"),
        ] {
            assert_eq!(family(id, like), expected, "{id}");
        }
    }

    #[test]
    fn a_machine_id_is_never_told_and_an_uninitialised_one_is_none() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        let tree = Tree::open(root.path()).unwrap();
        let write = |id: &str| std::fs::write(root.path().join("etc/machine-id"), id).unwrap();
        let id = "3d1219c7c4c5404aaa1f6d2a48adfda4";
        write(id);
        let shown = machine_id(&tree).unwrap();
        assert!(!shown.as_str().unwrap().contains(id) && shown.as_str().unwrap().len() == 32);
        write("uninitialized\n");
        assert!(machine_id(&tree).is_none());
    }

    #[test]
    fn the_zone_is_where_localtime_points() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        std::os::unix::fs::symlink("../usr/share/zoneinfo/Europe/Berlin", root.path().join("etc/localtime"))
            .unwrap();
        assert_eq!(timezone(&Tree::open(root.path()).unwrap()), Some("Europe/Berlin".into()));
    }
}
