//! The state of a unit at one moment, and what that says about a job just before.

use std::time::Duration;

use data_encoding::HEXLOWER;

use super::super::unit::UnitActivity;
use super::{Bus, BusError, SERVICE_INTERFACE, UNIT_INTERFACE, UnitVerb};

/// The state of a unit at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnitState {
    activity: UnitActivity,
    /// Whether something is in progress: a job, a start or a stop.
    pub(super) is_moving: bool,
    /// The `Type=` of a service; empty for anything else.
    kind: String,
    /// The latest run, by its id in the journal.
    pub(super) run: Option<String>,
    /// The result of its latest run.
    result: String,
    /// How its main process ended, as a code of the kernel; zero if unknown.
    code: i32,
    /// The exit status or signal of its main process; meaningless until that has ended.
    status: i32,
    /// The result of its latest reload.
    reload: String,
    /// Whether the conditions in its definition were met when it was last started.
    is_meant: bool,
}

impl Bus {
    pub(super) async fn state(&self, name: &str) -> Result<UnitState, BusError> {
        let (_, _, _, active, sub, _, object, job, ..) = self.listed(name).await?;
        let object = object.to_string();
        let of_service = |property| self.property::<String>(&object, SERVICE_INTERFACE, property);
        let run = self.property::<Vec<u8>>(&object, UNIT_INTERFACE, "InvocationID").await;
        let status = self.property::<i32>(&object, SERVICE_INTERFACE, "ExecMainStatus").await;
        let code = self.property::<i32>(&object, SERVICE_INTERFACE, "ExecMainCode").await;
        let is_meant = self.property::<bool>(&object, UNIT_INTERFACE, "ConditionResult").await;
        let activity = UnitActivity::read(&active, &sub);
        let moves = matches!(&*active, "activating" | "deactivating" | "reloading" | "refreshing");
        Ok(UnitState {
            activity,
            is_moving: job != 0 || moves && activity != UnitActivity::Restarting,
            kind: of_service("Type").await.unwrap_or_default(),
            run: run.filter(|run| !run.is_empty()).map(|run| HEXLOWER.encode(&run)),
            result: of_service("Result").await.unwrap_or_else(|| "failed".to_owned()),
            code: code.unwrap_or_default(),
            status: status.unwrap_or_default(),
            reload: of_service("ReloadResult").await.unwrap_or_else(|| SUCCESS.to_owned()),
            is_meant: is_meant.unwrap_or(true),
        })
    }
}

const SUCCESS: &str = "success";

/// The kernel's codes for a process that a signal ended: without a core dump, and with one.
const BY_A_SIGNAL: [i32; 2] = [2, 3];

/// Added to a signal's number: the exit status of many programs that end because of a signal.
const OF_A_SIGNAL: i32 = 128;

/// How a unit ended that is down, as far as that shows who caused it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitEnding {
    /// With this failure of its own.
    Failure(String),
    /// By a signal of this number, which others send.
    Signal(i32),
    /// Without a failure, or with one by which programs report a signal.
    Either(Option<String>),
}

/// Signals that the kernel sends to a process that makes a mistake, or that it sends itself: SIGILL, SIGTRAP, SIGABRT,
/// SIGBUS, SIGFPE, SIGSEGV, SIGSYS.
const OF_A_FAULT: [i32; 7] = [4, 5, 6, 7, 8, 11, 31];

#[cfg(test)]
impl UnitState {
    /// A unit with nothing wrong.
    pub(super) fn example(activity: UnitActivity, kind: &str) -> Self {
        Self {
            activity,
            is_moving: false,
            kind: kind.to_owned(),
            run: Some("1".to_owned()),
            result: SUCCESS.to_owned(),
            code: 0,
            status: 0,
            reload: SUCCESS.to_owned(),
            is_meant: true,
        }
    }
}

impl UnitState {
    /// Whether it is running, in the same run as before, and nothing is in progress.
    pub(super) fn is_settled(&self, before: &Self) -> bool {
        self.activity == UnitActivity::Running && !self.is_moving && self.run == before.run
    }

    /// The id of its latest run.
    pub(super) fn run(&self) -> Option<&str> {
        self.run.as_deref()
    }

    /// Whether it is a one-shot unit that has ended well.
    pub(super) fn has_ended_well(&self) -> bool {
        let has_ended = self.activity == UnitActivity::Stopped && !self.is_moving;
        has_ended && self.kind == "oneshot" && self.result == SUCCESS && self.is_meant
    }

    /// Why it is not running, this long after the end of a command that should have restarted it.
    pub(super) fn not_up(&self, verb: UnitVerb, after: Duration) -> String {
        let why = match self.activity {
            UnitActivity::Starting | UnitActivity::Stopping => "systemd is still working on it".to_owned(),
            UnitActivity::Running | UnitActivity::Stopped if self.is_moving => {
                "systemd is still working on it".to_owned()
            }
            UnitActivity::Running => "it does not stay up, and systemd keeps restarting it".to_owned(),
            UnitActivity::Failed => self.failure(verb),
            UnitActivity::Restarting => format!("{}, and systemd will start it again", self.failure(verb)),
            UnitActivity::Stopped => "it does not run".to_owned(),
        };
        format!("{} s after its own command for that had ended: {why}", after.as_secs())
    }

