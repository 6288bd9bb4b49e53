//! What a power cut leaves of git's own files: empty and missing files, and locks of processes that are gone. git gives
//! up at each of them.

use std::path::{Path, PathBuf};

use holdfast_catalog::count::counted;

use crate::provider::archive::owners::Owners;
use crate::provider::{Error, Writing};
use crate::system::{FileKind, Inspect, Permissions};

/// Exists while files are updated, none of which had been changed locally. If it is found, the update was interrupted,
/// and whatever is changed is half of that update.
pub const UPDATING: &str = ".git/holdfast-updating";

/// Locks of files that every command writes.
const LOCKS: [&str; 3] = [".git/index.lock", ".git/HEAD.lock", ".git/config.lock"];

const INDEX: &str = ".git/index";
const HEAD: &str = ".git/HEAD";

/// Directories without which git does not take a directory for a repository.
const OBJECTS: &str = ".git/objects";
const REFS: &str = ".git/refs";

/// Names of commits besides those in `REFS`.
const PACKED_REFS: &str = ".git/packed-refs";

/// A branch that does not exist. With it git accepts the directory as a repository, and what is wanted is checked out
/// afterwards.
const NO_BRANCH: &str = "ref: refs/heads/none\n";

/// The most bytes of `HEAD` that are read.
const MAX_BYTES: u64 = 64 * 1024;

/// The damage to git's own files in a checkout.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Files to remove: git creates them again.
    removed: Vec<PathBuf>,
    /// Directories to make anew, empty.
    emptied: Vec<PathBuf>,
    has_no_head: bool,
    words: Vec<String>,
}

impl Damage {
    /// Finds the damage of a checkout.
    pub fn of(path: &Path, machine: &dyn Inspect) -> Result<Self, Error> {
        let mut damage = Self::default();
        let file = |name: &str| -> Result<_, Error> {
            Ok(machine.lstat(&path.join(name))?.filter(|stat| stat.kind == FileKind::File))
        };
        if file(INDEX)?.is_some_and(|stat| stat.size == 0) {
            damage.removed.push(path.join(INDEX));
            damage.words.push(format!("{INDEX} is empty"));
        }
        for lock in LOCKS {
            if let (Some(stat), Some(booted)) = (file(lock)?, booted(machine))
                && stat.times.modified < booted
            {
                damage.removed.push(path.join(lock));
                damage.words.push(format!("{lock} is older than the last boot"));
            }
        }
        let is_gone = |name: &str| -> Result<_, Error> { Ok(machine.lstat(&path.join(name))?.is_none()) };
        let has_no_objects = is_gone(OBJECTS)?;
        for (name, is_gone) in [(OBJECTS, has_no_objects), (REFS, is_gone(REFS)?)] {
            damage.words.extend(is_gone.then(|| format!("{name} is not there")));
            // Without objects, no name names anything, and git does not fetch.
            damage.emptied.extend((is_gone || has_no_objects).then(|| path.join(name)));
        }
        damage.removed.extend(has_no_objects.then(|| path.join(PACKED_REFS)));
        let has_no_head = match file(HEAD)? {
            Some(stat) if stat.size > 0 => {
                !is_head(&machine.read(&path.join(HEAD), MAX_BYTES)?.unwrap_or_default())
            }
            Some(_) => true,
            None => is_gone(HEAD)?,
        };
        damage.words.extend(has_no_head.then(|| format!("{HEAD} names nothing")));
        damage.has_no_head = has_no_head || has_no_objects;
        Ok(damage)
    }

    /// `HEAD` names a commit that is lost.
    pub fn lost_head() -> Self {
        Self { has_no_head: true, ..Self::default() }
    }

    /// The damage in words; `None` if there is none.
    pub fn words(&self) -> Option<String> {
        (!self.words.is_empty()).then(|| self.words.join(", "))
    }

    /// Whether it may be repaired: because `force` is set, or because the agent itself was interrupted there.
    pub fn may_be_repaired(path: &Path, force: bool, machine: &dyn Inspect) -> Result<bool, Error> {
        Ok(force || machine.lstat(&path.join(UPDATING))?.is_some())
    }

    /// The error that says why it is left as it is.
    pub fn refused(&self, path: &Path) -> Error {
        let files = counted(self.words.len(), "file", "files");
        Error::Refused(format!(
            "{}: {}, as after a power cut, and git cannot continue: set force = true to repair the {files} of git, \
             which discards local changes, or move the checkout away, and it is made again",
            path.display(),
            self.words.join(", ")
        ))
    }

    /// Repairs the damage; after that, the files must be checked out again.
    pub fn repair(&self, path: &Path, owners: &Owners, writing: Writing<'_>) -> Result<(), Error> {
        for file in &self.removed {
            writing.machine.remove(file)?;
        }
        for dir in &self.emptied {
            let access = Permissions { mode: 0o755, uid: owners.uid, gid: owners.gid };
            writing.machine.remove_tree(dir)?;
            writing.machine.make_dir(dir, access)?;
        }
        if self.has_no_head {
            let access = Permissions { mode: 0o644, uid: owners.uid, gid: owners.gid };
            let _ = writing.machine.stage(&path.join(HEAD), access, &mut NO_BRANCH.as_bytes())?.commit()?;
        }
        Ok(())
    }
}

/// Whether git accepts a text as `HEAD`.
fn is_head(text: &[u8]) -> bool {
    let text = text.trim_ascii_end();
    text.starts_with(b"ref: refs/") || (text.len() >= 40 && text.iter().all(u8::is_ascii_hexdigit))
}

/// The boot time of the machine, in seconds since 1970.
fn booted(machine: &dyn Inspect) -> Option<i64> {
    let stat = machine.read_text(Path::new("/proc/stat")).ok()??;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}
