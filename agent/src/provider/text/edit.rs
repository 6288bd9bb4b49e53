//! Text files that resources own in part: each is read once for all of them, and rewritten as a whole with one part
//! changed.
//!
//! Everything else in a file is kept, byte for byte. A file that is not UTF-8 is refused, since nothing in it may be
//! lost.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use holdfast_catalog::resource::File;

use crate::provider::{Error, Reading, Writing};
use crate::system::{Committed, FileKind, Inspect, Permissions, Stat};
pub use lines::Lines;

mod lines;

/// The largest file that is edited, in bytes.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Text files by path, as they were when observed.
pub struct Texts(HashMap<Box<str>, ReadText>);

/// The result of reading a file: its text, `None` if there is no file, or an error for all resources that name it.
type ReadText = Result<Option<Arc<str>>, Arc<Error>>;

impl Texts {
    /// Reads each of these paths once. An error is returned when the path is asked for.
    pub fn read<'a>(machine: &dyn Inspect, paths: impl IntoIterator<Item = &'a str>) -> Self {
        let mut all = HashMap::new();
        for path in paths {
            all.entry(path.into()).or_insert_with(|| match text(machine, Path::new(path)) {
                Ok(text) => Ok(text.map(|(text, _)| text.into())),
                Err(error) => Err(Arc::new(error)),
            });
        }
        Self(all)
    }

    /// The text at a path; `None` if nothing is there.
    ///
    /// # Errors
    /// Fails if it could not be read, or is not text.
    pub fn get(&self, path: &str) -> Result<Option<&str>, Error> {
        match self.0.get(path) {
            Some(Ok(text)) => Ok(text.as_deref()),
            Some(Err(error)) => Err(error.clone().into()),
            None => Ok(None),
        }
    }
}

/// The text and metadata of a file; `None` if nothing is there. Both come from the same open file, so nothing is read
/// from another one that is put in its place in the meantime.
fn text(machine: &dyn Inspect, path: &Path) -> Result<Option<(String, Stat)>, Error> {
    let Some(opened) = machine.open(path)? else { return Ok(None) };
    let stat = opened.stat;
    let text = String::from_utf8(opened.read(path, MAX_BYTES)?);
    text.map(|text| Some((text, stat))).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
        let path = path.display();
        Error::Refused(format!(
            "{path} is not UTF-8 text (line {line}), and is not edited: its binary parts would be lost"
        ))
    })
}

/// The note if every user can read a file with a secret: restricting it is left to whoever owns the file. `None` if a
/// resource sets its mode.
///
/// # Errors
/// Fails if the file cannot be looked at.
pub fn readable_by_all(path: &str, reading: Reading<'_>) -> Result<Option<String>, Error> {
    let is_open = |stat: &Stat| stat.mode & 0o004 != 0;
    let Some(stat) = reading.machine.stat(Path::new(path))?.filter(is_open) else { return Ok(None) };
    let gives_mode = |file: &File| file.title.as_str() == path && file.managed_mode().is_some();
    let words = || {
        format!(
            "every user can read {path} (mode {:04o}), and it contains this secret: add a `file` with this path and \
             mode = \"0640\", or another mode without access for others",
            stat.mode
        )
    };
    Ok((!reading.named.of_type::<File>().any(gives_mode)).then(words))
}

/// Refuses a symbolic link: new content would replace the link, or go where someone else has redirected it.
///
/// # Errors
/// Fails if it is a link.
pub fn refuse_link(machine: &dyn Inspect, path: &str) -> Result<(), Error> {
    let is_link = |stat: Stat| stat.kind == FileKind::Symlink;
    if !machine.lstat(Path::new(path))?.is_some_and(is_link) {
        return Ok(());
    }
    let target = machine.read_link(Path::new(path))?;
    let target = target.display();
    Err(Error::Refused(format!(
        "{path} is a symbolic link to {target}, and is not edited; name the file that it points to"
    )))
}

