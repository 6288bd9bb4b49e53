//! `service`: systemd units, asked and told over D-Bus.
//!
//! Needs a running system with systemd. What is generated at boot can be neither enabled nor disabled: that is
//! reported, and not tried in every run.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use holdfast_catalog::resource::Service;
use holdfast_catalog::resource::claim::Hold;
use holdfast_catalog::resource::service::{ServiceEnable, ServiceEnsure, ServiceRestart};
use jiff::Timestamp;

use super::{
    Alias, Applied, ChangeKind, Error, Left, Notice, Provider, Reading, Refreshed, Writing, properties,
};
use crate::system::{Inspect, Invocation, Liveness};

mod alias;
mod definition;
mod difference;
mod fall;
mod hollow;
mod install;
mod on_its_way;
mod script;
mod socket;
mod systemd;
mod unit;
mod unread;

pub(super) use alias::stands_for;
pub(super) use definition::{is_same as is_same_file, settings as settings_of};
pub(super) use on_its_way::has_started;
pub use systemd::{Bus, BusError, Unusable};
pub(super) use unread::{cannot_be_told, told as unread_by_systemd};

use difference::difference;
use install::InstallLinks;
use systemd::{TriggerSide, UnitVerb, WatchLength};
use unit::{Enabling, Unit, UnitActivity, is_template};
use unread::Newer;

/// The provider of `service`.
pub struct Services;

/// How long the journal may take to answer. Its lines explain a failure, and a journal that hangs must not hold up the
/// run.
const JOURNAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Exists if systemd runs: the test that its own programs use.
const SYSTEMD_RUNS: &str = "/run/systemd/system";

const NO_SYSTEMD: &str = "this machine is not run by systemd (there is no /run/systemd/system); only services of systemd are managed";

/// What systemd has.
pub enum Seen {
    /// This root is not a running system.
    NotLive,
    /// Something other than systemd runs this machine.
    NoSystemd,
    /// There is no bus over which systemd can be asked; a package may still bring it.
    Unreachable(String),
    /// The units, by the names that were asked for; and the files that are newer than running units, which use an older
    /// definition, or why that is unknown.
    Units(Units, BTreeMap<String, Result<Newer, Error>>),
}

properties! {
    Ensure => "ensure",
    Enable => "enable",
}

impl Provider for Services {
    type Want = Service;
    type Seen = Seen;
    type Property = Property;
    const ACTS_ANYWHERE: bool = true;
    const FIRST: bool = true;

    fn observe(&self, all: &[&Service], reading: Reading<'_>) -> Result<Seen, Error> {
        if reading.machine.liveness() != Liveness::Live {
            return Ok(Seen::NotLive);
        }
        if reading.machine.stat(Path::new(SYSTEMD_RUNS))?.is_none() {
            return Ok(Seen::NoSystemd);
        }
        let names: Vec<String> =
            all.iter().filter(|want| is_unit_name(want)).map(|want| want.unit()).collect();
        let bus = match Bus::connect() {
            Ok(bus) => bus,
            Err(error @ BusError::Unreachable(_)) => return Ok(Seen::Unreachable(error.to_string())),
            Err(error) => return Err(error.into()),
        };
        on_its_way::wait_for(&bus, all, reading)?;
        let asked = bus.units(names)?.into_iter();
        let mut units: Units = asked.map(|(name, unit)| (name, unit.map_err(Error::from))).collect();
        let links = unread::aliases(units.values_mut(), &bus, reading.machine);
        let mut newer = unread::of(units.values().flatten(), &bus, reading)?;
        newer.extend(links);
        let units = units.into_iter().map(|(name, unit)| (name, looked_at(unit, &bus, reading.machine)));
        let mut units: Units = units.collect();
        fall::look(&bus, all, &mut units, reading)?;
        fall::look_up(&bus, all, &mut units)?;
        Ok(Seen::Units(units, newer))
    }

