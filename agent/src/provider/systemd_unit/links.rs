//! Links that lead to a definition: those that start a unit, and its other names.

use std::path::{Path, PathBuf};

use holdfast_catalog::resource::SystemdUnit;
use holdfast_catalog::resource::attribute::Presence;

use crate::provider::Error;
use crate::system::{FileKind, Inspect};

const OWN: &str = "/etc/systemd/system";

/// Directories in which packages, and programs at runtime, put their definitions.
const OTHERS: [&str; 4] = [
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Links to a definition that should not exist, and that nothing else brings.
pub(super) fn left_behind(want: &SystemdUnit, machine: &dyn Inspect) -> Result<Vec<PathBuf>, Error> {
    let unit = want.title.unit();
    if want.ensure == Presence::Present || want.title.is_drop_in() {
        return Ok(Vec::new());
    }
    for directory in OTHERS {
        if machine.stat(&Path::new(directory).join(unit))?.is_some() {
            return Ok(Vec::new());
        }
    }
    let mut found = links_in(Path::new(OWN), unit, machine)?;
    if is_directory(Path::new(OWN), machine)? {
        for name in machine.list(Path::new(OWN))? {
            let directory = Path::new(OWN).join(&name);
            let pulls_in =
                name.to_str().is_some_and(|name| name.ends_with(".wants") || name.ends_with(".requires"));
            if pulls_in {
                found.extend(links_in(&directory, unit, machine)?);
            }
        }
    }
    Ok(found)
}

/// Links in a directory that lead to the unit's file, in whatever way.
fn links_in(directory: &Path, unit: &str, machine: &dyn Inspect) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    if !is_directory(directory, machine)? {
        return Ok(found);
    }
    for name in machine.list(directory)? {
        let path = directory.join(name);
        let is_link = machine.lstat(&path)?.is_some_and(|stat| stat.kind == FileKind::Symlink);
        if is_link && machine.read_link(&path)?.file_name().is_some_and(|name| name == unit) {
            found.push(path);
        }
    }
    Ok(found)
}

fn is_directory(path: &Path, machine: &dyn Inspect) -> Result<bool, Error> {
    Ok(machine.lstat(path)?.is_some_and(|stat| stat.kind == FileKind::Directory))
}
