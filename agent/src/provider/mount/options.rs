//! Options of a mount: which of them the kernel speaks of, and whether they are in force.
//!
//! The kernel leaves out what is its default, says others in its own words, and does not know those of mount(8) and systemd.
//! So only those are compared whose words are known here; the others stand in /etc/fstab and are used at each mount.

use holdfast_catalog::resource::Mount;

use super::kernel::Mounted;

/// Options that the kernel shows when they are on, and the words that turn them off.
const FLAGS: &[(&str, &[&str])] = &[
    ("ro", &["rw"]),
    ("nosuid", &["suid"]),
    ("nodev", &["dev"]),
    ("noexec", &["exec"]),
    ("noatime", &["atime", "relatime", "strictatime"]),
    ("nodiratime", &["diratime"]),
    ("relatime", &["norelatime", "noatime", "strictatime"]),
    ("sync", &["async"]),
    ("dirsync", &[]),
    ("lazytime", &["nolazytime"]),
    ("nosymfollow", &["symfollow"]),
];

/// Options with values that are comparable with what the kernel shows.
const VALUES: &[&str] = &["size", "nr_inodes", "mode", "uid", "gid", "errors", "commit", "hidepid"];

/// Whether what is wanted is in force, as far as the kernel speaks of it. Of options that exclude each other the last counts.
pub(super) fn are_in_force(want: &Mount, top: &Mounted) -> bool {
    let shown = top.options(want);
    let shows = |option: &str| shown.contains(&option);
    let flags =
        FLAGS.iter().all(|(on, off)| match want.options().filter(|o| o == on || off.contains(o)).last() {
            Some(option) => shows(on) == (option == *on),
            None => true,
        });
    let value = |options: &mut dyn Iterator<Item = &str>, key: &str| {
        options.filter_map(|option| option.strip_prefix(key)?.strip_prefix('=').map(str::to_owned)).last()
    };
    let values = VALUES.iter().all(|key| {
        let wanted = value(&mut want.options(), key);
        let shown = value(&mut shown.iter().copied(), key);
        match (wanted.and_then(|text| normal(key, &text)), shown.and_then(|text| normal(key, &text))) {
            (Some(wanted), Some(shown)) => wanted == shown,
            _ => true,
        }
    });
    flags && values
}

/// A value in the one form that is compared; none where it can be said in a way that is not known here.
fn normal(key: &str, text: &str) -> Option<String> {
    match key {
        "size" | "nr_inodes" => {
            let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let number: u64 = digits.parse().ok()?;
            let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
                "" => 0,
                "k" => 10,
                "m" => 20,
                "g" => 30,
                "t" => 40,
                _ => return None,
            };
            number.checked_mul(1 << shift).map(|number| number.to_string())
        }
        "mode" => u32::from_str_radix(text, 8).ok().map(|mode| mode.to_string()),
        "errors" => Some(text.to_owned()),
        _ => text.parse::<u64>().ok().map(|number| number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::value::Value;

    use super::super::kernel::mounted;
    use super::*;
    use crate::provider::trial::want;

    fn in_force(wanted: &str, shown: &str) -> bool {
        let attributes: &[(&str, Value)] =
            &[("device", "x".into()), ("fstype", "tmpfs".into()), ("options", wanted.into())];
        let top = mounted(&format!("1 0 0:1 / /x {shown} - tmpfs x rw")).unwrap();
        are_in_force(&want("/x", attributes), &top)
    }

    #[test]
    fn what_the_kernel_shows_is_compared_and_the_rest_is_not() {
        for (wanted, shown) in [
            ("defaults", "rw,nosuid,relatime"),
            ("noauto,nofail,_netdev,x-systemd.automount,noexec", "rw,noexec,relatime"),
            ("size=1M,mode=0700", "rw,relatime,size=1024k,mode=700"),
            ("size=50%", "rw,size=1024k"),
            ("ro,rw", "rw"),
            ("noatime,relatime", "rw,relatime"),
            ("strictatime", "rw"),
            ("acl,user_xattr,data=ordered", "rw"),
            ("uid=www-data", "rw,uid=33"),
            ("uid=33", "rw"),
        ] {
            assert!(in_force(wanted, shown), "{wanted} by {shown}");
        }
        for (wanted, shown) in [
            ("noexec", "rw,relatime"),
            ("exec", "rw,noexec"),
            ("rw", "ro,relatime"),
            ("ro", "rw"),
            ("size=2M", "rw,size=1024k"),
            ("mode=0755", "rw,mode=700"),
            ("noatime", "rw,relatime"),
            ("strictatime", "rw,relatime"),
        ] {
            assert!(!in_force(wanted, shown), "{wanted} by {shown}");
        }
    }
}
