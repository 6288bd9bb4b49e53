//! What the kernel has mounted, and what it swaps to.

use std::path::Path;

use holdfast_catalog::resource::Mount;

use super::device;
use super::mounted::Mounted;
use crate::provider::Error;
use crate::system::Inspect;
use crate::system::mount_field::unescaped;
use crate::system::mount_table;

const SWAPS: &str = "/proc/swaps";

/// The kernel's tables.
#[derive(Debug, Default)]
pub(super) struct MountTable {
    mounts: Vec<Mounted>,
    swaps: Vec<Swap>,
}

/// Swap space that is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Swap {
    device: String,
    pub(super) priority: String,
}

impl MountTable {
    /// Reads the kernel's tables.
    pub(super) fn read(machine: &dyn Inspect) -> Result<Self, Error> {
        let text = |path: &str| machine.read_text(Path::new(path)).map(Option::unwrap_or_default);
        let (mounts, swaps) = (text(mount_table::PATH)?, text(SWAPS)?);
        Ok(Self {
            mounts: mounts.lines().filter_map(Mounted::parse).collect(),
            swaps: swaps.lines().skip(1).filter_map(swap).collect(),
        })
    }

    /// What is on top at a mount point.
    pub(super) fn top(&self, point: &str) -> Option<&Mounted> {
        self.mounts.iter().rfind(|mounted| mounted.point == point)
    }

    /// Where `want` is mounted now that was not in `before`.
    pub(super) fn since(&self, before: &Self, want: &Mount) -> Option<&str> {
        let is_new = |mounted: &&Mounted| before.mounts.iter().all(|known| known.id != mounted.id);
        let is_meant =
            |mounted: &&Mounted| is_fstype(want.fstype.as_deref().unwrap_or_default(), &mounted.fstype);
        self.mounts.iter().filter(is_new).find(is_meant).map(|mounted| mounted.point.as_str())
    }

    /// How many file systems are mounted over each other at a point; systemd's placeholders do not count.
    pub(super) fn layers(&self, point: &str) -> usize {
        self.mounts.iter().filter(|mounted| mounted.point == point && mounted.fstype != "autofs").count()
    }

    /// Whether anything is mounted there; for swap space, whether it is in use.
    pub(super) fn has(&self, want: &Mount, machine: &dyn Inspect) -> Result<bool, Error> {
        if !want.is_swap() {
            return Ok(self.top(want.title.as_str()).is_some());
        }
        Ok(self.swap(want, machine)?.is_some())
    }

    /// The swap space, if it is in use.
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

/// Parses a line of swaps: `/dev/vdc partition 1048572 0 -2`.
fn swap(line: &str) -> Option<Swap> {
    let mut words = line.split_ascii_whitespace();
    let (device, priority) = (words.next()?, words.next_back()?);
    Some(Swap { device: unescaped(device), priority: priority.to_owned() })
}

/// Whether the kernel's name of a type matches the wanted one.
pub(super) fn is_fstype(wanted: &str, is: &str) -> bool {
    wanted == is
        || matches!(wanted, "auto" | "none" | "bind")
        || matches!((wanted, is), ("nfs", "nfs4") | ("cifs", "smb3") | ("smb3", "cifs"))
        // A FUSE file system has a type of its own in /etc/fstab.
        || (is.starts_with("fuse") && !KERNELS.contains(&wanted))
}

/// Types that the kernel implements itself, without a program.
const KERNELS: &[&str] = &[
    "ext2", "ext3", "ext4", "xfs", "btrfs", "bcachefs", "f2fs", "vfat", "iso9660", "squashfs", "tmpfs",
    "ramfs", "overlay", "nfs", "nfs4", "cifs", "smb3",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_mount_point_is_on_top() {
        let lines =
            "1 0 0:1 / /x rw - tmpfs a rw\n2 1 0:2 / /x rw - tmpfs b rw\n3 2 0:3 / /x/y rw - tmpfs c rw\n";
        let table =
            MountTable { mounts: lines.lines().filter_map(Mounted::parse).collect(), swaps: Vec::new() };
        assert_eq!(table.top("/x").unwrap().source, "b");
        assert!(table.top("/").is_none());
    }

    #[test]
    fn types_have_more_than_one_name() {
        assert!(is_fstype("nfs", "nfs4") && is_fstype("ntfs-3g", "fuseblk") && is_fstype("auto", "xfs"));
        assert!(!is_fstype("ext4", "xfs") && !is_fstype("ext4", "fuseblk"));
    }
}
