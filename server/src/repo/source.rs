//! Where snapshots come from: a directory, a git repository, or the mirror of a remote one.

use std::path::Path;

use super::git::GitRepository;
use super::mirror::Mirror;
use super::{CommitId, Directory, Kept, RepoError, Snapshot};

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
            let mirror = Mirror::new(repo, mirror, branch)?;
            mirror.fetch()?;
            let repository = GitRepository::follow(mirror.path(), branch)?;
            return Ok(Self::Remote(mirror, repository));
        }
        let path = Path::new(repo);
        if GitRepository::is_at(path) {
            return GitRepository::follow(path, branch).map(Self::Git);
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
    pub(super) fn newer_than(&self, last: Option<&CommitId>) -> Result<Option<Snapshot>, RepoError> {
        if let Self::Remote(mirror, _) = self {
            mirror.fetch()?;
        }
        if let Self::Git(repository) | Self::Remote(_, repository) = self
            && last.is_some_and(|last| repository.head().is_ok_and(|head| head == *last))
        {
            return Ok(None);
        }
        let snapshot = self.snapshot()?;
        Ok((Some(snapshot.commit()) != last).then(|| self.remarked(snapshot, last)))
    }

    /// A snapshot that follows another, with what is worth saying of that.
    fn remarked(&self, snapshot: Snapshot, last: Option<&CommitId>) -> Snapshot {
        let history = match self {
            Self::Directory(_) => None,
            Self::Git(repository) | Self::Remote(_, repository) => {
                last.and_then(|last| repository.history(last, &snapshot))
            }
        };
        let tag = if let Self::Remote(mirror, _) = self { mirror.remark() } else { None };
        snapshot.remarked(history.into_iter().chain(tag))
    }

    /// A good commit of before the server's last start, if it is still to be had.
    pub fn last_good(&self, id: &str, kept: &Kept) -> Option<Snapshot> {
        match self {
            Self::Directory(_) => kept.get(id),
            Self::Git(repository) | Self::Remote(_, repository) => repository.snapshot_of(id).ok(),
        }
    }
}
