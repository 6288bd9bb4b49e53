//! Files that belong to one resource whole, at a path that the type knows: compared, replaced and removed as `file` does.
//!
//! What such a file stands in is made where it is missing: packages bring these directories, images may lack them.

use std::path::Path;

use holdfast_catalog::resource::attribute::{Content, Mode, Presence};
use holdfast_catalog::resource::{Attributes, File, ResourceType as _};

use super::file::{Change, Files, Plan, Property};
use super::{Applied, Error, Provider as _, Reading, Shown, Writing};
use crate::system::{Access, FileKind, Inspect, System};

/// A directory that everybody may look into.
const DIRECTORY: Access = Access { mode: 0o755, uid: None, gid: None };

/// The resource as a `file`: what is secret is for its owner alone.
pub fn as_file(path: &str, ensure: Presence, content: Option<&Content>) -> File {
    let ensure = if ensure == Presence::Present { "file" } else { "absent" };
    let attributes: Attributes = [("ensure".into(), ensure.into())].into();
    let file = File::read(path, &attributes).expect("a path that a type makes is absolute and normal");
    let secret = content.is_some_and(Content::is_sensitive);
    let mode = content.map(|_| Mode(if secret { 0o600 } else { 0o644 }));
    File { content: content.cloned(), mode, ..file }
}

/// A file that holds this text, which is no secret.
pub fn of_text(path: &str, text: &str) -> File {
    as_file(path, Presence::Present, Some(&Content::Inline(text.into())))
}

/// What differs, with `present` and `absent` for what is there.
pub fn plan(file: &File, reading: Reading<'_>) -> Result<Vec<Change>, Error> {
    let seen = Files.observe(&[file], reading)?;
    let changes = match Files.plan(file, &seen, reading)? {
        Plan::Changes(changes) | Plan::InSync(changes) => changes,
        Plan::Pending(why) | Plan::NotApplicable(why) => return Err(Error::Refused(why)),
    };
    let present = |shown: Shown| if shown.text() == "file" { Shown::from(Presence::Present) } else { shown };
    let in_words = |change: Change| match change.property {
        Property::Ensure => Change { is: present(change.is), should: present(change.should), ..change },
        _ => change,
    };
    Ok(changes.into_iter().map(in_words).collect())
}

/// Makes the changes that [`plan`] found.
pub fn apply(file: &File, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
    if file.content.is_some() {
        make_parents(writing.machine, Path::new(file.title.as_str()))?;
    }
    Files.apply(file, changes, writing)
}

/// Replaces a file whole by this text.
pub fn write(path: &str, text: &str, writing: Writing<'_>) -> Result<(), Error> {
    let change = Change::new(Property::Content, "", "");
    apply(&of_text(path, text), &[change], writing).map(|_| ())
}

/// Makes the directories that a path stands in.
pub fn make_parents(machine: &dyn System, path: &Path) -> Result<(), Error> {
    let missing = |dir: &&Path| machine.stat(dir).map(|stat| stat.is_none()).unwrap_or(false);
    let mut missing: Vec<&Path> = path.ancestors().skip(1).take_while(missing).collect();
    while let Some(dir) = missing.pop() {
        machine.make_dir(dir, DIRECTORY)?;
    }
    Ok(())
}

/// What stands where a text is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A file; bytes that are no UTF-8 are replaced.
    Text(String),
    /// Something else, in a word.
    Other(&'static str),
}

/// Looks at a file of text, without following a link in its place.
pub fn look(machine: &dyn Inspect, path: &str) -> Result<Found, Error> {
    let path = Path::new(path);
    Ok(match machine.lstat(path)?.map(|stat| stat.kind) {
        None => Found::Nothing,
        Some(FileKind::File) => machine.read_text(path)?.map_or(Found::Nothing, Found::Text),
        Some(FileKind::Symlink) => Found::Other("symlink"),
        Some(FileKind::Directory) => Found::Other("directory"),
        Some(FileKind::Other) => Found::Other("special file"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::trial;
    use crate::system::double::Double;

    #[test]
    fn missing_directories_are_made_for_a_file_and_not_for_its_absence() {
        let double = Double::new(|_| None);
        double.put("/etc/x", "");
        trial::writing(&double, |writing| {
            write("/etc/a/b/file", "text\n", writing).unwrap();
            let gone = as_file("/etc/c/file", Presence::Absent, None);
            apply(&gone, &[Change::new(Property::Ensure, "present", "absent")], writing).unwrap();
        });
        assert_eq!(std::fs::read_to_string(double.root.path().join("etc/a/b/file")).unwrap(), "text\n");
        assert!(!double.root.path().join("etc/c").exists());
    }

    #[test]
    fn a_link_is_not_followed_and_what_is_no_text_is_read_all_the_same() {
        let double = Double::new(|_| None);
        double.put("/etc/x", "text");
        std::os::unix::fs::symlink("x", double.root.path().join("etc/link")).unwrap();
        assert_eq!(look(&double, "/etc/x").unwrap(), Found::Text("text".into()));
        assert_eq!(look(&double, "/etc/link").unwrap(), Found::Other("symlink"));
        assert_eq!(look(&double, "/etc/y").unwrap(), Found::Nothing);
        std::fs::write(double.root.path().join("etc/x"), b"caf\xe9").unwrap();
        assert_eq!(look(&double, "/etc/x").unwrap(), Found::Text("caf\u{fffd}".into()));
    }
}
