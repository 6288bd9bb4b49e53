//! A git repository, bare or not. Commits are read as objects; nothing is ever checked out.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use gix::objs::tree::EntryKind;

use crate::diagnostic::Diagnostic;

use super::limits::{Exclusions, RepoLimits, WalkBudget};
use super::shape::{self, TreeShape};
use super::{A_LINK, Authorship, CommitId, IgnoredEntry, RepoError, Snapshot, SnapshotFile, directory};

mod opening;
pub(super) mod revision;

use revision::{ResolvedRevision, RevisionSelector};

/// The most characters to keep of a commit's subject.
const MAX_SUBJECT: usize = 200;

/// A branch, tag or commit of a repository to take snapshots of.
pub struct GitRepository {
    repository: gix::ThreadSafeRepository,
    path: PathBuf,
    wanted: RevisionSelector,
    /// The blobs of the last snapshot, so that the next one reads only what changed.
    blobs: Mutex<HashMap<gix::ObjectId, SnapshotFile>>,
}

impl std::fmt::Debug for GitRepository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.path.display(), self.wanted.text())
    }
}

impl GitRepository {
    /// Opens the repository at `path`. `revision` is a commit, a branch or a tag, or anything else that `git rev-parse`
    /// takes.
    ///
    /// # Errors
    /// Returns an error if there is no git repository, or it cannot be read.
    pub fn open(path: &Path, revision: &str) -> Result<Self, RepoError> {
        Self::new(path, RevisionSelector::Revision(revision.to_owned()))
    }

    /// Opens the repository at `path` to follow a branch. A tag or commit of the same name is never used.
    ///
    /// # Errors
    /// Returns an error if there is no git repository, or it cannot be read.
    pub fn follow(path: &Path, branch: &str) -> Result<Self, RepoError> {
        Self::new(path, RevisionSelector::Branch(branch.to_owned()))
    }

    fn new(path: &Path, wanted: RevisionSelector) -> Result<Self, RepoError> {
        let repository = opening::open(path)?;
        Ok(Self { repository, path: path.to_owned(), wanted, blobs: Mutex::default() })
    }

    /// The path of the repository.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name of the branch or revision.
    pub fn followed(&self) -> &str {
        self.wanted.text()
    }

    /// Whether there is a git repository at `path` itself, not above it, even one that cannot be opened.
    pub fn is_at(path: &Path) -> bool {
        opening::is_at(path)
    }

    /// The commit that the revision refers to now. Cheap enough for polling.
    ///
    /// # Errors
    /// Returns an error if the revision does not refer to a commit.
    pub fn head(&self) -> Result<CommitId, RepoError> {
        let repository = self.repository.to_thread_local();
        let (commit, _) = self.commit(&repository, &self.wanted)?;
        Ok(commit.id.to_hex().to_string().into())
    }

    /// The snapshot of the commit that the revision refers to now.
    ///
    /// # Errors
    /// Returns an error if the revision does not refer to a commit, if an object is missing, or if the tree exceeds the
    /// limits.
    pub fn snapshot(&self) -> Result<Snapshot, RepoError> {
        self.read(&self.wanted)
    }

    /// A remark if the branch moved from `last` to this snapshot in an unusual way.
    pub fn history(&self, last: &CommitId, snapshot: &Snapshot) -> Option<Diagnostic> {
        let now = gix::ObjectId::from_hex(snapshot.commit().as_str().as_bytes()).ok()?;
        revision::history(&self.repository.to_thread_local(), last, now)
    }

    /// Whether `older` is an ancestor of `newer`.
    pub fn builds_on(&self, newer: &str, older: &str) -> bool {
        revision::builds_on(&self.repository.to_thread_local(), newer, older)
    }

    /// The upstream of the branch that is checked out, as of the last fetch or push.
    pub fn upstream(&self) -> Option<String> {
        revision::upstream(&self.repository.to_thread_local())
    }

    /// The snapshot of another revision.
    ///
    /// # Errors
    /// As [`GitRepository::snapshot`].
    pub fn snapshot_of(&self, revision: &str) -> Result<Snapshot, RepoError> {
        self.read(&RevisionSelector::Revision(revision.to_owned()))
    }

