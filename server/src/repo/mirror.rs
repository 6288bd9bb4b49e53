//! A bare mirror of a remote repository, fetched with the system's `git`: its ssh configuration, credential helpers
//! and proxies work as administrators expect.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};

use super::git::revision::tag_of_that_name;
use super::{GitRepository, RepoError};
use crate::diagnostic::Diagnostic;
use crate::regular;

/// The file with the URL that the mirror was last fetched from.
const URL: &str = "holdfast-url";

/// The longest URL to read from that file, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// How long a fetch may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long to wait for git's error output after it has ended: another process, such as a credential helper that keeps
/// running, may hold it open.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The most bytes of that output to keep.
const MAX_STDERR: usize = 4096;

/// How git calls ssh: without prompts, and with a time limit for a remote that accepts a connection and sends nothing.
const SSH: &str =
    "ssh -o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=15 -o ServerAliveCountMax=4";

/// A remote repository and the location of its mirror.
#[derive(Debug, Clone)]
pub struct Mirror {
    url: String,
    path: PathBuf,
    branch: String,
}

impl Mirror {
    /// Whether a text is a remote's URL: `https://…`, `ssh://…`, `user@host:path`.
    pub fn is_url(text: &str) -> bool {
        let scp_like =
            text.split_once(':').is_some_and(|(host, _)| host.contains('@') && !host.contains('/'));
        ["https://", "http://", "ssh://", "git://", "file://"].iter().any(|scheme| text.starts_with(scheme))
            || scp_like
    }

    /// The mirror of a branch of `url` at `path`, which is created by the first fetch.
    ///
    /// # Errors
    /// Returns an error if the URL contains a password, since every user of this machine can see the arguments of `git`.
    pub fn new(url: impl Into<String>, path: impl Into<PathBuf>, branch: &str) -> Result<Self, RepoError> {
        let url = url.into();
        let branch = branch.strip_prefix("refs/heads/").unwrap_or(branch).to_owned();
        if has_password(&url) {
            return Err(RepoError::Password { url: without_credentials(&url) });
        }
        Ok(Self { url, path: path.into(), branch })
    }

    /// The path of the bare repository.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds what is missing if the mirror is no longer a git repository. Nothing that was fetched is removed, since it
    /// may be all there is while the remote is unreachable.
    pub fn repair(&self) {
        if !self.path.exists() || self.repository().is_ok() {
            return;
        }
        match self.init() {
            Ok(()) => {
                tracing::warn!(path = %self.path.display(), "parts of the mirror were missing, and were restored");
            }
            Err(error) => tracing::error!(%error, "the mirror is damaged"),
        }
    }

    /// What is wrong with the mirror; `None` if the branch's commit can be read completely.
    pub fn damage(&self) -> Option<RepoError> {
        let read =
            GitRepository::follow(&self.path, &self.branch).and_then(|repository| repository.snapshot());
        let damage = read.err()?.or_exhausted(&self.path);
        // That error passes, and is not about the mirror.
        (!matches!(damage, RepoError::Files { .. })).then_some(damage)
    }

    /// Fetches everything again beside a damaged mirror, and replaces the mirror once that is complete: until then, the
    /// mirror may have something that exists nowhere else. The damaged one is set aside.
    ///
    /// # Errors
    /// As [`Mirror::fetch`]; then nothing has changed.
    pub fn renew(&self, damage: RepoError) -> Result<(), RepoError> {
        // The path may be a link to another place.
        let place = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        let (fresh, aside) = (beside(&place, ".holdfast-new"), beside(&place, ".holdfast-damaged"));
        let failed = |path: &Path| {
            let path = path.display().to_string();
            move |source| RepoError::Io { path, source }
        };
        let fetched = remove(&fresh).map_err(failed(&fresh)).and_then(|()| {
            let anew = Self { path: fresh.clone(), ..self.clone() };
            anew.fetch()?;
            anew.damage().map_or(Ok(()), Err)
        });
        fetched.map_err(|error| RepoError::Damaged { damage: Box::new(damage), error: Box::new(error) })?;
        remove(&aside).map_err(failed(&aside))?;
        exchange(&fresh, &place).map_err(failed(&place))?;
        std::fs::rename(&fresh, &aside).map_err(failed(&aside))?;
        let path = aside.display();
        tracing::warn!(%path, "the mirror was damaged, and the repository was fetched again; the damaged one was set \
                               aside");
        Ok(())
    }

