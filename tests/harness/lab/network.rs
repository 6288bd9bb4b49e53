//! The lab's network: a switch in its own namespace, and for each host a namespace with a link to the switch.
//!
//! Nothing here touches the machine's own network, and nothing in the lab has a route to it. The machine's own programs
//! that hosts must reach also run in the switch's namespace.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Error;
use super::cgroup::Cgroup;
use super::ledger::{Ledger, LedgerItem};
use crate::process;

/// The machine's name on the lab's network.
pub const MACHINE: &str = "server.lab";

/// One lab's network.
#[derive(Debug)]
pub struct Network {
    /// The lab's number among those on the machine, from which its addresses are made.
    number: u8,
    switch: String,
    hosts_file: PathBuf,
    names: Mutex<BTreeMap<String, NetworkPort>>,
    last_port: AtomicU8,
}

/// The port that a host is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkPort {
    lab: u8,
    number: u8,
}

impl NetworkPort {
    /// The address of the host on this port.
    pub fn address(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.lab, self.number)
    }

    fn address_v6(self) -> String {
        format!("fd77:0:0:{}::{}", self.lab, self.number)
    }

    fn interface(self) -> String {
        format!("port{}", self.number)
    }

    /// The namespace of the host on this port.
    pub fn namespace(self) -> String {
        format!("holdfast-{}-{}", self.lab, self.number)
    }
}

const MACHINE_PORT: u8 = 1;
const HOST_PORTS: std::ops::RangeInclusive<u8> = 10..=250;

impl Network {
    /// Sets up the switch, with the machine's own address on it.
    pub fn make(number: u8, ledger: &Ledger) -> Result<Self, Error> {
        let machine = NetworkPort { lab: number, number: MACHINE_PORT };
        let network = Self {
            number,
            switch: machine.namespace(),
            hosts_file: ledger.folder().join("names"),
            names: Mutex::new(BTreeMap::from([(MACHINE.to_owned(), machine)])),
            last_port: AtomicU8::new(*HOST_PORTS.end()),
        };
        ledger.will_make(&LedgerItem::Namespace(&network.switch))?;
        ip(&["netns", "add", &network.switch])?;
        ip(&["-n", &network.switch, "link", "set", "lo", "up"])?;
        let bridge = ["link", "add", "bridge", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0"];
        ip(&[&["-n", network.switch.as_str()][..], &bridge].concat())?;
        bring_up(&network.switch, "bridge", machine)?;
        network.write_names(&network.hosts_file, None)?;
        Ok(network)
    }

    /// Gives a host a name, an address and a link.
    pub fn plug_in(&self, certname: &str, ledger: &Ledger) -> Result<NetworkPort, Error> {
        let port = self.reserve(certname)?;
        let (namespace, interface) = (port.namespace(), port.interface());
        ledger.will_make(&LedgerItem::Namespace(&namespace))?;
        ip(&["netns", "add", &namespace])?;
        ip(&["-n", &namespace, "link", "set", "lo", "up"])?;
        let link = ["link", "add", "eth0", "type", "veth", "peer", "name", &interface, "netns", &self.switch];
        ip(&[&["-n", namespace.as_str()][..], &link].concat())?;
        ip(&["-n", &self.switch, "link", "set", &interface, "master", "bridge", "up"])?;
        bring_up(&namespace, "eth0", port)?;
        Ok(port)
    }

    /// Forgets a host's name; its namespace is removed with the host's ledger.
    pub fn unplug(&self, certname: &str) {
        self.names().remove(certname);
    }

    /// Disconnects the cable: the host sees that its link is down.
    pub fn cut(&self, port: NetworkPort) -> Result<(), Error> {
        ip(&["-n", &self.switch, "link", "set", &port.interface(), "down"])
    }

    /// Connects the cable again.
    pub fn heal(&self, port: NetworkPort) -> Result<(), Error> {
        ip(&["-n", &self.switch, "link", "set", &port.interface(), "up"])
    }

    /// Gives the machine another name on the lab's network.
    pub fn name_machine(&self, name: &str) -> Result<(), Error> {
        self.names().insert(name.to_owned(), NetworkPort { lab: self.number, number: MACHINE_PORT });
        self.write_names(&self.hosts_file, None)
    }

    /// The machine's address.
    pub fn machine(&self) -> Ipv4Addr {
        NetworkPort { lab: self.number, number: MACHINE_PORT }.address()
    }

    /// Writes an `/etc/hosts` with every name; for the host itself, also with its short name.
    ///
    /// The file is written in place, since it may be mounted somewhere.
    pub fn write_names(&self, file: &Path, owner: Option<&str>) -> Result<(), Error> {
        let mut text = String::from("127.0.0.1 localhost\n::1 localhost ip6-localhost\n");
        for (name, port) in self.names().iter() {
            let short = name.split('.').next().filter(|_| owner == Some(name)).unwrap_or_default();
            text += &format!("{} {name} {short}\n{} {name} {short}\n", port.address(), port.address_v6());
        }
        let mut file_open = fs::File::create(file).map_err(Error::io(file))?;
        file_open.write_all(text.as_bytes()).map_err(Error::io(file))
    }

    /// A command that runs a program of the machine on the switch, where the lab's names are known.
    pub fn command(&self, group: &Cgroup, program: &str) -> Command {
        const ENTER: &str = r#"mount --bind "$1" /etc/hosts; shift; exec nsenter --net="$0" -- "$@""#;
        let mut command = group.command("unshare");
        command.args(["--mount", "sh", "-c", ENTER]).arg(self.namespace_path());
        command.arg(&self.hosts_file).arg(program);
        command
    }

    /// The path by which the switch's namespace can be entered.
    pub fn namespace_path(&self) -> String {
        format!("/run/netns/{}", self.switch)
    }

    fn reserve(&self, certname: &str) -> Result<NetworkPort, Error> {
        let mut names = self.names();
        if names.contains_key(certname) {
            return Err(Error::Unavailable(format!("there is a host {certname} in the lab already")));
        }
        // Numbers are used in turn, since the kernel takes some time to remove the link of a host that has ended.
        let last = self.last_port.load(Ordering::Relaxed);
        let number = (last..=*HOST_PORTS.end())
            .skip(1)
            .chain(HOST_PORTS)
            .find(|number| names.values().all(|port| port.number != *number))
            .ok_or_else(|| Error::Unavailable("the lab has no free address left".into()))?;
        self.last_port.store(number, Ordering::Relaxed);
        let port = NetworkPort { lab: self.number, number };
        names.insert(certname.to_owned(), port);
        drop(names);
        self.write_names(&self.hosts_file, None)?;
        Ok(port)
    }

    fn names(&self) -> MutexGuard<'_, BTreeMap<String, NetworkPort>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bring_up(namespace: &str, interface: &str, port: NetworkPort) -> Result<(), Error> {
    let v4 = format!("{}/24", port.address());
    let v6 = format!("{}/64", port.address_v6());
    ip(&["-n", namespace, "addr", "add", &v4, "dev", interface])?;
    ip(&["-n", namespace, "-6", "addr", "add", &v6, "dev", interface, "nodad"])?;
    ip(&["-n", namespace, "link", "set", interface, "up"])
}

fn ip(arguments: &[&str]) -> Result<(), Error> {
    process::run(Command::new("ip").args(arguments))?;
    Ok(())
}
