//! What services came to by themselves: nobody stopped them, and nobody is to be named as the cause.

use std::time::Duration;

use holdfast_catalog::count::counted;
use holdfast_catalog::resource::Service;
use holdfast_catalog::resource::service::ServiceEnsure;

use super::systemd::{Bus, TriggerSide};
use super::unit::{Definition, Fall, Unit, UnitActivity, is_template};
use super::{Units, hurry_journal, words};
use crate::provider::{Error, Reading};
use crate::system::Inspect;

/// How long services that systemd has restarted are watched, at most.
const PATIENCE: Duration = Duration::from_secs(90);

/// systemd's own numbers of two of its messages: that a unit is up, and that it is being stopped since somebody asked for that.
const STARTED: &str = "39f53479d3a045ac8e11786248231fbf";
const STOPPING: &str = "de5b426a63be47a7b6ac3eaac82e2f6f";

/// Looks at the services that are to run.
pub(super) fn look(
    bus: &Bus,
    all: &[&Service],
    units: &mut Units,
    reading: Reading<'_>,
) -> Result<(), Error> {
    let machine = reading.machine;
    let to_run =
        all.iter().filter(|want| want.ensure == Some(ServiceEnsure::Running)).map(|want| want.unit());
    let is_service = |unit: &Unit| unit.name.ends_with(".service") && !is_template(&unit.name);
    let asked: Vec<String> =
        to_run.filter(|name| matches!(units.get(name), Some(Ok(unit)) if is_service(unit))).collect();
    let services: Vec<Unit> =
        asked.iter().filter_map(|name| units.get(name)?.as_ref().ok()).cloned().collect();
    let watched = bus.relapses(&services, machine.patience(PATIENCE), &|| machine.stopping())?;
    for name in &asked {
        let Some(Ok(unit)) = units.get_mut(name) else { continue };
        if watched.all.contains(&unit.name) {
            unit.activity = bus.unit(&unit.name)?.activity;
        }
        unit.fall = match watched.again.iter().find(|(name, _)| *name == unit.name) {
            Some((_, restarts)) => Some(Fall::Again(again(unit, *restarts, machine))),
            None => down(unit, bus, machine)?.map(Fall::Down),
        };
    }
    Ok(())
}

/// Looks at the services that are to be stopped, and are not: others that are up may start them.
pub(super) fn look_up(bus: &Bus, all: &[&Service], units: &mut Units) -> Result<(), Error> {
    for want in all.iter().filter(|want| want.ensure == Some(ServiceEnsure::Stopped)) {
        let Some(Ok(unit)) = units.get_mut(&want.unit()) else { continue };
        if !unit.activity.is_up() || is_template(&unit.name) {
            continue;
        }
        let starters = bus.up_beside(&unit.name, TriggerSide::StartedBy)?;
        if !starters.is_empty() {
            unit.fall = Some(Fall::Up(format!("{} starts it, and is up", starters.join(" and "))));
        }
    }
    Ok(())
}

/// That a unit was stopped in vain.
pub(super) fn started_again(name: &str, starters: &[String]) -> String {
    let by = starters.join(" and ");
    let them = if starters.len() == 1 { "that" } else { "those" };
    format!("{name} was stopped, and runs again: {by} starts it, and is up; stop and disable {them} too")
}

/// That a unit fails again and again, with its last words.
fn again(unit: &Unit, restarts: u32, machine: &dyn Inspect) -> String {
    let name = &unit.name;
    hurry_journal(machine);
    let said = words(&[&format!("_SYSTEMD_UNIT={name}"), "+", &format!("UNIT={name}")], machine);
    let said = said.map(|said| format!(":\n{said}")).unwrap_or_default();
    format!(
        "{name} does not stay up: it fails again and again, and systemd has restarted it ({} by now){said}",
        counted(restarts, "time", "times")
    )
}

/// How a unit that does not run came to that by itself; none where somebody stopped it, or nobody can tell.
fn down(unit: &Unit, bus: &Bus, machine: &dyn Inspect) -> Result<Option<String>, Error> {
    Ok(match unit.activity {
        UnitActivity::Failed => {
            bus.failed_by_itself(&unit.name)?.map(|how| format!("it had failed by itself: {how}"))
        }
        UnitActivity::Restarting => bus
            .failed_by_itself(&unit.name)?
            .map(|how| format!("it had failed by itself ({how}), and systemd will start it again")),
        UnitActivity::Stopped if unit.definition == Definition::Found && has_ended(&unit.name, machine) => {
            Some("it had ended by itself: systemd was not asked to stop it".to_owned())
        }
        UnitActivity::Stopped | UnitActivity::Stopping | UnitActivity::Running | UnitActivity::Starting => {
            None
        }
    })
}

/// Whether a unit that was up ended, and was not stopped, by what systemd wrote of it last.
fn has_ended(unit: &str, machine: &dyn Inspect) -> bool {
    let unit = format!("UNIT={unit}");
    let messages = [STARTED, STOPPING].map(|id| format!("MESSAGE_ID={id}"));
    let which = ["-b", "-n", "1", "--output-fields=MESSAGE_ID", &unit, &messages[0], &messages[1]];
    words(&which, machine).is_some_and(|last| last.trim() == STARTED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::double::{Double, failed, said};

    #[test]
    fn who_starts_a_unit_again_is_named_with_what_to_do() {
        let one = started_again("x.service", &["x.socket".to_owned()]);
        assert_eq!(
            one,
            "x.service was stopped, and runs again: x.socket starts it, and is up; stop and disable that too"
        );
        let two = started_again("x.service", &["x.socket".to_owned(), "x.path".to_owned()]);
        assert!(two.contains("x.socket and x.path starts it") && two.ends_with("those too"), "{two}");
    }

    #[test]
    fn whether_a_unit_was_stopped_is_known_by_the_last_message_of_it() {
        for (answer, is) in [(STARTED, true), (STOPPING, false), ("", false)] {
            let double = Double::new(move |command| {
                let words = command.command.to_string();
                let is_asked = words.contains("UNIT=x.service") && words.contains("-n 1");
                Some(said(if is_asked { answer } else { "something else" }))
            });
            assert_eq!(has_ended("x.service", &double), is, "{answer}");
        }
        assert!(!has_ended("x.service", &Double::new(|_| Some(failed(1, "no journal")))));
    }
}
