//! A control repository as immutable snapshots: of one git commit, or of one state of a directory.
//!
//! Nothing is checked out and nothing is parsed here. A snapshot owns its bytes, so a compile sees one commit, whatever
//! happens to the repository in the meantime.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_catalog::hash::ContentHash;

use crate::diagnostic::Diagnostic;

mod directory;
mod error;
mod follower;
mod git;
mod snapshot_cache;
pub mod limits; // limits on what a server reads
mod mirror;
mod module_path;
mod shape;
mod source;
mod watch;

pub use directory::Directory;
pub use error::RepoError;
pub use follower::{Follower, LookCounts, PokeHandle, Update};
pub use git::GitRepository;
#[cfg(test)]
pub(crate) use git::tests::Scratch;
pub use holdfast_catalog::commit::CommitId;
pub use module_path::{MODULES, ModuleFolder, ModulePath};
pub use snapshot_cache::SnapshotCache;
pub use source::{History, RepoSource};

use limits::Exclusions;
use shape::TreeShape;

/// The first digits of a commit's id, as shown to people.
pub fn short(commit: &CommitId) -> String {
    commit.chars().take(10).collect()
}

/// A file of a snapshot: its bytes, and a hash that changes only with them. Cheap to clone.
#[derive(Clone)]
pub struct SnapshotFile {
    bytes: Arc<[u8]>,
    hash: ContentHash,
    refusal: Option<Arc<str>>,
}

impl SnapshotFile {
    /// A file of these bytes.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self { hash: ContentHash::of(&bytes), bytes, refusal: None }
    }

    /// A file that exceeds a limit: it has no content, and anything that needs it fails with this reason.
    pub fn refused(reason: Arc<str>) -> Self {
        let hash = ContentHash::of(format!("refused: {reason}").as_bytes());
        Self { bytes: Arc::default(), hash, refusal: Some(reason) }
    }

    /// Why its content is missing, if it exceeds a limit.
    pub fn refusal(&self) -> Option<&Arc<str>> {
        self.refusal.as_ref()
    }

    /// Its content.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// The SHA-256 of its content: what is made from it stays valid as long as this is the same.
    pub fn hash(&self) -> &ContentHash {
        &self.hash
    }
}

impl fmt::Debug for SnapshotFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.bytes.len())
    }
}

/// A control repository at one commit. Cheap to clone.
#[derive(Clone)]
pub struct Snapshot(Arc<SnapshotInner>);

struct SnapshotInner {
    commit: CommitId,
    written: Option<Authorship>,
    files: BTreeMap<Arc<str>, SnapshotFile>,
    ignored: Vec<IgnoredEntry>,
    remarks: Vec<Diagnostic>,
    refused: Exclusions,
    /// Parts of the data that exceed a limit, each as a file that fails.
    refused_parts: BTreeMap<Arc<str>, SnapshotFile>,
    shape: TreeShape,
}

/// Who committed it and when, according to the commit, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorship {
    /// The author's name and address.
    pub author: String,
    /// The first line of the message.
    pub subject: String,
    /// When it was committed; `None` for a date that no calendar has.
    pub at: Option<jiff::Timestamp>,
}

/// The name of an entry that only refers to another path.
const A_LINK: &str = "a symbolic link";

/// An entry of the repository that is not in the snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoredEntry {
    pub path: String,
    /// What it is: `a symbolic link`, `a submodule`, …
    pub what: &'static str,
}

/// A part of the data that exceeds a limit.
#[derive(Debug, Clone, Copy)]
pub struct RefusedPart<'a> {
    pub part: &'a Arc<str>,
    /// The first of its files.
    pub first: &'a Arc<str>,
    /// Why it was not read.
    pub reason: &'a Arc<str>,
}

impl Snapshot {
    fn new(
        commit: CommitId,
        written: Option<Authorship>,
        files: BTreeMap<Arc<str>, SnapshotFile>,
        ignored: Vec<IgnoredEntry>,
    ) -> Self {
        Self::within_limits(commit, written, files, ignored, Exclusions::default())
    }

