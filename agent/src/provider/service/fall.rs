//! What happened to services that nobody stopped: they failed by themselves, where no resource is blamed, or a signal
//! ended them.

use std::time::Duration;

use holdfast_catalog::count::counted;
use holdfast_catalog::resource::Service;
use holdfast_catalog::resource::service::ServiceEnsure;

use super::systemd::{Bus, TriggerSide, UnitEnding};
use super::unit::{Definition, Fall, Unit, UnitActivity, is_template};
use super::{Units, hurry_journal, words};
use crate::provider::{Error, Reading};
use crate::system::Inspect;

/// The longest time for which services that systemd has restarted are watched.
const PATIENCE: Duration = Duration::from_secs(90);

/// systemd's own ids of its messages about a unit: it is starting, it has started, it could not be started.
const STARTING: &str = "7d4958e842da4a758f6c1cdc7b36dcc5";
const STARTED: &str = "39f53479d3a045ac8e11786248231fbf";
const NOT_STARTED: &str = "be02cf6855d2428ba40df7e9d022f03d";

/// It is being stopped, and it has stopped, because someone asked for that.
const STOPPING: &str = "de5b426a63be47a7b6ac3eaac82e2f6f";
const STOPPED: &str = "9d1aaa27d60140bd96365438aad20286";

/// How its run ended, whether or not someone asked for that.
const SUCCEEDED: &str = "7ad2d189f7e94e70a38c781354912448";
const FAILED: &str = "d9b373ed55a64feb8242e02dbe79a49c";

const MESSAGES: [&str; 7] = [STARTING, STARTED, NOT_STARTED, STOPPING, STOPPED, SUCCEEDED, FAILED];

/// What systemd was last asked to do with a unit, according to the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastRequest {
    /// To start it or keep it running, which succeeded.
    Up,
    /// To start it, which failed.
    InVain,
    /// To stop it.
    Down,
    /// Unknown.
    Unknown,
}

/// Looks at the services that should run.
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
    let services = not_in_vain(services, machine);
    let watched = bus.relapses(&services, machine.patience(PATIENCE), &|| machine.stopping())?;
    machine.in_vain().extend(watched.open.iter().cloned());
    for name in &asked {
        let Some(Ok(unit)) = units.get_mut(name) else { continue };
        if watched.all.contains(&unit.name) {
            unit.activity = bus.unit(&unit.name)?.activity;
        }
        unit.fall = match watched.again.iter().find(|(name, _)| *name == unit.name) {
            Some((_, restarts)) => Some(Fall::Again(again(unit, *restarts, machine))),
            None => down(unit, bus, machine)?,
        };
    }
    Ok(())
}

/// The services that this run did not wait for in vain.
fn not_in_vain(services: Vec<Unit>, machine: &dyn Inspect) -> Vec<Unit> {
    let in_vain = machine.in_vain();
    services.into_iter().filter(|service| !in_vain.contains(&service.name)).collect()
}

/// Looks at the services that should be stopped and are not: other running units may start them.
pub(super) fn look_up(bus: &Bus, all: &[&Service], units: &mut Units) -> Result<(), Error> {
    for want in all.iter().filter(|want| want.ensure == Some(ServiceEnsure::Stopped)) {
        let Some(Ok(unit)) = units.get_mut(&want.unit()) else { continue };
        if !unit.activity.is_up() || is_template(&unit.name) {
            continue;
        }
        let starters = bus.up_beside(&unit.name, TriggerSide::StartedBy)?;
        if !starters.is_empty() {
            unit.fall = Some(Fall::Up(start_it(&starters)));
        }
    }
    Ok(())
}

/// The message that a unit was stopped in vain.
pub(super) fn started_again(name: &str, starters: &[String]) -> String {
    let them = if starters.len() == 1 { "that" } else { "those" };
    format!("{name} was stopped, but is running again: {}; stop and disable {them} too", start_it(starters))
}

fn start_it(starters: &[String]) -> String {
    let by = starters.join(" and ");
    if starters.len() == 1 {
        format!("{by} starts it, and is up")
    } else {
        format!("{by} start it, and are up")
    }
}

