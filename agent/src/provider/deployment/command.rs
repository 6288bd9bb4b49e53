//! The commands of a deployment and their environment, which is the only way in which they get secrets.

use std::path::Path;
use std::time::{Duration, Instant};

use holdfast_catalog::resource::Deployment;
use holdfast_catalog::resource::attribute::CommandLine;

use crate::provider::{Error, Writing};
use crate::system::Invocation;

/// The time between two health checks.
const PAUSE: Duration = Duration::from_secs(1);

/// A command that runs as the deployment's user, in a release.
pub fn in_release(want: &Deployment, command: &CommandLine, release: &Path) -> Invocation {
    let mut invocation = as_root(want, command);
    invocation.cwd = Some(release.to_owned());
    invocation.user = want.user.as_ref().map(ToString::to_string);
    invocation
}

/// A command that runs as the agent's own user, in `/`.
pub fn as_root(want: &Deployment, command: &CommandLine) -> Invocation {
    let mut invocation = Invocation::of(command.clone());
    invocation.environment =
        want.environment.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    invocation.timeout(Duration::from_secs(want.timeout.0.into()))
}

/// Runs a command that must succeed; the error says why it did not.
pub fn run(invocation: &Invocation, writing: Writing<'_>) -> Result<(), String> {
    writing.run(invocation).map(drop).map_err(|error| error.to_string())
}

/// Checks the health of a release until it is well or the time is over. The last failure is the error.
pub fn health(want: &Deployment, release: &Path, writing: Writing<'_>) -> Result<(), String> {
    let Some(command) = &want.health else { return Ok(()) };
    let timeout = Duration::from_secs(want.health_timeout.0.into());
    let until = Instant::now() + writing.machine.patience(timeout);
    loop {
        let left = until.saturating_duration_since(Instant::now()).max(PAUSE);
        let why = match writing.run(&in_release(want, command, release).timeout(left)) {
            Ok(_) => return Ok(()),
            Err(error @ Error::Command { .. }) => error.to_string(),
            // A command that cannot be started now cannot be started in a second either.
            Err(error) => return Err(format!("its health cannot be checked: {error}")),
        };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let within = match writing.machine.stopping() {
                Some(why) => format!("when {why}"),
                None => format!("within {} s", timeout.as_secs()),
            };
            return Err(format!("it was not healthy {within}: {why}"));
        }
        std::thread::sleep(left.min(PAUSE));
    }
}
