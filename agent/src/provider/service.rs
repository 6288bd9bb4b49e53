//! `service`: units of systemd, asked and told over D-Bus.
//!
//! Needs a running system with systemd. What has no unit file of its own, and what cannot be enabled, is said and not
//! tried again and again.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;

use holdfast_catalog::claim::Hold;
use holdfast_catalog::resource::service::{ServiceEnable, ServiceEnsure, ServiceRestart};
use holdfast_catalog::resource::{Service, SystemdUnit};

use super::{
    Alias, Applied, ChangeKind, Error, Left, Notice, Provider, Reading, Refreshed, Writing, properties,
};
use crate::system::{FileKind, Inspect, Invocation, Liveness};

mod alias;
mod definition;
mod install;
mod script;
mod systemd;
mod unit;

pub(super) use alias::stands_for;
pub use systemd::{Bus, BusError};

use install::Links;
use systemd::{Units, Verb};
use unit::{Activity, Definition, Enabling, Unit, is_template};

/// Services of systemd.
pub struct Services;

const NO_SYSTEMD: &str = "this machine is not run by systemd (there is no /run/systemd/system), and services of no other are managed";

/// What systemd has.
pub enum Seen {
    /// This root is no running system.
    NotLive,
    /// Something else than systemd runs this machine.
    NoSystemd,
    /// systemd cannot be asked now.
    Unreachable(String),
    /// The units that were asked for, by the names that were used, and those of them whose definition was not read as it is.
    Units(Units, BTreeSet<String>),
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

    fn observe(&self, all: &[&Service], reading: Reading<'_>) -> Result<Seen, Error> {
        if reading.machine.liveness() != Liveness::Live {
            return Ok(Seen::NotLive);
        }
        // The test that systemd's own programs use.
        if reading.machine.stat(Path::new("/run/systemd/system"))?.is_none() {
            return Ok(Seen::NoSystemd);
        }
        let names: Vec<String> =
            all.iter().filter(|want| is_unit_name(want)).map(|want| want.unit()).collect();
        let asked = Bus::connect().and_then(|bus| {
            let units = bus.units(names)?;
            let known = units.values().flatten().filter(|unit| !is_template(&unit.name));
            let stale = bus.stale(known.map(|unit| &*unit.name))?;
            Ok((units, stale.into_iter().map(|stale| stale.unit).collect()))
        });
        match asked {
            Ok((mut units, stale)) => {
                for unit in units.values_mut().flatten() {
                    alias::look(unit, reading.machine, |name| Bus::connect()?.unit(name))?;
                    script::look(unit, reading.machine)?;
                }
                Ok(Seen::Units(units, stale))
            }
            Err(error) => Ok(Seen::Unreachable(error.to_string())),
        }
    }

    fn plan(&self, want: &Service, seen: &Seen, reading: Reading<'_>) -> Result<Plan, Error> {
        match seen {
            Seen::NotLive => {
                Ok(Plan::NotApplicable("services are managed on a running system only".to_owned()))
            }
            Seen::NoSystemd => Ok(Plan::NotApplicable(NO_SYSTEMD.to_owned())),
            Seen::Unreachable(why) => Ok(Plan::Pending(why.clone())),
            Seen::Units(units, stale) => match units.get(&want.unit()) {
                Some(Ok(unit)) => {
                    let plan = difference(want, unit, links(want, unit, reading)?.as_ref())?;
                    let is_stale = stale.contains(&unit.name) && unit.activity == Activity::Running;
                    Ok(if is_stale { with_old_definition(plan, want, unit, reading) } else { plan })
                }
                Some(Err(error)) => Err(Error::Unsupported(error.to_string())),
                None => Err(Error::Unsupported(format!("`{}` cannot be the name of a unit", want.title))),
            },
        }
    }

