//! What a power cut leaves of git's own files: empty ones, and locks of processes that are gone. git gives up at each of them.

use std::path::{Path, PathBuf};

use holdfast_catalog::count::counted;

use crate::provider::archive::owners::Owners;
use crate::provider::{Error, Writing};
use crate::system::{FileKind, Inspect, Permissions};

/// Stands while files are changed of which nobody had changed one: where it is found, that was interrupted, and whatever is
/// changed is a half of that.
pub const UPDATING: &str = ".git/holdfast-updating";

/// Locks of what every command writes.
const LOCKS: [&str; 3] = [".git/index.lock", ".git/HEAD.lock", ".git/config.lock"];

const INDEX: &str = ".git/index";
const HEAD: &str = ".git/HEAD";

/// A branch that nobody has: by it git takes the directory for a repository, and whatever is wanted is checked out then.
const NO_BRANCH: &str = "ref: refs/heads/none\n";

/// More than a `HEAD` holds.
const LIMIT: u64 = 64 * 1024;

/// What is damaged.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Files to be removed: git makes them again.
    removed: Vec<PathBuf>,
    has_no_head: bool,
    words: Vec<String>,
}

impl Damage {
    /// Of a checkout.
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
        damage.has_no_head = match file(HEAD)? {
            Some(stat) if stat.size > 0 => {
                !is_head(&machine.read(&path.join(HEAD), LIMIT)?.unwrap_or_default())
            }
            Some(_) => true,
            None => machine.lstat(&path.join(HEAD))?.is_none(),
        };
        damage.words.extend(damage.has_no_head.then(|| format!("{HEAD} names nothing")));
        Ok(damage)
    }

    /// What is damaged, in words; none where nothing is.
    pub fn words(&self) -> Option<String> {
        (!self.words.is_empty()).then(|| self.words.join(", "))
    }

    /// Whether it may be repaired: by the wish to force, or since the agent itself was interrupted there.
    pub fn may_be_repaired(path: &Path, force: bool, machine: &dyn Inspect) -> Result<bool, Error> {
        Ok(force || machine.lstat(&path.join(UPDATING))?.is_some())
    }

    /// Why it is left as it is.
    pub fn refused(&self, path: &Path) -> Error {
        let files = counted(self.words.len(), "file", "files");
        Error::Refused(format!(
            "{}: {}, as after a power cut, and git does not go on: set force = true to have the {files} of git repaired, which throws \
             local changes away, or move the checkout away to have it made again",
            path.display(),
            self.words.join(", ")
        ))
    }

    /// Repairs it: what is checked out is then to be checked out again.
    pub fn repair(&self, path: &Path, owners: &Owners, writing: Writing<'_>) -> Result<(), Error> {
        for file in &self.removed {
            writing.machine.remove(file)?;
        }
        if self.has_no_head {
            let access = Permissions { mode: 0o644, uid: owners.uid, gid: owners.gid };
            let _ = writing.machine.stage(&path.join(HEAD), access, &mut NO_BRANCH.as_bytes())?.commit()?;
        }
        Ok(())
    }
}

/// Whether git takes a text for what is checked out.
fn is_head(text: &[u8]) -> bool {
    let text = text.trim_ascii_end();
    text.starts_with(b"ref: refs/") || (text.len() >= 40 && text.iter().all(u8::is_ascii_hexdigit))
}

/// When the machine was booted, in seconds since 1970.
fn booted(machine: &dyn Inspect) -> Option<i64> {
    let stat = machine.read_text(Path::new("/proc/stat")).ok()??;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}
