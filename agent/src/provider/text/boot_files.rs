//! Files that the boot reads from several directories: all of them in the order of their names, and of two with the
//! same name the one in the first directory.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::provider::Error;
use crate::system::{FileKind, Inspect};

/// Paths and texts by file name, in the order in which they are read.
pub type BootFiles = BTreeMap<OsString, (PathBuf, String)>;

/// Reads the files `*.conf`. Anything that is not a file counts as empty: a link to `/dev/null` hides the files with
/// its name.
///
/// # Errors
/// Fails if a directory or file cannot be read, since its content is then unknown.
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
            let is_file = machine.stat(&path)?.is_some_and(|stat| stat.kind == FileKind::File);
            let text = if is_file { machine.read_text(&path)? } else { None };
            let text = text.unwrap_or_default();
            files.insert(name, (path, text));
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::double::Double;

    #[test]
    fn what_is_no_file_says_nothing_and_a_file_that_cannot_be_read_is_an_error() {
        let double = Double::new(|_| None);
        double.put("/etc/x.d/a.conf", "a");
        double.put("/etc/x.d/d.conf/in", "");
        double.put("/usr/x.d/b.conf", "b");
        std::os::unix::fs::symlink("/dev/null", double.root.path().join("etc/x.d/b.conf")).unwrap();
        let read = || read(&double, &["/etc/x.d", "/usr/x.d", "/none"]);
        let texts: Vec<_> = read().unwrap().into_values().map(|(_, text)| text).collect();
        assert_eq!(texts, ["a", "", ""]);
        double.put("/etc/x.d/large.conf", &"#\n".repeat(9 * 1024 * 1024));
        let error = read().unwrap_err().to_string();
        assert!(error.contains("/etc/x.d/large.conf"), "{error}");
    }
}
