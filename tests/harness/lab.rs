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

use crate::process::{self, Owned};
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

use cgroup::Group;
use ledger::{Ledger, Watchdog};
use network::Network;

/// Where hosts see the programs under test.
pub const PROGRAMS_AT: &str = "/opt/holdfast/bin";

/// What went wrong in the lab itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something is not there or not in the state that it must be in.
    #[error("{0}")]
    Unavailable(String),
    /// A file of the lab.
    #[error("{path}: {source}", path = path.display())]
    Io {
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program of the machine.
    #[error(transparent)]
    Process(#[from] process::Error),
    /// Something that did not come about.
    #[error(transparent)]
    TimedOut(#[from] wait::TimedOut),
    /// A script on a host.
    #[error("{host}: {script:?}: {}\n{}{}", output.status, output.stdout, output.stderr)]
    OnHost { host: String, script: String, output: Output },
}

impl Error {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// Programs that the lab runs, all of which `tests/install.sh` installs.
const PROGRAMS: [&str; 9] =
    ["apt-ftparchive", "curl", "dpkg-deb", "gpg", "ip", "mmdebstrap", "nsenter", "setsid", "systemd-nspawn"];

/// Says whether this machine can have a lab, or what is missing.
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

/// The lab that all tests of a process share, each with hosts of its own; without one, says so and why.
///
/// A test returns when there is none. Under `HOLDFAST_REQUIRE_LAB=1` it fails instead.
///
/// # Panics
///
/// When a lab is required and there can be none, or when it cannot be set up.
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

/// When everything of a lab is taken down even if its process is still there: `LAB_TTL` seconds, or an hour.
pub fn time_to_live() -> Duration {
    let seconds = env::var("LAB_TTL").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(3600))
}

/// A lab; it is taken down when it and all its hosts are dropped.
#[derive(Clone)]
pub struct Lab {
    site: Arc<Site>,
}

/// What the hosts of a lab share.
struct Site {
    image: PathBuf,
    repository: PathBuf,
    programs: PathBuf,
    network: Network,
    machine: Group,
    ledger: Ledger,
    _watchdog: Watchdog,
}

impl Site {
    fn folder(&self) -> &Path {
        self.ledger.folder()
    }

    fn command(&self, program: &str) -> Command {
        self.network.command(&self.machine, program)
    }
}

impl Lab {
    /// Sets up a lab without hosts, building the programs under test, the image and the repository first
    /// where they are missing.
    pub fn new() -> Result<Self, Error> {
        available().map_err(Error::Unavailable)?;
        let programs = binaries().folder.clone();
        let image = image::folder()?;
        let repository = repository::folder(&image)?;
        let (number, ledger, watchdog) = claim()?;
        let network = Network::make(number, &ledger)?;
        let machine = Group::make(&format!("holdfast-{number}-machine"), &ledger)?;
        Ok(Self {
            site: Arc::new(Site {
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

    /// Boots hosts of the given names, all at once, and returns them in that order when all are up, with
    /// the package lists of the repository fetched. They know each other's names, and those of the hosts
    /// that were there before; what a running host has in `/etc/hosts` is its own to keep.
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

    /// The machine's address on the lab's network, which hosts know as [`MACHINE`].
    pub fn address(&self) -> Ipv4Addr {
        self.site.network.machine()
    }

    /// Gives the machine another name, for hosts that are booted from now on and for the machine's own
    /// programs on the lab's network.
    pub fn name_machine(&self, name: &str) -> Result<(), Error> {
        self.site.network.name_machine(name)
    }

    /// A command that runs a program of the machine on the lab's network, at [`Lab::address`]: for instance
    /// the server. It ends with the lab at the latest.
    pub fn command_in_network(&self, program: &str) -> Command {
        self.site.command(program)
    }

    /// Makes an address on the lab's network reachable at one of the machine's own (at a free port for 0),
    /// for as long as the returned value lives.
    pub fn forward(&self, here: SocketAddr, there: SocketAddr) -> Result<Forward, Error> {
        // A socket stays in the network it was made in, no matter who accepts its connections: so they come in
        // outside the lab's network and go on inside.
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

/// An address of the machine behind which one on the lab's network answers.
pub struct Forward {
    address: SocketAddr,
    _proxy: Owned,
}

impl Forward {
    /// The machine's.
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

/// Takes a number that no other lab on the machine has, and has a watchdog look after what is made for it.
///
/// Numbers go round, so that one is not soon used again by a lab that is taken for its predecessor.
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

/// Undoes what is left of labs whose process and watchdog are gone, which takes killing both.
fn sweep(home: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(home).map_err(Error::io(home))? {
        let folder = entry.map_err(Error::io(home))?.path();
        if !in_use(&folder) {
            ledger::undo(&folder)?;
        }
    }
    Ok(())
}

/// A lab is in use while its process or its watchdog lives.
fn in_use(folder: &Path) -> bool {
    let processes = fs::read_to_string(folder.join("processes")).unwrap_or_default();
    processes.lines().any(|recorded| {
        let pid = recorded.split(' ').next().and_then(|pid| pid.parse().ok());
        pid.is_some_and(|pid| identity(pid) == recorded)
    })
}

/// A process by its id and the time it started, since ids are used again.
fn identity(pid: u32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The second field is the program's name in parentheses and may hold anything, so count from its end.
    let started = stat.rsplit_once(')').and_then(|(_, fields)| fields.split_whitespace().nth(19));
    format!("{pid} {}", started.unwrap_or("gone"))
}
