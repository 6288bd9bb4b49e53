//! Files that belong to one resource as a whole, at a path that the type knows: compared, replaced and removed as
//! `file` does.
//!
//! Missing directories of such a file are created: packages bring them, but images may lack them.

use std::path::Path;

use holdfast_catalog::resource::attribute::{AccountName, FileContent, FileMode, Presence};
use holdfast_catalog::resource::{Attribute as _, Attributes, File, ResourceType as _};

use crate::provider::file::{Change, Files, Plan, Property, content_left};
use crate::provider::{Applied, DisplayValue, Error, Left, Provider as _, Reading, Writing};
use crate::system::{FileKind, Inspect, Permissions, System};

/// The mode of a file that everybody may read.
const TEXT_MODE: u32 = 0o644;

/// A directory that everybody may read.
const DIRECTORY: Permissions = Permissions { mode: 0o755, uid: None, gid: None };

/// The resource as a `file`. Only its owner may read secret content.
pub fn as_file(path: &str, ensure: Presence, content: Option<&FileContent>) -> File {
    let ensure = if ensure == Presence::Present { "file" } else { "absent" };
    let attributes: Attributes = [("ensure".into(), ensure.into())].into();
    let file = File::read(path, &attributes).expect("a path that a type makes is absolute and normal");
    let secret = content.is_some_and(FileContent::is_sensitive);
    let mode = content.map(|_| FileMode(if secret { 0o600 } else { TEXT_MODE }));
    let owner = content.and_then(|_| AccountName::read(&own_id().to_string().into()).ok());
    File { content: content.cloned(), mode, owner, ..file }
}

/// The values of such a file that is in place, for [`Provider::left`](crate::provider::Provider::left).
pub fn left(ensure: Presence, content: Option<&FileContent>) -> Left<'static> {
    let mut left: Left<'static> = vec![("ensure".into(), ensure.to_string().into())];
    if let Some(content) = content {
        let file = as_file("/file", ensure, Some(content));
        left.push(("content".into(), content_left(content).into()));
        left.extend(file.mode.map(|mode| ("mode".into(), mode.to_string().into())));
        left.extend(file.owner.map(|owner| ("owner".into(), owner.to_string().into())));
    }
    left
}

/// The owner of such files: the agent's own user, root on a real machine.
fn own_id() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Why a text file does not belong to the agent alone, in words: anyone who owns it or may write it decides its
/// content. `None` if it does, or if there is no file.
pub fn not_own(machine: &dyn Inspect, path: &str) -> Result<Option<String>, Error> {
    let stat = machine.lstat(Path::new(path))?.filter(|stat| stat.kind == FileKind::File);
    let Some(stat) = stat.filter(|stat| stat.uid != own_id() || stat.mode != TEXT_MODE) else {
        return Ok(None);
    };
    let owner = machine.accounts()?.user_name(stat.uid);
    Ok(Some(format!("present, of {owner} and with the mode {:04o}", stat.mode)))
}

/// A file with this text, which is not secret.
pub fn of_text(path: &str, text: &str) -> File {
    as_file(path, Presence::Present, Some(&FileContent::Inline(text.into())))
}

