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
