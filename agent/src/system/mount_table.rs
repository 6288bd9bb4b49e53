//! The kernel's table of mounts (proc_pid_mountinfo(5)).

use super::mount_field::unescaped;

/// Where the table is.
pub const PATH: &str = "/proc/self/mountinfo";

/// A line of the table.
pub struct MountLine<'t> {
    /// The kernel's id of this mount; another mount at the same place has a different one.
    pub id: &'t str,
    /// The numbers of the file system's device.
    pub device: &'t str,
    /// The directory of the file system that is mounted: `/` is all of it.
    pub root: String,
    pub point: String,
    /// The options of this mount, separated by commas.
    pub own: &'t str,
    pub fstype: &'t str,
    pub source: String,
    /// The options of the file system, wherever it is mounted.
    pub whole: &'t str,
}

impl<'t> MountLine<'t> {
    /// Parses `36 35 98:0 /root /point rw,noatime master:1 - ext4 /dev/sda1 rw,errors=continue`.
    pub fn parse(line: &'t str) -> Option<Self> {
        let (mount, system) = line.split_once(" - ")?;
        let (mut mount, mut system) = (mount.split(' '), system.split(' '));
        let id = mount.next()?;
        let mut mount = mount.skip(1);
        Some(Self {
            id,
            device: mount.next()?,
            root: unescaped(mount.next()?),
            point: unescaped(mount.next()?),
            own: mount.next()?,
            fstype: system.next()?,
            source: unescaped(system.next()?),
            whole: system.next().unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_is_meant() {
        let line = "36 35 98:0 /su\\040b /srv/a\\040b rw,noatime master:1 shared:2 - ext4 /dev/sd\\134a rw,errors=continue";
        let mount = MountLine::parse(line).unwrap();
        assert_eq!(
            (mount.id, mount.device, &*mount.root, &*mount.point),
            ("36", "98:0", "/su b", "/srv/a b")
        );
        assert_eq!(
            (mount.own, mount.fstype, &*mount.source, mount.whole),
            ("rw,noatime", "ext4", "/dev/sd\\a", "rw,errors=continue")
        );
        for broken in ["", "36 35 98:0 / /mnt rw ext4 /dev/sda1 rw", "36 35 - ext4 /dev/sda1 rw"] {
            assert!(MountLine::parse(broken).is_none(), "{broken}");
        }
    }
}
