//! Records of what a lab or a host makes on the machine, written before it is made.
//!
//! One script undoes a ledger, whoever runs it: a value that is dropped, the watchdog after its process has ended in
//! any way, or the next lab if the watchdog has ended too.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Error;
use crate::process::{self, ChildGuard};

const UNDO: &str = include_str!("undo.sh");

/// A thing on the machine that must be undone.
pub enum LedgerItem<'a> {
    /// Something mounted at a path.
    Mount(&'a Path),
    /// A named network namespace.
    Namespace(&'a str),
    /// A control group; its processes are killed first.
    Cgroup(&'a Path),
    /// A folder outside the ledger's own, which must be empty by then.
    Folder(&'a Path),
}

/// The record of a lab or a host.
pub struct Ledger {
    folder: PathBuf,
    record: Mutex<File>,
}

impl Ledger {
    /// Begins the record of everything that belongs to `folder`, and is removed with it.
    pub fn begin(folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let path = folder.join("made");
        let record = File::options().create(true).append(true).open(&path).map_err(Error::io(&path))?;
        Ok(Self { folder: folder.to_owned(), record: Mutex::new(record) })
    }

    /// The folder of the ledger.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Records what is about to be made.
    pub fn will_make(&self, made: &LedgerItem<'_>) -> Result<(), Error> {
        let line = match made {
            LedgerItem::Mount(path) => format!("mount {}\n", path.display()),
            LedgerItem::Namespace(name) => format!("namespace {name}\n"),
            LedgerItem::Cgroup(path) => format!("cgroup {}\n", path.display()),
            LedgerItem::Folder(path) => format!("folder {}\n", path.display()),
        };
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.write_all(line.as_bytes()).map_err(Error::io(&self.folder))
    }
}

/// Undoes everything recorded in a folder, and removes the folder.
pub fn undo(folder: &Path) -> Result<(), process::Error> {
    process::run(Command::new("sh").args(["-c", UNDO, "undo"]).arg(folder)).map(drop)
}

/// A separate process that undoes a lab's folder as soon as this process ends, or after a time.
///
/// It reads from a pipe that only this process can write to, so it notices any end, including SIGKILL.
pub struct Watchdog(ChildGuard);

impl Watchdog {
    /// Starts the watchdog in its own session, so that a terminal's interrupt does not end it too.
    pub fn start(folder: &Path, time_to_live: Duration) -> Result<Self, process::Error> {
        const WATCH: &str = r#"timeout "$1" cat >/dev/null; exec sh -c "$2" undo "$3""#;
        process::start(
            Command::new("setsid")
                .args(["sh", "-c", WATCH, "watchdog"])
                .arg(time_to_live.as_secs().to_string())
                .arg(UNDO)
                .arg(folder)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        )
        .map(Self)
    }

    /// Its process id.
    pub fn id(&mut self) -> u32 {
        self.0.child().id()
    }
}

impl Drop for Watchdog {
    /// Makes it undo the lab now, and waits for that. What it cannot undo, the next lab tries again.
    fn drop(&mut self) {
        drop(self.0.child().stdin.take());
        let _ = self.0.child().wait();
    }
}
