//! Why a repository cannot be read, and what to do.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Resource, geteuid, getrlimit};

use crate::regular;

/// The file with the names of users, and the most bytes of it to read.
const USERS: (&str, u64) = ("/etc/passwd", 4 * 1024 * 1024);

/// Why a repository cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RepoError {
    /// The path does not exist, or cannot be read.
    #[error("cannot read {path}: {source}")]
    Io { path: String, source: io::Error },
    /// Nothing is at the path.
    #[error("{path} is not there; if it was moved, move it back, or change `repo`")]
    Gone { path: String },
    /// The user that reads it may not.
    #[error("the user {user} may not read {path}: permission denied; give that user access to it")]
    Denied {
        path: String,
        /// The name of the user that this program runs as, or the number if it has no name.
        user: String,
    },
    /// The process, or the machine, cannot open another file, whatever else seems to be wrong.
    #[error(
        "cannot read {path}: too many files are open{}; raise the limit (`LimitNOFILE=` of the unit, `ulimit -n` of a \
         shell), or check what holds them open", .limit.map(|limit| format!(", {limit} is the limit")).unwrap_or_default()
    )]
    Files {
        path: String,
        /// How many files this process may have open, if that is known.
        limit: Option<u64>,
    },
    /// Not a git repository, or a broken one.
    #[error("cannot read the git repository {path}: {reason}")]
    Git { path: String, reason: String },
    /// The revision does not exist.
    #[error("`{revision}` is not a commit of {path}: name a branch, a tag or a commit that it has")]
    UnknownRevision {
        /// The name of the revision.
        revision: String,
        path: String,
    },
    /// The branch does not exist.
    #[error("{path} has no branch `{branch}`: only branches can be followed, not tags or commits")]
    UnknownBranch { branch: String, path: String },
    /// Fetching from the remote failed.
    #[error("cannot fetch {url}: {reason}")]
    Fetch {
        /// The URL, without credentials.
        url: String,
        reason: String,
    },
    /// The mirror belongs to another user.
    #[error(
        "{path} is owned by the user {owner}, and the server runs as the user {us}: `chown -R {us} {path}`"
    )]
    Foreign {
        path: String,
        owner: u32,
        /// The user that the server runs as.
        us: u32,
    },
    /// What was fetched before is damaged, and cannot be fetched again at the moment.
    #[error("{damage}; and fetching it again failed: {error}")]
    Damaged {
        /// What is wrong with the mirror.
        damage: Box<Self>,
        /// Why it cannot be fetched.
        error: Box<Self>,
    },
    /// The URL contains a password.
    #[error(
        "the URL of {url} contains a password, which other users of this machine would see: leave it out, and give git \
         a credential helper (`git config --global credential.helper store`) or an ssh key"
    )]
    Password { url: String },
}

impl RepoError {
    /// The error for a path that cannot be opened.
    pub(super) fn unread(path: &Path, source: io::Error) -> Self {
        let path = path.display().to_string();
        match source.kind() {
            io::ErrorKind::NotFound => Self::Gone { path },
            io::ErrorKind::PermissionDenied => Self::Denied { path, user: us() },
            _ => Self::Io { path, source },
        }
    }

    /// Replaces the error if no file can be opened any more: then whatever else it reports, such as a missing branch,
    /// only follows from that. Call this while what was being read is still open.
    #[must_use]
    pub fn or_exhausted(self, path: &Path) -> Self {
        let exhausted = self.is_of_files() || File::open("/dev/null").is_err_and(|error| is_of_files(&error));
        self.explained(path, exhausted)
    }

    fn explained(self, path: &Path, exhausted: bool) -> Self {
        match exhausted {
            true => {
                Self::Files { path: path.display().to_string(), limit: getrlimit(Resource::Nofile).current }
            }
            false => self,
        }
    }

    fn is_of_files(&self) -> bool {
        match self {
            Self::Io { source, .. } => is_of_files(source),
            // What git says of it, and what gix has made a text of: neither has the error's number.
            Self::Git { reason, .. } | Self::Fetch { reason, .. } => reason.contains("Too many open files"),
            _ => false,
        }
    }
}

/// The user that this program runs as.
fn us() -> String {
    let id = geteuid().as_raw().to_string();
    let users = regular::text(Path::new(USERS.0), USERS.1).unwrap_or_default();
    let mut users = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let user = users.find(|user| user.get(2) == Some(&&*id));
    user.and_then(|user| user.first().map(|name| (*name).to_owned())).unwrap_or(id)
}

/// Whether the limit on open files, of this process or of the whole machine, is the cause.
fn is_of_files(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_cannot_be_opened_is_gone_or_denied_to_a_user() {
        let path = Path::new("/srv/control.git");
        let gone = RepoError::unread(path, Errno::NOENT.into()).to_string();
        assert!(gone.starts_with("/srv/control.git is not there; "), "{gone}");
        let denied = RepoError::unread(path, Errno::ACCESS.into()).to_string();
        let name = if geteuid().is_root() { "root".to_owned() } else { us() };
        assert!(denied.starts_with(&format!("the user {name} may not read /srv/control.git: ")), "{denied}");
        let other = RepoError::unread(path, Errno::IO.into()).to_string();
        assert!(other.starts_with("cannot read /srv/control.git: "), "{other}");
    }

    #[test]
    fn what_follows_from_too_many_open_files_is_said_to_be_that() {
        let unknown =
            || RepoError::UnknownBranch { branch: "main".to_owned(), path: "/srv/control".to_owned() };
        let path = Path::new("/srv/control");
        let told = unknown().explained(path, true).to_string();
        assert!(told.starts_with("cannot read /srv/control: too many files are open, "), "{told}");
        assert!(told.contains("LimitNOFILE=") && !told.contains("branch"), "{told}");
        assert_eq!(unknown().explained(path, false).to_string(), unknown().to_string());
        let of_files = |source: io::Error| RepoError::Io { path: "a".to_owned(), source }.is_of_files();
        assert!(
            of_files(Errno::MFILE.into()) && of_files(Errno::NFILE.into()) && !of_files(Errno::NOENT.into())
        );
        let reason = "error: cannot fork() for ssh: Too many open files".to_owned();
        assert!(RepoError::Fetch { url: "u".to_owned(), reason }.is_of_files());
    }
}
