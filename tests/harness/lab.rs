//! A lab of booted hosts on one machine: real systemd, real packages from a signed repository of the lab's
//! own, real services, on a network of their own.
//!
//! ```text
//! Lab -- network: a switch in its own namespace; the machine is `server.lab` there, and so is what runs
//!  |              through `command_in_network`
//!  |-- Host -- disk over the cached image, link to the switch, control group, systemd as PID 1
//!  `-- Host -- /opt/holdfast/bin: the programs under test · /srv/lab-repository: packages
//! ```
//!
//! It needs root on a Debian of the same release as the hosts and changes nothing on it but what the
//! ledgers record, which is undone when the values are dropped, when the process ends in whatever way, or
//! after [`time_to_live`]. It is for tests and demonstrations, not for keeping anything apart.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use crate::process::{self, ChildGuard};
use crate::{binaries, skip, wait};

mod cache;
mod cgroup;
mod host;
mod image;
mod ledger;
mod network;
mod repository;
mod sample;

pub use host::{Host, HttpAnswer, Output};
pub use network::MACHINE;
pub use repository::MOUNTED_AT as SOURCE_AT;

use cgroup::Cgroup;
use ledger::{Ledger, Watchdog};
use network::Network;

/// Where hosts find the programs under test.
pub const PROGRAMS_AT: &str = "/opt/holdfast/bin";

/// An error of the lab itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something is missing, or not in the state that it must be in.
    #[error("{0}")]
    Unavailable(String),
    /// A file of the lab failed.
    #[error("{path}: {source}", path = path.display())]
    Io {
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A program of the machine failed.
    #[error(transparent)]
    Process(#[from] process::Error),
    /// Something did not happen in time.
    #[error(transparent)]
    TimedOut(#[from] wait::TimedOut),
    /// A script on a host failed.
    #[error("{host}: {script:?}: {}\n{}{}", output.status, output.stdout, output.stderr)]
    OnHost { host: String, script: String, output: Output },
}

impl Error {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// The programs that the lab needs, all of which are installed by `tests/install.sh`.
const PROGRAMS: [&str; 9] =
    ["apt-ftparchive", "curl", "dpkg-deb", "gpg", "ip", "mmdebstrap", "nsenter", "setsid", "systemd-nspawn"];

/// Checks whether this machine can have a lab; the error names what is missing.
pub fn available() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("booted hosts need root".into());
    }
    process::installed(&PROGRAMS)?;
    if cgroup::unified_root().is_none() {
        return Err("no cgroup version 2 hierarchy is mounted".into());
    }
    Ok(())
}

/// The lab that all tests of a process share; each test has its own hosts. If there is no lab, reports why.
///
/// A test returns if there is none. With `HOLDFAST_REQUIRE_LAB=1` it fails instead.
///
/// # Panics
///
/// If a lab is required and not possible, or if it cannot be set up.
pub fn shared() -> Option<&'static Lab> {
    static SHARED: OnceLock<Option<Lab>> = OnceLock::new();
    let lab = SHARED.get_or_init(|| match available() {
        Ok(()) => Some(Lab::new().unwrap_or_else(|error| panic!("the lab: {error}"))),
        Err(missing) => {
            skip::unless_required("HOLDFAST_REQUIRE_LAB", "tests on booted hosts", &missing);
            None
        }
    });
    lab.as_ref()
}

/// After this time everything of a lab is taken down, even if its process still exists: `LAB_TTL` seconds, or an hour.
pub fn time_to_live() -> Duration {
    let seconds = env::var("LAB_TTL").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(3600))
}

/// A lab. It is taken down when it and all its hosts have been dropped.
#[derive(Clone)]
pub struct Lab {
    site: Arc<LabSite>,
}

/// What the hosts of a lab share.
struct LabSite {
    image: PathBuf,
    repository: PathBuf,
    programs: PathBuf,
    network: Network,
    machine: Cgroup,
    ledger: Ledger,
    _watchdog: Watchdog,
}

impl LabSite {
    fn folder(&self) -> &Path {
        self.ledger.folder()
    }

    fn command(&self, program: &str) -> Command {
        self.network.command(&self.machine, program)
    }
}

impl Lab {
    /// Sets up a lab without hosts. The programs under test, the image and the repository are built first if they are
    /// missing.
    pub fn new() -> Result<Self, Error> {
        available().map_err(Error::Unavailable)?;
        let programs = binaries().folder.clone();
        let image = image::folder()?;
        let repository = repository::folder(&image)?;
        let (number, ledger, watchdog) = claim()?;
        let network = Network::make(number, &ledger)?;
        let machine = Cgroup::make(&format!("holdfast-{number}-machine"), &ledger)?;
        Ok(Self {
            site: Arc::new(LabSite {
                image,
                repository,
                programs,
                network,
                machine,
                ledger,
                _watchdog: watchdog,
            }),
        })
    }

