//! Options of a mount: which of them the kernel shows, and whether they are in force.
//!
//! The kernel leaves out its defaults, shows others in its own words, and does not know those of mount(8) and systemd.
//! So only options whose form is known here are compared. The others are in /etc/fstab and used at each mount.

use std::sync::Arc;

use holdfast_catalog::resource::Mount;

use super::mounted::Mounted;
use crate::provider::Error;
use crate::system::{Accounts, Inspect};

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

/// Options with values that can be compared with what the kernel shows.
const VALUES: &[&str] = &[
    "size",
    "nr_inodes",
    "mode",
    "uid",
    "gid",
    "fmask",
    "dmask",
    "errors",
    "commit",
    "hidepid",
    "subset",
    "huge",
];

/// The values that apply if the kernel shows none, by file system; empty if nothing is in force then.
const DEFAULTS: &[(&[&str], &[&str], &str)] = &[
    (&["tmpfs"], &["mode"], "1777"),
    (&["tmpfs"], &["huge"], "never"),
    (&["tmpfs", "vfat", "msdos", "proc", "hugetlbfs", "debugfs", "tracefs"], &["uid", "gid"], "0"),
    (&["ramfs", "hugetlbfs"], &["mode"], "755"),
    (&["debugfs", "tracefs"], &["mode"], "700"),
    (&["hugetlbfs"], &["size", "nr_inodes"], ""),
    (&["devpts"], &["uid", "gid"], ""),
    (&["proc"], &["hidepid"], "0"),
    (&["proc"], &["subset"], ""),
    (&["ext3", "ext4"], &["commit"], "5"),
    (&["btrfs"], &["commit"], "30"),
];

/// The kernel's words for `hidepid`, with their numbers.
const HIDDEN: &[(&str, &str)] = &[("off", "0"), ("noaccess", "1"), ("invisible", "2"), ("ptraceable", "4")];

/// Options of mount(8) and systemd, which the kernel does not know.
const OTHERS: &[&str] = &[
    "defaults", "auto", "noauto", "nofail", "user", "nouser", "users", "owner", "group", "_netdev", "bind",
    "rbind", "loop", "rw",
];

/// Names of users and groups, and the defaults of the kernel.
#[derive(Debug, Default)]
pub(super) struct Meanings {
    accounts: Arc<Accounts>,
    half_of_memory: Option<u64>,
}

impl Meanings {
    pub(super) fn read(machine: &dyn Inspect) -> Result<Self, Error> {
        let memory = machine.read_text("/proc/meminfo".as_ref())?.unwrap_or_default();
        let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let kilobytes = total.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        // In pages, as the kernel counts.
        let half_of_memory = kilobytes.map(|kilobytes| kilobytes / 4 / 2 * 4096);
        Ok(Self { accounts: machine.accounts()?, half_of_memory })
    }

    /// The value if the kernel shows none because it is its default.
    fn unsaid(&self, fstype: &str, key: &str) -> Option<String> {
        match (fstype, key) {
            ("tmpfs", "size") => self.half_of_memory.map(|bytes| bytes.to_string()),
            // One inode for each page of that memory.
            ("tmpfs", "nr_inodes") => self.half_of_memory.map(|bytes| (bytes / 4096).to_string()),
            _ => {
                let of = |(systems, keys, _): &&(&[&str], &[&str], &str)| {
                    systems.contains(&fstype) && keys.contains(&key)
                };
                let (_, _, default) = DEFAULTS.iter().find(of)?;
                Some(normal(key, default).unwrap_or_default())
            }
        }
    }

    /// A wanted value in the form in which values are compared.
    fn wanted(&self, key: &str, text: &str) -> Option<String> {
        let id = match key {
            "uid" => self.accounts.uid(text),
            "gid" => self.accounts.gid(text),
            _ => return normal(key, text),
        };
        id.map(|id| id.to_string())
    }
}

/// The value of the last option with this name.
fn value<'a>(mut options: impl DoubleEndedIterator<Item = &'a str>, key: &str) -> Option<&'a str> {
    options
        .rfind(|option| name(option) == key)
        .and_then(|option| option.split_once('='))
        .map(|(_, value)| value)
}

fn name(option: &str) -> &str {
    option.split('=').next().unwrap_or_default()
}