/// The message that a unit keeps failing, with its last log lines.
fn again(unit: &Unit, restarts: u32, machine: &dyn Inspect) -> String {
    let name = &unit.name;
    hurry_journal(machine);
    let said = words(&[&format!("_SYSTEMD_UNIT={name}"), "+", &format!("UNIT={name}")], machine);
    let said = said.map(|said| format!(":\n{said}")).unwrap_or_default();
    format!(
        "{name} does not stay up: it fails again and again, and systemd has restarted it ({} so far){said}",
        counted(restarts, "time", "times")
    )
}

/// What happened to a unit that does not run; `None` if someone stopped it, or nothing is known.
fn down(unit: &Unit, bus: &Bus, machine: &dyn Inspect) -> Result<Option<Fall>, Error> {
    let is_down = match unit.activity {
        UnitActivity::Failed | UnitActivity::Restarting => true,
        UnitActivity::Stopped => unit.definition == Definition::Found,
        UnitActivity::Stopping | UnitActivity::Running | UnitActivity::Starting => false,
    };
    if !is_down {
        return Ok(None);
    }
    hurry_journal(machine);
    Ok(match asked(&unit.name, machine) {
        LastRequest::Down => None,
        asked => fall(unit.activity, asked, bus.ending(&unit.name)?),
    })
}

/// What to report about a unit, if nobody is known to have stopped it.
fn fall(activity: UnitActivity, asked: LastRequest, ending: UnitEnding) -> Option<Fall> {
    if activity == UnitActivity::Stopped && asked != LastRequest::Up {
        return None;
    }
    let again = if activity == UnitActivity::Restarting { ", and systemd will start it again" } else { "" };
    let unasked = match asked {
        LastRequest::Unknown => "the journal does not show whether systemd was asked to stop it",
        LastRequest::Up | LastRequest::InVain | LastRequest::Down => "systemd was not asked to stop it",
    };
    Some(match ending {
        UnitEnding::Failure(how) if asked == LastRequest::Unknown => {
            Fall::Ended(format!("it had failed ({how}){again}; {unasked}"))
        }
        UnitEnding::Failure(how) if again.is_empty() => Fall::Down(format!("it had failed by itself: {how}")),
        UnitEnding::Failure(how) => Fall::Down(format!("it had failed by itself ({how}){again}")),
        UnitEnding::Signal(signal) => Fall::Ended(format!("signal {signal} had ended it{again}; {unasked}")),
        UnitEnding::Either(Some(how)) => Fall::Ended(format!(
            "it had failed ({how}){again}; {unasked}: it failed by itself, or a signal ended it"
        )),
        UnitEnding::Either(None) => {
            Fall::Ended(format!("it had ended{again}; {unasked}: it ended by itself, or a signal told it to"))
        }
    })
}

/// What systemd was last asked to do with a unit, according to what it logged about it since the machine started.
fn asked(unit: &str, machine: &dyn Inspect) -> LastRequest {
    let unit = format!("UNIT={unit}");
    let messages = MESSAGES.map(|id| format!("MESSAGE_ID={id}"));
    let which = ["-b", "-n", "8", "--output-fields=MESSAGE_ID", &unit];
    let which: Vec<&str> = which.into_iter().chain(messages.iter().map(String::as_str)).collect();
    words(&which, machine).map_or(LastRequest::Unknown, |said| last_asked(&said))
}