    fn init(&self) -> Result<(), RepoError> {
        let mut init = Command::new("git");
        // In the format that this program reads, whatever git or its settings use by default.
        init.env("GIT_DEFAULT_HASH", "sha1").env("GIT_DEFAULT_REF_FORMAT", "files");
        self.git(init.args(["init", "--quiet", "--bare", "--"]).arg(&self.path))
    }

    /// Fetches the branch, and nothing else.
    ///
    /// # Errors
    /// Returns an error if there is no `git`, if it fails or takes too long, or if the remote has no such branch.
    pub fn fetch(&self) -> Result<(), RepoError> {
        let is_first = !self.path.exists();
        self.fetch_into().inspect_err(|_| {
            if is_first {
                // A mistyped URL must leave nothing behind.
                let _left = remove(&self.path);
            }
        })
    }

    fn fetch_into(&self) -> Result<(), RepoError> {
        if !self.path.join("HEAD").exists() {
            self.init()?;
        }
        self.is_ours()?;
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

    /// Checks that the mirror belongs to this user, since git refuses repositories of other users.
    fn is_ours(&self) -> Result<(), RepoError> {
        let owner = std::fs::metadata(&self.path).map(|found| found.uid());
        let us = rustix::process::geteuid().as_raw();
        match owner {
            Ok(owner) if owner != us => {
                Err(RepoError::Foreign { path: self.path.display().to_string(), owner, us })
            }
            _ => Ok(()),
        }
    }

    /// Opens what was fetched earlier from this remote.
    ///
    /// # Errors
    /// Returns an error if it cannot be opened.
    pub fn repository(&self) -> Result<GitRepository, RepoError> {
        GitRepository::follow(&self.path, &self.branch)
    }

    /// Whether the branch is in the mirror, with its commit.
    pub fn has_branch(&self) -> bool {
        self.repository().is_ok_and(|repository| repository.head().is_ok())
    }

    /// Whether the mirror was fetched from this URL, and so can be used in place of the remote.
    pub fn is_filled(&self) -> bool {
        regular::text(&self.path.join(URL), MAX_BYTES).is_ok_and(|url| url == self.url)
    }

    /// A remark on the remote: there is a tag with the name of the branch.
    pub fn remark(&self) -> Option<Diagnostic> {
        let mut list = Command::new("git");
        list.args(["ls-remote", "--exit-code", "--quiet", "--", &self.url]);
        let found = self.git(list.arg(format!("refs/tags/{}", self.branch)));
        found.is_ok().then(|| tag_of_that_name(&self.branch))
    }

    fn git(&self, command: &mut Command) -> Result<(), RepoError> {
        let child = command
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_SSH_COMMAND", SSH)
            // One byte a second is what a server sends to keep the connection alive while it prepares an answer.
            .env("GIT_HTTP_LOW_SPEED_LIMIT", "1")
            .env("GIT_HTTP_LOW_SPEED_TIME", "60")
            // no transport that runs a command from the URL
            .env("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // ssh is in the same process group, and ends with git.
            .process_group(0)
            .spawn();
        match child {
            Ok(mut child) => wait(&mut child, PATIENCE).map_err(|reason| self.failed(&reason)),
            Err(error) => Err(self.failed(&format!("cannot run `git`: {error}; install it"))),
        }
    }

    fn failed(&self, reason: &str) -> RepoError {
        let url = without_credentials(&self.url);
        RepoError::Fetch { reason: reason.replace(&self.url, &url), url }
    }
}

/// A name beside a path that no one else uses: whatever has it may be removed.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Swaps two paths atomically, so that there is a mirror at every moment; on file systems that cannot do that, such as
/// NFS, in two steps.
fn exchange(fresh: &Path, place: &Path) -> std::io::Result<()> {
    match rustix::fs::renameat_with(CWD, fresh, CWD, place, RenameFlags::EXCHANGE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            let between = beside(place, ".holdfast-old");
            remove(&between)?;
            std::fs::rename(place, &between)?;
            std::fs::rename(fresh, place)?;
            std::fs::rename(between, fresh)
        }
        exchanged => Ok(exchanged?),
    }
}

/// Removes a repository, if it exists.
fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn wait(child: &mut Child, patience: Duration) -> Result<(), String> {
    let said = Arc::new(Mutex::new(Vec::new()));
    let (ended, end) = mpsc::channel();
    if let Some(pipe) = child.stderr.take() {
        let said = said.clone();
        std::thread::spawn(move || {
            listen(pipe, &said);
            let _nobody_waits = ended.send(());
        });
    }
    let deadline = Instant::now() + patience;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(20)),
            Ok(None) => {
                end_group(child);
                return Err(format!("git took longer than {} seconds", patience.as_secs()));
            }
            Err(error) => return Err(error.to_string()),
        }
    };
    let _all_or_what_came = end.recv_timeout(LAST_WORDS);
    let text =
        String::from_utf8_lossy(&said.lock().unwrap_or_else(PoisonError::into_inner)).trim().to_owned();
    if status.success() { Ok(()) } else { Err(if text.is_empty() { status.to_string() } else { text }) }
}