    fn plan(&self, want: &Service, seen: &Seen, reading: Reading<'_>) -> Result<Plan, Error> {
        match seen {
            Seen::NotLive => {
                Ok(Plan::NotApplicable("services are managed on a running system only".to_owned()))
            }
            Seen::NoSystemd => Ok(Plan::NotApplicable(NO_SYSTEMD.to_owned())),
            Seen::Unreachable(why) => Ok(Plan::pending(why.clone())),
            Seen::Units(units, newer) => match units.get(&want.unit()) {
                Some(Ok(unit)) => {
                    if let Some(why) = alias::dangling(want, unit, reading.machine)? {
                        return Ok(Plan::pending(why));
                    }
                    let plan = difference(want, unit, links(want, unit, reading)?.as_ref());
                    unread::judged(want, unit, plan, newer.get(&unit.name))
                }
                Some(Err(error)) => Err(Error::Unsupported(error.to_string())),
                None => Err(Error::Unsupported(format!("`{}` cannot be the name of a unit", want.title))),
            },
        }
    }

    fn apply(&self, want: &Service, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let bus = Bus::connect()?;
        let name = want.unit();
        let mut applied = Applied::default();
        let mut order: Vec<usize> =
            (0..changes.len()).filter(|i| changes[*i].kind != ChangeKind::Note).collect();
        // A unit is stopped before it is masked, and enabled before it is started.
        let stops = want.ensure == Some(ServiceEnsure::Stopped);
        order.sort_by_key(|i| (changes[*i].property == Property::Enable) == stops);
        for i in order {
            let done = match (changes[i].property, want.ensure, want.enable) {
                _ if changes[i].kind == ChangeKind::Unread => Ok(bus.reload_definitions()?),
                (Property::Ensure, Some(ServiceEnsure::Running), _) => {
                    let unit = bus.unit(&name)?;
                    unread::read_what_is_new(&bus, &unit, writing.machine)?;
                    let watch = if changes[i].by_itself { WatchLength::Longer } else { WatchLength::Shortly };
                    // For a unit that counts as running, a start does nothing.
                    let is_up = unit.activity == UnitActivity::Running;
                    job(&bus, &name, if is_up { UnitVerb::Restart } else { UnitVerb::Start }, watch, writing)
                }
                (Property::Ensure, Some(ServiceEnsure::Stopped), _) => stop(&bus, &name, writing),
                (Property::Enable, _, Some(enable)) => set_enabling(&bus, &name, enable, writing),
                _ => Ok(()),
            };
            applied.failed.extend(done.err().map(|error| (i, error)));
        }
        Ok(applied)
    }

    fn refresh(
        &self,
        want: &Service,
        notice: Notice,
        corrected: &[Change],
        writing: Writing<'_>,
    ) -> Result<Refreshed, Error> {
        let not_needed = |why: &str| Ok(Refreshed::NotNeeded(why.to_owned()));
        if is_template(&want.unit()) {
            return not_needed("it is a template, and a template does not run");
        }
        let is_made =
            |change: &Change| change.kind == ChangeKind::Differs && change.property == Property::Ensure;
        if corrected.iter().any(is_made) {
            return not_needed("it was started or stopped in this run");
        }
        let bus = Bus::connect()?;
        let name = want.unit();
        let unit = bus.unit(&name)?;
        match unit.activity {
            UnitActivity::Failed if want.ensure.is_none() => return Err(Error::Refused(has_failed(&unit))),
            UnitActivity::Stopped | UnitActivity::Stopping | UnitActivity::Failed => {
                return not_needed("it is not running");
            }
            UnitActivity::Running | UnitActivity::Starting | UnitActivity::Restarting => {}
        }
        unread::read_what_is_new(&bus, &unit, writing.machine)?;
        match (notice, &want.restart) {
            (_, ServiceRestart::Restart | ServiceRestart::Reload) | (Notice::Reload, _)
                if socket::is_one(&unit) =>
            {
                Ok(Refreshed::Done(socket::restart(&bus, &unit.name, writing)?))
            }
            (Notice::Refresh, ServiceRestart::Restart) => {
                job(&bus, &name, UnitVerb::Restart, WatchLength::Shortly, writing)?;
                Ok(Refreshed::Done("restarted".to_owned()))
            }
            (Notice::Refresh, ServiceRestart::Command(command)) => {
                let command = Invocation::of(holdfast_catalog::resource::attribute::CommandLine::Shell(
                    command.clone(),
                ));
                let (began, before) = (crate::clock::now(), bus.run_of(&name)?);
                let output = writing.machine.run(&command)?;
                if !output.succeeded() {
                    return Err(Error::command(&command, &output));
                }
                bus.comes_up(&name, &|| writing.machine.stopping())
                    .map_err(|error| with_last_words(error, began, writing.machine))?;
                let is_same = before.is_some() && before == bus.run_of(&name)?;
                Ok(Refreshed::Done(was_run(&command.command.to_string(), &unit.name, is_same)))
            }
            (Notice::Reload, _) | (Notice::Refresh, ServiceRestart::Reload) => {
                job(&bus, &name, UnitVerb::Reload, WatchLength::Shortly, writing)?;
                Ok(Refreshed::Done("reloaded".to_owned()))
            }
        }
    }

