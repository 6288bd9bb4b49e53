//! Which files made a definition another than the one that systemd has read.

use std::path::{Path, PathBuf};

use zbus::OwnedObjectPath;

use super::super::definition;
use super::waiting::wait;
use super::{Bus, BusError, UNIT_INTERFACE};
use crate::provider::Error;
use crate::system::{Inspect, Stat};

/// A unit whose definition on disk is another than the one that systemd has read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stale {
    /// Its name.
    pub unit: String,
    /// The file that was read.
    pub fragment: String,
    /// The drop-ins that were read.
    pub drop_ins: Vec<String>,
    /// When definitions were last read, in microseconds since 1970.
    pub read_at: i64,
}

impl Bus {
    /// Those of these units that systemd has, and has not read as they are on disk.
    pub fn stale<'a>(&self, names: impl Iterator<Item = &'a str> + Send) -> Result<Vec<Stale>, BusError> {
        wait(&self.runtime, async {
            let mut stale = Vec::new();
            let read_at = self.read_at().await.unwrap_or(i64::MAX);
            for name in names {
                // One that was never loaded is read when it is.
                let Ok(object) = self.manager::<_, OwnedObjectPath>("GetUnit", name, &(name,)).await else {
                    continue;
                };
                if self.property::<bool>(&object, UNIT_INTERFACE, "NeedDaemonReload").await == Some(true) {
                    let fragment = self.property::<String>(&object, UNIT_INTERFACE, "FragmentPath").await;
                    let drop_ins = self.property::<Vec<String>>(&object, UNIT_INTERFACE, "DropInPaths").await;
                    let unit = name.to_owned();
                    let drop_ins = drop_ins.unwrap_or_default();
                    stale.push(Stale { unit, fragment: fragment.unwrap_or_default(), drop_ins, read_at });
                }
            }
            Ok(stale)
        })
    }
}

impl Stale {
    /// The files: drop-ins that came or went, and whatever was written since.
    pub fn files(&self, machine: &dyn Inspect) -> Result<Vec<PathBuf>, Error> {
        let on_disk = definition::drop_ins(&[self.unit.as_str()], machine)?;
        let is_read = |path: &Path| self.drop_ins.iter().any(|read| is_same(Path::new(read), path));
        let mut files = Vec::new();
        for path in &on_disk {
            if !is_read(path) || self.is_newer(path, machine)? {
                files.push(path.clone());
            }
        }
        for path in self.drop_ins.iter().map(Path::new) {
            if !on_disk.iter().any(|there| is_same(there, path)) {
                files.push(path.to_owned());
            }
        }
        let fragment = Path::new(&self.fragment);
        if fragment.is_absolute() && self.is_newer(fragment, machine)? {
            files.push(fragment.to_owned());
        }
        Ok(files)
    }

    fn is_newer(&self, path: &Path, machine: &dyn Inspect) -> Result<bool, Error> {
        let stat = machine.lstat(path)?;
        let changed =
            |stat: &Stat| stat.times.changed * 1_000_000 + i64::from(stat.times.changed_nanos) / 1_000;
        Ok(stat.is_none_or(|stat| changed(&stat) > self.read_at))
    }
}

/// Whether two paths are one, `/lib` being `/usr/lib`.
fn is_same(one: &Path, other: &Path) -> bool {
    let plain = |path: &Path| {
        path.strip_prefix("/usr").map_or_else(|_| path.to_owned(), |rest| Path::new("/").join(rest))
    };
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::double::Double;

    #[test]
    fn the_files_that_are_new_or_gone_are_named() {
        let double = Double::new(|_| None);
        double.put("/etc/systemd/system/x.service.d/own.conf", "");
        double.put("/etc/systemd/system/x.service.d/hand.conf", "");
        double.put("/usr/lib/systemd/system/x.service.d/vendor.conf", "");
        let read =
            ["/etc/systemd/system/x.service.d/own.conf", "/lib/systemd/system/x.service.d/vendor.conf"];
        let stale = |more: &[&str], read_at| Stale {
            unit: "x.service".to_owned(),
            drop_ins: read.iter().chain(more).map(ToString::to_string).collect(),
            read_at,
            ..Stale::default()
        };
        let hand = Path::new("/etc/systemd/system/x.service.d/hand.conf");
        assert_eq!(stale(&[], i64::MAX).files(&double).unwrap(), [hand]);
        let gone = "/run/systemd/system/x.service.d/gone.conf";
        assert_eq!(stale(&[gone], i64::MAX).files(&double).unwrap(), [hand, Path::new(gone)]);
        assert_eq!(stale(&[], 0).files(&double).unwrap().len(), 3, "all were written since");
    }
}
