//! Control groups, with which a host or a program on the lab's network can be frozen and killed as a whole, whatever it
//! has started, without a list of processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::Error;
use super::ledger::{Ledger, LedgerItem};
use crate::wait;

/// Joins the groups given before `--`, then becomes the command after it.
const JOIN: &str = r#"
while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit 125; shift; done
shift; exec "$@""#;

/// A group in the version 2 hierarchy and, if the machine has it, in systemd's own version 1 hierarchy.
///
/// Otherwise the systemd of a host would share the latter with its neighbours.
#[derive(Debug)]
pub struct Cgroup {
    unified: PathBuf,
    legacy: Option<PathBuf>,
}

impl Cgroup {
    /// Makes a group with this name.
    pub fn make(name: &str, ledger: &Ledger) -> Result<Self, Error> {
        let root = unified_root()
            .ok_or_else(|| Error::Unavailable("no cgroup version 2 hierarchy is mounted".into()))?;
        let systemd = Path::new("/sys/fs/cgroup/systemd");
        let legacy = systemd.join("cgroup.procs").exists().then(|| systemd.join(name));
        let group = Self { unified: root.join(name), legacy };
        for path in group.paths() {
            ledger.will_make(&LedgerItem::Cgroup(path))?;
            fs::create_dir(path).map_err(Error::io(path))?;
        }
        Ok(group)
    }

    /// A command that runs a program in the group; the caller adds its arguments.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", JOIN, "join"]).args(self.paths()).args(["--", program]);
        command
    }

    /// Ends every process in the group at once, as a power cut does.
    pub fn kill(&self) -> Result<(), Error> {
        self.write("cgroup.kill", "1")
    }

    /// Stops every process in the group without any of them noticing, and waits until all have stopped.
    pub fn freeze(&self) -> Result<(), Error> {
        self.write("cgroup.freeze", "1")?;
        self.wait_until_frozen(true)
    }

    /// Lets the processes continue.
    pub fn thaw(&self) -> Result<(), Error> {
        self.write("cgroup.freeze", "0")?;
        self.wait_until_frozen(false)
    }

    /// Whether the processes are stopped now.
    pub fn is_frozen(&self) -> bool {
        let events = fs::read_to_string(self.unified.join("cgroup.events")).unwrap_or_default();
        events.lines().any(|line| line == "frozen 1")
    }

    fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        std::iter::once(&self.unified).chain(&self.legacy)
    }

    fn write(&self, file: &str, value: &str) -> Result<(), Error> {
        let path = self.unified.join(file);
        fs::write(&path, value).map_err(Error::io(&path))
    }

    fn wait_until_frozen(&self, wanted: bool) -> Result<(), Error> {
        wait::until(&format!("frozen: {wanted}"), Duration::from_secs(10), || {
            if self.is_frozen() == wanted { Ok(()) } else { Err("not all processes are") }
        })?;
        Ok(())
    }
}

/// The path where the version 2 hierarchy is mounted.
pub fn unified_root() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (path, kind) = (fields.next()?, fields.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(path))
    })
}
