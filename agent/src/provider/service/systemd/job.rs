//! Jobs: what a unit is asked to do, and how that ended.
//!
//! A finished job says little about a service that counts as running as soon as its process exists: it may be gone a
//! moment later. So a unit is looked at after each job.

use std::collections::{BTreeSet, VecDeque};
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::time::{Duration, Instant};

use zbus::export::futures_core::Stream;
use zbus::{MatchRule, MessageStream, OwnedObjectPath};

use super::super::unit::UnitActivity;
use super::settling::{Settled, Settling, WATCHED};
use super::state::{UnitEnding, UnitState};
use super::waiting::{Stopping, wait};
use super::{Bus, BusError, MANAGER_INTERFACE, SYSTEMD, UNIT_INTERFACE};

/// How long a start or a stop is waited for. systemd itself ends most after 90 s.
const JOB_TIMEOUT: Duration = Duration::from_secs(300);

/// How often a unit is looked at while it is waited for.
const EVERY: Duration = Duration::from_millis(50);

/// The properties that name what a unit requires.
const REQUIRED: [&str; 3] = ["Requires", "BindsTo", "Requisite"];

/// The most required units that are looked at.
const MAX_REQUIRED: usize = 200;

/// What a unit can be asked to do in a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitVerb {
    Start,
    Stop,
    /// Stop and start it, if it runs.
    Restart,
    /// Make it read its configuration again, or restart it if it cannot do that; only if it runs.
    Reload,
}

/// How long a unit is watched after a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchLength {
    /// As long as a process takes that ends at once.
    Shortly,
    /// Long enough that a unit which failed by itself before has time to do so again.
    Longer,
}

/// How long a unit is watched that failed by itself before.
const LONGER: Duration = Duration::from_secs(10);

impl WatchLength {
    /// How long to watch a unit with this state just after its job.
    fn of(self, first: &UnitState, verb: UnitVerb) -> Duration {
        match self {
            Self::Longer if first.is_of_a_process() => LONGER,
            _ if first.is_to_be_watched(verb) => WATCHED,
            _ => Duration::ZERO,
        }
    }
}

impl UnitVerb {
    fn method(self) -> &'static str {
        match self {
            Self::Start => "StartUnit",
            Self::Stop => "StopUnit",
            Self::Restart => "TryRestartUnit",
            Self::Reload => "ReloadOrTryRestartUnit",
        }
    }

    pub(super) fn done(self) -> &'static str {
        match self {
            Self::Start => "started",
            Self::Stop => "stopped",
            Self::Restart => "restarted",
            Self::Reload => "reloaded",
        }
    }
}

impl Bus {
    /// Runs a job for a unit, with its definition as it is on disk. Waits until it has ended, and checks that the unit
    /// is then running if it should be.
    pub fn run_job(&self, name: &str, verb: UnitVerb, watch: WatchLength) -> Result<(), BusError> {
        wait(&self.runtime, async {
            // Otherwise systemd may forget how a unit ended before it is asked.
            let _ = self.manager::<_, ()>("RefUnit", name, &(name,)).await;
            if verb == UnitVerb::Start && self.unit_async(name).await?.activity == UnitActivity::Failed {
                // Otherwise a unit that failed often is not started again for a while.
                self.manager::<_, ()>("ResetFailedUnit", name, &(name,)).await?;
            }
            self.job(name, verb).await?;
            if verb == UnitVerb::Stop { Ok(()) } else { self.stays_up(name, verb, watch).await }
        })
    }

    /// Waits until a unit is running that something other than systemd has restarted, or is still restarting. A request
    /// to stop ends the wait.
    pub fn comes_up(&self, name: &str, stopping: &Stopping<'_>) -> Result<(), BusError> {
        wait(&self.runtime, self.settles(name, stopping))
    }

    /// How a unit ended that is down.
    pub fn ending(&self, name: &str) -> Result<UnitEnding, BusError> {
        wait(&self.runtime, async { Ok(self.state(name).await?.ending()) })
    }

    /// The latest run of a unit, by its id in the journal.
    pub fn run_of(&self, name: &str) -> Result<Option<String>, BusError> {
        wait(&self.runtime, async { Ok(self.state(name).await?.run().map(str::to_owned)) })
    }

    async fn job(&self, name: &str, verb: UnitVerb) -> Result<(), BusError> {
        let unit = self.unit_async(name).await?;
        if self.property::<bool>(&unit.object, UNIT_INTERFACE, "NeedDaemonReload").await == Some(true) {
            self.manager::<_, ()>("Reload", name, &()).await?;
        }
        let failed = |source| BusError::Call { call: "Subscribe", unit: name.to_owned(), source };
        match self.manager::<_, ()>("Subscribe", name, &()).await {
            // An earlier job on the same connection did that.
            Err(error) if error.is_already_subscribed() => {}
            subscribed => subscribed?,
        }
        // Before the call, so a job that ends at once is not missed.
        let mut ended = self.jobs_that_end().await.map_err(failed)?;
        let job: OwnedObjectPath = self.manager(verb.method(), name, &(name, "replace")).await?;
        let result = match tokio::time::timeout(JOB_TIMEOUT, result_of(&mut ended, &job)).await {
            Ok(result) => result.map_err(failed)?,
            Err(_) => {
                return Err(BusError::StillAtIt {
                    unit: name.to_owned(),
                    wanted: verb.done(),
                    after: JOB_TIMEOUT,
                });
            }
        };
        match &*result {
            // Skipped: the unit does not run, or one of its conditions is not met.
            "done" | "skipped" => Ok(()),
            "dependency" => Err(self.of_a_requirement(name, verb).await),
            "assert" => Err(not_done(name, verb, "an assertion (`Assert…=`) of its definition is not met")),
            "failed" | "timeout" => Err(self.failure(name, verb).await),
            other => Err(not_done(name, verb, format!("the job was ended: {other}"))),
        }
    }