/// Keeps the beginning of the output, and reads it to the end: otherwise a process that writes more would block.
fn listen(mut pipe: ChildStderr, said: &Mutex<Vec<u8>>) {
    let mut part = [0; 1024];
    while let Ok(length @ 1..) = pipe.read(&mut part) {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MAX_STDERR.saturating_sub(said.len()).min(length);
        said.extend_from_slice(part.get(..room).unwrap_or_default());
    }
}

/// Ends git with everything that it started: its ssh would hold the connection open for as long as the remote does.
fn end_group(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        let _ended = kill_process_group(group, Signal::KILL);
    }
    let _ended = child.kill().and_then(|()| child.wait());
}

fn has_password(url: &str) -> bool {
    let authority = url.split_once("://").and_then(|(_, rest)| rest.split('/').next());
    let user = authority.and_then(|authority| authority.rsplit_once('@'));
    user.is_some_and(|(user, _)| user.contains(':'))
}

/// The URL without credentials: `https://user:token@host/path` becomes `https://host/path`.
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
    use crate::repo::RepoSource;
    use crate::repo::git::tests::Scratch;
    use crate::repo::source::SourceCursor;

    #[test]
    fn urls_are_told_from_paths() {
        for url in ["https://git.example/x.git", "ssh://git@host/x", "git@host:x/y.git"] {
            assert!(Mirror::is_url(url), "{url}");
        }
        for path in ["/srv/x.git", "./a:b", "ext::sh -c id", "-x"] {
            assert!(!Mirror::is_url(path), "{path}");
        }
    }

    fn group(script: &str) -> Child {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        shell.process_group(0).spawn().unwrap()
    }

    #[test]
    fn what_git_started_ends_with_it_and_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let started = |script: &str| group(&script.replace("FILE", &file.display().to_string()));
        let mut hangs = started("sleep 600 & echo $! >FILE.new; mv FILE.new FILE; wait");
        let deadline = Instant::now() + Duration::from_secs(20);
        while !file.exists() {
            assert!(Instant::now() < deadline, "it did not start");
            std::thread::yield_now();
        }
        let error = wait(&mut hangs, Duration::from_millis(50)).unwrap_err();
        assert!(error.contains("took longer than"), "{error}");
        let stat = format!("/proc/{}/stat", std::fs::read_to_string(&file).unwrap().trim());
        let is_gone = || std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
        let deadline = Instant::now() + Duration::from_secs(20);
        while !is_gone() {
            assert!(Instant::now() < deadline, "its child lives on");
            std::thread::yield_now();
        }
        // A process that stays and holds the output open does not hold up anyone.
        let mut leaves = started("sleep 600 & echo no such thing >&2; exit 3");
        let before = Instant::now();
        assert_eq!(wait(&mut leaves, Duration::from_secs(60)).unwrap_err(), "no such thing");
        assert!(before.elapsed() < Duration::from_secs(30));
        end_group(&mut leaves);
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

    type Spoil = fn(&Path, &Path);

    /// Truncates the only pack of a mirror, as after a full disk or a power failure.
    fn cut_pack(mirror: &Path, _: &Path) {
        let packed = Command::new("git").arg("--git-dir").arg(mirror).args(["repack", "-adq"]).status();
        assert!(packed.unwrap().success());
        let packs =
            std::fs::read_dir(mirror.join("objects/pack")).unwrap().map(|entry| entry.unwrap().path());
        let pack = packs.into_iter().find(|path| path.extension().is_some_and(|end| end == "pack")).unwrap();
        let whole = std::fs::read(&pack).unwrap();
        std::fs::remove_file(&pack).unwrap();
        std::fs::write(&pack, &whole[..whole.len() / 2]).unwrap();
    }

    /// Removes a part of the mirror.
    fn without(part: &'static str) -> impl Fn(&Path, &Path) {
        move |mirror, aside| std::fs::rename(mirror.join(part), aside.join(part)).unwrap()
    }

    #[test]
    fn f39_a_damaged_mirror_is_had_again_and_nothing_of_it_goes_before_there_is_another() {
        let spoils: [(&str, Spoil, bool); 4] = [
            ("HEAD", |mirror, aside| without("HEAD")(mirror, aside), true),
            ("objects", |mirror, aside| without("objects")(mirror, aside), false),
            ("refs", |mirror, aside| without("refs")(mirror, aside), false),
            ("a cut pack", cut_pack, false),
        ];
        for (damaged, spoil, can_do_without_the_remote) in spoils {
            let remote = Scratch::new();
            remote.commit("hieradata/common.toml", "a = 1\n");
            let dir = tempfile::tempdir().unwrap();
            let (here, away) = (remote.path().join(".git"), dir.path().join("away"));
            // Directories of someone else, with similar names.
            let others =
                ["m.new", "m.damaged", "m.git.new", "m.git.damaged"].map(|name| dir.path().join(name));
            others.iter().for_each(|other| std::fs::create_dir(other).unwrap());
            let (url, path) = (format!("file://{}", here.display()), dir.path().join("m.git"));
            let open = || RepoSource::open(&url, "main", &path).and_then(|source| source.snapshot());
            let whole = open().unwrap();
            spoil(&path, dir.path());
            std::fs::rename(&here, &away).unwrap();
            let held = |at: &Path| {
                let listed = Command::new("find").arg(at).args(["-type", "f"]).output().unwrap().stdout;
                String::from_utf8(listed).unwrap().lines().filter(|file| file.contains("/objects/")).count()
            };
            let before = held(&path);
            match open() {
                Ok(found) => {
                    assert!(can_do_without_the_remote && found.commit() == whole.commit(), "{damaged}");
                }
                Err(error) => assert!(!can_do_without_the_remote, "{damaged}: {error}"),
            }
            assert_eq!(held(&path), before, "{damaged}: what was fetched went before there was another");
            std::fs::rename(&away, &here).unwrap();
            assert_eq!(open().unwrap().commit(), whole.commit(), "{damaged}");
            assert!(others.iter().all(|other| other.is_dir()), "{damaged}: only what is its own goes");
            assert!(!beside(&path, ".holdfast-new").exists(), "{damaged}");
            remote.commit("hieradata/common.toml", "a = 2\n");
            let mut source = RepoSource::open(&url, "main", &path).unwrap();
            let known = SourceCursor::taken(Some(whole.commit().clone()));
            assert!(source.newer_than(&known).unwrap().is_some(), "{damaged}: it goes on from there");
        }
    }

    #[test]
    fn f39_a_mirror_that_is_damaged_under_the_running_server_is_fetched_anew() {
        let remote = Scratch::new();
        remote.commit("hieradata/common.toml", "a = 1\n");
        remote.commit("hieradata/other.toml", "b = 1\n");
        let dir = tempfile::tempdir().unwrap();
        let (url, path) = (format!("file://{}", remote.path().display()), dir.path().join("m.git"));
        let mut source = RepoSource::open(&url, "main", &path).unwrap();
        let first = GitRepository::follow(&path, "main").unwrap().head().unwrap();
        // git believes that it has the object, and never asks for it again
        let find = ["rev-parse", "main:hieradata/other.toml"];
        let blob = Command::new("git").arg("--git-dir").arg(&path).args(find).output().unwrap().stdout;
        let (folder, name) = std::str::from_utf8(&blob).unwrap().trim().split_at(2);
        std::fs::remove_file(path.join("objects").join(folder).join(name)).unwrap();
        remote.commit("hieradata/common.toml", "a = 2\n");
        let second = source.newer_than(&SourceCursor::taken(Some(first))).unwrap().unwrap();
        assert_eq!(&**second.get("hieradata/common.toml").unwrap().bytes(), b"a = 2\n");
        assert_eq!(&**second.get("hieradata/other.toml").unwrap().bytes(), b"b = 1\n");
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