/// What a remount may not have changed, in words: removed options that are still in force, and new ones that the kernel
/// does not show. `old` is the previous text of /etc/fstab.
pub(super) fn left_open(want: &Mount, old: &str, top: &Mounted, meanings: &Meanings) -> Option<String> {
    let shown = top.options(want);
    let wants = |key: &str| want.options().any(|option| name(option) == key);
    let shows = |key: &str| shown.iter().find(|option| name(option) == key);
    let is_flag = |key: &str| FLAGS.iter().any(|(on, off)| *on == key || off.contains(&key));
    let stale = old.split(',').filter(|option| option.contains('=') && !wants(name(option)));
    let stale: Vec<_> = stale.filter_map(|option| shows(name(option)).copied()).collect();
    let is_new = |option: &&str| !old.split(',').any(|other| other == *option);
    let is_default = |key: &str| VALUES.contains(&key) && meanings.unsaid(&top.fstype, key).is_some();
    let is_ours = |key: &str| {
        is_flag(key) || is_default(key) || OTHERS.contains(&key) || key.starts_with("x-") || key == "comment"
    };
    let unseen = want.options().filter(is_new);
    let unseen: Vec<_> =
        unseen.filter(|o| !is_ours(&name(o).to_ascii_lowercase()) && shows(name(o)).is_none()).collect();
    let stale =
        (!stale.is_empty()).then(|| format!("`{}` is in force until it is unmounted", stale.join(",")));
    let unseen = (!unseen.is_empty()).then(|| {
        format!(
            "cannot see whether `{}` is in force: if not, it takes effect at the next mount",
            unseen.join(",")
        )
    });
    let words: Vec<_> = stale.into_iter().chain(unseen).collect();
    (!words.is_empty()).then(|| words.join("; "))
}

/// Whether what is wanted is in force, as far as the kernel shows it. Of options that exclude each other, the last one
/// counts.
pub(super) fn are_in_force(want: &Mount, top: &Mounted, meanings: &Meanings) -> bool {
    let shown = top.options(want);
    let shows = |option: &str| shown.contains(&option);
    let flags =
        FLAGS.iter().all(|(on, off)| match want.options().filter(|o| o == on || off.contains(o)).last() {
            Some(option) => shows(on) == (option == *on),
            None => true,
        });
    let wanted: Vec<&str> = want.options().collect();
    // A bind mount has no values of its own.
    let values = want.is_bind()
        || VALUES.iter().all(|key| {
            // One mask stands for both that of files and that of directories.
            let both = || {
                matches!(*key, "fmask" | "dmask").then(|| value(wanted.iter().copied(), "umask")).flatten()
            };
            let wanted = value(wanted.iter().copied(), key).or_else(both);
            let is = match value(shown.iter().copied(), key) {
                Some(text) => normal(key, text),
                None => meanings.unsaid(&top.fstype, key),
            };
            match (wanted.and_then(|text| meanings.wanted(key, text)), is) {
                (Some(wanted), Some(is)) => wanted == is,
                _ => true,
            }
        });
    flags && values
}

fn page() -> u64 {
    rustix::param::page_size() as u64
}