/// Rewrites a text file with `edit`, which gets the present text (empty if there is no file). Owner, group and mode are
/// kept; a new file gets `new`. If `edit` changes nothing, nothing is written.
///
/// # Errors
/// Fails if it could not be read or replaced; the old file is still in place.
pub fn rewrite(
    writing: Writing<'_>,
    path: &str,
    new: Permissions,
    edit: impl FnOnce(&str) -> String,
) -> Result<(), Error> {
    let old = text(writing.machine, Path::new(path))?;
    let before = old.as_ref().map(|(text, _)| text.as_str());
    let edited = edit(before.unwrap_or_default());
    if before == Some(edited.as_str()) {
        return Ok(());
    }
    let kept = |(_, stat): &(_, Stat)| Permissions {
        mode: stat.permissions(),
        uid: Some(stat.uid),
        gid: Some(stat.gid),
    };
    let access = old.as_ref().map_or(new, kept);
    put(writing, path, access, &edited)
}

/// Writes a text file as a whole, with this owner and mode.
///
/// # Errors
/// Fails if it could not be replaced; the old file is still in place.
pub fn put(writing: Writing<'_>, path: &str, access: Permissions, text: &str) -> Result<(), Error> {
    match writing.machine.stage(Path::new(path), access, &mut text.as_bytes())?.commit()? {
        Committed::Whole | Committed::InPlace => Ok(()),
    }
}

/// A file that belongs to the agent's own user (root on a real machine) and that everybody may read.
pub const PUBLIC: Permissions = Permissions { mode: 0o644, uid: None, gid: None };

/// A file that belongs to the agent's own user (root on a real machine) and that nobody else may read.
pub const PRIVATE: Permissions = Permissions { mode: 0o600, uid: None, gid: None };

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::provider::trial;
    use crate::system::double::Double;

    #[test]
    fn an_edit_keeps_the_rest_and_the_mode_and_writes_only_what_changes() {
        let double = Double::new(|_| None);
        double.put("/etc/x", "one\r\ntwo");
        let place = double.root.path().join("etc/x");
        std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o640)).unwrap();
        trial::writing(&double, |writing| {
            rewrite(writing, "/etc/x", PUBLIC, |text| format!("{text}\nthree\n")).unwrap();
            assert_eq!(std::fs::read(&place).unwrap(), b"one\r\ntwo\nthree\n");
            assert_eq!(std::fs::metadata(&place).unwrap().permissions().mode() & 0o7777, 0o640);
            let inode = |path| std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).unwrap());
            let before = inode(&place);
            rewrite(writing, "/etc/x", PUBLIC, str::to_owned).unwrap();
            assert_eq!(inode(&place), before, "an edit that changes nothing writes nothing");
        });
    }

    #[test]
    fn a_link_is_refused() {
        let double = Double::new(|_| None);
        double.put("/etc/real", "");
        std::os::unix::fs::symlink("real", double.root.path().join("etc/link")).unwrap();
        assert!(refuse_link(&double, "/etc/link").unwrap_err().to_string().contains("link to real"));
        assert!(refuse_link(&double, "/etc/real").is_ok() && refuse_link(&double, "/etc/none").is_ok());
    }

    #[test]
    fn what_is_no_text_is_refused_and_kept() {
        let double = Double::new(|_| None);
        double.put("/etc/x", "");
        std::fs::write(double.root.path().join("etc/x"), b"# a\ncaf\xe9\n").unwrap();
        let refused =
            trial::writing(&double, |writing| rewrite(writing, "/etc/x", PUBLIC, |_| String::new()));
        assert!(refused.unwrap_err().to_string().contains("not UTF-8 text (line 2)"));
        assert_eq!(std::fs::read(double.root.path().join("etc/x")).unwrap(), b"# a\ncaf\xe9\n");
        assert!(Texts::read(&double, ["/etc/x"]).get("/etc/x").is_err());
    }
}