    /// Whether it may be down a moment after its job is done. For others, systemd waits until they report that they are
    /// up, or have gone into the background.
    pub(super) fn is_to_be_watched(&self, verb: UnitVerb) -> bool {
        match self.kind.as_str() {
            "" | "oneshot" => false,
            "simple" | "exec" | "idle" => true,
            // A reload is done when the signal was sent, or its command has ended.
            _ => verb == UnitVerb::Reload,
        }
    }

    /// Whether it is up as long as a process is, and not until someone takes back what it did.
    pub(super) fn is_of_a_process(&self) -> bool {
        !matches!(self.kind.as_str(), "" | "oneshot")
    }

    /// How it ended, if it is down.
    pub(super) fn ending(&self) -> UnitEnding {
        let is_of_others = |signal: i32| (1..=64).contains(&signal) && !OF_A_FAULT.contains(&signal);
        let failure = || self.failure(UnitVerb::Start);
        match self.result.as_str() {
            SUCCESS if BY_A_SIGNAL.contains(&self.code) => UnitEnding::Signal(self.status),
            SUCCESS => UnitEnding::Either(None),
            "signal" if is_of_others(self.status) => UnitEnding::Signal(self.status),
            "exit-code" if is_of_others(self.status - OF_A_SIGNAL) => UnitEnding::Either(Some(failure())),
            _ => UnitEnding::Failure(failure()),
        }
    }

    /// Why it is not running although its job was done; `None` if it is. `first` is its state just after the job.
    pub(super) fn is_down(&self, first: &Self, verb: UnitVerb) -> Option<String> {
        let is_another = self.run.is_some() && first.run.is_some() && self.run != first.run;
        match self.activity {
            UnitActivity::Running | UnitActivity::Starting if is_another => {
                Some("it did not stay up: systemd has already restarted it".to_owned())
            }
            UnitActivity::Running | UnitActivity::Starting => None,
            UnitActivity::Failed | UnitActivity::Restarting => Some(self.failure(verb)),
            UnitActivity::Stopped | UnitActivity::Stopping if !self.is_meant => Some(
                "systemd skipped it, since a condition (`Condition…=`) of its definition is not met".to_owned(),
            ),
            UnitActivity::Stopped | UnitActivity::Stopping if verb == UnitVerb::Start => Some(
                "it ended by itself at once; for a unit that does something and ends, leave `ensure` out, or give it \
                 RemainAfterExit=yes"
                    .to_owned(),
            ),
            UnitActivity::Stopped | UnitActivity::Stopping if self.kind == "oneshot" && self.result == SUCCESS => None,
            UnitActivity::Stopped | UnitActivity::Stopping => {
                Some("it ended at once, and is not running".to_owned())
            }
        }
    }

    /// How it failed.
    pub(super) fn failure(&self, verb: UnitVerb) -> String {
        let runs = matches!(self.activity, UnitActivity::Running | UnitActivity::Starting);
        if verb == UnitVerb::Reload && runs && self.reload != SUCCESS {
            return format!("its reload ended with {}; it keeps running unchanged", self.reload);
        }
        match self.status {
            0 => self.result.clone(),
            status => format!("{}, status {status}", self.result),
        }
    }