/// The same, from the ids of its messages, one per line.
fn last_asked(said: &str) -> LastRequest {
    let mut has_run = false;
    for id in said.lines().rev() {
        match id.trim() {
            STOPPING | STOPPED => return LastRequest::Down,
            STARTING | STARTED => return LastRequest::Up,
            NOT_STARTED => return LastRequest::InVain,
            // If someone asked for that, the journal has more messages after it.
            SUCCEEDED | FAILED => has_run = true,
            _ => {}
        }
    }
    if has_run { LastRequest::Up } else { LastRequest::Unknown }
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
            "x.service was stopped, but is running again: x.socket starts it, and is up; stop and disable that too"
        );
        let two = started_again("x.service", &["x.socket".to_owned(), "x.path".to_owned()]);
        assert!(
            two.contains("x.socket and x.path start it, and are up") && two.ends_with("those too"),
            "{two}"
        );
    }

    #[test]
    fn whether_a_unit_was_stopped_is_known_by_the_last_messages_of_it() {
        // As systemd 252 writes them.
        for (said, last) in [
            (vec![STARTED], LastRequest::Up),
            (vec![STARTED, STOPPING, SUCCEEDED, STOPPED], LastRequest::Down),
            // It exited with 143, did not end in time, or the stop command in its definition failed.
            (vec![STARTED, STOPPING, FAILED, STOPPED], LastRequest::Down),
            // It was about to be restarted when it was stopped.
            (vec![STARTED, FAILED, STOPPED], LastRequest::Down),
            (vec![STARTED, SUCCEEDED], LastRequest::Up),
            (vec![STARTED, STOPPING, SUCCEEDED, STOPPED, STARTED, FAILED], LastRequest::Up),
            (vec![STARTED, STOPPING, SUCCEEDED, STOPPED, STARTING, FAILED, NOT_STARTED], LastRequest::InVain),
            // systemd gave up restarting it.
            (vec![STARTED, FAILED, STOPPED, FAILED, NOT_STARTED], LastRequest::InVain),
            // Earlier messages are no longer kept.
            (vec![FAILED], LastRequest::Up),
            (vec![], LastRequest::Unknown),
        ] {
            let answer = said.join("\n");
            let double = Double::new(move |command| {
                let words = command.command.to_string();
                Some(said_of(words.contains("UNIT=x.service") && words.contains(STOPPED), &answer))
            });
            assert_eq!(asked("x.service", &double), last, "{said:?}");
        }
        assert_eq!(asked("x.service", &Double::new(|_| Some(failed(1, "no journal")))), LastRequest::Unknown);
    }

    fn said_of(is_asked: bool, answer: &str) -> crate::system::Output {
        said(if is_asked { answer } else { "something else" })
    }

    #[test]
    fn whose_doing_it_is_is_told_only_where_somebody_can_tell() {
        let failure = || UnitEnding::Failure("exit-code, status 3".to_owned());
        let traps = || UnitEnding::Either(Some("exit-code, status 143".to_owned()));
        let told = |activity, asked, ending| match fall(activity, asked, ending) {
            Some(Fall::Down(how)) => format!("by itself: {how}"),
            Some(Fall::Ended(how)) => how,
            other => format!("{other:?}"),
        };
        for (activity, asked, ending, words) in [
            (
                UnitActivity::Failed,
                LastRequest::Up,
                failure(),
                "by itself: it had failed by itself: exit-code, status 3",
            ),
            (
                UnitActivity::Failed,
                LastRequest::InVain,
                failure(),
                "by itself: it had failed by itself: exit-code, status 3",
            ),
            (
                UnitActivity::Restarting,
                LastRequest::Up,
                failure(),
                "by itself: it had failed by itself (exit-code, status 3), and systemd will start it again",
            ),
            (
                UnitActivity::Failed,
                LastRequest::Unknown,
                failure(),
                "it had failed (exit-code, status 3); the journal does not show whether systemd was asked to stop it",
            ),
            (
                UnitActivity::Failed,
                LastRequest::Up,
                traps(),
                "it had failed (exit-code, status 143); systemd was not asked to stop it: it failed by itself, or a \
                 signal ended it",
            ),
            (
                UnitActivity::Stopped,
                LastRequest::Up,
                UnitEnding::Signal(15),
                "signal 15 had ended it; systemd was not asked to stop it",
            ),
            (
                UnitActivity::Stopped,
                LastRequest::Up,
                UnitEnding::Either(None),
                "it had ended; systemd was not asked to stop it: it ended by itself, or a signal told it to",
            ),
            (UnitActivity::Stopped, LastRequest::Unknown, UnitEnding::Either(None), "None"),
            (UnitActivity::Stopped, LastRequest::InVain, UnitEnding::Either(None), "None"),
        ] {
            assert_eq!(told(activity, asked, ending.clone()), words, "{activity:?} {asked:?} {ending:?}");
        }
    }

    #[test]
    fn a_service_that_was_watched_in_vain_is_not_watched_again_in_this_run() {
        let double = Double::new(|_| None);
        let unit = |name: &str| Unit {
            name: name.to_owned(),
            object: String::new(),
            definition: Definition::Found,
            activity: UnitActivity::Restarting,
            enabling: crate::provider::service::unit::Enabling::Enabled,
            by_script: false,
            hollow: None,
            fall: None,
        };
        double.in_vain().insert("slow.service".to_owned());
        let left = not_in_vain(vec![unit("slow.service"), unit("x.service")], &double);
        assert_eq!(left.iter().map(|unit| &*unit.name).collect::<Vec<_>>(), ["x.service"]);
    }
}
