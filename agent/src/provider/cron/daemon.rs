//! Whether anything runs the jobs: a daemon that runs, or one that is about to.

use std::path::Path;

use holdfast_catalog::resource::Service;
use holdfast_catalog::resource::service::ServiceEnsure;

use crate::provider::{CatalogClaims, Error, answer};
use crate::system::{Inspect, Invocation, Liveness};

/// Units of the crons that read `/etc/cron.d`: Debian's, Red Hat's and cronie's own, and the one for systemd's timers.
const UNITS: [&str; 4] = ["cron.service", "crond.service", "cronie.service", "cron.target"];

/// The names of their programs.
const PROGRAMS: [&str; 2] = ["cron", "crond"];

/// The directories with the machine's programs.
const PLACES: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/usr/local/sbin"];

/// Why nothing runs the jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoDaemon {
    NotInstalled,
    Stopped(String),
    Masked(String),
}

impl NoDaemon {
    /// The reason in words, with what to do; `None` if a resource of the catalog starts the daemon.
    pub(super) fn words(&self, named: &CatalogClaims<'_>) -> Option<String> {
        const NOTHING: &str = "nothing would run the job: ";
        let starts = |unit: &String| {
            named
                .of_type::<Service>()
                .any(|service| service.ensure == Some(ServiceEnsure::Running) && service.unit() == *unit)
        };
        match self {
            Self::Stopped(unit) | Self::Masked(unit) if starts(unit) => None,
            Self::NotInstalled => Some(format!(
                "{NOTHING}this machine has no cron daemon; install one, such as the package `cron`"
            )),
            Self::Stopped(unit) => Some(format!(
                "{NOTHING}`{unit}` is not running; start it, for example with a `service` that has ensure = \
                 \"running\""
            )),
            Self::Masked(unit) => Some(format!(
                "{NOTHING}`{unit}` is masked, so it cannot be started; run `systemctl unmask {unit}`, and start it \
                 with a `service` that has ensure = \"running\""
            )),
        }
    }
}

/// Looks for a daemon. Below another root nothing runs, and without systemd it is unknown when an installed one is
/// started.
pub(super) fn look(machine: &dyn Inspect) -> Result<Option<NoDaemon>, Error> {
    if machine.liveness() == Liveness::Directory {
        return Ok(None);
    }
    if machine.stat(Path::new("/run/systemd/system"))?.is_none() {
        let is_there = is_installed(machine)? || is_running(machine)?;
        return Ok((!is_there).then_some(NoDaemon::NotInstalled));
    }
    let properties = ["--property=Id", "--property=LoadState", "--property=ActiveState", "--"];
    let output = answer(
        machine,
        &Invocation::new(["systemctl", "show"].iter().chain(&properties).chain(&UNITS).copied()),
    )?;
    let text = output.text();
    let units: Vec<UnitState<'_>> = text.split("\n\n").map(UnitState::parse).collect();
    let is_up = |unit: &UnitState<'_>| ["active", "activating", "reloading"].contains(&unit.active);
    if units.iter().any(is_up) || is_running(machine)? {
        return Ok(None);
    }
    let first = |load: &str| units.iter().find(|unit| unit.load == load).map(|unit| unit.id.to_owned());
    let found = first("loaded").map(NoDaemon::Stopped).or_else(|| first("masked").map(NoDaemon::Masked));
    Ok(Some(found.unwrap_or(NoDaemon::NotInstalled)))
}

/// The state of a unit according to systemd.
#[derive(Default)]
struct UnitState<'a> {
    id: &'a str,
    load: &'a str,
    active: &'a str,
}

impl<'a> UnitState<'a> {
    fn parse(text: &'a str) -> Self {
        let mut unit = Self::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
            match name {
                "Id" => unit.id = value,
                "LoadState" => unit.load = value,
                "ActiveState" => unit.active = value,
                _ => {}
            }
        }
        unit
    }
}

fn is_installed(machine: &dyn Inspect) -> Result<bool, Error> {
    for place in PLACES {
        for program in PROGRAMS {
            if machine.stat(&Path::new(place).join(program))?.is_some() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether one runs, whatever started it. One in a container does not count, which has another id there.
fn is_running(machine: &dyn Inspect) -> Result<bool, Error> {
    const PROCESSES: &str = "/proc";
    if machine.stat(Path::new(PROCESSES))?.is_none() {
        return Ok(false);
    }
    for name in machine.list(Path::new(PROCESSES))? {
        let Some(id) = name.to_str().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) else {
            continue;
        };
        // Processes may end while they are looked at.
        let Ok(Some(status)) = machine.read_text(&Path::new(PROCESSES).join(id).join("status")) else {
            continue;
        };
        if is_cron(&status) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a process is a cron of this machine, according to its `status` (proc(5)).
fn is_cron(status: &str) -> bool {
    let value = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(str::trim)
    };
    let is_of_container = value("NSpid").is_some_and(|ids| ids.split_whitespace().count() > 1);
    value("Name").is_some_and(|name| PROGRAMS.contains(&name)) && !is_of_container
}
