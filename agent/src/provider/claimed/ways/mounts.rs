//! Directories that are mounted at more than one place. Each has one canonical name, by which all its names can be
//! compared.

use std::path::Path;

use crate::system::mount_table::{self, MountLine};
use crate::system::{Inspect, Liveness};

/// Where a part of a file system is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct MountPoint {
    device: String,
    /// The part of the file system that is mounted.
    root: String,
    point: String,
}

/// The mounts of a machine.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    all: Vec<MountPoint>,
    /// Whether any file system is mounted at more than one place.
    any_twice: bool,
}

impl Mounts {
    /// Reads the mounts of the machine as it is now; under another root nothing is mounted.
    pub(super) fn read(machine: &dyn Inspect) -> Self {
        if machine.liveness() != Liveness::Live {
            return Self::default();
        }
        let text = machine.read_text(Path::new(mount_table::PATH)).ok().flatten().unwrap_or_default();
        Self::parse(&text)
    }

    fn parse(text: &str) -> Self {
        let all: Vec<_> = text.lines().filter_map(mounted).collect();
        let mut devices: Vec<_> = all.iter().map(|mounted| mounted.device.as_str()).collect();
        devices.sort_unstable();
        let any_twice = devices.windows(2).any(|pair| pair[0] == pair[1]);
        Self { any_twice, all }
    }

    /// A directory's canonical name, if it differs, and the mount point that makes the difference: of all its names,
    /// the one through which most of its file system can be reached. `is_same` tells whether two names lead to one
    /// directory now, since something else may be mounted over one of them.
    pub(super) fn own_name(
        &self,
        directory: &str,
        is_same: impl Fn(&str, &str) -> bool,
    ) -> Option<(String, &str)> {
        if !self.any_twice {
            return None;
        }
        let within = |mounted: &&MountPoint| below(directory, &mounted.point).is_some();
        // If several are mounted at one place, the last one is on top.
        let here = self.all.iter().filter(within).max_by_key(|mounted| mounted.point.len())?;
        let rest = below(directory, &here.point)?;
        let inner = join(&here.root, rest);
        let mut others: Vec<_> = self.all.iter().filter(|other| other.device == here.device).collect();
        others.sort_by_key(|other| other.root.len());
        let names =
            others.into_iter().filter_map(|other| Some(join(&other.point, below(&inner, &other.root)?)));
        for name in names {
            if name == directory {
                return None;
            }
            if is_same(&name, directory) {
                return Some((name, &here.point));
            }
        }
        None
    }
}

/// The part of a path below another; empty if the two are equal.
fn below<'p>(path: &'p str, top: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(top.trim_end_matches('/'))?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

fn join(top: &str, rest: &str) -> String {
    match (top.trim_end_matches('/'), rest) {
        ("", rest) => format!("/{rest}"),
        (top, "") => top.to_owned(),
        (top, rest) => format!("{top}/{rest}"),
    }
}

/// Parses a line of the kernel's mount table.
fn mounted(line: &str) -> Option<MountPoint> {
    let MountLine { device, root, point, .. } = MountLine::parse(line)?;
    Some(MountPoint { device: device.to_owned(), root, point })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 1 8:1 / / rw - ext4 /dev/sda1 rw
23 22 0:5 / /proc rw - proc proc rw
24 22 8:1 /srv/t/src /srv/t/m rw - ext4 /dev/sda1 rw
25 22 8:2 /@/data /srv/a\\040b rw - btrfs /dev/sdb rw
26 22 8:2 /@/data/in /mnt/in rw - btrfs /dev/sdb rw
27 22 0:9 / /srv/t/over rw - tmpfs none rw
";

    fn own(directory: &str, is_same: impl Fn(&str, &str) -> bool) -> Option<(String, String)> {
        let mounts = Mounts::parse(TABLE);
        mounts.own_name(directory, is_same).map(|(name, point)| (name, point.to_owned()))
    }

    #[test]
    fn a_directory_has_one_name_however_it_is_mounted() {
        let all = |_: &str, _: &str| true;
        let is = |name: &str, point: &str| Some((name.to_owned(), point.to_owned()));
        for (directory, expected) in [
            ("/srv/t/m", is("/srv/t/src", "/srv/t/m")),
            ("/srv/t/m/deep/er", is("/srv/t/src/deep/er", "/srv/t/m")),
            ("/mnt/in", is("/srv/a b/in", "/mnt/in")),
            ("/mnt/in/x", is("/srv/a b/in/x", "/mnt/in")),
            ("/srv/t/src", None),
            ("/srv/t/mm", None),
            ("/srv/a b/in", None),
            ("/srv/a b/other", None),
            ("/srv/t/over/x", None),
            ("/", None),
        ] {
            assert_eq!(own(directory, all), expected, "{directory}");
        }
    }

    #[test]
    fn what_is_hidden_by_another_mount_is_no_name() {
        assert_eq!(own("/srv/t/m/x", |_, _| false), None);
        assert_eq!(Mounts::parse("").own_name("/x", |_, _| true), None);
    }
}
