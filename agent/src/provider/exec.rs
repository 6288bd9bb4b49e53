//! `exec`: a command, run where its guards say that there is something to do.
//!
//! Guards are probes: they run in an audit, too, and one at a time. A command that ran in its own turn is not run again for a
//! notification.

use std::path::Path;
use std::time::Duration;

use holdfast_catalog::resource::Exec;
use holdfast_catalog::resource::attribute::Command;

use super::{
    Applied, ChangeKind, Error, Left, Notice, Planned, Provider, Reading, Refreshed, Writing, properties,
};
use crate::system::{self, Exit, Inspect, Invocation, Liveness};

const PRESENT: &str = "present";
const SUCCEEDS: &str = "succeeds";
const FAILS: &str = "fails";

/// A timeout of zero means none; this is as good.
const NO_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3600);

/// The provider of `exec`.
pub struct Commands;

properties! {
    Creates => "creates",
    Unless => "unless",
    OnlyIf => "only_if",
    Always => "always",
}

impl Provider for Commands {
    type Want = Exec;
    type Seen = ();
    type Property = Property;

    const PLANNED: Planned = Planned::OneByOne;

    fn observe(&self, _: &[&Exec], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, want: &Exec, (): &(), reading: Reading<'_>) -> Result<Plan, Error> {
        if reading.machine.liveness() == Liveness::Directory {
            return Ok(Plan::NotApplicable("commands are not run for a root that is not running".to_owned()));
        }
        if want.refresh_only {
            return Ok(Plan::IN_SYNC);
        }
        match guards(want, reading.machine) {
            Ok(Guards::NothingToDo) => Ok(Plan::IN_SYNC),
            Ok(Guards::Run(changes)) => Ok(Plan::of(changes)),
            Err(Error::System(error @ (system::Error::Spawn { .. } | system::Error::NoSuchUser { .. }))) => {
                Ok(Plan::Pending(format!("its guard cannot be asked: {error}")))
            }
            Err(error) => Err(error),
        }
    }

    fn apply(&self, want: &Exec, _: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        run(want, writing)?;
        Ok(Applied::default())
    }

    fn refresh(
        &self,
        want: &Exec,
        _: Notice,
        mended: &[Change],
        writing: Writing<'_>,
    ) -> Result<Refreshed, Error> {
        if !mended.is_empty() {
            return Ok(Refreshed::NotNeeded("it ran in its own turn".to_owned()));
        }
        if !want.refresh_only || matches!(guards(want, writing.machine)?, Guards::NothingToDo) {
            return Ok(Refreshed::NotNeeded("its guard says that there is nothing to do".to_owned()));
        }
        run(want, writing)?;
        Ok(Refreshed::Done("ran".to_owned()))
    }

    fn left<'a>(&self, want: &'a Exec) -> Left<'a> {
        let mut left = Left::new();
        left.extend(want.creates.is_some().then_some(("creates".into(), PRESENT.into())));
        left.extend(want.unless.is_some().then_some(("unless".into(), SUCCEEDS.into())));
        left.extend(want.only_if.is_some().then_some(("only_if".into(), FAILS.into())));
        left
    }
}

/// What the guards say.
enum Guards {
    NothingToDo,
    /// All agree to a run, for these reasons.
    Run(Vec<Change>),
}

fn guards(want: &Exec, machine: &dyn Inspect) -> Result<Guards, Error> {
    let mut changes = Vec::new();
    if let Some(path) = &want.creates {
        if machine.lstat(Path::new(path.as_str()))?.is_some() {
            return Ok(Guards::NothingToDo);
        }
        changes.push(Change::new(Property::Creates, "absent", PRESENT).note(format!("{path} is not there")));
    }
    if let Some(command) = &want.unless {
        if probe(want, command, machine)? {
            return Ok(Guards::NothingToDo);
        }
        changes.push(Change::new(Property::Unless, FAILS, SUCCEEDS));
    }
    if let Some(command) = &want.only_if {
        if !probe(want, command, machine)? {
            return Ok(Guards::NothingToDo);
        }
        changes.push(Change::new(Property::OnlyIf, SUCCEEDS, FAILS));
    }
    if want.always {
        changes.truncate(0);
        changes
            .push(Change::new(Property::Always, "", "").kind(ChangeKind::Always).note("runs at every run"));
    }
    Ok(Guards::Run(changes))
}

/// Whether a guard's command succeeds.
fn probe(want: &Exec, command: &Command, machine: &dyn Inspect) -> Result<bool, Error> {
    let invocation = invocation(want, command.clone());
    let output = machine.probe(&invocation)?;
    match output.exit {
        Exit::TimedOut(_) => Err(Error::command(&invocation, &output)),
        _ => Ok(output.succeeded()),
    }
}

fn run(want: &Exec, writing: Writing<'_>) -> Result<(), Error> {
    let invocation = invocation(want, want.invocation());
    let mut left = want.tries;
    loop {
        let output = writing.machine.run(&invocation)?;
        let fine = match output.exit {
            Exit::Code(code) if want.returns.is_empty() => code == 0,
            Exit::Code(code) => want.returns.iter().any(|good| i64::from(*good) == i64::from(code)),
            Exit::Signal(_) | Exit::TimedOut(_) => false,
        };
        if fine {
            return Ok(());
        }
        left = left.saturating_sub(1);
        if left == 0 {
            return Err(Error::command(&invocation, &output));
        }
        std::thread::sleep(Duration::from_secs(want.try_sleep.0.into()));
    }
}

fn invocation(want: &Exec, command: Command) -> Invocation {
    let mut invocation = Invocation::of(command);
    invocation.cwd = want.cwd.as_ref().map(|cwd| cwd.as_str().into());
    invocation.user = want.user.as_ref().map(|user| user.as_str().to_owned());
    invocation.environment =
        want.environment.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    invocation.timeout = match want.timeout.0 {
        0 => NO_TIMEOUT,
        seconds => Duration::from_secs(seconds.into()),
    };
    invocation
}
