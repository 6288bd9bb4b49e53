//! Which value the boot uses: the files of all directories are read in the order of their names, and the last one wins.

use std::path::{Path, PathBuf};

use holdfast_catalog::resource::attribute::SysctlKey;
use holdfast_catalog::resource::sysctl::SysctlValue;

use crate::provider::Error;
use crate::provider::text::boot_files::{self, BootFiles};
use crate::system::Inspect;

/// The directories in the order of systemd-sysctl: of two files with the same name, the one in the first directory
/// counts.
const DIRECTORIES: [&str; 5] =
    ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"];

/// The file that `sysctl --system` reads after all others, and the boot only if one of them is a link to it.
const LAST: &str = "/etc/sysctl.conf";

/// What the boot reads, and what `sysctl --system` reads after that.
#[derive(Debug, Default)]
pub(super) struct Boot {
    files: BootFiles,
    last: String,
}

/// A value of a key, and the file that sets it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BootValue {
    pub(super) value: SysctlValue,
    pub(super) path: PathBuf,
}

impl Boot {
    /// Reads what the boot reads, and `sysctl --system` after that.
    pub(super) fn read(machine: &dyn Inspect) -> Result<Self, Error> {
        let files = boot_files::read(machine, &DIRECTORIES)?;
        let last = machine.read_text(Path::new(LAST)).ok().flatten().unwrap_or_default();
        Ok(Self { files, last })
    }

    /// The value that a later file sets for the key, if it differs. A file that is `ours` is corrected by its own
    /// resource.
    pub(super) fn overruling(
        &self,
        key: &SysctlKey,
        value: &SysctlValue,
        ours: impl Fn(&Path) -> bool,
    ) -> Option<BootValue> {
        let own = Path::new(key.file()).file_name()?;
        let after = self.files.iter().filter(|(name, (path, _))| name.as_os_str() > own && !ours(path));
        let mut words = after
            .filter_map(|(_, (path, text))| Some(BootValue { value: last(key, text)?, path: path.clone() }));
        words.next_back().filter(|word| !word.value.is_same(value))
    }

    /// The value that `sysctl --system` sets instead, if it differs.
    pub(super) fn overruling_by_hand(&self, key: &SysctlKey, value: &SysctlValue) -> Option<BootValue> {
        let value = last(key, &self.last).filter(|last| !last.is_same(value))?;
        Some(BootValue { value, path: LAST.into() })
    }
}

/// The last value that a text has for a key. A pattern counts only if no file names the key.
fn last(key: &SysctlKey, text: &str) -> Option<SysctlValue> {
    let settings = text.lines().filter_map(setting);
    let mut own = settings.filter(|(name, _)| name.setting() == key.setting());
    own.next_back().map(|(_, value)| value)
}

/// The setting in a line, if it has one.
pub(super) fn setting(line: &str) -> Option<(SysctlKey, SysctlValue)> {
    let line = line.trim();
    let (name, value) = line.strip_prefix('-').unwrap_or(line).split_once('=')?;
    let name = SysctlKey::parse(name.trim()).filter(|_| !line.starts_with(['#', ';']))?;
    Some((name, SysctlValue::new(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::double::Double;

    fn overruling(files: &[(&str, &str)]) -> Option<(String, String)> {
        let double = Double::new(|_| None);
        for (path, text) in files {
            double.put(path, text);
        }
        let key = SysctlKey::parse("net.ipv4.ip_forward").unwrap();
        let word = Boot::read(&double).unwrap().overruling(&key, &SysctlValue::new("1"), |_| false)?;
        Some((word.path.display().to_string(), word.value.to_string()))
    }

    #[test]
    fn the_last_file_of_all_directories_has_the_last_word() {
        let off = "net.ipv4.ip_forward=0\n";
        for path in [
            "/etc/sysctl.d/k8s.conf",
            "/etc/sysctl.d/99-zzz.conf",
            "/run/sysctl.d/local.conf",
            "/usr/lib/sysctl.d/zz-vendor.conf",
        ] {
            assert_eq!(overruling(&[(path, off)]), Some((path.to_owned(), "0".to_owned())));
        }
        let other_name = "/etc/sysctl.d/99-zzz-cis.conf";
        let by_other_name = overruling(&[(other_name, "net.ipv4.conf.all.forwarding=0\n")]);
        assert_eq!(by_other_name, Some((other_name.to_owned(), "0".to_owned())));
        assert_eq!(overruling(&[("/etc/sysctl.d/10-local.conf", off), ("/etc/sysctl.d/k8s.txt", off)]), None);
        for same in ["net/ipv4/ip_forward = 1", "#net.ipv4.ip_forward=0", "net.ipv4.conf.all.rp_filter=0"] {
            assert_eq!(overruling(&[("/etc/sysctl.d/k8s.conf", same)]), None, "{same}");
        }
        let both = [("/etc/sysctl.d/k8s.conf", "# nothing\n"), ("/usr/lib/sysctl.d/k8s.conf", off)];
        assert_eq!(overruling(&both), None, "the file in the first directory hides the other");
        let later = [("/etc/sysctl.d/a.conf", off), ("/etc/sysctl.d/b.conf", "-net.ipv4.ip_forward = 1\n")];
        assert_eq!(overruling(&later), None, "the last one says what is wanted");
    }
}
