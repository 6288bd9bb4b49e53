//! Where snapshots come from: a directory, a git repository, or the mirror of a remote one.

use std::path::Path;

use super::git::GitRepository;
use super::mirror::Mirror;
use super::{CommitId, Directory, RepoError, Snapshot};

/// What a server follows.
#[derive(Debug)]
pub enum Source {
    /// A directory without git: its files as they are.
    Directory(Directory),
    /// A git repository: commits of one branch.
    Git(GitRepository),
    /// A remote repository: commits of one branch, fetched.
    Remote(Mirror, GitRepository),
}

impl Source {
    /// The source that `--repo` names: a URL is mirrored at `mirror` and fetched now; a directory that is a git
    /// repository is read by commits; any other directory as it is.
    ///
    /// # Errors
    /// It is not there, or cannot be fetched.
    pub fn open(repo: &str, branch: &str, mirror: &Path) -> Result<Self, RepoError> {
        if Mirror::is_url(repo) {
            let mirror = Mirror::new(repo, mirror)?;
            mirror.fetch()?;
            let repository = GitRepository::open(mirror.path(), branch)?;
            return Ok(Self::Remote(mirror, repository));
        }
        let path = Path::new(repo);
        if GitRepository::is_at(path) {
            return GitRepository::open(path, branch).map(Self::Git);
        }
        match std::fs::read_dir(path) {
            Ok(_) => Ok(Self::Directory(Directory::new(path))),
            Err(source) => Err(RepoError::Io { path: repo.to_owned(), source }),
        }
    }

    /// The snapshot of now.
    ///
    /// # Errors
    /// It cannot be read or is beyond the limits.
    pub fn snapshot(&self) -> Result<Snapshot, RepoError> {
        match self {
            Self::Directory(directory) => directory.snapshot(),
            Self::Git(repository) | Self::Remote(_, repository) => repository.snapshot(),
        }
    }

    /// The snapshot of now, if it is another than `last`.
    pub(super) fn newer_than(&self, last: &CommitId) -> Result<Option<Snapshot>, RepoError> {
        if let Self::Remote(mirror, _) = self {
            mirror.fetch()?;
        }
        if let Self::Git(repository) | Self::Remote(_, repository) = self
            && repository.head()? == *last
        {
            return Ok(None);
        }
        let snapshot = self.snapshot()?;
        Ok((snapshot.commit() != last).then_some(snapshot))
    }
}
