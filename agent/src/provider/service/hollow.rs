//! Services that systemd counts as running without a process (`active (exited)`), since their definition has
//! `RemainAfterExit=yes`. systemd generates such a definition for each script in /etc/init.d. It does not know the
//! script's daemons, but the script knows whether they run.

use std::time::Duration;

use super::systemd::Bus;
use super::unit::{Hollow, Unit, UnitActivity};
use crate::provider::Error;
use crate::system::{Exit, Inspect, Invocation, Output};

/// How long a script may take to say whether it runs.
const PATIENCE: Duration = Duration::from_secs(10);

/// With these variables, scripts answer by themselves; otherwise, those of Debian and Red Hat ask systemd.
const ITSELF: [&str; 2] = ["SYSTEMCTL_SKIP_REDIRECT", "_SYSTEMCTL_SKIP_REDIRECT"];

/// Finds out whether a unit that counts as running lacks a process.
pub(super) fn look(unit: &mut Unit, bus: &Bus, machine: &dyn Inspect) -> Result<(), Error> {
    if unit.activity == UnitActivity::Running
        && let Some(script) = bus.exited(unit)?
    {
        unit.hollow = judged(script.as_deref(), machine);
    }
    Ok(())
}

/// Fails if a unit was started without an error and its script says that it does not run.
pub(super) fn refuse(name: &str, bus: &Bus, machine: &dyn Inspect) -> Result<(), Error> {
    let mut unit = bus.unit(name)?;
    look(&mut unit, bus, machine)?;
    match unit.hollow {
        Some(Hollow::Script(said)) => Err(Error::Unexpected(format!(
            "{} was started without an error, and does not run: {said}",
            unit.name
        ))),
        Some(Hollow::Native) | None => Ok(()),
    }
}

/// The result for a unit without a process, according to the script that it was generated from.
fn judged(script: Option<&str>, machine: &dyn Inspect) -> Option<Hollow> {
    let Some(script) = script else { return Some(Hollow::Native) };
    if machine.in_vain().contains(script) {
        return None;
    }
    let ask = ITSELF.iter().fold(Invocation::new([script, "status"]), |ask, name| ask.variable(name, "true"));
    let output = machine.probe(&ask.detached().timeout(PATIENCE)).ok()?;
    if matches!(output.exit, Exit::TimedOut(_)) {
        machine.in_vain().insert(script.to_owned());
    }
    is_down(&output).then(|| Hollow::Script(said(script, &output)))
}

/// Whether a script reports that it does not run, with the standard codes 1 to 3. A script without `status` prints its
/// usage, and ends with any code.
fn is_down(output: &Output) -> bool {
    let knows_no_status = [&output.stdout, &output.stderr]
        .iter()
        .any(|said| String::from_utf8_lossy(said).to_ascii_lowercase().contains("usage:"));
    matches!(output.exit, Exit::Code(1..=3)) && !knows_no_status
}

fn said(script: &str, output: &Output) -> String {
    let words = output.last_words();
    let words = if words.trim().is_empty() { String::new() } else { format!(": {words}") };
    format!("`{script} status` ended with {}{words}", output.exit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::double::{Double, failed, said};

    const SCRIPT: &str = "/etc/init.d/old";

    fn told(output: Output) -> Option<Hollow> {
        let double = Double::new(move |invocation| {
            let asks_itself =
                invocation.environment.iter().any(|(name, _)| name == "SYSTEMCTL_SKIP_REDIRECT");
            let is_bounded = invocation.timeout <= PATIENCE;
            let is_asked = invocation.command.to_string() == format!("{SCRIPT} status");
            (asks_itself && is_bounded && is_asked).then(|| output.clone())
        });
        judged(Some(SCRIPT), &double)
    }

    #[test]
    fn a_script_without_a_daemon_is_down_by_its_own_words_alone() {
        for code in 1..=3 {
            let Some(Hollow::Script(words)) = told(failed(code, "old is dead\n")) else { panic!("{code}") };
            assert_eq!(words, format!("`{SCRIPT} status` ended with exit code {code}: old is dead"));
        }
        assert!(matches!(told(failed(3, "")), Some(Hollow::Script(words)) if words.ends_with("exit code 3")));
        assert_eq!(told(said("old is running\n")), None);
        for code in [4, 5, 127] {
            assert_eq!(told(failed(code, "")), None, "{code} is no answer");
        }
        for code in [1, 2, 3] {
            assert_eq!(
                told(failed(code, "Usage: /etc/init.d/old {start|stop}\n")),
                None,
                "it knows no `status`"
            );
        }
        assert_eq!(judged(None, &Double::new(|_| None)), Some(Hollow::Native));
    }

    #[test]
    fn a_script_that_does_not_answer_in_time_is_asked_once_a_run() {
        let double = Double::new(|invocation| {
            let exit = Exit::TimedOut(invocation.timeout);
            Some(Output { exit, stdout: Vec::new(), stderr: Vec::new() })
        });
        assert_eq!(judged(Some(SCRIPT), &double), None);
        assert!(double.in_vain().contains(SCRIPT));
        let answers = Double::new(|_| Some(failed(3, "")));
        answers.in_vain().insert(SCRIPT.to_owned());
        assert_eq!(judged(Some(SCRIPT), &answers), None);
    }
}