    /// Boots hosts with the given names, all at once, and returns them in that order once all are up and have fetched
    /// the package lists of the repository. They know each other's names, and those of the hosts that existed before;
    /// the `/etc/hosts` of a running host is not changed.
    pub fn boot(&self, certnames: &[&str]) -> Result<Vec<Host>, Error> {
        let distinct: BTreeSet<_> = certnames.iter().collect();
        assert_eq!(distinct.len(), certnames.len(), "two hosts of one name: {certnames:?}");
        let hosts: Vec<Host> =
            certnames.iter().map(|certname| Host::make(&self.site, certname)).collect::<Result<_, _>>()?;
        thread::scope(|scope| {
            let boots: Vec<_> = hosts.iter().map(|host| scope.spawn(|| power_on(host))).collect();
            boots
                .into_iter()
                .try_for_each(|boot| boot.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })?;
        Ok(hosts)
    }

    /// The machine's address on the lab's network, which hosts know by the name [`MACHINE`].
    pub fn address(&self) -> Ipv4Addr {
        self.site.network.machine()
    }

    /// Gives the machine another name, for hosts that are booted from now on, and for the machine's own programs on the
    /// lab's network.
    pub fn name_machine(&self, name: &str) -> Result<(), Error> {
        self.site.network.name_machine(name)
    }

    /// A command that runs a program of the machine on the lab's network, at [`Lab::address`], such as the server. The
    /// program ends at the latest with the lab.
    pub fn command_in_network(&self, program: &str) -> Command {
        self.site.command(program)
    }

    /// Makes an address on the lab's network reachable at one of the machine's own (at a free port if the port is 0),
    /// for as long as the returned value lives.
    pub fn forward(&self, here: SocketAddr, there: SocketAddr) -> Result<Forward, Error> {
        // A socket stays in the network in which it was made, no matter which process accepts its connections. So
        // connections arrive outside the lab's network and continue inside.
        const PROXY: &str = r#"
            exec 3<&0 </dev/null
            export LISTEN_FDS=1 LISTEN_PID=$$
            exec nsenter --net="$1" /lib/systemd/systemd-socket-proxyd "$2""#;
        let not_listening = || Error::io(Path::new("a listening socket"));
        let listener = TcpListener::bind(here).map_err(not_listening())?;
        let address = listener.local_addr().map_err(not_listening())?;
        let mut proxy = self.site.machine.command("sh");
        proxy.args(["-c", PROXY, "forward", &self.site.network.namespace_path(), &there.to_string()]);
        proxy.stdin(OwnedFd::from(listener)).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Forward { address, _proxy: process::start(&mut proxy)? })
    }
}

/// An address of the machine that is forwarded to one on the lab's network.
pub struct Forward {
    address: SocketAddr,
    _proxy: ChildGuard,
}

impl Forward {
    /// The address on the machine.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn power_on(host: &Host) -> Result<(), Error> {
    host.learn_names()?;
    host.start()?;
    host.sh("apt-get --quiet=2 update")?;
    Ok(())
}

/// Claims a number that no other lab on the machine has, and starts a watchdog for everything that is made with it.
///
/// Numbers are used in turn, so that one is not reused soon by a lab that could be mistaken for its predecessor.
fn claim() -> Result<(u8, Ledger, Watchdog), Error> {
    let home = Path::new(cache::HOME).join("labs");
    fs::create_dir_all(&home).map_err(Error::io(&home))?;
    let _turn = cache::lock(&Path::new(cache::HOME).join("labs.lock"))?;
    let last_file = Path::new(cache::HOME).join("labs.last");
    let last: usize = fs::read_to_string(&last_file).ok().and_then(|text| text.parse().ok()).unwrap_or(0);

    sweep(&home)?;

    let number = (1..=u8::MAX)
        .cycle()
        .skip(last)
        .take(u8::MAX.into())
        .find(|number| !home.join(number.to_string()).exists())
        .ok_or_else(|| Error::Unavailable("255 labs are in use on this machine".into()))?;
    fs::write(&last_file, number.to_string()).map_err(Error::io(&last_file))?;
    let folder = home.join(number.to_string());
    let ledger = Ledger::begin(&folder)?;
    let mut watchdog = Watchdog::start(&folder, time_to_live())?;
    let processes = [std::process::id(), watchdog.id()].map(identity).join("\n");
    fs::write(folder.join("processes"), processes).map_err(Error::io(&folder))?;
    Ok((number, ledger, watchdog))
}

/// Removes what is left of labs whose process and watchdog have ended, which happens only if both are killed.
fn sweep(home: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(home).map_err(Error::io(home))? {
        let folder = entry.map_err(Error::io(home))?.path();
        if !in_use(&folder) {
            ledger::undo(&folder)?;
        }
    }
    Ok(())
}

/// Whether a lab is in use: its process or its watchdog exists.
fn in_use(folder: &Path) -> bool {
    let processes = fs::read_to_string(folder.join("processes")).unwrap_or_default();
    processes.lines().any(|recorded| {
        let pid = recorded.split(' ').next().and_then(|pid| pid.parse().ok());
        pid.is_some_and(|pid| identity(pid) == recorded)
    })
}

/// Identifies a process by its id and its start time, since ids are reused.
fn identity(pid: u32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The second field is the program's name in parentheses, which may contain anything, so count from its end.
    let started = stat.rsplit_once(')').and_then(|(_, fields)| fields.split_whitespace().nth(19));
    format!("{pid} {}", started.unwrap_or("gone"))
}