/// A value in the form in which values are compared; `None` if it is written in a way that is not known here.
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
            let number = number.checked_mul(1 << shift)?;
            // The kernel rounds up to whole pages.
            let whole = if key == "size" { number.checked_next_multiple_of(page())? } else { number };
            Some(whole.to_string())
        }
        "mode" | "fmask" | "dmask" => u32::from_str_radix(text, 8).ok().map(|mode| mode.to_string()),
        "errors" | "subset" | "huge" => Some(text.to_owned()),
        // The file system's own default, whichever that is.
        "commit" if text == "0" => None,
        "hidepid" if text.bytes().any(|byte| !byte.is_ascii_digit()) => {
            HIDDEN.iter().find(|(word, _)| *word == text).map(|(_, number)| (*number).to_owned())
        }
        _ => text.parse::<u64>().ok().map(|number| number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::value::Value;

    use super::*;
    use crate::provider::trial::want;

    fn tmpfs(options: &str) -> Mount {
        let attributes: &[(&str, Value)] =
            &[("device", "x".into()), ("fstype", "tmpfs".into()), ("options", options.into())];
        want("/x", attributes)
    }

    fn in_force_on(fstype: &str, wanted: &str, shown: &str) -> bool {
        let top = Mounted::parse(&format!("1 0 0:1 / /x {shown} - {fstype} x rw")).unwrap();
        let accounts = Accounts::parse("www-data:x:33:33::/:\n", "").into();
        are_in_force(&tmpfs(wanted), &top, &Meanings { accounts, half_of_memory: Some(1 << 30) })
    }

    fn in_force(wanted: &str, shown: &str) -> bool {
        in_force_on("tmpfs", wanted, shown)
    }

    #[test]
    fn what_the_kernel_does_not_show_is_its_default() {
        for (wanted, shown, is) in [
            ("mode=1777", "rw", true),
            ("mode=0700", "rw", false),
            ("uid=0", "rw", true),
            ("uid=33", "rw", false),
            ("gid=33", "rw", false),
            ("size=1G", "rw", true),
            ("size=1M", "rw", false),
            ("size=50%", "rw", true),
            ("uid=nobody-known", "rw", true),
            ("nr_inodes=100", "rw", false),
            ("nr_inodes=256k", "rw", true),
            ("huge=always", "rw", false),
            ("huge=never", "rw", true),
        ] {
            assert_eq!(in_force(wanted, shown), is, "{wanted} by {shown}");
        }
        for (wanted, shown, is) in [
            ("umask=077", "rw,fmask=0077,dmask=0077", true),
            ("umask=077", "rw,fmask=0022,dmask=0022", false),
            ("umask=077,fmask=0022", "rw,fmask=0022,dmask=0077", true),
            ("uid=33", "rw,fmask=0022,dmask=0022", false),
            ("uid=www-data", "rw,uid=33", true),
        ] {
            assert_eq!(in_force_on("vfat", wanted, shown), is, "{wanted} by {shown}");
        }
        for (wanted, shown, is) in [
            ("hidepid=2", "rw", false),
            ("hidepid=0", "rw", true),
            ("hidepid=off", "rw", true),
            ("hidepid=2", "rw,hidepid=invisible", true),
            ("hidepid=2", "rw,hidepid=2", true),
            ("hidepid=invisible", "rw,hidepid=noaccess", false),
            ("hidepid=ptraceable", "rw,hidepid=ptraceable", true),
            ("hidepid=2,gid=33", "rw,hidepid=invisible", false),
            ("subset=pid", "rw", false),
            ("subset=pid", "rw,subset=pid", true),
        ] {
            assert_eq!(in_force_on("proc", wanted, shown), is, "{wanted} by {shown}");
        }
        assert!(!in_force_on("devpts", "gid=5", "rw,mode=620"), "else each has its own group");
        assert!(!in_force_on("ext4", "commit=60", "rw") && in_force_on("ext4", "commit=5", "rw"));
        assert!(in_force_on("ext4", "errors=remount-ro", "rw"), "what is in the file system is not shown");
        assert!(in_force_on("ext4", "uid=33", "rw"), "no option of that file system");
    }

    #[test]
    fn what_a_remount_may_not_have_brought_is_said() {
        let said = |wanted: &str, old: &str, shown: &str| {
            let top = Mounted::parse(&format!("1 0 0:1 / /x {shown} - tmpfs x rw")).unwrap();
            left_open(&tmpfs(wanted), old, &top, &Meanings::default()).unwrap_or_default()
        };
        assert_eq!(said("mode=1777", "defaults", "rw"), "", "it is the default, which is not shown");
        assert_eq!(said("noexec,nofail,x-mount.mkdir,noauto", "defaults", "rw,noexec"), "");
        assert_eq!(said("size=2M", "size=1M", "rw,size=2048k"), "");
        assert_eq!(
            said("defaults", "size=1M", "rw,size=1024k"),
            "`size=1024k` is in force until it is unmounted"
        );
        assert!(said("noexec,mpol=local", "noexec", "rw,noexec").contains("`mpol=local`"));
        assert_eq!(said("noexec,mpol=local", "mpol=local", "rw,noexec"), "", "it was there before");
    }

    #[test]
    fn what_the_kernel_shows_is_compared_and_the_rest_is_not() {
        for (wanted, shown) in [
            ("defaults", "rw,nosuid,relatime"),
            ("noauto,nofail,_netdev,x-systemd.automount,noexec", "rw,noexec,relatime"),
            ("size=1M,mode=0700", "rw,relatime,size=1024k,mode=700"),
            ("size=50%", "rw,size=1024k"),
            ("size=1048001", "rw,size=1024k"),
            ("ro,rw", "rw"),
            ("noatime,relatime", "rw,relatime"),
            ("strictatime", "rw"),
            ("acl,user_xattr,data=ordered", "rw"),
            ("uid=www-data", "rw,uid=33"),
        ] {
            assert!(in_force(wanted, shown), "{wanted} by {shown}");
        }
        for (wanted, shown) in [
            ("noexec", "rw,relatime"),
            ("exec", "rw,noexec"),
            ("rw", "ro,relatime"),
            ("ro", "rw"),
            ("size=2M", "rw,size=1024k"),
            ("size=1028k", "rw,size=1024k"),
            ("mode=0755", "rw,mode=700"),
            ("noatime", "rw,relatime"),
            ("strictatime", "rw,relatime"),
        ] {
            assert!(!in_force(wanted, shown), "{wanted} by {shown}");
        }
    }
}
