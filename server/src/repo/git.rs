//! A git repository, bare or not: commits are read as objects, and nothing is ever checked out.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use gix::objs::tree::EntryKind;

use crate::diagnostic::Diagnostic;

use super::limits::{Limits, Refused, Walked};
use super::shape::{self, Shape};
use super::{A_LINK, CommitId, File, Ignored, RepoError, Snapshot, Written, directory};

mod opening;
pub(super) mod revision;

use revision::{Resolved, Wanted};

/// So many characters of a commit's subject are kept.
const SUBJECT: usize = 200;

/// A branch, tag or commit of a repository to take snapshots of.
pub struct GitRepository {
    repository: gix::ThreadSafeRepository,
    path: PathBuf,
    wanted: Wanted,
    /// The blobs of the last snapshot: the next reads only what changed.
    blobs: Mutex<HashMap<gix::ObjectId, File>>,
}

impl std::fmt::Debug for GitRepository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.path.display(), self.wanted.text())
    }
}

impl GitRepository {
    /// Opens the repository at `path`; `revision` is a commit, a branch or a tag, or whatever else `git rev-parse` takes.
    ///
    /// # Errors
    /// There is no git repository, or it cannot be read.
    pub fn open(path: &Path, revision: &str) -> Result<Self, RepoError> {
        Self::new(path, Wanted::Revision(revision.to_owned()))
    }

    /// Opens the repository at `path` to follow a branch: no tag or commit of that name is ever meant.
    ///
    /// # Errors
    /// There is no git repository, or it cannot be read.
    pub fn follow(path: &Path, branch: &str) -> Result<Self, RepoError> {
        Self::new(path, Wanted::Branch(branch.to_owned()))
    }

