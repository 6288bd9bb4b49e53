//! File systems that others serve, such as NFS and FUSE, and whether they respond. One that does not respond blocks
//! whoever looks into it, and even a kill does not end that.
//!
//! Each is checked once in a run, by a process of its own, which can be abandoned if it does not return. While the
//! process of an earlier run is still blocked, no further one is started. A file system may answer what is asked of it
//! as a whole, and no look at a file. So one of any kind that held a run is also checked by the path that did.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use holdfast_catalog::hash::ContentHash;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::FlockOperation;
use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

use super::command::PATH;
use super::mount_table::{self, MountLine};

/// How long a file system may take to respond.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How often the checking process is polled.
const TICK: Duration = Duration::from_millis(10);

const TYPES: [&str; 13] = [
    "nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "afs", "lustre", "beegfs", "orangefs", "virtiofs", "fuse",
    "fuseblk",
];

/// The served file systems of this machine. A look outside them waits for nothing.
pub struct ServedMounts {
    table: Option<File>,
    /// Those that held earlier runs.
    stuck: Vec<StuckMount>,
    /// From the table when it was last read.
    all: RwLock<Option<Arc<[ServedMount]>>>,
    answers: Mutex<BTreeMap<ServedMount, bool>>,
    ask: Box<Ask>,
}

/// Whether a file system responds.
type Ask = dyn Fn(&ServedMount) -> bool + Send + Sync;

/// A mounted file system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ServedMount {
    /// The kernel's id of the mount; another mount at this place has a different one.
    id: String,
    pub(super) point: PathBuf,
    pub(super) fstype: String,
    /// The path in it that held an earlier run.
    stuck: Option<PathBuf>,
}

/// A mount that held a run, and the path in it that the run looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StuckMount {
    id: String,
    point: PathBuf,
    path: PathBuf,
}

impl StuckMount {
    /// The mount that contains a path. That of the root is not one: without it, nothing can be checked.
    pub fn around(path: &Path) -> Option<Self> {
        let ServedMount { id, point, .. } = around(path)?;
        (point != Path::new("/")).then(|| Self { id, point, path: path.to_owned() })
    }

    /// Whether it is the same mount, whichever path held the run.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.id, &self.point) == (&other.id, &other.point)
    }
}

impl ServedMounts {
    /// Reads them from the kernel. In `held`, a private directory, a file is locked for each file system while it is
    /// being checked. `stuck` are mounts that held earlier runs.
    pub fn of_kernel(held: Option<PathBuf>, stuck: Vec<StuckMount>) -> Self {
        Self {
            table: File::open(mount_table::PATH).ok(),
            stuck,
            all: RwLock::default(),
            answers: Mutex::default(),
            ask: Box::new(move |mount| answers(mount, held.as_deref(), PATIENCE)),
        }
    }

    /// Reads them from a table that is not the kernel's.
    #[cfg(test)]
    pub(super) fn of_table(table: &str, ask: impl Fn(&ServedMount) -> bool + Send + Sync + 'static) -> Self {
        let all = RwLock::new(Some(served(table, &[])));
        Self { table: None, stuck: Vec::new(), all, answers: Mutex::default(), ask: Box::new(ask) }
    }

    /// The one on the way to a path that does not respond.
    pub(super) fn silent_on_the_way(&self, path: &Path) -> Option<ServedMount> {
        self.silent(|mount| path.starts_with(&mount.point))
    }

    /// The one below a path that does not respond.
    pub(super) fn silent_below(&self, path: &Path) -> Option<ServedMount> {
        self.silent(|mount| mount.point.starts_with(path))
    }

    fn silent(&self, is_meant: impl Fn(&ServedMount) -> bool) -> Option<ServedMount> {
        let all = self.now();
        let mut meant = all.iter().filter(|mount| is_meant(mount)).peekable();
        meant.peek()?;
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        meant.find(|mount| !*answers.entry((*mount).clone()).or_insert_with(|| (self.ask)(mount))).cloned()
    }

    /// The content of the table, which is read the first time, and when it has changed.
    fn now(&self) -> Arc<[ServedMount]> {
        let has_changed = self.table.as_ref().is_some_and(has_changed);
        let known = || self.all.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(all) = known().filter(|_| !has_changed) {
            return all;
        }
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        *all = self.table.as_ref().and_then(|table| Some(served(&text(table).ok()?, &self.stuck)));
        all.clone().unwrap_or_default()
    }
}