    /// The error if a job did not have the wanted result.
    pub(super) fn error(&self, name: &str, verb: UnitVerb, said: String) -> BusError {
        BusError::Job { unit: name.to_owned(), wanted: verb.done(), said, run: self.run.clone(), by: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(activity: UnitActivity, kind: &str) -> UnitState {
        UnitState::example(activity, kind)
    }

    #[test]
    fn a_unit_that_is_not_up_after_its_job_is_told_from_one_that_is() {
        let up = state(UnitActivity::Running, "simple");
        let another = UnitState { run: Some("2".to_owned()), ..up.clone() };
        let dead =
            UnitState { result: "exit-code".to_owned(), status: 3, ..state(UnitActivity::Failed, "simple") };
        let again = UnitState { activity: UnitActivity::Restarting, ..dead.clone() };
        let ended = state(UnitActivity::Stopped, "simple");
        let did_it = state(UnitActivity::Stopped, "oneshot");
        let did_not = UnitState { result: "exit-code".to_owned(), ..did_it.clone() };
        let skipped = UnitState { is_meant: false, ..ended.clone() };
        let starting = state(UnitActivity::Starting, "notify");
        let stopping = state(UnitActivity::Stopping, "simple");
        let cleans_up = state(UnitActivity::Stopping, "oneshot");
        for (now, verb, why) in [
            (&up, UnitVerb::Restart, None),
            (&another, UnitVerb::Restart, Some("already restarted it")),
            (&dead, UnitVerb::Restart, Some("exit-code, status 3")),
            (&again, UnitVerb::Start, Some("exit-code, status 3")),
            (&ended, UnitVerb::Restart, Some("ended at once, and is not running")),
            (&ended, UnitVerb::Start, Some("leave `ensure` out")),
            (&starting, UnitVerb::Reload, None),
            (&stopping, UnitVerb::Restart, Some("ended at once, and is not running")),
            (&stopping, UnitVerb::Start, Some("leave `ensure` out")),
            (&cleans_up, UnitVerb::Restart, None),
            (&did_it, UnitVerb::Restart, None),
            (&did_it, UnitVerb::Start, Some("leave `ensure` out")),
            (&did_not, UnitVerb::Restart, Some("is not running")),
            (&skipped, UnitVerb::Start, Some("`Condition…=`")),
            (&skipped, UnitVerb::Restart, Some("`Condition…=`")),
        ] {
            let said = now.is_down(&up, verb);
            assert_eq!(said.is_some(), why.is_some(), "{now:?} {verb:?}: {said:?}");
            assert!(why.is_none_or(|why| said.as_ref().unwrap().contains(why)), "{said:?}");
        }
    }

    #[test]
    fn what_a_command_is_still_restarting_is_neither_up_nor_down() {
        let up = state(UnitActivity::Running, "simple");
        assert!(up.is_settled(&up));
        let queued = UnitState { is_moving: true, ..up.clone() };
        let another = UnitState { run: Some("2".to_owned()), ..up.clone() };
        let stopping = UnitState { is_moving: true, ..state(UnitActivity::Stopping, "simple") };
        let starting = UnitState { is_moving: true, ..state(UnitActivity::Starting, "simple") };
        let waiting = UnitState { is_moving: true, ..state(UnitActivity::Stopped, "simple") };
        for other in [&queued, &another, &stopping, &starting, &waiting] {
            assert!(!other.is_settled(&up) && !other.has_ended_well(), "{other:?}");
        }
        assert!(another.is_settled(&another), "the run that it was restarted for");
        let did_it = state(UnitActivity::Stopped, "oneshot");
        assert!(did_it.has_ended_well());
        assert!(!UnitState { is_moving: true, ..did_it.clone() }.has_ended_well());
        assert!(!UnitState { result: "exit-code".to_owned(), ..did_it }.has_ended_well());
        let down = state(UnitActivity::Stopped, "simple").not_up(UnitVerb::Restart, Duration::from_secs(12));
        assert_eq!(down, "12 s after its own command for that had ended: it does not run");
        let dead =
            UnitState { result: "exit-code".to_owned(), status: 3, ..state(UnitActivity::Failed, "simple") };
        assert!(dead.not_up(UnitVerb::Restart, Duration::ZERO).ends_with("exit-code, status 3"));
        for still in [&stopping, &starting, &waiting] {
            let said = still.not_up(UnitVerb::Restart, Duration::from_secs(90));
            assert!(said.starts_with("90 s after") && said.ends_with("still working on it"), "{said}");
        }
    }

    #[test]
    fn what_failed_by_itself_is_told_from_what_was_killed() {
        let ended = |result: &str, code, status| UnitState {
            result: result.to_owned(),
            code,
            status,
            ..state(UnitActivity::Failed, "simple")
        };
        let failure = |words: &str| UnitEnding::Failure(words.to_owned());
        // As systemd 252 reports it.
        for (result, code, status, ending) in [
            ("exit-code", 1, 3, failure("exit-code, status 3")),
            ("exit-code", 1, 143, UnitEnding::Either(Some("exit-code, status 143".to_owned()))),
            ("exit-code", 1, 139, failure("exit-code, status 139")),
            ("exit-code", 1, 255, failure("exit-code, status 255")),
            ("signal", 2, 9, UnitEnding::Signal(9)),
            ("signal", 2, 15, UnitEnding::Signal(15)),
            ("signal", 2, 11, failure("signal, status 11")),
            ("core-dump", 3, 6, failure("core-dump, status 6")),
            ("watchdog", 2, 6, failure("watchdog, status 6")),
            ("timeout", 2, 15, failure("timeout, status 15")),
            ("oom-kill", 2, 9, failure("oom-kill, status 9")),
            ("start-limit-hit", 0, 0, failure("start-limit-hit")),
            ("success", 2, 15, UnitEnding::Signal(15)),
            ("success", 1, 0, UnitEnding::Either(None)),
            ("success", 0, 0, UnitEnding::Either(None)),
        ] {
            assert_eq!(ended(result, code, status).ending(), ending, "{result} {code} {status}");
        }
    }

    #[test]
    fn a_reload_that_failed_is_no_success() {
        let state = UnitState { reload: "exit-code".to_owned(), ..state(UnitActivity::Running, "notify") };
        assert_eq!(
            state.failure(UnitVerb::Reload),
            "its reload ended with exit-code; it keeps running unchanged"
        );
        assert!(state.is_to_be_watched(UnitVerb::Reload) && !state.is_to_be_watched(UnitVerb::Restart));
    }
}