    fn new(path: &Path, wanted: Wanted) -> Result<Self, RepoError> {
        let repository = opening::open(path)?;
        Ok(Self { repository, path: path.to_owned(), wanted, blobs: Mutex::default() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name of what it is asked for.
    pub fn followed(&self) -> &str {
        self.wanted.text()
    }

    /// Whether there is a git repository at `path` itself, not above it, even one that cannot be opened.
    pub fn is_at(path: &Path) -> bool {
        opening::is_at(path)
    }

    /// The commit that the revision names now. Cheap: for polling.
    ///
    /// # Errors
    /// The revision names no commit.
    pub fn head(&self) -> Result<CommitId, RepoError> {
        let repository = self.repository.to_thread_local();
        let (commit, _) = self.commit(&repository, &self.wanted)?;
        Ok(CommitId(commit.id.to_hex().to_string().into()))
    }

    /// The snapshot of the commit that the revision names now.
    ///
    /// # Errors
    /// The revision names no commit, an object is missing, or the tree is beyond the limits.
    pub fn snapshot(&self) -> Result<Snapshot, RepoError> {
        self.read(&self.wanted)
    }

    /// What is worth saying where the branch went on from `last` to this snapshot.
    pub fn history(&self, last: &CommitId, snapshot: &Snapshot) -> Option<Diagnostic> {
        let now = gix::ObjectId::from_hex(snapshot.commit().as_str().as_bytes()).ok()?;
        revision::history(&self.repository.to_thread_local(), last, now)
    }

    /// Whether a commit is among those that another builds on.
    pub fn builds_on(&self, newer: &str, older: &str) -> bool {
        revision::builds_on(&self.repository.to_thread_local(), newer, older)
    }

    /// The name of what the branch that is checked out has upstream, as of the last fetch or push.
    pub fn upstream(&self) -> Option<String> {
        revision::upstream(&self.repository.to_thread_local())
    }

    /// The snapshot of another revision.
    ///
    /// # Errors
    /// As [`GitRepository::snapshot`].
    pub fn snapshot_of(&self, revision: &str) -> Result<Snapshot, RepoError> {
        self.read(&Wanted::Revision(revision.to_owned()))
    }

    fn read(&self, wanted: &Wanted) -> Result<Snapshot, RepoError> {
        let repository = self.repository.to_thread_local();
        let (commit, remarks) = self.commit(&repository, wanted)?;
        let id = CommitId(commit.id.to_hex().to_string().into());
        let failed = |error: &dyn std::fmt::Display| broken(&self.path, &error.to_string());
        let tree = commit.tree().map_err(|error| failed(&error))?;
        let mut reading =
            Reading { repository: &repository, before: self.take_blobs(), ..Reading::new(&repository) };
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
        let refused = Limits::default().judge(listed, &reading.walked, &read);
        let files = reading.files(&refused).map_err(here)?;
        *self.blobs.lock().unwrap_or_else(PoisonError::into_inner) = reading.blobs;
        let snapshot = Snapshot::within_limits(id, written(&commit), files, reading.ignored, refused);
        Ok(snapshot.remarked(remarks).shaped(reading.shape))
    }

    fn take_blobs(&self) -> HashMap<gix::ObjectId, File> {
        std::mem::take(&mut *self.blobs.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn commit<'r>(
        &self,
        repository: &'r gix::Repository,
        wanted: &Wanted,
    ) -> Result<(gix::Commit<'r>, Vec<Diagnostic>), RepoError> {
        let named = || wanted.text().chars().take(120).flat_map(char::escape_default).collect();
        let path = || self.path.display().to_string();
        let unknown = || {
            let error = match wanted {
                Wanted::Branch(_) => RepoError::UnknownBranch { branch: named(), path: path() },
                Wanted::Revision(_) => RepoError::UnknownRevision { revision: named(), path: path() },
            };
            error.or_exhausted(&self.path)
        };
        let Resolved { id, remarks } = revision::resolve(repository, wanted).ok_or_else(unknown)?;
        let object = repository.find_object(id).map_err(|error| broken(&self.path, &error.to_string()))?;
        Ok((object.peel_to_commit().map_err(|_| unknown())?, remarks))
    }
}

struct Reading<'r> {
    repository: &'r gix::Repository,
    before: HashMap<gix::ObjectId, File>,
    blobs: HashMap<gix::ObjectId, File>,
    /// What there is, with its size, before it is read.
    listed: BTreeMap<Arc<str>, (gix::ObjectId, u64)>,
    ignored: Vec<Ignored>,
    shape: Shape,
    walked: Walked,
}

impl<'r> Reading<'r> {
    fn new(repository: &'r gix::Repository) -> Self {
        Self {
            repository,
            before: HashMap::new(),
            blobs: HashMap::new(),
            listed: BTreeMap::new(),
            ignored: Vec::new(),
            shape: Shape::default(),
            walked: Walked::new(Limits::default()),
        }
    }

    /// Lists what is in a commit's tree, folder by folder. One tree may be in many places, so that a few objects can be
    /// more paths than there is memory for: what has too many is left before its end.
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
                    self.ignored.push(Ignored { path, what: "a name that is not UTF-8" });
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

    /// Whether an entry is read at all; that a folder is there may be all that one says.
    fn is_taken(&mut self, folder: &str, name: &str, path: &str) -> bool {
        let is_given = shape::is_given(path);
        if is_given && name == shape::KEEPS_FOLDER {
            self.shape.folders.insert(folder.into());
            return false;
        }
        if is_given { shape::is_delivered(name) } else { !directory::is_left_out(folder, name) }
    }

    /// Takes what is not a folder.
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
        self.ignored.push(Ignored { path, what });
        Ok(())
    }

    /// A link of a module's files; one whose target is not text has no target.
    fn link(&mut self, path: &str, id: gix::ObjectId) -> Result<(), RepoError> {
        // As long as the kernel takes them: a longer one is not a link.
        const LONGEST: u64 = 4096;
        let size = self.repository.find_header(id).map_err(|error| unread(path, &error))?.size();
        if size < LONGEST {
            let object = self.repository.find_object(id).map_err(|error| unread(path, &error))?;
            if let Ok(target) = String::from_utf8(object.detach().data) {
                self.shape.links.insert(path.into(), target.into());
                return Ok(());
            }
        }
        self.ignored.push(Ignored { path: path.to_owned(), what: A_LINK });
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

    fn files(&mut self, refused: &Refused) -> Result<BTreeMap<Arc<str>, File>, RepoError> {
        let mut files = BTreeMap::new();
        for (path, (id, _)) in self.listed.iter().filter(|(path, _)| !refused.has(path)) {
            let file = match self.blobs.get(id).or_else(|| self.before.get(id)) {
                Some(known) => known.clone(),
                None => {
                    let object = self.repository.find_object(*id).map_err(|error| unread(path, &error))?;
                    File::new(object.detach().data)
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

/// What a commit says about itself; none where it is bent, which stops nothing.
fn written(commit: &gix::Commit<'_>) -> Option<Written> {
    let author = commit.author().ok()?;
    let subject = commit.message_raw_sloppy().to_string();
    Some(Written {
        author: format!("{} <{}>", author.name, author.email),
        subject: first_line(&subject),
        at: commit.time().ok().and_then(|time| jiff::Timestamp::from_second(time.seconds).ok()),
    })
}

/// The first line of a message; a very long one is cut, and says so.
fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    match line.char_indices().nth(SUBJECT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// How repositories are opened: no setting of the user or the machine decides what is read, and a commit is what its id says.
/// Anyone who may push any ref could put another object in the place of a commit by one below `refs/replace/`.
fn options() -> gix::open::Options {
    gix::open::Options::isolated().config_overrides(["core.useReplaceRefs=false"])
}

fn broken(path: &Path, reason: &str) -> RepoError {
    RepoError::Git { path: path.display().to_string(), reason: reason.to_owned() }.or_exhausted(path)
}

#[cfg(test)]
pub(crate) mod tests;