/// The changes that are needed, with `present` and `absent` for what is there.
pub fn plan(file: &File, reading: Reading<'_>) -> Result<Vec<Change>, Error> {
    let seen = Files.observe(&[file], reading)?;
    let changes = match Files.plan(file, &seen, reading)? {
        Plan::Changes(changes) | Plan::InSync(changes) => changes,
        Plan::Pending(need) => return Err(Error::Refused(need.why)),
        Plan::NotApplicable(why) => return Err(Error::Refused(why)),
    };
    let present = |shown: DisplayValue| {
        if shown.text() == "file" { DisplayValue::from(Presence::Present) } else { shown }
    };
    let accounts = reading.machine.accounts()?;
    let named =
        |shown: DisplayValue| shown.text().parse().map(|uid| accounts.user_name(uid).into()).unwrap_or(shown);
    let in_words = |change: Change| match change.property {
        Property::Ensure => Change { is: present(change.is), should: present(change.should), ..change },
        Property::Owner => Change { is: named(change.is), should: named(change.should), ..change },
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

/// Replaces a file as a whole with this text.
pub fn write(path: &str, text: &str, writing: Writing<'_>) -> Result<(), Error> {
    let change = Change::new(Property::Content, "", "");
    apply(&of_text(path, text), &[change], writing).map(|_| ())
}

/// Creates the missing directories above a path.
pub fn make_parents(machine: &dyn System, path: &Path) -> Result<(), Error> {
    let missing = |dir: &&Path| machine.stat(dir).map(|stat| stat.is_none()).unwrap_or(false);
    let mut missing: Vec<&Path> = path.ancestors().skip(1).take_while(missing).collect();
    while let Some(dir) = missing.pop() {
        machine.make_dir(dir, DIRECTORY)?;
    }
    Ok(())
}

/// What is in the place of a text file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileText {
    Nothing,
    /// A file; bytes that are not UTF-8 are replaced.
    Text(String),
    /// Something else, in a word.
    Other(&'static str),
}

/// Looks at a text file, without following a link in its place.
pub fn look(machine: &dyn Inspect, path: &str) -> Result<FileText, Error> {
    let path = Path::new(path);
    Ok(match machine.lstat(path)?.map(|stat| stat.kind) {
        None => FileText::Nothing,
        Some(FileKind::File) => machine.read_text(path)?.map_or(FileText::Nothing, FileText::Text),
        Some(FileKind::Symlink) => FileText::Other("symlink"),
        Some(FileKind::Directory) => FileText::Other("directory"),
        Some(FileKind::Other) => FileText::Other("special file"),
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
    fn the_file_is_the_agents_own_and_what_left_it_says_so() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
        let double = Double::new(|_| None);
        double.put("/etc/passwd", "root:x:0:0::/root:/bin/sh\ndaemon:x:1:1::/:/bin/sh\n");
        let content = FileContent::Inline("text\n".into());
        let file = as_file("/etc/x", Presence::Present, Some(&content));
        trial::writing(&double, |writing| write("/etc/x", "text\n", writing).unwrap());
        let place = double.root.path().join("etc/x");
        let changes = |file: &File| {
            let named = crate::provider::CatalogClaims::new(&[]);
            let content = &crate::content::Nowhere;
            let reading = Reading { machine: &double, content, named: &named, state_dir: Path::new("/none") };
            plan(file, reading).unwrap()
        };
        assert_eq!((changes(&file), not_own(&double, "/etc/x").unwrap()), (vec![], None));
        std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o666)).unwrap();
        let left = left(Presence::Present, Some(&content));
        let said = trial::said(&changes(&file));
        assert_eq!(said, ["mode: 0666 -> 0644"]);
        assert!(left.contains(&("mode".into(), "0644".into())), "{left:?}");
        if !crate::skip::is_root() {
            return;
        }
        chown(&place, Some(1), None).unwrap();
        let found = changes(&file);
        assert_eq!(trial::said(&found), ["mode: 0666 -> 0644", "owner: daemon -> root"]);
        assert_eq!(
            not_own(&double, "/etc/x").unwrap().as_deref(),
            Some("present, of daemon and with the mode 0666")
        );
        trial::writing(&double, |writing| apply(&file, &found, writing).unwrap());
        assert_eq!((changes(&file), std::fs::metadata(&place).unwrap().uid()), (vec![], 0));
        chown(&place, Some(1), None).unwrap();
        trial::writing(&double, |writing| write("/etc/x", "other\n", writing).unwrap());
        assert_eq!(not_own(&double, "/etc/x").unwrap(), None);
        assert!(left.contains(&("owner".into(), "0".into())), "{left:?}");
    }

    #[test]
    fn a_link_is_not_followed_and_what_is_no_text_is_read_all_the_same() {
        let double = Double::new(|_| None);
        double.put("/etc/x", "text");
        std::os::unix::fs::symlink("x", double.root.path().join("etc/link")).unwrap();
        assert_eq!(look(&double, "/etc/x").unwrap(), FileText::Text("text".into()));
        assert_eq!(look(&double, "/etc/link").unwrap(), FileText::Other("symlink"));
        assert_eq!(look(&double, "/etc/y").unwrap(), FileText::Nothing);
        std::fs::write(double.root.path().join("etc/x"), b"caf\xe9").unwrap();
        assert_eq!(look(&double, "/etc/x").unwrap(), FileText::Text("caf\u{fffd}".into()));
    }
}
