//! A control repository as immutable snapshots: one git commit, or one state of a directory.
//!
//! Nothing is checked out and nothing is parsed here. A snapshot owns its bytes, so that a compile sees one commit
//! whatever happens to the repository meanwhile.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_catalog::diagnostic::Diagnostic;
use holdfast_catalog::hash::ContentHash;

mod directory;
mod follower;
mod git;
mod kept;
mod limits;
mod mirror;
mod source;
mod watch;

pub use directory::Directory;
pub use follower::{Follower, Poke, Update};
pub use git::GitRepository;
#[cfg(test)]
pub(crate) use git::tests::Scratch;
pub use kept::Kept;
pub use mirror::Mirror;
pub use source::Source;

/// What a snapshot is of: a commit's id, or the hash of a directory's names and contents.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(Arc<str>);

impl CommitId {
    /// As text: 40 hex digits of a commit, `dir-` and 40 of a directory.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file of a snapshot: its bytes, and an id that changes with them alone. Cheap to clone.
#[derive(Clone)]
pub struct File {
    bytes: Arc<[u8]>,
    hash: ContentHash,
}

impl File {
    /// A file of these bytes.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self { hash: ContentHash::of(&bytes), bytes }
    }

    /// Its content.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// SHA-256 of its content: what is made from it may be kept as long as this stays.
    pub fn hash(&self) -> &ContentHash {
        &self.hash
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.bytes.len())
    }
}

/// A control repository at one commit. Cheap to clone.
#[derive(Clone)]
pub struct Snapshot(Arc<Inner>);

struct Inner {
    commit: CommitId,
    written: Option<Written>,
    files: BTreeMap<Arc<str>, File>,
    ignored: Vec<Ignored>,
    remarks: Vec<Diagnostic>,
}

/// Who committed what, as the commit says: for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The author's name and address.
    pub author: String,
    /// The first line of the message.
    pub subject: String,
    /// When it was committed.
    pub at: jiff::Timestamp,
}

/// An entry of the repository that no snapshot holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// Where.
    pub path: String,
    /// What it is: `a symbolic link`, `a submodule`, …
    pub what: &'static str,
}

impl Snapshot {
    fn new(
        commit: CommitId,
        written: Option<Written>,
        files: BTreeMap<Arc<str>, File>,
        ignored: Vec<Ignored>,
    ) -> Self {
        Self(Arc::new(Inner { commit, written, files, ignored, remarks: Vec::new() }))
    }

    /// With what is worth saying about how it was found.
    fn remarked(mut self, remarks: impl IntoIterator<Item = Diagnostic>) -> Self {
        // A snapshot that nobody shares yet: the others would not have them.
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.remarks.extend(remarks);
        }
        self
    }

    /// A snapshot of files in memory, with the hash that a directory of them would have: for tests and tools.
    pub fn of_files<P: Into<Arc<str>>, B: Into<Arc<[u8]>>>(files: impl IntoIterator<Item = (P, B)>) -> Self {
        let files = files.into_iter().map(|(path, bytes)| (path.into(), File::new(bytes))).collect();
        Self::new(directory::commit_of(&files), None, files, Vec::new())
    }

    /// What it is a snapshot of.
    pub fn commit(&self) -> &CommitId {
        &self.0.commit
    }

    /// Who committed it; none of a directory.
    pub fn written(&self) -> Option<&Written> {
        self.0.written.as_ref()
    }

    /// A file by its path from the repository's root. Reads of a compile go through [`Snapshot::reader`].
    pub fn get(&self, path: &str) -> Option<&File> {
        self.0.files.get(path)
    }

    /// The files below `folder`, in the order of their paths.
    pub fn under(&self, folder: &str) -> impl Iterator<Item = (&Arc<str>, &File)> {
        let prefix = format!("{}/", folder.trim_end_matches('/'));
        let range = self
            .0
            .files
            .range::<str, _>((std::ops::Bound::Included(prefix.as_str()), std::ops::Bound::Unbounded));
        range.take_while(move |(path, _)| path.starts_with(&prefix))
    }

    /// All files, in the order of their paths.
    pub fn files(&self) -> impl Iterator<Item = (&Arc<str>, &File)> {
        self.0.files.iter()
    }

    /// The files that `keep` takes, beside those of `other` that it does not take: for trying what a commit would be
    /// with another's part. It has the id of this one.
    pub fn with(&self, keep: impl Fn(&str) -> bool, other: Option<&Self>) -> Self {
        let own = self.files().filter(|(path, _)| keep(path));
        let others = other.into_iter().flat_map(Self::files).filter(|(path, _)| !keep(path));
        let files = own.chain(others).map(|(path, file)| (path.clone(), file.clone())).collect();
        Self::new(self.commit().clone(), self.written().cloned(), files, Vec::new())
    }

    /// What the repository has and no snapshot holds: links, submodules, odd names. To be shown as warnings.
    pub fn ignored(&self) -> &[Ignored] {
        &self.0.ignored
    }

    /// What is worth saying about how it was found: a branch that was rewritten, a name that means two things.
    pub fn remarks(&self) -> &[Diagnostic] {
        &self.0.remarks
    }

    /// A reader that remembers which files were opened through it: one for each compile.
    pub fn reader(&self) -> Reader {
        Reader { snapshot: self.clone(), opened: Mutex::default() }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "snapshot {} of {} files", self.0.commit, self.0.files.len())
    }
}

/// Reads a snapshot and remembers what was asked for, so that a compile can prove that it stayed on its node's path.
#[derive(Debug)]
pub struct Reader {
    snapshot: Snapshot,
    opened: Mutex<BTreeMap<Arc<str>, Presence>>,
}

/// Whether a path that was asked for is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is, and was opened.
    Opened,
    /// It is not.
    Absent,
}

impl Reader {
    /// Opens a file by its path from the repository's root.
    pub fn open(&self, path: &str) -> Option<&File> {
        let found = self.snapshot.get(path);
        let presence = if found.is_some() { Presence::Opened } else { Presence::Absent };
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if !opened.contains_key(path) {
            opened.insert(path.into(), presence);
        }
        found
    }

    /// Everything that was asked for, in the order of paths.
    pub fn reads(&self) -> Vec<(Arc<str>, Presence)> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.iter().map(|(path, presence)| (path.clone(), *presence)).collect()
    }

    /// The snapshot that it reads.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }
}

/// Why a repository cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RepoError {
    /// The path is not there, or cannot be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// What was read.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Not a git repository, or a broken one.
    #[error("cannot read the git repository {path}: {reason}")]
    Git {
        /// Where it is.
        path: String,
        /// What git says.
        reason: String,
    },
    /// The revision does not exist.
    #[error("`{revision}` is no commit of {path}: name a branch, a tag or a commit that it has")]
    UnknownRevision {
        /// What was asked for.
        revision: String,
        /// Where.
        path: String,
    },
    /// The branch does not exist.
    #[error("{path} has no branch `{branch}`: branches alone are followed, not tags or commits")]
    UnknownBranch {
        /// Which.
        branch: String,
        /// Where.
        path: String,
    },
    /// Fetching from the remote failed.
    #[error("cannot fetch {url}: {reason}")]
    Fetch {
        /// From where, without credentials.
        url: String,
        /// What git says.
        reason: String,
    },
    /// The URL holds a password.
    #[error(
        "the URL of {url} holds a password, which other users of this machine would see: leave it out, and give git \
         a credential helper (`git config --global credential.helper store`) or an ssh key"
    )]
    Password {
        /// Which, without credentials.
        url: String,
    },
    /// The repository is beyond what a server takes.
    #[error("{0}")]
    Limit(String),
}