    /// Adds remarks on how the snapshot was made.
    fn remarked(mut self, remarks: impl IntoIterator<Item = Diagnostic>) -> Self {
        // Nothing shares the snapshot yet; otherwise the other handles would not get them.
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.remarks.extend(remarks);
        }
        self
    }

    /// Makes a snapshot of the files that are within the limits.
    fn within_limits(
        commit: CommitId,
        written: Option<Authorship>,
        mut files: BTreeMap<Arc<str>, SnapshotFile>,
        ignored: Vec<IgnoredEntry>,
        refused: Exclusions,
    ) -> Self {
        files.extend(
            refused.files.iter().map(|(path, reason)| (path.clone(), SnapshotFile::refused(reason.clone()))),
        );
        let parts = refused
            .parts
            .iter()
            .map(|(part, (_, reason))| (part.clone(), SnapshotFile::refused(reason.clone())));
        let (remarks, refused_parts, shape) = (Vec::new(), parts.collect(), TreeShape::default());
        Self(Arc::new(SnapshotInner {
            commit,
            written,
            files,
            ignored,
            remarks,
            refused,
            refused_parts,
            shape,
        }))
    }

    /// Makes a snapshot of files in memory, with the hash that a directory of them would have: for tests and tools.
    pub fn of_files<P: Into<Arc<str>>, B: Into<Arc<[u8]>>>(files: impl IntoIterator<Item = (P, B)>) -> Self {
        let files = files.into_iter().map(|(path, bytes)| (path.into(), SnapshotFile::new(bytes))).collect();
        Self::new(directory::commit_of(&files), None, files, Vec::new())
    }

    /// Sets what is known of modules' files apart from their bytes.
    fn shaped(mut self, shape: TreeShape) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.shape = shape;
        }
        self
    }

    /// The id of the commit or directory state.
    pub fn commit(&self) -> &CommitId {
        &self.0.commit
    }

    /// Who committed it; `None` for a directory.
    pub fn written(&self) -> Option<&Authorship> {
        self.0.written.as_ref()
    }

    /// A file by its path from the repository's root. Reads of a compile go through [`Snapshot::reader`].
    pub fn get(&self, path: &str) -> Option<&SnapshotFile> {
        self.0.files.get(path).or_else(|| {
            // The content of a part that is too large is unknown.
            if self.0.refused_parts.is_empty() { None } else { self.0.refused_parts.get(limits::part(path)?) }
        })
    }

    /// Why nothing of the commit was read: the file that is too large, if it is about one, and the reason.
    pub fn refusal(&self) -> Option<(Option<&Arc<str>>, &Arc<str>)> {
        self.0.refused.commit.as_ref().map(|(path, reason)| (path.as_ref(), reason))
    }

    /// The parts of the data that were not read.
    pub fn refused_parts(&self) -> impl Iterator<Item = RefusedPart<'_>> {
        self.0.refused.parts.iter().map(|(part, (first, reason))| RefusedPart { part, first, reason })
    }

    /// The text of a file; `None` if it does not exist or is not text.
    pub fn text(&self, path: &str) -> Option<String> {
        std::str::from_utf8(self.get(path)?.bytes()).ok().map(str::to_owned)
    }

    /// The files below `folder`, in the order of their paths.
    pub fn under(&self, folder: &str) -> impl Iterator<Item = (&Arc<str>, &SnapshotFile)> {
        let prefix = format!("{}/", folder.trim_end_matches('/'));
        let range = self
            .0
            .files
            .range::<str, _>((std::ops::Bound::Included(prefix.as_str()), std::ops::Bound::Unbounded));
        range.take_while(move |(path, _)| path.starts_with(&prefix))
    }

    /// The symbolic links below a folder of a module's files, each with its target.
    pub fn links_under(&self, folder: &str) -> impl Iterator<Item = (&str, &str)> {
        let prefix = format!("{folder}/");
        let links = self.0.shape.links.iter().map(|(path, target)| (&**path, &**target));
        links.filter(move |(path, _)| path.starts_with(&prefix))
    }

    /// The empty folders below a folder of a module's files.
    pub fn empty_under(&self, folder: &str) -> impl Iterator<Item = &str> {
        let prefix = format!("{folder}/");
        // A folder that was kept by `.gitkeep` may contain files by now.
        let is_empty =
            |path: &&str| self.under(path).next().is_none() && self.links_under(path).next().is_none();
        let folders = self.0.shape.folders.iter().map(|path| &**path);
        folders.filter(move |path| path.starts_with(&prefix)).filter(is_empty)
    }

    /// The symbolic link at a path, or at one of its parents.
    pub fn link_at(&self, path: &str) -> Option<&str> {
        let ignored = self.0.ignored.iter().filter(|ignored| ignored.what == A_LINK);
        let links = self.0.shape.links.keys().map(|link| &**link);
        let mut links = links.chain(ignored.map(|ignored| ignored.path.as_str()));
        links
            .find(|link| path.strip_prefix(link).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }

    /// Whether a module's file is executable in the repository.
    pub fn is_program(&self, path: &str) -> bool {
        self.0.shape.programs.contains(path)
    }

    /// Whether both have the same links, empty folders and executable files in modules.
    pub fn has_shape_of(&self, other: &Self) -> bool {
        self.0.shape == other.0.shape
    }

    /// All files, in the order of their paths.
    pub fn files(&self) -> impl Iterator<Item = (&Arc<str>, &SnapshotFile)> {
        self.0.files.iter()
    }

    /// The files for which `keep` is true, together with those of `other` for which it is not: to see what a commit
    /// would be with another's part. The result has the id of this one.
    pub fn with(&self, keep: impl Fn(&str) -> bool, other: Option<&Self>) -> Self {
        let own = self.files().filter(|(path, _)| keep(path));
        let others = other.into_iter().flat_map(Self::files).filter(|(path, _)| !keep(path));
        let files = own.chain(others).map(|(path, file)| (path.clone(), file.clone())).collect();
        let own = self.0.refused.parts.iter().filter(|(_, (first, _))| keep(first));
        let others = other.into_iter().flat_map(|other| &other.0.refused.parts);
        let others = others.filter(|(_, (first, _))| !keep(first));
        let parts = own.chain(others).map(|(part, why)| (part.clone(), why.clone())).collect();
        let refused = Exclusions { parts, ..Exclusions::default() };
        let (commit, written) = (self.commit().clone(), self.written().cloned());
        Self::within_limits(commit, written, files, Vec::new(), refused).shaped(self.0.shape.clone())
    }

    /// Entries that no snapshot contains, such as links, submodules and odd names. They are shown as warnings.
    pub fn ignored(&self) -> &[IgnoredEntry] {
        &self.0.ignored
    }

    /// Remarks on how it was made: a branch that was rewritten, or a name with two meanings.
    pub fn remarks(&self) -> &[Diagnostic] {
        &self.0.remarks
    }

    /// A reader that remembers which files were opened through it; each compile has one.
    pub fn reader(&self) -> SnapshotReader {
        SnapshotReader { snapshot: self.clone(), opened: Mutex::default() }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "snapshot {} of {} files", self.0.commit, self.0.files.len())
    }
}

/// Reads a snapshot and remembers what was asked for, so that a compile can prove that it read only its node's own files.
#[derive(Debug)]
pub struct SnapshotReader {
    snapshot: Snapshot,
    opened: Mutex<BTreeMap<Arc<str>, Presence>>,
}

/// Whether a path that was asked for exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It exists, and was opened.
    Opened,
    Absent,
}

impl SnapshotReader {
    /// Opens a file by its path from the repository's root.
    pub fn open(&self, path: &str) -> Option<&SnapshotFile> {
        let found = self.snapshot.get(path);
        let presence = if found.is_some() { Presence::Opened } else { Presence::Absent };
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if !opened.contains_key(path) {
            opened.insert(path.into(), presence);
        }
        found
    }

    /// Every path that was asked for, in order, with whether it exists.
    pub fn reads(&self) -> Vec<(Arc<str>, Presence)> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.iter().map(|(path, presence)| (path.clone(), *presence)).collect()
    }

    /// The snapshot that it reads.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }
}