    fn read(&self, wanted: &RevisionSelector) -> Result<Snapshot, RepoError> {
        let repository = self.repository.to_thread_local();
        let (commit, remarks) = self.commit(&repository, wanted)?;
        let id = CommitId::from(commit.id.to_hex().to_string());
        let failed = |error: &dyn std::fmt::Display| broken(&self.path, &error.to_string());
        let tree = commit.tree().map_err(|error| failed(&error))?;
        let mut reading =
            TreeReader { repository: &repository, before: self.take_blobs(), ..TreeReader::new(&repository) };
        let here = |error| match error {
            RepoError::Git { reason, .. } => broken(&self.path, &reason),
            other => other,
        };
        reading.walk(tree.id).map_err(here)?;
        let listed = reading.listed.iter().map(|(path, (_, size))| (&**path, *size));
        let read = |path: &str| {
            let (id, _) = reading.listed.get(path)?;
            reading.repository.find_object(*id).ok().map(|object| object.data.clone())
        };
        let mut refused = RepoLimits::default().judge(listed, &reading.walked, &read);
        let mut files = reading.files(&refused).map_err(here)?;
        RepoLimits::default().judge_content(&mut files, &mut refused);
        *self.blobs.lock().unwrap_or_else(PoisonError::into_inner) = reading.blobs;
        let snapshot = Snapshot::within_limits(id, written(&commit), files, reading.ignored, refused);
        Ok(snapshot.remarked(remarks).shaped(reading.shape))
    }

    fn take_blobs(&self) -> HashMap<gix::ObjectId, SnapshotFile> {
        std::mem::take(&mut *self.blobs.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn commit<'r>(
        &self,
        repository: &'r gix::Repository,
        wanted: &RevisionSelector,
    ) -> Result<(gix::Commit<'r>, Vec<Diagnostic>), RepoError> {
        let named = || wanted.text().chars().take(120).flat_map(char::escape_default).collect();
        let path = || self.path.display().to_string();
        let unknown = || {
            // Without a repository there is no branch either, but that is not the cause.
            let error =
                opening::hindrance(&self.path, repository.common_dir()).unwrap_or_else(|| match wanted {
                    RevisionSelector::Branch(name) => match revision::broken_branch(repository, name) {
                        Some(reason) => broken(&self.path, &reason),
                        None => RepoError::UnknownBranch { branch: named(), path: path() },
                    },
                    RevisionSelector::Revision(_) => {
                        RepoError::UnknownRevision { revision: named(), path: path() }
                    }
                });
            error.or_exhausted(&self.path)
        };
        let ResolvedRevision { id, remarks } = revision::resolve(repository, wanted).ok_or_else(unknown)?;
        let object = repository.find_object(id).map_err(|error| broken(&self.path, &error.to_string()))?;
        Ok((object.peel_to_commit().map_err(|_| unknown())?, remarks))
    }
}

struct TreeReader<'r> {
    repository: &'r gix::Repository,
    before: HashMap<gix::ObjectId, SnapshotFile>,
    blobs: HashMap<gix::ObjectId, SnapshotFile>,
    /// The files with their sizes, before they are read.
    listed: BTreeMap<Arc<str>, (gix::ObjectId, u64)>,
    ignored: Vec<IgnoredEntry>,
    shape: TreeShape,
    walked: WalkBudget,
}

impl<'r> TreeReader<'r> {
    fn new(repository: &'r gix::Repository) -> Self {
        Self {
            repository,
            before: HashMap::new(),
            blobs: HashMap::new(),
            listed: BTreeMap::new(),
            ignored: Vec::new(),
            shape: TreeShape::default(),
            walked: WalkBudget::new(RepoLimits::default()),
        }
    }

    /// Lists the content of a commit's tree, folder by folder. One tree may occur in many places, so a few objects can
    /// be more paths than fit into memory: a part with too many is not listed to its end.
    fn walk(&mut self, root: gix::ObjectId) -> Result<(), RepoError> {
        let mut waiting = vec![(String::new(), root)];
        while let Some((folder, id)) = waiting.pop() {
            if self.walked.is_full(&folder) {
                continue;
            }
            let tree = self.repository.find_tree(id).map_err(|error| unread(&folder, &error))?;
            for entry in tree.iter() {
                let entry = entry.map_err(|error| unread(&folder, &error))?;
                let path = below(&folder, &String::from_utf8_lossy(entry.filename()));
                if !self.walked.note(&path) {
                    if self.walked.is_full(&folder) {
                        break;
                    }
                    continue;
                }
                let Ok(name) = std::str::from_utf8(entry.filename()) else {
                    self.ignored.push(IgnoredEntry { path, what: "a name that is not UTF-8" });
                    continue;
                };
                let (kind, id) = (entry.mode().kind(), entry.object_id());
                if !self.is_taken(&folder, name, &path) {
                    continue;
                }
                if kind == EntryKind::Tree {
                    waiting.push((path, id));
                } else {
                    self.entry(path, kind, id)?;
                }
            }
        }
        Ok(())
    }

