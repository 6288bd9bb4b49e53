//! What a lab or a host has made on the machine, written down before it is made.
//!
//! One script undoes a ledger, no matter who runs it: a value that is dropped, the watchdog when its process is
//! gone however that ended, or the next lab when the watchdog is gone too.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Error;
use crate::process::{self, Owned};

const UNDO: &str = include_str!("undo.sh");

/// A thing on the machine that has to be undone.
pub enum Made<'a> {
    /// Something mounted at a path.
    Mount(&'a Path),
    /// A named network namespace.
    Namespace(&'a str),
    /// A control group; its processes are killed first.
    Cgroup(&'a Path),
    /// A folder outside the ledger's own, empty by then.
    Folder(&'a Path),
}

/// The record of one lab or host.
pub struct Ledger {
    folder: PathBuf,
    record: Mutex<File>,
}

impl Ledger {
    /// Begins the record of what belongs to `folder`, which goes away with it.
    pub fn begin(folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let path = folder.join("made");
        let record = File::options().create(true).append(true).open(&path).map_err(Error::io(&path))?;
        Ok(Self { folder: folder.to_owned(), record: Mutex::new(record) })
    }

    /// The folder that the ledger lies in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes down what is about to be made.
    pub fn will_make(&self, made: &Made<'_>) -> Result<(), Error> {
        let line = match made {
            Made::Mount(path) => format!("mount {}\n", path.display()),
            Made::Namespace(name) => format!("namespace {name}\n"),
            Made::Cgroup(path) => format!("cgroup {}\n", path.display()),
            Made::Folder(path) => format!("folder {}\n", path.display()),
        };
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.write_all(line.as_bytes()).map_err(Error::io(&self.folder))
    }
}

/// Undoes everything recorded under a folder and removes it.
pub fn undo(folder: &Path) -> Result<(), process::Error> {
    process::run(Command::new("sh").args(["-c", UNDO, "undo"]).arg(folder)).map(drop)
}

/// A process of its own that undoes a lab's folder as soon as this process is gone, or after a time.
///
/// It reads a pipe that only this process can write to, so it learns of any end, SIGKILL included.
pub struct Watchdog(Owned);

impl Watchdog {
    /// Starts it, in a session of its own so that a terminal's interrupt does not end it too.
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
    /// Has it undo the lab now, and waits until it has. What it could not undo, the next lab tries again.
    fn drop(&mut self) {
        drop(self.0.child().stdin.take());
        let _ = self.0.child().wait();
    }
}
