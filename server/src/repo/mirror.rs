//! A bare mirror of a remote repository, fetched with the system's `git`: its ssh configuration, credential helpers
//! and proxies work as administrators expect.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use holdfast_catalog::diagnostic::Diagnostic;

use super::git::revision::tag_of_that_name;
use super::{GitRepository, RepoError};

/// The file that says what the mirror was last fetched from.
const URL: &str = "holdfast-url";

/// How long one fetch may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A remote repository and where its mirror lies.
#[derive(Debug, Clone)]
pub struct Mirror {
    url: String,
    path: PathBuf,
    branch: String,
}

impl Mirror {
    /// Whether a text names a remote: `https://…`, `ssh://…`, `user@host:path`.
    pub fn is_url(text: &str) -> bool {
        let scp_like =
            text.split_once(':').is_some_and(|(host, _)| host.contains('@') && !host.contains('/'));
        ["https://", "http://", "ssh://", "git://", "file://"].iter().any(|scheme| text.starts_with(scheme))
            || scp_like
    }

    /// The mirror of a branch of `url` at `path`, made on the first fetch.
    ///
    /// # Errors
    /// The URL holds a password: every user of this machine sees it in the arguments of `git`.
    pub fn new(url: impl Into<String>, path: impl Into<PathBuf>, branch: &str) -> Result<Self, RepoError> {
        let url = url.into();
        let branch = branch.strip_prefix("refs/heads/").unwrap_or(branch).to_owned();
        if has_password(&url) {
            return Err(RepoError::Password { url: without_credentials(&url) });
        }
        Ok(Self { url, path: path.into(), branch })
    }

    /// Where the bare repository lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Throws away what is no git repository: what it held is fetched again.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn clear_unless_whole(&self) -> Result<(), RepoError> {
        if !self.path.exists() || GitRepository::is_at(&self.path) {
            return Ok(());
        }
        std::fs::remove_dir_all(&self.path)
            .map_err(|source| RepoError::Io { path: self.path.display().to_string(), source })?;
        tracing::warn!(path = %self.path.display(), "removed a damaged mirror: the repository is fetched anew");
        Ok(())
    }

    /// Brings the branch here, and nothing else.
    ///
    /// # Errors
    /// There is no `git`, or it fails, or takes too long; the remote has no such branch.
    pub fn fetch(&self) -> Result<(), RepoError> {
        if !self.path.join("HEAD").exists() {
            self.git(Command::new("git").args(["init", "--quiet", "--bare", "--"]).arg(&self.path))?;
        }
        let head = format!("+refs/heads/{0}:refs/heads/{0}", self.branch);
        let mut fetch = Command::new("git");
        fetch.arg("--git-dir").arg(&self.path).args(["fetch", "--quiet", "--no-tags", "--"]);
        self.git(fetch.arg(&self.url).arg(head))?;
        if !self.is_filled() {
            let url = self.path.join(URL);
            std::fs::write(&url, &self.url)
                .map_err(|source| RepoError::Io { path: url.display().to_string(), source })?;
        }
        Ok(())
    }

    /// What was fetched from this very remote before, where it has the branch.
    pub fn repository(&self) -> Option<GitRepository> {
        let repository = GitRepository::follow(&self.path, &self.branch).ok().filter(|_| self.is_filled())?;
        repository.head().is_ok().then_some(repository)
    }

    /// Whether it was fetched from this very remote before, and so can stand for it.
    pub fn is_filled(&self) -> bool {
        std::fs::read_to_string(self.path.join(URL)).is_ok_and(|url| url == self.url)
    }

    /// What is worth saying of the remote: a tag that is named like the branch.
    pub fn remark(&self) -> Option<Diagnostic> {
        let mut list = Command::new("git");
        list.args(["ls-remote", "--exit-code", "--quiet", "--", &self.url]);
        let found = self.git(list.arg(format!("refs/tags/{}", self.branch)));
        found.is_ok().then(|| tag_of_that_name(&self.branch))
    }

    fn git(&self, command: &mut Command) -> Result<(), RepoError> {
        let child = command
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
            // no transport that runs a command of the url's
            .env("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        match child {
            Ok(mut child) => wait(&mut child).map_err(|reason| self.failed(&reason)),
            Err(error) => Err(self.failed(&format!("cannot run `git`: {error}; install it"))),
        }
    }

    fn failed(&self, reason: &str) -> RepoError {
        let url = without_credentials(&self.url);
        RepoError::Fetch { reason: reason.replace(&self.url, &url), url }
    }
}