    fn aliases(&self, want: &Service, seen: &Seen, reading: Reading<'_>) -> Vec<Alias> {
        let Seen::Units(units, _) = seen else { return Vec::new() };
        let asked = want.unit();
        let own = match units.get(&asked) {
            Some(Ok(_)) if is_template(&asked) => stands_for(&asked, reading.machine),
            Some(Ok(unit)) => Some(unit.name.clone()).filter(|name| *name != asked),
            Some(Err(_)) | None => None,
        };
        let mut aliases = match &own {
            Some(own) => Alias::all(want.claims_of(own), format!("`{asked}` is an alias of `{own}`")),
            None => Vec::new(),
        };
        let own = own.unwrap_or(asked);
        let first = Some(&own).filter(|own| is_template(own) && want.enable.is_some());
        if let Some(first) = first.and_then(|own| alias::default_instance(own, reading.machine)) {
            let boot = want.claims_of(&first).into_iter();
            let boot = boot.filter(|claim| claim.hold == Hold::Side("start at boot"));
            aliases.extend(Alias::all(boot, format!("`{own}` is enabled as `{first}`")));
        }
        aliases
    }

    fn left<'a>(&self, want: &'a Service) -> Left<'a> {
        let ensure = want.ensure.map(|ensure| ("ensure".into(), ensure.to_string().into()));
        let enable = want.enable.map(|enable| ("enable".into(), Cow::Owned(enable.to_string())));
        ensure.into_iter().chain(enable).collect()
    }
}

/// Units by the names that were asked for, or why nothing is known about one.
type Units = HashMap<String, Result<Unit, Error>>;

/// A unit with what the disk says about it beyond systemd.
fn looked_at(unit: Result<Unit, Error>, bus: &Bus, machine: &dyn Inspect) -> Result<Unit, Error> {
    let mut unit = unit?;
    alias::look(&mut unit, machine, |name| Bus::connect()?.unit(name))?;
    script::look(&mut unit, machine)?;
    hollow::look(&mut unit, bus, machine)?;
    Ok(unit)
}

/// The report of a command that notifies a unit instead of a restart; `is_same` says whether the unit is still in the
/// same run. The command may be meant to make the unit read its settings, or restart it after the wait ends.
fn was_run(command: &str, unit: &str, is_same: bool) -> String {
    match is_same {
        true => format!(
            "`{command}` was run, but {unit} is still in the same run as before: it has not been restarted yet"
        ),
        false => format!("`{command}` was run, and {unit} is up in a new run"),
    }
}

/// Why a notification is not acted on: the unit has failed, and no resource says that it should run.
fn has_failed(unit: &Unit) -> String {
    format!(
        "{} has failed and is not running, so there is nothing to restart: start it, or set `ensure`",
        unit.name
    )
}

/// Enables, disables or masks a unit; for an alias, the unit that it stands for. For the alias alone, systemd would
/// report success and do nothing.
fn set_enabling(bus: &Bus, name: &str, enable: ServiceEnable, writing: Writing<'_>) -> Result<(), Error> {
    let mut unit = bus.unit(name)?;
    alias::look(&mut unit, writing.machine, |name| bus.unit(name))?;
    if enable == ServiceEnable::Enabled
        && let Some(links) = InstallLinks::of(&unit.name, writing.named, writing.machine)?
    {
        links.clear(writing.machine)?;
    }
    bus.set_enabling(&unit.name, enable)?;
    let mut unit = bus.unit(&unit.name)?;
    script::look(&mut unit, writing.machine)?;
    match unit.enabling.never_enabled_because().filter(|_| enable == ServiceEnable::Enabled) {
        _ if unit.by_script => script::set_enabling(&unit, enable, writing),
        Some(why) => Err(Error::Unsupported(format!("`{}` cannot be enabled: {why}", unit.name))),
        None => Ok(()),
    }
}

