//! Follows a source: a thread that looks at it when it is poked, when a directory changes, and from time to time anyway.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use super::source::{History, RepoSource, SourceCursor};
use super::watch::{Signal, Watch};
use super::{CommitId, RepoError, Snapshot};

/// How long a directory must be quiet before it is read.
const QUIET: Duration = Duration::from_millis(200);
/// How often to look at a directory that cannot be watched at the moment, such as while another is moved into its place.
const UNWATCHED: Duration = Duration::from_secs(2);
/// After this time it is read even if it is not quiet.
const CEILING: Duration = Duration::from_secs(3);

/// A new snapshot to judge, or why there is none. An error is sent only once, until it changes. `None` means that there
/// is no new snapshot, but that the source can be read again.
pub type Update = Result<Option<Snapshot>, RepoError>;

/// Yields a snapshot whenever the source has a new one. It stops when it is dropped.
#[derive(Debug)]
pub struct Follower {
    updates: mpsc::Receiver<Update>,
    poke: PokeHandle,
    history: History,
}

/// Makes a follower look at once, such as in a hook after a push.
#[derive(Debug, Clone)]
pub struct PokeHandle {
    signals: Sender<Signal>,
    progress: watch::Receiver<Progress>,
}

/// What a follower is doing, and what it has found so far.
#[derive(Debug, Default)]
struct Progress {
    /// Since when it has been looking, if it is: a remote may take long to answer.
    since: Option<Instant>,
    looks: LookCounts,
    /// Why the source cannot be read, according to the last look.
    failure: Option<String>,
}

/// How often the source was read since the start, and with which result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LookCounts {
    /// When it was last read successfully.
    pub last: Option<Timestamp>,
    /// How often it was read successfully.
    pub read: u64,
    /// How often reading failed.
    pub failed: u64,
}

impl LookCounts {
    /// How often it was read, whatever came of it.
    fn ended(self) -> u64 {
        self.read + self.failed
    }
}

impl PokeHandle {
    /// Makes the follower look at once.
    pub fn poke(&self) {
        // if the follower is gone, nobody waits for the answer either
        let _gone = self.signals.send(Signal::Poked);
    }

    /// Makes the follower look at once, and waits for what comes of it.
    ///
    /// # Errors
    /// Returns why the source cannot be read.
    pub async fn look(&self) -> Result<(), String> {
        let mut progress = self.progress.clone();
        let after = {
            let now = progress.borrow();
            // A look that is in progress may have begun before what the caller wants to see.
            now.looks.ended() + u64::from(now.since.is_some())
        };
        self.poke();
        match progress.wait_for(|now| now.looks.ended() > after).await {
            Ok(now) => now.failure.clone().map_or(Ok(()), Err),
            // The follower has ended, as at the end of the program.
            Err(_) => Ok(()),
        }
    }

    /// For how long the source has been read without an answer; `None` if it is not being read.
    pub fn looking_for(&self) -> Option<Duration> {
        self.progress.borrow().since.map(|since| since.elapsed())
    }

    /// The results so far.
    pub fn looks(&self) -> LookCounts {
        self.progress.borrow().looks
    }

    /// Why the source cannot be read, according to the last look; `None` if it can.
    pub fn failure(&self) -> Option<String> {
        self.progress.borrow().failure.clone()
    }
}

impl Follower {
    /// Follows `source`. `last` is the snapshot that is known already, if there is one. `at` is the commit at which the
    /// branch was last seen, if it is another one, such as one that did not come into force.
    ///
    /// # Errors
    /// Returns an error if the thread cannot be started.
    pub fn start(source: RepoSource, last: Option<CommitId>, at: Option<&CommitId>) -> std::io::Result<Self> {
        let branch = at.cloned().or_else(|| last.clone());
        let known = SourceCursor { snapshot: last, branch };
        let (poke, signals) = channel();
        let (sender, updates) = mpsc::channel(1);
        let watch = match &source {
            RepoSource::Directory(directory) => watch(directory.root(), &poke),
            RepoSource::Git(_) | RepoSource::Remote(..) => None,
        };
        let period = match &source {
            RepoSource::Directory(_) if watch.is_some() => Duration::from_secs(60),
            RepoSource::Directory(_) => Duration::from_secs(5),
            RepoSource::Git(_) => Duration::from_secs(2),
            RepoSource::Remote(..) => Duration::from_secs(30),
        };
        let history = source.history();
        let (told, progress) = watch::channel(Progress::default());
        let follow = FollowLoop { source, known, error: None, watch, period, progress: told };
        std::thread::Builder::new()
            .name("follow repository".into())
            .spawn(move || follow.run(&signals, &sender))?;
        Ok(Self { updates, poke: PokeHandle { signals: poke, progress }, history })
    }

