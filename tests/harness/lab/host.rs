//! A host: a real systemd as PID 1, with its own disk, booted by systemd-nspawn in its own namespaces. It can be used,
//! rebooted, hung, disconnected and crashed like a machine in a rack.
//!
//! A host is not a security boundary: what runs on it as root could harm the machine if it tried to.

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::cgroup::Cgroup;
use super::ledger::{self, Ledger, LedgerItem};
use super::network::NetworkPort;
use super::{Error, LabSite, repository};
use crate::process::{self, ChildGuard};
use crate::wait;

mod exec;

pub use exec::{HttpAnswer, Output};

/// How long a host may take to boot or to power off on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Boots the host, and boots it again each time it reboots.
const SUPERVISE: &str = r#"
while :; do
    systemd-nspawn "$@"
    status=$?
    [ "$status" = 133 ] || exit "$status"
done"#;

/// A host in the lab, which is taken down when it is dropped.
pub struct Host {
    site: Arc<LabSite>,
    certname: String,
    port: NetworkPort,
    group: Cgroup,
    ledger: Ledger,
    supervisor: Mutex<Option<ChildGuard>>,
}

impl Host {
    /// Makes the host's disk and link. The host is off.
    pub(super) fn make(site: &Arc<LabSite>, certname: &str) -> Result<Self, Error> {
        let ledger = Ledger::begin(&site.folder().join("hosts").join(certname))?;
        let port = site.network.plug_in(certname, &ledger)?;
        let group = Cgroup::make(&port.namespace(), &ledger)?;
        ledger.will_make(&LedgerItem::Folder(
            &Path::new("/run/systemd/nspawn/propagate").join(port.namespace()),
        ))?;
        let host = Self {
            site: Arc::clone(site),
            certname: certname.to_owned(),
            port,
            group,
            ledger,
            supervisor: Mutex::new(None),
        };
        host.make_disk()?;
        Ok(host)
    }

    /// Makes the disk: an overlay whose upper layer has a limited size, so that the disk can really be full.
    fn make_disk(&self) -> Result<(), Error> {
        let disk = self.ledger.folder().join("disk");
        fs::create_dir(&disk).map_err(Error::io(&disk))?;
        self.ledger.will_make(&LedgerItem::Mount(&disk))?;
        process::run(
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1g,mode=755", "lab"]).arg(&disk),
        )?;
        let (upper, work, root) = (disk.join("upper"), disk.join("work"), self.root());
        for folder in [&upper, &work, &root] {
            fs::create_dir(folder).map_err(Error::io(folder))?;
        }
        self.ledger.will_make(&LedgerItem::Mount(&root))?;
        let layers = format!(
            "lowerdir={},upperdir={},workdir={}",
            self.site.image.display(),
            upper.display(),
            work.display()
        );
        process::run(Command::new("mount").args(["-t", "overlay", "lab", "-o", &layers]).arg(&root))?;

        let etc = root.join("etc");
        fs::write(etc.join("hostname"), format!("{}\n", self.name())).map_err(Error::io(&etc))?;
        let id = HEXLOWER.encode(&Sha256::digest(&self.certname)[..16]);
        fs::write(etc.join("machine-id"), format!("{id}\n")).map_err(Error::io(&etc))?;
        self.learn_names()
    }

    /// Writes the names of all other hosts to the host.
    pub(super) fn learn_names(&self) -> Result<(), Error> {
        self.site.network.write_names(&self.root().join("etc/hosts"), Some(&self.certname))
    }

    /// The full name, which will be in its certificate.
    pub fn certname(&self) -> &str {
        &self.certname
    }

    /// The name up to the first dot.
    pub fn name(&self) -> &str {
        self.certname.split('.').next().unwrap_or(&self.certname)
    }

    /// The address on the lab's network.
    pub fn address(&self) -> Ipv4Addr {
        self.port.address()
    }

    /// The root directory as the machine sees it, whether or not the host is running; without what is mounted inside
    /// (`/run`, `/tmp`).
    pub fn root(&self) -> PathBuf {
        self.ledger.folder().join("disk/root")
    }

    /// The output on its console since it was made.
    pub fn console(&self) -> String {
        fs::read_to_string(self.ledger.folder().join("console")).unwrap_or_default()
    }

    /// Powers the host on, with its network cable connected, and waits until its systemd reports that it is up.
    pub fn start(&self) -> Result<(), Error> {
        let mut supervisor = self.supervisor();
        if supervisor.as_mut().is_some_and(|running| matches!(running.child().try_wait(), Ok(None))) {
            return Err(Error::Unavailable(format!("{} is running already", self.certname)));
        }
        let path = self.ledger.folder().join("console");
        let console = fs::File::options().create(true).append(true).open(&path).map_err(Error::io(&path))?;
        let error_console = console.try_clone().map_err(Error::io(&path))?;
        let mut boot = self.group.command("sh");
        boot.args(["-c", SUPERVISE, "supervise"]).args(self.nspawn_arguments());
        boot.env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1").env("SYSTEMD_NSPAWN_API_VFS_WRITABLE", "network");
        boot.stdin(Stdio::null()).stdout(console).stderr(error_console).process_group(0);
        self.heal()?;
        *supervisor = Some(process::start(&mut boot)?);
        drop(supervisor);
        self.wait_until_up()
    }