    async fn jobs_that_end(&self) -> zbus::Result<MessageStream> {
        let rule = MatchRule::builder()
            .msg_type(zbus::message::Type::Signal)
            .sender(SYSTEMD)
            .interface(MANAGER_INTERFACE)
            .member("JobRemoved")
            .build()?;
        MessageStream::for_match_rule(rule, &self.connection, NonZeroUsize::new(1024)).await
    }

    /// Watches a unit for as long as it may be down without systemd having reported it.
    async fn stays_up(&self, name: &str, verb: UnitVerb, watch: WatchLength) -> Result<(), BusError> {
        let first = self.state(name).await?;
        let watched = watch.of(&first, verb);
        let began = Instant::now();
        let mut now = first.clone();
        loop {
            if let Some(said) = now.is_down(&first, verb) {
                return Err(now.error(name, verb, said));
            }
            if began.elapsed() >= watched {
                return Ok(());
            }
            tokio::time::sleep(EVERY).await;
            now = self.state(name).await?;
        }
    }

    /// Watches a unit that a command restarts until the result is known, or there is nothing to wait for any more.
    async fn settles(&self, name: &str, stopping: &Stopping<'_>) -> Result<(), BusError> {
        let (began, mut settling) = (Instant::now(), Settling::default());
        loop {
            let now = self.state(name).await?;
            let after = began.elapsed();
            match settling.look(after, &now) {
                Some(Settled::Up) => return Ok(()),
                Some(Settled::NotUp) => {
                    return Err(now.error(name, UnitVerb::Restart, now.not_up(UnitVerb::Restart, after)));
                }
                None => {}
            }
            if let Some(why) = stopping() {
                return Err(not_done(
                    name,
                    UnitVerb::Restart,
                    format!("it is not known whether it comes up, since {why}"),
                ));
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// The error if a unit was not started because another one failed.
    async fn of_a_requirement(&self, name: &str, verb: UnitVerb) -> BusError {
        let by = self.failed_requirement(name).await;
        let which = by
            .as_deref()
            .map_or("a unit that it requires".to_owned(), |by| format!("{by}, which it requires,"));
        let said = format!("{which} failed");
        BusError::Job { unit: name.to_owned(), wanted: verb.done(), said, run: None, by }
    }

    /// The unit that failed, among those that one requires, directly or through others.
    async fn failed_requirement(&self, name: &str) -> Option<String> {
        let mut seen = BTreeSet::from([name.to_owned()]);
        let mut open = VecDeque::from([name.to_owned()]);
        while let Some(name) = open.pop_front() {
            let object = self.unit_async(&name).await.ok()?.object;
            for kind in REQUIRED {
                let all = self.property::<Vec<String>>(&object, UNIT_INTERFACE, kind).await;
                for needed in all.unwrap_or_default() {
                    if seen.len() >= MAX_REQUIRED || !seen.insert(needed.clone()) {
                        continue;
                    }
                    match self.unit_async(&needed).await.map(|unit| unit.activity) {
                        Ok(UnitActivity::Failed | UnitActivity::Restarting) => return Some(needed),
                        Ok(UnitActivity::Stopped) => open.push_back(needed),
                        _ => {}
                    }
                }
            }
        }
        None
    }

    /// The error with which a unit failed, according to systemd.
    async fn failure(&self, name: &str, verb: UnitVerb) -> BusError {
        match self.state(name).await {
            Ok(state) => state.error(name, verb, state.failure(verb)),
            Err(_) => not_done(name, verb, "it failed"),
        }
    }
}

fn not_done(name: &str, verb: UnitVerb, said: impl Into<String>) -> BusError {
    BusError::Job { unit: name.to_owned(), wanted: verb.done(), said: said.into(), run: None, by: None }
}

/// Waits until a job has ended; returns its result.
async fn result_of(ended: &mut MessageStream, job: &OwnedObjectPath) -> zbus::Result<String> {
    loop {
        let message = std::future::poll_fn(|context| Pin::new(&mut *ended).poll_next(context)).await;
        let message =
            message.ok_or_else(|| zbus::Error::Failure("the connection was closed".to_owned()))??;
        let (_, path, _, result): (u32, OwnedObjectPath, String, String) = message.body().deserialize()?;
        if path == *job {
            return Ok(result);
        }
    }
}