    /// A follower that yields these snapshots and ends.
    #[cfg(test)]
    pub(crate) async fn of(snapshots: Vec<Snapshot>) -> Self {
        let (sender, updates) = mpsc::channel(snapshots.len().max(1));
        for snapshot in snapshots {
            sender.send(Ok(Some(snapshot))).await.unwrap();
        }
        let poke = PokeHandle { signals: channel().0, progress: watch::channel(Progress::default()).1 };
        Self { updates, poke, history: History::default() }
    }

    /// The poke of a follower that has been waiting for its source for a long time.
    #[cfg(test)]
    pub(crate) fn that_hangs() -> PokeHandle {
        let since = Instant::now().checked_sub(Duration::from_secs(60));
        PokeHandle {
            signals: channel().0,
            progress: watch::channel(Progress { since, ..Progress::default() }).1,
        }
    }

    /// The next snapshot or error; `None` when the follower's thread has ended.
    pub async fn next(&mut self) -> Option<Update> {
        self.updates.recv().await
    }

    /// How the commits that it finds follow one another.
    pub fn history(&self) -> History {
        self.history.clone()
    }

    /// A handle to make it look at once.
    pub fn poke(&self) -> PokeHandle {
        self.poke.clone()
    }
}

fn watch(root: &std::path::Path, signals: &Sender<Signal>) -> Option<Watch> {
    let root = &std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    Watch::start(root, signals.clone())
        .inspect_err(|error| {
            tracing::warn!(%error, "cannot watch {}: looking every 5 seconds instead (fs.inotify limits may be too low)", root.display());
        })
        .ok()
}

struct FollowLoop {
    source: RepoSource,
    known: SourceCursor,
    error: Option<String>,
    watch: Option<Watch>,
    period: Duration,
    progress: watch::Sender<Progress>,
}

impl FollowLoop {
    fn run(mut self, signals: &Receiver<Signal>, updates: &mpsc::Sender<Update>) {
        let mut period = self.period;
        while wait(signals, period, updates) {
            period = self.period;
            if let Some(watch) = &mut self.watch
                && let Err(error) = watch.renew()
            {
                tracing::warn!(%error, "cannot watch all of the repository: looking again in 2 seconds");
                period = UNWATCHED;
            }
            self.progress.send_modify(|progress| progress.since = Some(Instant::now()));
            let Some(update) = self.look() else { continue };
            if updates.blocking_send(update).is_err() {
                return;
            }
        }
    }

    fn look(&mut self) -> Option<Update> {
        let looked = self.source.newer_than(&self.known);
        self.noted(looked.as_ref().err().map(ToString::to_string));
        self.update(looked)
    }

    /// Records that a look has ended, and why it failed, if it did.
    fn noted(&self, failure: Option<String>) {
        self.progress.send_modify(|progress| {
            progress.since = None;
            let looks = &mut progress.looks;
            match failure {
                Some(_) => looks.failed += 1,
                None => (looks.last, looks.read) = (Some(Timestamp::now()), looks.read + 1),
            }
            progress.failure = failure;
        });
    }

    fn update(&mut self, looked: Update) -> Option<Update> {
        match looked {
            Ok(None) => self.error.take().map(|_| Ok(None)),
            Ok(Some(snapshot)) => {
                self.error = None;
                self.known = SourceCursor::taken(Some(snapshot.commit().clone()));
                Some(Ok(Some(snapshot)))
            }
            Err(error) => {
                let text = error.to_string();
                let is_new = self.error.as_ref() != Some(&text);
                self.error = Some(text);
                is_new.then_some(Err(error))
            }
        }
    }
}