    /// Whether an entry is read at all. An entry may only keep its folder, which is then recorded.
    fn is_taken(&mut self, folder: &str, name: &str, path: &str) -> bool {
        let is_given = shape::is_given(path);
        if is_given && name == shape::KEEPS_FOLDER {
            self.shape.folders.insert(folder.into());
            return false;
        }
        if is_given { shape::is_delivered(name) } else { !directory::is_left_out(folder, name) }
    }

    /// Takes an entry that is not a folder.
    fn entry(&mut self, path: String, kind: EntryKind, id: gix::ObjectId) -> Result<(), RepoError> {
        let is_given = shape::is_given(&path);
        let what = match kind {
            EntryKind::Link if is_given => return self.link(&path, id),
            EntryKind::Link => A_LINK,
            EntryKind::Commit => "a submodule",
            EntryKind::Tree | EntryKind::Blob | EntryKind::BlobExecutable => {
                if is_given && kind == EntryKind::BlobExecutable {
                    self.shape.programs.insert((*path).into());
                }
                return self.list(&path, id);
            }
        };
        self.ignored.push(IgnoredEntry { path, what });
        Ok(())
    }

    /// Takes a link in a module's files; if its target is not text, it has no target.
    fn link(&mut self, path: &str, id: gix::ObjectId) -> Result<(), RepoError> {
        // The longest link that the kernel accepts.
        const MAX_TARGET: u64 = 4096;
        let size = self.repository.find_header(id).map_err(|error| unread(path, &error))?.size();
        if size < MAX_TARGET {
            let object = self.repository.find_object(id).map_err(|error| unread(path, &error))?;
            if let Ok(target) = String::from_utf8(object.detach().data) {
                self.shape.links.insert(path.into(), target.into());
                return Ok(());
            }
        }
        self.ignored.push(IgnoredEntry { path: path.to_owned(), what: A_LINK });
        Ok(())
    }

    fn list(&mut self, path: &str, id: gix::ObjectId) -> Result<(), RepoError> {
        let size = match self.before.get(&id) {
            Some(file) => file.bytes().len() as u64,
            None => self.repository.find_header(id).map_err(|error| unread(path, &error))?.size(),
        };
        self.listed.insert(path.into(), (id, size));
        Ok(())
    }

    fn files(&mut self, refused: &Exclusions) -> Result<BTreeMap<Arc<str>, SnapshotFile>, RepoError> {
        let mut files = BTreeMap::new();
        for (path, (id, _)) in self.listed.iter().filter(|(path, _)| !refused.has(path)) {
            let file = match self.blobs.get(id).or_else(|| self.before.get(id)) {
                Some(known) => known.clone(),
                None => {
                    let object = self.repository.find_object(*id).map_err(|error| unread(path, &error))?;
                    SnapshotFile::new(object.detach().data)
                }
            };
            self.blobs.insert(*id, file.clone());
            files.insert(path.clone(), file);
        }
        Ok(files)
    }
}

fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn unread(path: &str, error: &dyn std::fmt::Display) -> RepoError {
    broken(Path::new(""), &format!("{path}: {error}"))
}

/// Who committed it, according to the commit; `None` if that is malformed, which is not an error.
fn written(commit: &gix::Commit<'_>) -> Option<Authorship> {
    let author = commit.author().ok()?;
    let subject = commit.message_raw_sloppy().to_string();
    Some(Authorship {
        author: format!("{} <{}>", author.name, author.email),
        subject: first_line(&subject),
        at: commit.time().ok().and_then(|time| jiff::Timestamp::from_second(time.seconds).ok()),
    })
}

/// The first line of a message; a very long one is shortened, with an ellipsis.
fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    match line.char_indices().nth(MAX_SUBJECT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// How repositories are opened: no settings of the user or the machine affect what is read, and a commit always has the
/// content that its id stands for. With `refs/replace/`, anyone who may push any ref could replace a commit with
/// another object.
fn options() -> gix::open::Options {
    gix::open::Options::isolated().config_overrides(["core.useReplaceRefs=false"])
}

fn broken(path: &Path, reason: &str) -> RepoError {
    RepoError::Git { path: path.display().to_string(), reason: reason.to_owned() }.or_exhausted(path)
}

#[cfg(test)]
pub(crate) mod tests;