fn wait(child: &mut Child) -> Result<(), String> {
    // git closes its error output when it ends, so reading it cannot block longer than the child lives
    let errors = child.stderr.take().map(|mut pipe| {
        std::thread::spawn(move || {
            let mut text = Vec::new();
            let read = pipe.by_ref().take(4096).read_to_end(&mut text);
            let _rest = std::io::copy(&mut pipe, &mut std::io::sink());
            read.map(|_| String::from_utf8_lossy(&text).trim().to_owned()).unwrap_or_default()
        })
    });
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(20)),
            Ok(None) => {
                let _ended = child.kill().and_then(|()| child.wait());
                return Err(format!("git took longer than {} seconds", PATIENCE.as_secs()));
            }
            Err(error) => return Err(error.to_string()),
        }
    };
    let text = errors.and_then(|thread| thread.join().ok()).unwrap_or_default();
    if status.success() { Ok(()) } else { Err(if text.is_empty() { status.to_string() } else { text }) }
}

fn has_password(url: &str) -> bool {
    let authority = url.split_once("://").and_then(|(_, rest)| rest.split('/').next());
    let user = authority.and_then(|authority| authority.rsplit_once('@'));
    user.is_some_and(|(user, _)| user.contains(':'))
}

/// `https://user:token@host/path` as `https://host/path`.
fn without_credentials(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            format!("{scheme}://{host}{path}")
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::Source;
    use crate::repo::git::tests::Scratch;

    #[test]
    fn urls_are_told_from_paths() {
        for url in ["https://git.example/x.git", "ssh://git@host/x", "git@host:x/y.git"] {
            assert!(Mirror::is_url(url), "{url}");
        }
        for path in ["/srv/x.git", "./a:b", "ext::sh -c id", "-x"] {
            assert!(!Mirror::is_url(path), "{path}");
        }
    }

    #[test]
    fn no_error_shows_credentials() {
        let dir = tempfile::tempdir().unwrap();
        let mirror = Mirror::new("file://hunter2@/nowhere/at/all", dir.path().join("m.git"), "main").unwrap();
        let error = mirror.fetch().unwrap_err().to_string();
        assert!(error.contains("/nowhere/at/all") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_url_with_a_password_is_refused_without_showing_it() {
        let refused =
            Mirror::new("https://user:hunter2@git.example/x.git", "m.git", "main").unwrap_err().to_string();
        assert!(refused.contains("https://git.example/x.git"), "{refused}");
        assert!(refused.contains("credential helper") && !refused.contains("hunter2"), "{refused}");
        for url in ["https://git.example:443/a@b:c", "ssh://git@host:22/x", "git@host:x", "https://u@host/x"]
        {
            assert!(Mirror::new(url, "m.git", "main").is_ok(), "{url}");
        }
    }

    #[test]
    fn a_damaged_mirror_is_fetched_anew() {
        let remote = Scratch::new();
        remote.commit("hieradata/common.toml", "a = 1\n");
        let dir = tempfile::tempdir().unwrap();
        let (url, path) = (format!("file://{}", remote.path().display()), dir.path().join("m.git"));
        let open = || Source::open(&url, "main", &path).unwrap().snapshot().unwrap();
        let whole = open();
        for damaged in ["HEAD", "objects", "refs"] {
            std::fs::rename(path.join(damaged), dir.path().join(damaged)).unwrap();
            assert_eq!(open().commit(), whole.commit(), "{damaged}");
        }
    }

    #[test]
    fn a_fetch_brings_the_branch_and_nothing_else() {
        let remote = Scratch::new();
        remote.commit("hieradata/common.toml", "a = 1\n");
        remote.git(&["branch", "test"]);
        remote.git(&["tag", "main"]);
        let dir = tempfile::tempdir().unwrap();
        let url = format!("file://{}", remote.path().display());
        let mirror = Mirror::new(url, dir.path().join("m.git"), "main").unwrap();
        mirror.fetch().unwrap();
        let repository = GitRepository::follow(mirror.path(), "main").unwrap();
        let first = repository.head().unwrap();
        assert!(repository.snapshot_of("test").is_err() && repository.snapshot_of("refs/tags/main").is_err());
        assert!(mirror.remark().unwrap().message.contains("tag `main`"));
        remote.git(&["tag", "-d", "main"]);
        assert!(mirror.remark().is_none());
        remote.commit("hieradata/common.toml", "a = 2\n");
        mirror.fetch().unwrap();
        assert_ne!(repository.head().unwrap(), first);
        remote.git(&["branch", "-m", "main", "gone"]);
        assert!(mirror.fetch().is_err());
    }
}
