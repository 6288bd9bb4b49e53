//! Where systemd looks for the definition of a unit: a file in an earlier directory hides one in a later directory.

use std::path::{Path, PathBuf};

use crate::provider::Error;
use crate::system::{FileKind, Inspect};

/// Directories that take precedence over the administrator's own: `systemctl set-property` and programs write there.
const BEFORE_OWN: [&str; 4] = [
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
];

/// Directories that take precedence over a unit that is generated at boot, such as from a line in /etc/fstab.
const BEFORE_MADE: [&str; 4] = [
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/etc/systemd/system",
    "/run/systemd/system",
];

/// The file that hides a definition or drop-in of this name below `/etc/systemd/system`.
pub(super) fn hiding_own(name: &str, machine: &dyn Inspect) -> Result<Option<PathBuf>, Error> {
    first(&BEFORE_OWN, name, machine)
}

/// The file that hides a unit of this name that is generated at boot.
pub(super) fn hiding_made(name: &str, machine: &dyn Inspect) -> Result<Option<PathBuf>, Error> {
    first(&BEFORE_MADE, name, machine)
}

/// The drop-ins that people and programs wrote for a unit that is generated at boot: for this unit, for all whose names
/// begin alike up to a dash, and for all of its kind.
pub(super) fn drop_ins(unit: &str, machine: &dyn Inspect) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for directory in BEFORE_MADE {
        for name in drop_in_directories(unit) {
            let directory = Path::new(directory).join(name);
            if !machine.stat(&directory)?.is_some_and(|stat| stat.kind == FileKind::Directory) {
                continue;
            }
            let names = machine.list(&directory)?;
            let is_read = |name: &&std::ffi::OsString| {
                name.to_str().is_some_and(|name| name.ends_with(".conf") && !name.starts_with('.'))
            };
            found.extend(names.iter().filter(is_read).map(|name| directory.join(name)));
        }
    }
    Ok(found)
}

fn drop_in_directories(unit: &str) -> Vec<String> {
    let (stem, kind) = unit.rsplit_once('.').unwrap_or((unit, ""));
    let dashes = stem.match_indices('-').map(|(at, _)| at).filter(|at| (1..stem.len() - 1).contains(at));
    let alike = dashes.map(|at| format!("{}.{kind}.d", &stem[..=at]));
    [format!("{unit}.d")].into_iter().chain(alike).chain([format!("{kind}.d")]).collect()
}

/// Whether a definition masks the unit: a link to `/dev/null`, or an empty file.
pub(super) fn is_mask(path: &Path, machine: &dyn Inspect) -> Result<bool, Error> {
    Ok(match machine.lstat(path)? {
        Some(stat) if stat.kind == FileKind::Symlink => machine.read_link(path)? == Path::new("/dev/null"),
        Some(stat) => stat.kind == FileKind::File && stat.size == 0,
        None => false,
    })
}

fn first(directories: &[&str], name: &str, machine: &dyn Inspect) -> Result<Option<PathBuf>, Error> {
    for directory in directories {
        let path = Path::new(directory).join(name);
        if machine.lstat(&path)?.is_some() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_has_the_drop_ins_of_its_prefixes_and_of_its_kind() {
        assert_eq!(
            drop_in_directories("srv-a-b.mount"),
            ["srv-a-b.mount.d", "srv-.mount.d", "srv-a-.mount.d", "mount.d"]
        );
        assert_eq!(drop_in_directories("-.mount"), ["-.mount.d", "mount.d"]);
    }
}