fn job(bus: &Bus, name: &str, verb: UnitVerb, watch: WatchLength, writing: Writing<'_>) -> Result<(), Error> {
    let began = crate::clock::now();
    bus.run_job(name, verb, watch).map_err(|error| {
        if let BusError::StillAtIt { unit, .. } = &error {
            // It was already waited for in this run.
            writing.machine.in_vain().insert(unit.clone());
        }
        with_last_words(error, began, writing.machine)
    })?;
    match verb {
        UnitVerb::Start | UnitVerb::Restart => hollow::refuse(name, bus, writing.machine),
        UnitVerb::Stop | UnitVerb::Reload => Ok(()),
    }
}

/// Stops a unit, and checks that another running unit does not start it again at once: then stopping it once more would
/// not help.
fn stop(bus: &Bus, name: &str, writing: Writing<'_>) -> Result<(), Error> {
    let is_stopped = |other: &String| {
        let mut all = writing.named.of_type::<Service>();
        all.any(|want| want.unit() == *other && want.ensure == Some(ServiceEnsure::Stopped))
    };
    job(bus, name, UnitVerb::Stop, WatchLength::Shortly, writing)?;
    let starters = bus.up_beside(name, TriggerSide::StartedBy)?;
    if starters.is_empty() || starters.iter().all(is_stopped) || bus.stays_down(name)? {
        return Ok(());
    }
    Err(Error::Refused(fall::started_again(name, &starters)))
}

/// Adds to the error what the unit wrote since then, before it failed, which is where the reason is.
fn with_last_words(error: BusError, began: Timestamp, machine: &dyn Inspect) -> Error {
    let (unit, run, by) = match &error {
        BusError::Job { unit, run, by, .. } => (unit, run.as_ref(), by.as_ref()),
        BusError::StillAtIt { unit, .. } => (unit, None, None),
        _ => return error.into(),
    };
    hurry_journal(machine);
    // What the unit itself wrote, and what systemd wrote about it. The former is found by unit: for a process that is
    // already gone, the journal does not know the run.
    let failed = by.unwrap_or(unit);
    let (own, about) = (format!("_SYSTEMD_UNIT={failed}"), format!("UNIT={failed}"));
    let since = format!("--since=@{}.{:06}", began.as_second(), began.subsec_microsecond());
    let of_run = run.and_then(|run| words(&[&own, "+", &format!("INVOCATION_ID={run}")], machine));
    // What systemd refused to start at all, such as a socket, has no run of its own.
    let since_then = || words(&[&since, &own, "+", &about], machine);
    match of_run.or_else(since_then) {
        Some(said) => Error::Refused(format!("{error}\n{said}")),
        None => error.into(),
    }
}

/// Makes the journal write what it has received; if that fails, less is shown.
fn hurry_journal(machine: &dyn Inspect) {
    let _ = machine.probe(&Invocation::new(["journalctl", "--sync"]).timeout(JOURNAL_TIMEOUT));
}

/// The last matching lines of the journal; `None` if there are none.
fn words(which: &[&str], machine: &dyn Inspect) -> Option<String> {
    let journal = ["journalctl", "-q", "--no-pager", "-o", "cat", "-n", "6"];
    let journal = Invocation::new(journal.iter().chain(which).copied()).timeout(JOURNAL_TIMEOUT);
    let said = machine.probe(&journal).ok()?.text().trim_end().to_owned();
    (!said.trim().is_empty()).then_some(said)
}

/// systemd's own rule. A name that breaks it would make the query fail for all others.
fn is_unit_name(want: &Service) -> bool {
    want.unit().bytes().all(|b| b.is_ascii_alphanumeric() || b":-_.\\@".contains(&b))
}

/// If a unit should be enabled, and is according to systemd, how its links differ from what its file asks for.
fn links(want: &Service, unit: &Unit, reading: Reading<'_>) -> Result<Option<InstallLinks>, Error> {
    let is_enabled = want.enable == Some(ServiceEnable::Enabled) && unit.enabling == Enabling::Enabled;
    if !is_enabled || unit.by_script {
        return Ok(None);
    }
    InstallLinks::of(&unit.name, reading.named, reading.machine)
}

#[cfg(test)]
mod tests;
