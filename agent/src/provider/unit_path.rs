//! Where systemd looks for the definition of a unit: what is in an earlier directory hides what is in a later one.

use std::path::{Path, PathBuf};

use crate::provider::Error;
use crate::system::{FileKind, Inspect};

/// What counts before an administrator's own: `systemctl set-property` and programs write there.
const BEFORE_OWN: [&str; 4] = [
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
];

/// What counts before a unit that systemd makes at boot, such as of a line of /etc/fstab.
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

/// The file that hides a unit of this name which systemd makes at boot.
pub(super) fn hiding_made(name: &str, machine: &dyn Inspect) -> Result<Option<PathBuf>, Error> {
    first(&BEFORE_MADE, name, machine)
}

/// Whether a definition says that the unit is masked: a link to nowhere, or an empty file.
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
