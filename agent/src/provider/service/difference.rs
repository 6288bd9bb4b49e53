//! How a unit differs from what is wanted.

use holdfast_catalog::resource::Service;
use holdfast_catalog::resource::service::{ServiceEnable, ServiceEnsure};

use super::install::InstallLinks;
use super::unit::{Definition, Enabling, Fall, Hollow, Unit, UnitActivity, is_template};
use super::{Change, Plan, Property};
use crate::provider::{ChangeKind, Error};

/// The plan for a unit.
pub(super) fn difference(want: &Service, unit: &Unit, links: Option<&InstallLinks>) -> Result<Plan, Error> {
    if want.ensure.is_some() && is_template(&unit.name) {
        return Err(Error::Refused(format!(
            "`{}` is a template, and a template does not run: name an instance, such as `{}`, or leave `ensure` out",
            unit.name,
            unit.name.replacen("@.", "@1.", 1)
        )));
    }
    let runs_disabled =
        want.ensure == Some(ServiceEnsure::Running) && want.enable == Some(ServiceEnable::Disabled);
    if runs_disabled && unit.name != want.unit() {
        return Err(Error::Conflict(format!(
            "`{}` is an alias, and is removed when `{}` is disabled: name that unit",
            want.unit(),
            unit.name
        )));
    }
    let needs_definition =
        want.ensure == Some(ServiceEnsure::Running) || want.enable == Some(ServiceEnable::Enabled);
    match unit.definition {
        Definition::Missing if needs_definition => {
            return Ok(Plan::pending(format!(
                "there is no unit `{}`; an alias exists only while its unit is enabled",
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
    let ensure = match want.ensure.map(|ensure| (ensure, unit.activity)) {
        Some((ServiceEnsure::Running, _)) if enable.is_none() && unit.fails_again().is_some() => {
            return Err(Error::ByItself(unit.fails_again().unwrap_or_default().to_owned()));
        }
        Some(
            (ServiceEnsure::Running, UnitActivity::Starting)
            | (ServiceEnsure::Stopped, UnitActivity::Stopping),
        ) if enable.is_none() => {
            return Err(Error::Refused(is_on_its_way(unit)));
        }
        ensure => ensure.and_then(|(ensure, _)| activity_differs(ensure, unit)),
    };
    Ok(Plan::of(ensure.into_iter().chain(enable).collect()))
}

/// The message if a unit is not as it should be, although nothing can be done but wait, which was done.
fn is_on_its_way(unit: &Unit) -> String {
    let (name, is) = (&unit.name, unit.activity.words());
    let (what, anew) = match unit.activity {
        UnitActivity::Stopping => ("its processes have not ended", String::new()),
        _ => (
            "it has not reported that it is up, or is still waiting for something",
            format!(", and `systemctl restart {name}` starts it again, with its current definition"),
        ),
    };
    format!("{name} is still {is}: {what}; `systemctl status {name}` shows what it is doing{anew}")
}

/// The change if systemd calls a unit enabled, but it is not started the way its file says. If the file is newer than
/// the links, that is a new wish, and nobody touched the links.
fn links_differ(links: &InstallLinks) -> Option<Change> {
    let words = links.words()?;
    if !links.is_off() {
        let change = Change::new(Property::Enable, ServiceEnable::Enabled, ServiceEnable::Enabled);
        return Some(change.kind(ChangeKind::Note).note(words));
    }
    let also = links.is_outdated().then_some("true");
    let is = "true, but not as its [Install] section says";
    Some(Change::new(Property::Enable, is, ServiceEnable::Enabled).also(also).note(words))
}

fn activity_differs(ensure: ServiceEnsure, unit: &Unit) -> Option<Change> {
    if let (ServiceEnsure::Running, Some(hollow)) = (ensure, &unit.hollow) {
        return Some(without_process(ensure, hollow));
    }
    let in_sync = match ensure {
        ServiceEnsure::Running => unit.activity == UnitActivity::Running,
        ServiceEnsure::Stopped => matches!(unit.activity, UnitActivity::Stopped | UnitActivity::Failed),
    };
    let also = (unit.activity == UnitActivity::Failed).then_some("stopped");
    let change =
        (!in_sync).then(|| Change::new(Property::Ensure, unit.activity.words(), ensure).also(also))?;
    Some(match &unit.fall {
        Some(Fall::Down(how) | Fall::Up(how)) => change.by_itself().note(how),
        Some(Fall::Ended(how)) => change.note(how),
        Some(Fall::Again(_)) | None => change,
    })
}

/// The change for a unit that counts as running without a process: a remark if there is no script to ask.
fn without_process(ensure: ServiceEnsure, hollow: &Hollow) -> Change {
    match hollow {
        Hollow::Script(said) => Change::new(Property::Ensure, UnitActivity::Stopped.words(), ensure)
            .note(format!("systemd counts it as running (active, exited), but {said}")),
        Hollow::Native => Change::new(Property::Ensure, ensure, ensure).kind(ChangeKind::Note).note(
            "systemd counts it as running (active, exited), since its definition has RemainAfterExit=yes: none of its processes is there",
        ),
    }
}

fn enabling_differs(enable: ServiceEnable, unit: &Unit) -> Option<Change> {
    let fixed = unit.enabling.fixed_because();
    // What cannot be changed was in sync with either value.
    let also: &[&str] = if fixed.is_some() { &["true", "false"] } else { &[] };
    let change = || Change::new(Property::Enable, unit.enabling.words(), enable).also(also.iter().copied());
    match (enable, unit.enabling) {
        (ServiceEnable::Masked, Enabling::Masked) | (ServiceEnable::Enabled, Enabling::Enabled) => None,
        (ServiceEnable::Masked, _) => Some(change()),
        (ServiceEnable::Enabled, Enabling::Generated) => {
            let why = fixed.unwrap_or_default();
            Some(change().kind(ChangeKind::Note).note(format!("cannot be enabled: {why}")))
        }
        // This fails when it is tried, and everything else that is wanted is still done.
        (ServiceEnable::Enabled, is) => Some(match is.never_enabled_because() {
            Some(why) => change().note(format!("cannot be enabled: {why}")),
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
