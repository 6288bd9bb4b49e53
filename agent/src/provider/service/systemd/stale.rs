//! Which files made a definition differ from the one that systemd has read.

use std::path::{Path, PathBuf};

use zbus::OwnedObjectPath;

use super::super::definition::{self, is_newer, is_same};
use super::waiting::wait;
use super::{Bus, BusError, UNIT_INTERFACE};
use crate::provider::Error;
use crate::system::Inspect;

/// A unit whose definition on disk differs from the one that systemd has read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StaleUnit {
    pub unit: String,
    /// The file that was read.
    pub fragment: String,
    /// The drop-ins that were read.
    pub drop_ins: Vec<String>,
    /// When definitions were last read, in microseconds since 1970.
    pub read_at: i64,
}

impl Bus {
    /// Those of these units that systemd has loaded, and not as they are on disk.
    pub fn stale<'a>(&self, names: impl Iterator<Item = &'a str> + Send) -> Result<Vec<StaleUnit>, BusError> {
        wait(&self.runtime, async {
            let mut stale = Vec::new();
            let read_at = self.read_at_async().await.unwrap_or(i64::MAX);
            for name in names {
                let object = match self.manager::<_, OwnedObjectPath>("GetUnit", name, &(name,)).await {
                    // A unit that was never loaded is read when it is.
                    Err(error) if error.is_no_such_unit() => continue,
                    object => object?,
                };
                if self.property::<bool>(&object, UNIT_INTERFACE, "NeedDaemonReload").await == Some(true) {
                    let fragment = self.property::<String>(&object, UNIT_INTERFACE, "FragmentPath").await;
                    let drop_ins = self.property::<Vec<String>>(&object, UNIT_INTERFACE, "DropInPaths").await;
                    let unit = name.to_owned();
                    let drop_ins = drop_ins.unwrap_or_default();
                    stale.push(StaleUnit { unit, fragment: fragment.unwrap_or_default(), drop_ins, read_at });
                }
            }
            Ok(stale)
        })
    }
}

impl StaleUnit {
    /// The files: drop-ins that were added or removed, and whatever was written since.
    pub fn files(&self, machine: &dyn Inspect) -> Result<Vec<PathBuf>, Error> {
        let on_disk = definition::drop_ins(&[self.unit.as_str()], machine)?;
        // systemd uses their real paths if their directory is a link.
        let mut really = Vec::new();
        for path in &on_disk {
            really.push(definition::real(path, machine)?);
        }
        let is_at =
            |read: &Path, (named, real): (&PathBuf, &PathBuf)| is_same(read, named) || is_same(read, real);
        let mut files = Vec::new();
        for (path, real) in on_disk.iter().zip(&really) {
            let is_read = self.drop_ins.iter().any(|read| is_at(Path::new(read), (path, real)));
            if !is_read || is_newer(path, self.read_at, machine)? {
                files.push(path.clone());
            }
        }
        for read in self.drop_ins.iter().map(Path::new) {
            if !on_disk.iter().zip(&really).any(|there| is_at(read, there)) {
                files.push(read.to_owned());
            }
        }
        let fragment = Path::new(&self.fragment);
        if fragment.is_absolute() && is_newer(fragment, self.read_at, machine)? {
            files.push(fragment.to_owned());
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::double::Double;

    #[test]
    fn of_a_directory_that_is_a_link_the_drop_in_that_came_is_named_alone_and_once() {
        let double = Double::new(|_| None);
        double.put("/opt/u/d/x.conf", "");
        double.put("/opt/u/d/y.conf", "");
        double.put("/etc/systemd/system/other", "");
        let folder = double.root.path().join("etc/systemd/system/x.service.d");
        std::os::unix::fs::symlink("/opt/u/d", folder).unwrap();
        let stale = StaleUnit {
            unit: "x.service".to_owned(),
            drop_ins: vec!["/opt/u/d/x.conf".to_owned()],
            read_at: i64::MAX,
            ..StaleUnit::default()
        };
        let hand = Path::new("/etc/systemd/system/x.service.d/y.conf");
        assert_eq!(stale.files(&double).unwrap(), [hand]);
    }

    #[test]
    fn the_files_that_are_new_or_gone_are_named() {
        let double = Double::new(|_| None);
        double.put("/etc/systemd/system/x.service.d/own.conf", "");
        double.put("/etc/systemd/system/x.service.d/hand.conf", "");
        double.put("/usr/lib/systemd/system/x.service.d/vendor.conf", "");
        let read =
            ["/etc/systemd/system/x.service.d/own.conf", "/lib/systemd/system/x.service.d/vendor.conf"];
        let stale = |more: &[&str], read_at| StaleUnit {
            unit: "x.service".to_owned(),
            drop_ins: read.iter().chain(more).map(ToString::to_string).collect(),
            read_at,
            ..StaleUnit::default()
        };
        let hand = Path::new("/etc/systemd/system/x.service.d/hand.conf");
        assert_eq!(stale(&[], i64::MAX).files(&double).unwrap(), [hand]);
        let gone = "/run/systemd/system/x.service.d/gone.conf";
        assert_eq!(stale(&[gone], i64::MAX).files(&double).unwrap(), [hand, Path::new(gone)]);
        assert_eq!(stale(&[], 0).files(&double).unwrap().len(), 3, "all were written since");
    }
}
