//! The sources of snapshots: a directory, a git repository, or the mirror of a remote one.

use std::path::{Path, PathBuf};

use super::git::GitRepository;
use super::mirror::Mirror;
use super::{CommitId, Directory, RepoError, Snapshot, SnapshotCache};

/// What a server follows.
#[derive(Debug)]
pub enum RepoSource {
    /// A directory without git: its files as they are.
    Directory(Directory),
    /// A git repository: commits of one branch.
    Git(GitRepository),
    /// A remote repository: commits of one branch, fetched.
    Remote(Mirror, GitRepository),
}

/// What is already known of a source.
#[derive(Debug, Clone, Default)]
pub(super) struct SourceCursor {
    /// The snapshot that was taken last.
    pub(super) snapshot: Option<CommitId>,
    /// The commit at which the branch was last seen; it differs from the snapshot if it was refused before a restart.
    pub(super) branch: Option<CommitId>,
}

impl SourceCursor {
    /// Only this snapshot was taken.
    pub(super) fn taken(commit: Option<CommitId>) -> Self {
        Self { snapshot: commit.clone(), branch: commit }
    }
}

/// How the commits of a repository follow one another.
#[derive(Debug, Clone, Default)]
pub struct History {
    repository: Option<PathBuf>,
    /// The branch; only if the local repository is complete, since a mirror may be behind.
    branch: Option<String>,
}

/// These functions read the repository, so the threads that answer must not call them.
impl History {
    /// The full id of the only commit that begins with these digits.
    pub fn whole_id(&self, digits: &str) -> Option<CommitId> {
        let repository = GitRepository::open(self.repository.as_ref()?, digits).ok()?;
        let id = repository.head().ok()?;
        id.starts_with(digits).then_some(id)
    }

    /// Whether `older` is an ancestor of `newer`.
    pub fn builds_on(&self, newer: &CommitId, older: &CommitId) -> bool {
        let repository = self.repository.as_ref().and_then(|path| GitRepository::open(path, newer).ok());
        repository.is_some_and(|repository| repository.builds_on(newer, older))
    }

    /// Whether the branch is at this commit; it may have been reset to an old one. `None` if that is not known here.
    pub fn is_at(&self, commit: &CommitId) -> Option<bool> {
        let (path, branch) = (self.repository.as_ref()?, self.branch.as_ref()?);
        let head = GitRepository::follow(path, branch).and_then(|repository| repository.head());
        Some(head.is_ok_and(|head| head == *commit))
    }
}

impl RepoSource {
    /// The source that `--repo` names. A URL is mirrored at `mirror`; a directory that is a git repository is read by
    /// commits, and any other directory as it is. A remote that was fetched earlier is represented by its mirror until
    /// it is looked at.
    ///
    /// # Errors
    /// Returns an error if it does not exist, or cannot be fetched and never was.
    pub fn open(repo: &str, branch: &str, mirror: &Path) -> Result<Self, RepoError> {
        Self::find(repo, branch, mirror).map_err(|error| error.or_exhausted(Path::new(repo)))
    }