/// Whether the kernel has changed its table since this was last called.
fn has_changed(table: &File) -> bool {
    let mut fds = [PollFd::new(table, PollFlags::PRI)];
    rustix::event::poll(&mut fds, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

fn text(mut table: &File) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    table.rewind()?;
    table.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The mount point and type of the file system that contains a path.
pub fn mounted_around(path: &Path) -> Option<(PathBuf, String)> {
    around(path).map(|nearest| (nearest.point, nearest.fstype))
}

fn around(path: &Path) -> Option<ServedMount> {
    let table = std::fs::read_to_string(mount_table::PATH).ok()?;
    let around = table.lines().filter_map(mounted).filter(|mount| path.starts_with(&mount.point));
    around.max_by_key(|mount| mount.point.components().count())
}

/// Those in a table that others serve or that held a run, and that are not mounted over.
fn served(table: &str, stuck: &[StuckMount]) -> Arc<[ServedMount]> {
    let stuck_at = |mount: &ServedMount| {
        let same = stuck.iter().find(|stuck| (&stuck.id, &stuck.point) == (&mount.id, &mount.point));
        same.map(|stuck| stuck.path.clone())
    };
    let all = table.lines().filter_map(mounted);
    let all: Vec<_> = all.map(|mount| ServedMount { stuck: stuck_at(&mount), ..mount }).collect();
    let is_served = |mount: &ServedMount| {
        TYPES.contains(&&*mount.fstype) || mount.fstype.starts_with("fuse.") || mount.stuck.is_some()
    };
    let is_seen = |at: usize| all[at + 1..].iter().all(|later| later.point != all[at].point);
    (0..all.len()).filter(|at| is_served(&all[*at]) && is_seen(*at)).map(|at| all[at].clone()).collect()
}

fn mounted(line: &str) -> Option<ServedMount> {
    let MountLine { id, point, fstype, .. } = MountLine::parse(line)?;
    Some(ServedMount { id: id.to_owned(), point: point.into(), fstype: fstype.to_owned(), stuck: None })
}

/// Looks at a file system as a whole, at its top and, if a path is given, at this and the beginning of its content.
const CHECK: &str = r#"stat -f -- "$1"; stat -- "$1"; test -n "$2" || exit 0
stat -- "$2"; test ! -f "$2" || head -c 1 -- "$2"; test ! -d "$2" || find "$2" -mindepth 1 -maxdepth 1 -quit"#;

/// Checks a file system. If it cannot be checked, it counts as responding.
fn answers(mount: &ServedMount, held: Option<&Path>, patience: Duration) -> bool {
    let point = &*mount.point;
    let stdin = match held.map(|held| hold(held, point)) {
        Some(Hold::Mine(file)) => Stdio::from(file),
        Some(Hold::Held) => return false,
        Some(Hold::Unknown) | None => Stdio::null(),
    };
    let mut command = Command::new("/bin/sh");
    command.args(["-c", CHECK, "sh"]).arg(point).arg(mount.stuck.as_deref().unwrap_or("".as_ref()));
    command.env_clear().env("PATH", PATH).process_group(0);
    let child = command.stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let Ok(mut child) = child else { return true };
    if has_ended(&mut child, patience) {
        return true;
    }
    // An NFS mount whose server is away lets a killed process go; FUSE may not.
    let _ = rustix::process::kill_process_group(Pid::from_child(&child), Signal::KILL);
    has_ended(&mut child, TICK);
    false
}

fn has_ended(child: &mut Child, patience: Duration) -> bool {
    let began = Instant::now();
    loop {
        match child.try_wait() {
            Ok(None) if began.elapsed() < patience => std::thread::sleep(TICK),
            Ok(None) => return false,
            Ok(Some(_)) | Err(_) => return true,
        }
    }
}

/// Whether another process is already checking.
enum Hold {
    /// None is; the lock is held for as long as this is open in any process.
    Mine(File),
    Held,
    Unknown,
}

fn hold(held: &Path, point: &Path) -> Hold {
    let name = ContentHash::of(point.as_os_str().as_encoded_bytes());
    let file = File::options().create(true).truncate(false).write(true).open(held.join(name.as_str()));
    let Ok(file) = file else { return Hold::Unknown };
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Hold::Mine(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Hold::Held,
        Err(_) => Hold::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "22 1 252:1 / / rw - ext4 /dev/vda1 rw\n\
        30 22 0:40 / /srv/a\\040b rw shared:2 - nfs4 server:/a rw\n\
        31 22 0:41 / /srv/c rw - fuse.sshfs x rw\n\
        32 22 0:42 / /srv/d rw - fuse x rw\n\
        33 22 0:43 / /srv/d rw - tmpfs x rw\n";

    #[test]
    fn those_that_others_serve_are_known_and_what_is_mounted_over_one_is_what_is_there() {
        let points: Vec<_> = served(MOUNTS, &[]).iter().map(|mount| mount.point.clone()).collect();
        assert_eq!(points, [Path::new("/srv/a b"), Path::new("/srv/c")]);
        let (point, _) = mounted_around(Path::new("/proc/self/status")).unwrap();
        assert_eq!(point, Path::new("/proc"));
    }

    #[test]
    fn each_is_asked_once_and_only_where_a_path_leads_there() {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        let mounts = ServedMounts::of_table(MOUNTS, move |mount| {
            log.lock().unwrap().push(mount.point.clone());
            mount.point != Path::new("/srv/c")
        });
        for path in ["/etc/x", "/srv", "/srv/cc", "/srv/d/x", "/srv/a b/x"] {
            assert_eq!(mounts.silent_on_the_way(Path::new(path)), None, "{path}");
        }
        for path in ["/srv/c", "/srv/c/x/y", "/srv/c"] {
            assert_eq!(mounts.silent_on_the_way(Path::new(path)).unwrap().fstype, "fuse.sshfs");
        }
        assert_eq!(mounts.silent_below(Path::new("/srv")).unwrap().point, Path::new("/srv/c"));
        assert_eq!(mounts.silent_below(Path::new("/srv/a b")), None);
        assert_eq!(*asked.lock().unwrap(), [Path::new("/srv/a b"), Path::new("/srv/c")]);
    }

    #[test]
    fn while_one_who_asked_is_held_nobody_asks_again() {
        let held = tempfile::tempdir().unwrap();
        let root = mounted("22 1 252:1 / / rw - ext4 /dev/vda1 rw").unwrap();
        assert!(answers(&root, Some(held.path()), PATIENCE));
        let Hold::Mine(file) = hold(held.path(), &root.point) else { panic!("nobody asks any more") };
        assert!(!answers(&root, Some(held.path()), PATIENCE));
        drop(file);
        assert!(answers(&root, Some(held.path()), PATIENCE));
    }

    #[test]
    fn a_mount_that_held_a_run_is_asked_whatever_it_is_and_by_the_path_that_did() {
        let stuck = |id: &str, point: &str| StuckMount {
            id: id.into(),
            point: point.into(),
            path: Path::new(point).join("x"),
        };
        let stuck = [stuck("22", "/"), stuck("31", "/srv/c"), stuck("99", "/srv/a b")];
        let served = served(MOUNTS, &stuck);
        let asked: Vec<_> = served.iter().map(|mount| (mount.point.clone(), mount.stuck.clone())).collect();
        assert_eq!(
            asked,
            [
                ("/".into(), Some("/x".into())),
                ("/srv/a b".into(), None),
                ("/srv/c".into(), Some("/srv/c/x".into()))
            ],
            "a later mount at the same place is another one"
        );
        assert_eq!(StuckMount::around(Path::new("/proc/self/status")).unwrap().point, Path::new("/proc"));
    }

    #[test]
    fn a_file_system_that_answers_as_a_whole_and_not_at_the_path_that_held_a_run_does_not_answer() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
        let mount = |stuck: Option<PathBuf>| ServedMount {
            stuck,
            ..mounted("22 1 252:1 / / rw - ext4 /dev/vda1 rw").unwrap()
        };
        for stuck in [None, Some(dir.path().to_owned()), Some(dir.path().join("none")), Some(pipe)] {
            assert!(answers(&mount(stuck), None, PATIENCE));
        }
        let began = Instant::now();
        assert!(!answers(&mount(None), None, Duration::ZERO));
        assert!(began.elapsed() < PATIENCE, "who asks is left");
    }
}