/// Waits for a reason to look; returns false when the updates are no longer wanted.
fn wait(signals: &Receiver<Signal>, period: Duration, updates: &mpsc::Sender<Update>) -> bool {
    // in short steps, so that a dropped follower ends soon
    let step = period.min(Duration::from_secs(2));
    let until = Instant::now() + period;
    loop {
        match signals.recv_timeout(step) {
            _ if updates.is_closed() => return false,
            Ok(Signal::Poked) => return true,
            Ok(Signal::Changed) => return settled(signals),
            Err(RecvTimeoutError::Timeout) if Instant::now() < until => {}
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
}

/// Waits until nothing changes any more, up to a limit.
fn settled(signals: &Receiver<Signal>) -> bool {
    let ceiling = Instant::now() + CEILING;
    while Instant::now() < ceiling {
        match signals.recv_timeout(QUIET) {
            Ok(Signal::Changed) => {}
            Ok(Signal::Poked) | Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::git::tests::Scratch;
    use super::super::{Directory, GitRepository};
    use super::*;

    async fn next(follower: &mut Follower) -> Update {
        tokio::time::timeout(Duration::from_secs(20), follower.next()).await.unwrap().unwrap()
    }

    async fn next_snapshot(follower: &mut Follower) -> Snapshot {
        next(follower).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_push_is_seen_at_once_when_poked_and_by_polling() {
        let scratch = Scratch::new();
        scratch.commit("a", "1");
        let source = RepoSource::Git(GitRepository::follow(scratch.path(), "main").unwrap());
        let first = source.snapshot().unwrap();
        let mut follower = Follower::start(source, Some(first.commit().clone()), None).unwrap();
        scratch.commit("a", "2");
        follower.poke().poke();
        assert_eq!(&**next_snapshot(&mut follower).await.get("a").unwrap().bytes(), b"2");
        scratch.commit("a", "3");
        assert_eq!(&**next_snapshot(&mut follower).await.get("a").unwrap().bytes(), b"3");
        let looks = follower.poke().looks();
        assert!(looks.last.is_some() && looks.read >= 2 && looks.failed == 0, "{looks:?}");
    }

    #[tokio::test]
    async fn a_directory_is_followed_into_folders_that_are_new() {
        let dir = tempfile::tempdir().unwrap();
        let source = RepoSource::Directory(Directory::new(dir.path()));
        let first = source.snapshot().unwrap();
        let mut follower = Follower::start(source, Some(first.commit().clone()), None).unwrap();
        std::fs::create_dir_all(dir.path().join("modules/a/manifests")).unwrap();
        std::fs::write(dir.path().join("modules/a/manifests/init.toml"), "doc = 1").unwrap();
        let path = "modules/a/manifests/init.toml";
        assert!(next_snapshot(&mut follower).await.get(path).is_some());
        // as editors do: a new file replaces the old one
        std::fs::write(dir.path().join("modules/a/manifests/.new"), "doc = 2").unwrap();
        std::fs::rename(dir.path().join("modules/a/manifests/.new"), dir.path().join(path)).unwrap();
        assert_eq!(&**next_snapshot(&mut follower).await.get(path).unwrap().bytes(), b"doc = 2");
    }

    #[tokio::test]
    async fn a_directory_that_another_takes_the_place_of_is_followed_on() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for (folder, text) in [("r", "doc = 1"), ("r2", "doc = 2")] {
            std::fs::create_dir_all(at(folder).join("modules")).unwrap();
            std::fs::write(at(folder).join("modules/a"), text).unwrap();
        }
        let source = RepoSource::Directory(Directory::new(at("r")));
        let first = source.snapshot().unwrap();
        let mut follower = Follower::start(source, Some(first.commit().clone()), None).unwrap();
        std::fs::rename(at("r"), at("r.old")).unwrap();
        std::fs::rename(at("r2"), at("r")).unwrap();
        let text = async |follower: &mut Follower| loop {
            if let Ok(Some(snapshot)) = next(follower).await {
                break String::from_utf8(snapshot.get("modules/a").unwrap().bytes().to_vec()).unwrap();
            }
        };
        assert_eq!(text(&mut follower).await, "doc = 2");
        std::fs::write(at("r/modules/a"), "doc = 3").unwrap();
        assert_eq!(text(&mut follower).await, "doc = 3");
        // a link that is changed to another target
        std::fs::rename(at("r"), at("r3")).unwrap();
        std::os::unix::fs::symlink(at("r.old"), at("r")).unwrap();
        assert_eq!(text(&mut follower).await, "doc = 1");
    }

    #[tokio::test]
    async fn an_error_is_said_once_and_following_goes_on() {
        let scratch = Scratch::new();
        scratch.commit("a", "1");
        let source = RepoSource::Git(GitRepository::follow(scratch.path(), "main").unwrap());
        let first = source.snapshot().unwrap();
        let mut follower = Follower::start(source, Some(first.commit().clone()), None).unwrap();
        scratch.git(&["branch", "-m", "main", "other"]);
        // One who asks is told each time.
        for _ in 0..2 {
            assert!(follower.poke().look().await.unwrap_err().contains("has no branch `main`"));
            assert!(follower.poke().failure().is_some());
        }
        assert!(matches!(next(&mut follower).await, Err(RepoError::UnknownBranch { .. })));
        scratch.git(&["branch", "-m", "other", "main"]);
        assert_eq!(follower.poke().look().await, Ok(()));
        assert!(next(&mut follower).await.unwrap().is_none(), "it can be read again, and nothing is new");
        scratch.commit("a", "2");
        follower.poke().poke();
        next_snapshot(&mut follower).await;
    }
}