    fn find(repo: &str, branch: &str, mirror: &Path) -> Result<Self, RepoError> {
        if Mirror::is_url(repo) {
            let mirror = Mirror::new(repo, mirror, branch)?;
            mirror.repair();
            // If it was fetched earlier and can be read, it is used at once, and the remote is looked at soon after: a
            // remote that accepts a connection and sends nothing must not hold up any poll.
            let is_filled = mirror.is_filled();
            let fetched = if is_filled && mirror.has_branch() { Ok(()) } else { mirror.fetch() };
            let whole = fetched.and_then(|()| mirror.damage().map_or(Ok(()), |damage| mirror.renew(damage)));
            match whole {
                Err(error) if is_filled => tracing::error!(
                    %error, "continuing with what can be read of the commits fetched before"
                ),
                whole => whole?,
            }
            let repository = mirror.repository()?;
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

    /// The current snapshot.
    ///
    /// # Errors
    /// Returns an error if it cannot be read, or exceeds the limits.
    pub fn snapshot(&self) -> Result<Snapshot, RepoError> {
        let snapshot = match self {
            Self::Directory(directory) => directory.snapshot(),
            Self::Git(repository) | Self::Remote(_, repository) => repository.snapshot(),
        };
        snapshot.map_err(|error| error.or_exhausted(self.path()))
    }

    /// Checks that the branch exists.
    ///
    /// # Errors
    /// Returns an error if it does not.
    pub fn has_head(&self) -> Result<(), RepoError> {
        match self {
            Self::Directory(_) => Ok(()),
            Self::Git(repository) | Self::Remote(_, repository) => repository.head().map(drop),
        }
    }

    /// The current snapshot, if it differs from the known one.
    pub(super) fn newer_than(&mut self, known: &SourceCursor) -> Result<Option<Snapshot>, RepoError> {
        let looked = match self.look(known) {
            Err(error) => self.look_anew(known, error),
            looked => looked,
        };
        looked.map_err(|error| error.or_exhausted(self.path()))
    }

    /// Looks again if the mirror is at fault: fetching does not repair damage there.
    fn look_anew(&mut self, known: &SourceCursor, error: RepoError) -> Result<Option<Snapshot>, RepoError> {
        let Self::Remote(mirror, repository) = self else { return Err(error) };
        let Some(damage) = mirror.damage() else { return Err(error) };
        mirror.renew(damage)?;
        *repository = mirror.repository()?;
        self.look(known)
    }

    fn path(&self) -> &Path {
        match self {
            Self::Directory(directory) => directory.root(),
            Self::Git(repository) => repository.path(),
            Self::Remote(mirror, _) => mirror.path(),
        }
    }

    fn look(&self, known: &SourceCursor) -> Result<Option<Snapshot>, RepoError> {
        let last = known.snapshot.as_ref();
        if let Self::Remote(mirror, _) = self {
            mirror.fetch()?;
        }
        if let Self::Git(repository) | Self::Remote(_, repository) = self
            && last.is_some_and(|last| repository.head().is_ok_and(|head| head == *last))
        {
            return Ok(None);
        }
        let snapshot = self.snapshot()?;
        Ok((Some(snapshot.commit()) != last).then(|| self.remarked(snapshot, known.branch.as_ref())))
    }

    /// How commits follow one another, if there are commits.
    pub(super) fn history(&self) -> History {
        match self {
            Self::Directory(_) => History::default(),
            Self::Git(repository) => History {
                repository: Some(repository.path().to_owned()),
                branch: Some(repository.followed().to_owned()),
            },
            Self::Remote(mirror, _) => History { repository: Some(mirror.path().to_owned()), branch: None },
        }
    }

    /// Adds a remark on how the branch moved to this snapshot.
    fn remarked(&self, snapshot: Snapshot, was: Option<&CommitId>) -> Snapshot {
        let history = match self {
            Self::Directory(_) => None,
            Self::Git(repository) | Self::Remote(_, repository) => {
                was.and_then(|was| repository.history(was, &snapshot))
            }
        };
        let tag = if let Self::Remote(mirror, _) = self { mirror.remark() } else { None };
        snapshot.remarked(history.into_iter().chain(tag))
    }

    /// A good commit from before the server was last started, if it still exists.
    pub fn last_good(&self, id: &str, kept: &SnapshotCache) -> Option<Snapshot> {
        match self {
            Self::Directory(_) => kept.get(id),
            Self::Git(repository) | Self::Remote(_, repository) => repository.snapshot_of(id).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::git::tests::Scratch;

    #[test]
    fn f39_a_remote_that_is_away_is_stood_for_by_its_own_mirror_until_it_is_back() {
        let directory = tempfile::tempdir().unwrap();
        let (remote, mirror) = (Scratch::new(), directory.path().join("mirror"));
        remote.commit("a", "1");
        let away = directory.path().join("away.git");
        let url = format!("file://{}", remote.path().join(".git").display());
        let open = |url: &str| RepoSource::open(url, "main", &mirror);
        let first = open(&url).unwrap().snapshot().unwrap();
        std::fs::rename(remote.path().join(".git"), &away).unwrap();
        let mut source = open(&url).unwrap();
        assert_eq!(source.snapshot().unwrap().commit(), first.commit());
        assert_eq!(source.history().whole_id(&first.commit().as_str()[..9]), Some(first.commit().clone()));
        assert_eq!(source.history().whole_id("main"), None);
        let known = SourceCursor::taken(Some(first.commit().clone()));
        assert!(source.newer_than(&known).is_err(), "it is said, and tried again");
        assert!(open("file:///nowhere/at/all").is_err(), "another remote's mirror stands for nobody");
        std::fs::rename(&away, remote.path().join(".git")).unwrap();
        remote.commit("a", "2");
        assert!(source.newer_than(&known).unwrap().is_some());
    }

    #[test]
    fn a_remote_that_takes_a_connection_and_says_nothing_holds_up_no_start() {
        let directory = tempfile::tempdir().unwrap();
        let (remote, mirror) = (Scratch::new(), directory.path().join("mirror"));
        remote.commit("a", "1");
        let url = format!("file://{}", remote.path().display());
        let first = RepoSource::open(&url, "main", &mirror).unwrap().snapshot().unwrap();
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("git://{}/x", silent.local_addr().unwrap());
        std::fs::write(mirror.join("holdfast-url"), &url).unwrap();
        let again = RepoSource::open(&url, "main", &mirror).unwrap();
        assert_eq!(again.snapshot().unwrap().commit(), first.commit());
        silent.set_nonblocking(true).unwrap();
        assert!(silent.accept().is_err(), "nobody asked it");
    }
}