    fn nspawn_arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> =
            ["--quiet", "--boot", "--register=no", "--keep-unit", "--capability=CAP_NET_ADMIN"]
                .into_iter()
                .chain(["--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe"])
                .map(str::to_owned)
                .collect();
        arguments.push(format!("--machine={}", self.port.namespace()));
        arguments.push(format!("--hostname={}", self.name()));
        arguments.push(format!("--network-namespace-path=/run/netns/{}", self.port.namespace()));
        arguments.push(format!("--bind-ro={}:{}", self.site.repository.display(), repository::MOUNTED_AT));
        arguments.push(format!("--bind-ro={}:{}", self.site.programs.display(), super::PROGRAMS_AT));
        arguments.push(format!("--directory={}", self.root().display()));
        arguments
    }

    fn wait_until_up(&self) -> Result<(), Error> {
        wait::until(&format!("{} is up", self.certname), PATIENCE, || {
            self.wait_for_systemd().map_err(|error| {
                let mut seen = error.to_string();
                let console = self.console();
                let lines: Vec<&str> = console.lines().collect();
                let _ = write!(seen, "; console: {}", lines[lines.len().saturating_sub(10)..].join("\n"));
                seen
            })
        })?;
        Ok(())
    }

    /// Waits until the host is up; failed units do not matter.
    fn wait_for_systemd(&self) -> Result<(), Error> {
        let state =
            process::output(self.enter(&["systemctl", "is-system-running", "--wait"])?.stdin(Stdio::null()))?;
        match String::from_utf8_lossy(&state.stdout).trim() {
            "running" | "degraded" => Ok(()),
            other => Err(Error::Unavailable(format!("systemd says {other:?}"))),
        }
    }

    /// Shuts the host down.
    pub fn stop(&self) -> Result<(), Error> {
        self.signal_systemd("RTMIN+4")?;
        self.wait_until_off()
    }

    /// Cuts the power: every process ends at once, and what was written is kept.
    pub fn crash(&self) -> Result<(), Error> {
        self.group.kill()?;
        self.wait_until_off()
    }

    /// Reboots the host, and waits until it is up again.
    pub fn reboot(&self) -> Result<(), Error> {
        let before = self.leader()?;
        self.signal_systemd("RTMIN+5")?;
        wait::until(&format!("{} goes down", self.certname), PATIENCE, || {
            if Path::new("/proc").join(before.to_string()).exists() {
                Err("it is still there")
            } else {
                Ok(())
            }
        })?;
        self.wait_until_up()
    }

    /// Hangs the host without stopping it.
    pub fn freeze(&self) -> Result<(), Error> {
        self.group.freeze()
    }

    /// Lets a hung host continue.
    pub fn thaw(&self) -> Result<(), Error> {
        self.group.thaw()
    }

    /// Disconnects the network cable.
    pub fn cut(&self) -> Result<(), Error> {
        self.site.network.cut(self.port)
    }

    /// Connects the network cable again.
    pub fn heal(&self) -> Result<(), Error> {
        self.site.network.heal(self.port)
    }

    fn signal_systemd(&self, signal: &str) -> Result<(), Error> {
        process::run(Command::new("kill").args(["-s", signal]).arg(self.leader()?.to_string()))?;
        Ok(())
    }

    fn wait_until_off(&self) -> Result<(), Error> {
        let Some(mut supervisor) = self.supervisor().take() else { return Ok(()) };
        wait::until(&format!("{} is off", self.certname), PATIENCE, || {
            match supervisor.child().try_wait() {
                Ok(Some(_)) => Ok(()),
                Ok(None) => Err("its supervisor is still there".to_owned()),
                Err(error) => Err(error.to_string()),
            }
        })?;
        // Its kernel is the machine's, which would continue to answer for it.
        self.cut()
    }

    /// The host's PID 1, as a process of the machine: below the supervisor and nspawn.
    fn leader(&self) -> Result<u32, Error> {
        let supervisor = self.supervisor().as_mut().map(|running| running.child().id());
        supervisor
            .and_then(|pid| child_named(pid, "systemd-nspawn"))
            .and_then(|pid| child_named(pid, "systemd"))
            .ok_or_else(|| Error::Unavailable(format!("{} is off", self.certname)))
    }

    fn supervisor(&self) -> MutexGuard<'_, Option<ChildGuard>> {
        self.supervisor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // What cannot be undone now stays in the ledger, and the watchdog tries again.
        let _ = ledger::undo(self.ledger.folder());
        self.site.network.unplug(&self.certname);
    }
}

fn child_named(parent: u32, name: &str) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    children.split_whitespace().filter_map(|child| child.parse().ok()).find(|child: &u32| {
        fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|comm| comm.trim_end() == name)
    })
}
