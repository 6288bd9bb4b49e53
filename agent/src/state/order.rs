//! Whether the state's content is as it should be. Nobody else writes here, and still something foreign, of another
//! kind or open to others may be there, after a backup was restored or someone tidied up.
//!
//! Commands that look report it; a run sets aside what is in its way, and reports that. Everything here can be
//! recreated except the identity, which is left for a new enrolment.

use std::fs::{FileType, Metadata};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::{StateCall, StateDir};

/// What should be at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EntryKind {
    Directory,
    File,
}

/// What a run uses, each directory before its content, and what it means if something else is there.
const PLACES: [(&str, EntryKind, &str); 22] = [
    ("status.json", EntryKind::File, "the result of the last run was unknown"),
    ("server-time.json", EntryKind::File, "the server's time is not known until it answers"),
    ("held.json", EntryKind::File, "a file system that held a run may hold another one"),
    ("lock", EntryKind::File, "nothing is lost"),
    ("daemon", EntryKind::File, "nothing is lost"),
    ("identity", EntryKind::Directory, "enrol this machine again"),
    ("cache", EntryKind::Directory, "the next answer of the server replaces the cached catalog"),
    ("cache/key", EntryKind::File, "the next answer of the server replaces the cached catalog"),
    ("cache/catalog.sealed", EntryKind::File, "the next answer of the server replaces it"),
    ("cache/confirmed.json", EntryKind::File, "the next answer of the server replaces it"),
    ("cache/damaged", EntryKind::Directory, "nothing needs it"),
    ("content", EntryKind::Directory, "contents are fetched again"),
    ("memory", EntryKind::Directory, FORGOTTEN),
    ("memory/left.key", EntryKind::File, FORGOTTEN),
    ("memory/left.json", EntryKind::File, FORGOTTEN),
    ("memory/owed.json", EntryKind::File, "refreshes left by earlier runs are not done"),
    (
        "memory/holds.json",
        EntryKind::File,
        "holds of packages that an earlier run released are not set again",
    ),
    ("memory/newest", EntryKind::File, "it is not known whether this state was restored from an older copy"),
    ("memory/unended", EntryKind::File, "it is not known whether an earlier run ended"),
    ("spool", EntryKind::Directory, "reports that waited are not delivered"),
    ("spool/failed", EntryKind::Directory, "nothing needs it"),
    ("spool/earlier", EntryKind::Directory, "nothing needs it"),
];

const FORGOTTEN: &str = "this run cannot tell drift from intentional changes";

/// Something in the state that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Odd {
    path: PathBuf,
    what: Disorder,
    so: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Disorder {
    /// Something else is there.
    Other { is: &'static str, should: &'static str },
    /// Others can access it.
    Open { mode: u32, owner: u32 },
}

impl StateDir {
    /// What the next run will repair in the state, and how, for commands that only look.
    pub fn oddities(&self) -> Vec<String> {
        PLACES.iter().filter_map(|place| self.odd(*place)).map(|odd| odd.words()).collect()
    }

    /// Repairs the state, and returns what was done. Only for the process that holds the lock of a run.
    pub fn put_in_order(&self) -> Vec<String> {
        PLACES.iter().filter_map(|place| self.odd(*place)).map(|odd| odd.put_right()).collect()
    }

    fn odd(&self, (name, kind, so): (&str, EntryKind, &'static str)) -> Option<Odd> {
        let path = self.path().join(name);
        let _call = StateCall::on(&path);
        let found = path.symlink_metadata().ok()?;
        let what = match kind {
            // A new enrolment handles that, and nothing else should remove it.
            _ if name == "identity" && !found.is_dir() => return None,
            EntryKind::File if !found.is_file() => {
                Disorder::Other { is: word(found.file_type()), should: "a file" }
            }
            EntryKind::Directory if !found.is_dir() => {
                Disorder::Other { is: word(found.file_type()), should: "a directory" }
            }
            EntryKind::Directory if !is_private(&found) => {
                Disorder::Open { mode: found.permissions().mode() & 0o7777, owner: found.uid() }
            }
            _ => return None,
        };
        Some(Odd { path, what, so })
    }
}

impl Odd {
    fn words(&self) -> String {
        let path = self.path.display();
        match &self.what {
            Disorder::Other { is, should } => {
                format!(
                    "{path} is {is} where {should} should be: the next run sets it aside as {}",
                    aside(&self.path).display()
                )
            }
            Disorder::Open { mode, owner } => format!(
                "{path} (mode {mode:04o}, uid {owner}) is open to other users: the next run corrects that"
            ),
        }
    }

    fn put_right(&self) -> String {
        let path = self.path.display();
        match &self.what {
            Disorder::Other { is, should } => match put_aside(&self.path) {
                Ok(to) => {
                    format!(
                        "{path} was {is} where {should} should be, and was set aside as {}: {}",
                        to.display(),
                        self.so
                    )
                }
                Err(error) => {
                    format!("{path} is {is} where {should} should be, and stays ({error}): remove it")
                }
            },
            Disorder::Open { mode, owner } => match make_private(&self.path) {
                Ok(()) => {
                    format!(
                        "{path} was open to other users (mode {mode:04o}, uid {owner}); this is corrected"
                    )
                }
                Err(error) => format!(
                    "{path} (mode {mode:04o}, uid {owner}) is open to other users, and stays so ({error}): give it to the user of \
                     the agent, with mode 0700"
                ),
            },
        }
    }
}

/// Moves what is in the place of a file out of the way; returns a note about it.
pub(crate) fn put_aside_noted(path: &Path, should: &'static str) -> String {
    let is = path.symlink_metadata().map_or("nothing", |found| word(found.file_type()));
    Odd { path: path.to_owned(), what: Disorder::Other { is, should }, so: "nothing is lost" }.put_right()
}

/// Moves what is at a path out of the way; what was moved there before is removed.
fn put_aside(path: &Path) -> std::io::Result<PathBuf> {
    let to = aside(path);
    match to.symlink_metadata() {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(&to)?,
        Ok(_) => std::fs::remove_file(&to)?,
        Err(_) => {}
    }
    std::fs::rename(path, &to)?;
    Ok(to)
}

fn aside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".unreadable");
    path.with_file_name(name)
}

/// Makes it private. It is in a private directory, so nobody can have accessed it there.
fn make_private(path: &Path) -> std::io::Result<()> {
    let own = rustix::process::geteuid().as_raw();
    if path.symlink_metadata()?.uid() != own {
        std::os::unix::fs::lchown(path, Some(own), None)?;
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}

fn is_private(found: &Metadata) -> bool {
    found.uid() == rustix::process::geteuid().as_raw() && found.permissions().mode() & 0o077 == 0
}

/// The kind of a file, for people.
fn word(kind: FileType) -> &'static str {
    match kind {
        _ if kind.is_symlink() => "a link",
        _ if kind.is_dir() => "a directory",
        _ if kind.is_file() => "a file",
        _ if kind.is_fifo() => "a FIFO",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    }
}
