//! Files that the boot reads from several directories: all in the order of their names, and of two of one name the one in the
//! first directory.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Error;
use crate::system::{FileKind, Inspect};

/// Paths and texts by the name of the file, in the order in which they are read.
pub type BootFiles = BTreeMap<OsString, (PathBuf, String)>;

/// Reads the files `*.conf`. What cannot be read says nothing: a link to `/dev/null` hides the file of its name.
///
/// # Errors
/// A directory could not be looked into.
pub fn read(machine: &dyn Inspect, directories: &[&str]) -> Result<BootFiles, Error> {
    let mut files = BootFiles::new();
    for directory in directories.iter().map(Path::new) {
        if !machine.stat(directory)?.is_some_and(|stat| stat.kind == FileKind::Directory) {
            continue;
        }
        for name in machine.list(directory)? {
            if !name.to_str().is_some_and(|name| name.ends_with(".conf")) || files.contains_key(&name) {
                continue;
            }
            let path = directory.join(&name);
            let text = machine.read_text(&path).ok().flatten().unwrap_or_default();
            files.insert(name, (path, text));
        }
    }
    Ok(files)
}