    fn apply(&self, want: &Service, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let bus = Bus::connect()?;
        let name = want.unit();
        let machine = writing.machine;
        let mut applied = Applied::default();
        let mut order: Vec<usize> =
            (0..changes.len()).filter(|i| changes[*i].kind != ChangeKind::Note).collect();
        // What is to stop is stopped before it is masked; what is to run is enabled before it is started.
        let stops = want.ensure == Some(ServiceEnsure::Stopped);
        order.sort_by_key(|i| (changes[*i].property == Property::Enable) == stops);
        for i in order {
            let done = match (changes[i].property, want.ensure, want.enable) {
                (Property::Ensure, Some(ServiceEnsure::Running), _) => {
                    read_new_drop_ins(&bus, &bus.unit(&name)?, machine)?;
                    bus.start(&name).map_err(|error| with_last_words(error, machine))
                }
                (Property::Ensure, Some(ServiceEnsure::Stopped), _) => job(&bus, &name, Verb::Stop, writing),
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
        mended: &[Change],
        writing: Writing<'_>,
    ) -> Result<Refreshed, Error> {
        let not_needed = |why: &str| Ok(Refreshed::NotNeeded(why.to_owned()));
        if is_template(&want.unit()) {
            return not_needed("it is a template, of which nothing runs");
        }
        if mended.iter().any(|change| change.property == Property::Ensure) {
            return not_needed("it was started or stopped in this run");
        }
        let bus = Bus::connect()?;
        let name = want.unit();
        let unit = bus.unit(&name)?;
        if matches!(unit.activity, Activity::Stopped | Activity::Failed) {
            return not_needed("it is not running");
        }
        read_new_drop_ins(&bus, &unit, writing.machine)?;
        match (notice, &want.restart) {
            (Notice::Refresh, ServiceRestart::Restart) => {
                job(&bus, &name, Verb::Restart, writing)?;
                Ok(Refreshed::Done("restarted".to_owned()))
            }
            (Notice::Refresh, ServiceRestart::Command(command)) => {
                let command =
                    Invocation::of(holdfast_catalog::resource::attribute::Command::Shell(command.clone()));
                let output = writing.machine.run(&command)?;
                if !output.succeeded() {
                    return Err(Error::command(&command, &output));
                }
                Ok(Refreshed::Done(format!("`{}` was run", command.command)))
            }
            (Notice::Reload, _) | (Notice::Refresh, ServiceRestart::Reload) => {
                job(&bus, &name, Verb::Reload, writing)?;
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

/// systemd sees by itself that a definition changed that it has read, but not that a unit got its first drop-in: it
/// remembers which directories there are.
fn read_new_drop_ins(bus: &Bus, unit: &Unit, machine: &dyn Inspect) -> Result<(), Error> {
    const DIRS: [&str; 4] = [
        "/etc/systemd/system",
        "/run/systemd/system",
        "/usr/local/lib/systemd/system",
        "/usr/lib/systemd/system",
    ];
    let read = bus.drop_ins(unit);
    let is_read = |name: &str| read.iter().any(|path| path.rsplit('/').next() == Some(name));
    for dir in DIRS {
        let dir = Path::new(dir).join(format!("{}.d", unit.name));
        if machine.stat(&dir)?.is_none_or(|stat| stat.kind != FileKind::Directory) {
            continue;
        }
        let names = machine.list(&dir)?;
        if names.iter().filter_map(|name| name.to_str()).any(|name| name.ends_with(".conf") && !is_read(name))
        {
            return Ok(bus.reload_definitions()?);
        }
    }
    Ok(())
}

/// Says when a unit is to be started: of an alias, the unit that it stands for. Of the alias alone systemd would say that
/// it is done, and do nothing.
fn set_enabling(bus: &Bus, name: &str, enable: ServiceEnable, writing: Writing<'_>) -> Result<(), Error> {
    let mut unit = bus.unit(name)?;
    alias::look(&mut unit, writing.machine, |name| bus.unit(name))?;
    if enable == ServiceEnable::Enabled
        && let Some(links) = Links::of(&unit.name, writing.named, writing.machine)?
    {
        links.clear(writing.machine)?;
    }
    bus.set_enabling(&unit.name, enable)?;
    let mut unit = bus.unit(&unit.name)?;
    script::look(&mut unit, writing.machine)?;
    if unit.by_script { script::set_enabling(&unit, enable, writing) } else { Ok(()) }
}

fn job(bus: &Bus, name: &str, verb: Verb, writing: Writing<'_>) -> Result<(), Error> {
    bus.run_job(name, verb).map_err(|error| with_last_words(error, writing.machine))
}

/// With what the unit wrote before it failed, which is where the reason stands.
fn with_last_words(error: BusError, machine: &dyn Inspect) -> Error {
    let BusError::Job { unit, run: Some(run), .. } = &error else { return error.into() };
    // What the unit wrote itself, and what systemd wrote about it. The first is found by the unit: of a process that is
    // gone already the journal no longer knows the run.
    let (own, about) = (format!("_SYSTEMD_UNIT={unit}"), format!("INVOCATION_ID={run}"));
    // What is on its way to the journal must be there first; if it cannot be hurried, less is shown.
    let _ = machine.probe(&Invocation::new(["journalctl", "--sync"]));
    let journal = ["journalctl", "-q", "--no-pager", "-o", "cat", "-n", "6", &own, "+", &about];
    match machine.probe(&Invocation::new(journal)) {
        Ok(output) if !output.text().trim().is_empty() => {
            Error::Refused(format!("{error}\n{}", output.text().trim_end()))
        }
        _ => error.into(),
    }
}

/// systemd's own rule; a name that breaks it would fail the question for all others.
fn is_unit_name(want: &Service) -> bool {
    want.unit().bytes().all(|b| b.is_ascii_alphanumeric() || b":-_.\\@".contains(&b))
}

/// Says that a unit runs by a definition that is no longer the one on disk. A unit of a `systemd_unit` says so itself.
fn with_old_definition(plan: Plan, want: &Service, unit: &Unit, reading: Reading<'_>) -> Plan {
    let says = |definition: &SystemdUnit| definition.title.unit() == unit.name;
    match plan {
        Plan::InSync(mut said) if !reading.named.of_type::<SystemdUnit>().any(says) => {
            let note = "its definition on disk was not read by systemd yet, and it runs by an older one: `systemctl \
                        daemon-reload` reads it, a restart takes it; a `systemd_unit` is read at once";
            let is = unit.activity.words();
            let should = want.ensure.map_or_else(|| is.to_owned(), |ensure| ensure.to_string());
            said.push(Change::new(Property::Ensure, is, should).kind(ChangeKind::Note).note(note));
            Plan::InSync(said)
        }
        plan => plan,
    }
}

/// How the links of a unit that is to be enabled, and is by systemd's word, differ from what its file asks for.
fn links(want: &Service, unit: &Unit, reading: Reading<'_>) -> Result<Option<Links>, Error> {
    let is_enabled = want.enable == Some(ServiceEnable::Enabled) && unit.enabling == Enabling::Enabled;
    if !is_enabled || unit.by_script {
        return Ok(None);
    }
    Links::of(&unit.name, reading.named, reading.machine)
}

/// What differs from what is wanted.
fn difference(want: &Service, unit: &Unit, links: Option<&Links>) -> Result<Plan, Error> {
    if want.ensure.is_some() && is_template(&unit.name) {
        return Err(Error::Refused(format!(
            "`{}` is a template, of which nothing runs: name an instance, such as `{}`, or leave `ensure` out",
            unit.name,
            unit.name.replacen("@.", "@1.", 1)
        )));
    }
    let runs_disabled =
        want.ensure == Some(ServiceEnsure::Running) && want.enable == Some(ServiceEnable::Disabled);
    if runs_disabled && unit.name != want.unit() {
        return Err(Error::Conflict(format!(
            "`{}` is an alias, and goes when `{}` is disabled: name that",
            want.unit(),
            unit.name
        )));
    }
    let needs_definition =
        want.ensure == Some(ServiceEnsure::Running) || want.enable == Some(ServiceEnable::Enabled);
    match unit.definition {
        Definition::Missing if needs_definition => {
            return Ok(Plan::Pending(format!(
                "there is no unit `{}`; an alias is there only while the unit that it stands for is enabled",
                unit.name
            )));
        }
        Definition::Bad if needs_definition => {
            let why = "systemd cannot use its definition; see `systemd-analyze verify`";
            return Err(Error::Refused(format!("{}: {why}", unit.name)));
        }
        Definition::Missing | Definition::Bad | Definition::Found => {}
    }
    let enable =
        want.enable.and_then(|enable| enabling_differs(enable, unit)).or_else(|| links_differ(links?));
    let ensure = want.ensure.and_then(|ensure| activity_differs(ensure, unit));
    Ok(Plan::of(ensure.into_iter().chain(enable).collect()))
}

/// What systemd calls enabled, and starts otherwise than the unit's file says. A file that is newer than the links is a new
/// wish, and no hand on them.
fn links_differ(links: &Links) -> Option<Change> {
    let words = links.words()?;
    if !links.is_off() {
        let change = Change::new(Property::Enable, ServiceEnable::Enabled, ServiceEnable::Enabled);
        return Some(change.kind(ChangeKind::Note).note(words));
    }
    let also = links.is_outdated().then_some("true");
    let is = "true, otherwise than its [Install] says";
    Some(Change::new(Property::Enable, is, ServiceEnable::Enabled).also(also).note(words))
}

fn activity_differs(ensure: ServiceEnsure, unit: &Unit) -> Option<Change> {
    let in_sync = match ensure {
        ServiceEnsure::Running => unit.activity == Activity::Running,
        ServiceEnsure::Stopped => matches!(unit.activity, Activity::Stopped | Activity::Failed),
    };
    let also = (unit.activity == Activity::Failed).then_some("stopped");
    (!in_sync).then(|| Change::new(Property::Ensure, unit.activity.words(), ensure).also(also))
}

fn enabling_differs(enable: ServiceEnable, unit: &Unit) -> Option<Change> {
    let fixed = unit.enabling.fixed_because();
    // What cannot be changed was in sync with either wish.
    let also: &[&str] = if fixed.is_some() { &["true", "false"] } else { &[] };
    let change = || Change::new(Property::Enable, unit.enabling.words(), enable).also(also.iter().copied());
    match (enable, unit.enabling) {
        (ServiceEnable::Masked, Enabling::Masked) | (ServiceEnable::Enabled, Enabling::Enabled) => None,
        (ServiceEnable::Masked, _) => Some(change()),
        (ServiceEnable::Enabled, _) => Some(match fixed {
            Some(why) => change().kind(ChangeKind::Note).note(format!("cannot be enabled: {why}")),
            None => change(),
        }),
        (
            ServiceEnable::Disabled,
            Enabling::Enabled | Enabling::EnabledForNow | Enabling::Masked | Enabling::MaskedForNow,
        ) => Some(change()),
        (ServiceEnable::Disabled, Enabling::Generated) => {
            let why = fixed.unwrap_or_default();
            Some(change().kind(ChangeKind::Note).note(format!("cannot be disabled: {why}")))
        }
        (ServiceEnable::Disabled, _) => None,
    }
}

#[cfg(test)]
mod tests;
