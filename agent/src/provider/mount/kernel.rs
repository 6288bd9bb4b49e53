//! What the kernel has mounted, and what it swaps to.

use std::path::Path;

use holdfast_catalog::resource::Mount;

use super::device;
use super::fstab::unescaped;
use crate::provider::Error;
use crate::system::Inspect;

const MOUNTS: &str = "/proc/self/mountinfo";
const SWAPS: &str = "/proc/swaps";

/// A file system that is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mounted {
    pub(super) point: String,
    pub(super) fstype: String,
    pub(super) source: String,
    /// The directory of the file system that is shown: `/` is all of it.
    pub(super) root: String,
    /// Those of this mount.
    own: Vec<String>,
    /// Those of the file system, wherever it is mounted.
    whole: Vec<String>,
}

impl Mounted {
    /// What is mounted, as findmnt(8) shows it.
    pub(super) fn device(&self) -> String {
        if self.shows_all() { self.source.clone() } else { format!("{}[{}]", self.source, self.root) }
    }

    /// Whether all of the file system is shown, and not a directory of it. Where a mount names a directory of its own accord,
    /// as of a subvolume or a server, that is all of it.
    pub(super) fn shows_all(&self) -> bool {
        const WHOLE: &[&str] = &["tmpfs", "ramfs"];
        let is_of_device = self.source.starts_with("/dev/") && !matches!(&*self.fstype, "btrfs" | "bcachefs");
        self.root == "/" || !(is_of_device || WHOLE.contains(&&*self.fstype))
    }

    /// The options in which it may differ from what is wanted. A bind mount has only its own.
    pub(super) fn options(&self, want: &Mount) -> Vec<&str> {
        let whole = self.whole.iter().filter(|option| !want.is_bind() && !self.own.contains(option));
        self.own.iter().chain(whole).map(String::as_str).collect()
    }
}

/// The kernel's tables.
#[derive(Debug, Default)]
pub(super) struct Table {
    mounts: Vec<Mounted>,
    swaps: Vec<Swap>,
}

/// Swap space that is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Swap {
    device: String,
    pub(super) priority: String,
}

impl Table {
    /// Reads them.
    pub(super) fn read(machine: &dyn Inspect) -> Result<Self, Error> {
        let text = |path: &str| machine.read_text(Path::new(path)).map(Option::unwrap_or_default);
        let (mounts, swaps) = (text(MOUNTS)?, text(SWAPS)?);
        Ok(Self {
            mounts: mounts.lines().filter_map(mounted).collect(),
            swaps: swaps.lines().skip(1).filter_map(swap).collect(),
        })
    }

    /// What is on top at a mount point.
    pub(super) fn top(&self, point: &str) -> Option<&Mounted> {
        self.mounts.iter().rfind(|mounted| mounted.point == point)
    }

    /// How many file systems are mounted over each other at a point; systemd's place holders are none.
    pub(super) fn layers(&self, point: &str) -> usize {
        self.mounts.iter().filter(|mounted| mounted.point == point && mounted.fstype != "autofs").count()
    }

    /// Whether it is mounted, whatever it is; of swap space, whether it is used.
    pub(super) fn has(&self, want: &Mount, machine: &dyn Inspect) -> Result<bool, Error> {
        if !want.is_swap() {
            return Ok(self.top(want.title.as_str()).is_some());
        }
        Ok(self.swap(want, machine)?.is_some())
    }

    /// Swap space, where it is used.
    pub(super) fn swap(&self, want: &Mount, machine: &dyn Inspect) -> Result<Option<&Swap>, Error> {
        let wanted = device::resolved(want.device(), machine)?;
        for swap in &self.swaps {
            if device::resolved(&swap.device, machine)? == wanted {
                return Ok(Some(swap));
            }
        }
        Ok(None)
    }
}

/// A line of swaps: `/dev/vdc partition 1048572 0 -2`.
fn swap(line: &str) -> Option<Swap> {
    let mut words = line.split_ascii_whitespace();
    let (device, priority) = (words.next()?, words.next_back()?);
    Some(Swap { device: unescaped(device), priority: priority.to_owned() })
}

/// A line of mountinfo: `36 35 98:0 / /mnt rw,noatime master:1 - ext4 /dev/sda1 rw,errors=continue`.
pub(super) fn mounted(line: &str) -> Option<Mounted> {
    let (mount, system) = line.split_once(" - ")?;
    let mut mount = mount.split(' ').skip(3);
    let (root, point, own) = (mount.next()?, mount.next()?, mount.next()?);
    let mut system = system.split(' ');
    let (fstype, source, whole) = (system.next()?, system.next()?, system.next().unwrap_or_default());
    let options = |text: &str| text.split(',').filter(|o| !o.is_empty()).map(unescaped).collect();
    Some(Mounted {
        point: unescaped(point),
        fstype: fstype.to_owned(),
        source: unescaped(source),
        root: unescaped(root),
        own: options(own),
        whole: options(whole),
    })
}

/// Whether the kernel's name of a type is the one that is wanted.
pub(super) fn is_fstype(wanted: &str, is: &str) -> bool {
    wanted == is
        || matches!(wanted, "auto" | "none" | "bind")
        || matches!((wanted, is), ("nfs", "nfs4") | ("cifs", "smb3") | ("smb3", "cifs"))
        // What runs as a program has a type of its own in /etc/fstab.
        || (is.starts_with("fuse") && !KERNELS.contains(&wanted))
}

/// Types that the kernel has itself, and no program.
const KERNELS: &[&str] = &[
    "ext2", "ext3", "ext4", "xfs", "btrfs", "bcachefs", "f2fs", "vfat", "iso9660", "squashfs", "tmpfs",
    "ramfs", "overlay", "nfs", "nfs4", "cifs", "smb3",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::trial::want;

    #[test]
    fn lines_of_the_kernel_are_read_as_they_are_meant() {
        let line =
            "36 35 98:0 /sub /srv/a\\040b rw,noatime master:1 shared:2 - ext4 /dev/sda1 rw,errors=continue";
        let mounted = mounted(line).unwrap();
        assert_eq!((mounted.point.as_str(), mounted.source.as_str()), ("/srv/a b", "/dev/sda1"));
        let wanted = |options: &str| {
            want::<Mount>(
                "/x",
                &[("device", "/y".into()), ("fstype", "none".into()), ("options", options.into())],
            )
        };
        assert_eq!(mounted.options(&wanted("noatime")), ["rw", "noatime", "errors=continue"]);
        assert_eq!(mounted.options(&wanted("bind")), ["rw", "noatime"]);
    }

    #[test]
    fn the_last_of_a_mount_point_is_on_top() {
        let lines =
            "1 0 0:1 / /x rw - tmpfs a rw\n2 1 0:2 / /x rw - tmpfs b rw\n3 2 0:3 / /x/y rw - tmpfs c rw\n";
        let table = Table { mounts: lines.lines().filter_map(mounted).collect(), swaps: Vec::new() };
        assert_eq!(table.top("/x").unwrap().source, "b");
        assert!(table.top("/").is_none());
    }

    #[test]
    fn types_have_more_than_one_name() {
        assert!(is_fstype("nfs", "nfs4") && is_fstype("ntfs-3g", "fuseblk") && is_fstype("auto", "xfs"));
        assert!(!is_fstype("ext4", "xfs") && !is_fstype("ext4", "fuseblk"));
    }
}
