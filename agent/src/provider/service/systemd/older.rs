//! Units that run with an older definition than the one that systemd has read: someone made systemd read it, and nobody
//! restarted them.

use std::path::{Path, PathBuf};

use super::waiting::wait;
use super::{Bus, BusError, UNIT_INTERFACE, Unit};
use crate::provider::Error;
use crate::system::{Inspect, Stat};

/// Directories whose files systemd or a generator rewrites at any time, or applies when it writes them.
const MADE: [&str; 2] = ["/run/systemd/", "/etc/systemd/system.control/"];

/// When a unit started, and which files define it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// When it started, in microseconds since 1970.
    pub at: i64,
    /// The files that systemd has read for it.
    pub files: Vec<String>,
}

impl Bus {
    /// When a service started; `None` for other units, and for one that is down.
    pub fn started_at(&self, unit: &Unit) -> Result<Option<Started>, BusError> {
        if !unit.name.ends_with(".service") {
            return Ok(None);
        }
        wait(&self.runtime, async {
            let at = self.property::<u64>(&unit.object, UNIT_INTERFACE, "ActiveEnterTimestamp").await;
            let Some(at) = at.and_then(|at| i64::try_from(at).ok()).filter(|at| *at > 0) else {
                return Ok(None);
            };
            let fragment = self.property::<String>(&unit.object, UNIT_INTERFACE, "FragmentPath").await;
            let drop_ins = self.property::<Vec<String>>(&unit.object, UNIT_INTERFACE, "DropInPaths").await;
            let files = fragment.into_iter().chain(drop_ins.unwrap_or_default()).collect();
            Ok(Some(Started { at, files }))
        })
    }
}

impl Started {
    /// The files that were written since.
    pub fn newer(&self, machine: &dyn Inspect) -> Result<Vec<PathBuf>, Error> {
        let mut newer = Vec::new();
        for path in self.files.iter().filter(|path| !MADE.iter().any(|made| path.starts_with(made))) {
            let path = Path::new(path);
            let is_newer =
                |stat: Option<Stat>| stat.is_some_and(|stat| stat.times.modified * 1_000_000 > self.at);
            // File times are whole seconds here: what was written in the second of the start came before it. A link has
            // its own time: its target may be older, and it may have had another target before.
            if path.is_absolute() && (is_newer(machine.stat(path)?) || is_newer(machine.lstat(path)?)) {
                newer.push(path.to_owned());
            }
        }
        Ok(newer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::double::Double;

    #[test]
    fn files_that_were_written_after_the_start_are_named() {
        let double = Double::new(|_| None);
        let (unit, made) = ("/etc/systemd/system/a.service", "/run/systemd/generator/a.service");
        double.put(unit, "");
        double.put(made, "");
        let files = vec![unit.to_owned(), made.to_owned(), String::new()];
        let started = |at| Started { at, files: files.clone() };
        assert_eq!(started(1_000_000).newer(&double).unwrap(), [Path::new(unit)]);
        assert!(started(i64::MAX).newer(&double).unwrap().is_empty());

        let old = std::fs::File::options().write(true).open(double.root.path().join(&unit[1..])).unwrap();
        old.set_modified(std::time::UNIX_EPOCH).unwrap();
        assert!(started(1_000_000).newer(&double).unwrap().is_empty());
        std::os::unix::fs::symlink(unit, double.root.path().join("etc/systemd/system/l.service")).unwrap();
        let link = "/etc/systemd/system/l.service";
        let switched = Started { at: 1_000_000, files: vec![link.to_owned()] };
        assert_eq!(switched.newer(&double).unwrap(), [Path::new(link)], "what it leads to is old");
    }
}
