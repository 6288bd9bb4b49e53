//! A mounted file system, from its line in the kernel's table.

use holdfast_catalog::resource::Mount;

use crate::system::mount_field::unescaped;
use crate::system::mount_table::MountLine;

/// A mounted file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mounted {
    /// The kernel's number of this mount.
    pub(super) id: String,
    pub(super) point: String,
    pub(super) fstype: String,
    pub(super) source: String,
    /// The directory of the file system that is mounted: `/` is all of it.
    pub(super) root: String,
    /// The options of this mount.
    own: Vec<String>,
    /// The options of the file system, wherever it is mounted.
    whole: Vec<String>,
}

impl Mounted {
    /// Parses a line of the kernel's table.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let MountLine { id, root, point, own, fstype, source, whole, .. } = MountLine::parse(line)?;
        let options = |text: &str| text.split(',').filter(|o| !o.is_empty()).map(unescaped).collect();
        Some(Self {
            id: id.to_owned(),
            point,
            fstype: fstype.to_owned(),
            source,
            root,
            own: options(own),
            whole: options(whole),
        })
    }

    /// What is mounted, as findmnt(8) shows it.
    pub(super) fn device(&self) -> String {
        if self.shows_all() { self.source.clone() } else { format!("{}[{}]", self.source, self.root) }
    }

    /// Whether all of the file system is mounted, and not only a directory of it. If the kind of mount always names a
    /// directory, as for a subvolume or a server, that counts as all of it.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::trial::want;

    #[test]
    fn lines_of_the_kernel_are_read_as_they_are_meant() {
        let line =
            "36 35 98:0 /sub /srv/a\\040b rw,noatime master:1 shared:2 - ext4 /dev/sda1 rw,errors=continue";
        let mounted = Mounted::parse(line).unwrap();
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
}
