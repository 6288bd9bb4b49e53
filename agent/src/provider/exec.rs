//! `exec`: a command that runs if its guards say that there is something to do.
//!
//! Guards are probes: they run in an audit too, and one at a time. A command that ran at its own turn is not run again
//! for a notification.

use std::path::Path;
use std::time::{Duration, Instant};

use holdfast_catalog::resource::Exec;
use holdfast_catalog::resource::attribute::CommandLine;

use super::{
    Applied, ChangeKind, Error, Left, Need, Needed, Notice, Planned, Provider, Reading, Refreshed, Writing,
    properties,
};
use crate::system::{self, Exit, Inspect, Invocation, Liveness, System};

const PRESENT: &str = "present";
const SUCCEEDS: &str = "succeeds";
const FAILS: &str = "fails";

/// A timeout of zero means none, which this amounts to.
const NO_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3600);

/// How often a wait checks whether the run must stop.
const HEED: Duration = Duration::from_millis(100);

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
    const ACTS_ANYWHERE: bool = true;

    const PLANNED: Planned = Planned::OneByOne;
    const ACTS_ONCE: bool = true;

    fn observe(&self, _: &[&Exec], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, want: &Exec, (): &(), reading: Reading<'_>) -> Result<Plan, Error> {
        if reading.machine.liveness() == Liveness::Directory {
            return Ok(Plan::NotApplicable(
                "commands are not run: the root is not a running system".to_owned(),
            ));
        }
        if want.refresh_only {
            return Ok(Plan::IN_SYNC);
        }
        match guards(want, reading.machine) {
            Ok(Guards::NothingToDo) => Ok(Plan::IN_SYNC),
            Ok(Guards::Run(changes)) => Ok(Plan::of(changes)),
            // Something that comes before it may bring what it needs.
            Err(error) => match needed(&error) {
                Some(what) => {
                    Ok(Plan::pending(Need { why: format!("its guard cannot be run: {error}"), what }))
                }
                None => Err(error),
            },
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
        corrected: &[Change],
        writing: Writing<'_>,
    ) -> Result<Refreshed, Error> {
        if !corrected.is_empty() {
            return Ok(Refreshed::NotNeeded("it already ran in this run".to_owned()));
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

/// The answer of the guards.
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
            .push(Change::new(Property::Always, "", "").kind(ChangeKind::Always).note("runs in every run"));
    }
    Ok(Guards::Run(changes))
}

/// The exit codes of shells, and of programs that switch the user, for a command that does not exist or cannot be run.
pub(super) const NOT_RUN: [i32; 2] = [126, 127];

/// What is missing of something that was not run at all: its program, user or directory.
fn needed(error: &Error) -> Option<Needed> {
    use system::Error::{NoDirectory, NoSuchUser, Spawn};
    match error {
        Error::System(Spawn { program, .. }) => Some(Needed::Path(program.into())),
        Error::System(NoSuchUser { user, .. }) => Some(Needed::Account(user.clone())),
        Error::System(NoDirectory { directory, .. }) => Some(Needed::Path(directory.clone())),
        Error::Command { exit: Exit::Code(code), .. } if NOT_RUN.contains(code) => Some(Needed::Other),
        Error::Missing(need) => Some(need.what.clone()),
        _ => None,
    }
}

/// The exit codes of a shell whose command was killed: the signal's number plus 128.
const KILLED: [i32; 5] = [134, 135, 137, 139, 143];

/// The program that the shell did not find, unless the guard handles that itself. The exit code of a shell is that of
/// its last command, which may have had no input.
fn not_found<'a>(command: &CommandLine, stderr: &'a str) -> Option<&'a str> {
    let CommandLine::Shell(text) = command else { return None };
    let goes_on = text.contains("||") || text.split(|c: char| !c.is_alphanumeric()).any(|word| word == "if");
    stderr.lines().filter(|_| !goes_on).find_map(missing_in)
}

/// The program that a line of a shell says is missing: `/bin/sh: 1: nosuch: not found` of dash, or
/// `/bin/sh: line 1: nosuch: command not found` of bash. In the message of a builtin, the builtin's name comes first.
fn missing_in(line: &str) -> Option<&str> {
    let said = line.strip_prefix("/bin/sh: ").or_else(|| line.strip_prefix("sh: "))?;
    let said = said.strip_suffix(": command not found").or_else(|| said.strip_suffix(": not found"))?;
    let is_number = |place: &str| {
        let digits = place.strip_prefix("line ").unwrap_or(place);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let name = said.split_once(": ").filter(|(place, _)| is_number(place)).map_or(said, |(_, name)| name);
    Some(name).filter(|name| !name.contains(": "))
}

/// Whether a guard's command succeeds. A command that did not run, or was killed, has answered neither yes nor no.
fn probe(want: &Exec, command: &CommandLine, machine: &dyn Inspect) -> Result<bool, Error> {
    let invocation = invocation(want, command.clone());
    let output = machine.probe(&invocation)?;
    match output.exit {
        Exit::Code(code) if NOT_RUN.contains(&code) => Err(Error::command(&invocation, &output)),
        Exit::Code(code) if KILLED.contains(&code) => Err(Error::command(&invocation, &output)),
        Exit::TimedOut(_) | Exit::Signal(_) | Exit::Stopped(_) | Exit::Held(_) => {
            Err(Error::command(&invocation, &output))
        }
        Exit::Code(_) => match not_found(command, &String::from_utf8_lossy(&output.stderr)) {
            Some(name) => {
                let words = format!(
                    "the shell did not find `{name}`, so the result of `{command}` ({}) means nothing",
                    output.exit
                );
                let what = if name.contains('/') { Needed::Path(name.into()) } else { Needed::Other };
                Err(Error::Missing(Need { why: words, what }))
            }
            None => Ok(output.succeeded()),
        },
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
            Exit::Signal(_) | Exit::TimedOut(_) | Exit::Stopped(_) | Exit::Held(_) => false,
        };
        if fine {
            return Ok(());
        }
        left = left.saturating_sub(1);
        let pause = Duration::from_secs(want.try_sleep.0.into());
        // What the kernel holds would hold a second one, too.
        let is_last = matches!(output.exit, Exit::Stopped(_) | Exit::Held(_));
        if left == 0 || is_last || !pauses(pause, writing.machine) {
            return Err(Error::command(&invocation, &output));
        }
    }
}

/// Waits before another try; returns whether there should be one.
fn pauses(pause: Duration, machine: &dyn System) -> bool {
    let until = Instant::now() + pause;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if machine.stopping().is_some() || left.is_zero() {
            return machine.stopping().is_none();
        }
        std::thread::sleep(left.min(HEED));
    }
}

fn invocation(want: &Exec, command: CommandLine) -> Invocation {
    // Whatever it has done by then, its guard asks for the rest in the next run.
    let mut invocation = Invocation::of(command).stoppable();
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

#[cfg(test)]
mod tests {
    use holdfast_catalog::value::Value;

    use super::*;
    use crate::provider::trial::{self, want};
    use crate::system::double::{Double, failed, said};

    fn pending(machine: &Double, attributes: &[(&str, Value)]) -> String {
        match trial::plan(&Commands, machine, &want("x", attributes)) {
            Ok(Plan::Pending(need)) => need.why,
            other => panic!("{attributes:?}: {other:?}"),
        }
    }

    #[test]
    fn a_guard_that_was_not_run_has_said_nothing() {
        for code in NOT_RUN {
            let double = Double::new(move |_| Some(failed(code, "sh: 1: nosuch: not found")));
            for guard in ["unless", "only_if"] {
                let why = pending(&double, &[("command", "true".into()), (guard, "nosuch".into())]);
                assert!(why.contains("not found"), "{why}");
            }
            let refreshed = want("x", &[("unless", "nosuch".into()), ("refresh_only", true.into())]);
            let refreshed = trial::writing(&double, |writing| {
                Commands.refresh(&refreshed, Notice::Refresh, &[], writing)
            });
            assert!(refreshed.is_err() && double.ran().is_empty());
        }
    }

    #[test]
    fn a_guard_in_which_the_shell_did_not_find_a_program_has_said_nothing() {
        let machine = system::Machine::open(Path::new("/")).unwrap();
        let asked = |guard: Value| {
            let want = want("x", &[("command", "true".into()), ("unless", guard)]);
            guards(&want, &machine).map(|guards| matches!(guards, Guards::NothingToDo))
        };
        for guard in ["nosuch-hf --list | sort", "! nosuch-hf", "nosuch-hf; true", "test -z \"$(nosuch-hf)\""]
        {
            let error = asked(guard.into()).unwrap_err();
            assert!(needed(&error).is_some(), "{guard}: {error}");
            let error = error.to_string();
            assert!(error.contains("the shell did not find `nosuch-hf`"), "{guard}: {error}");
        }
        for (guard, nothing_to_do) in [
            ("nosuch-hf --list || true", true),
            ("if nosuch-hf; then false; fi", true),
            ("command -v nosuch-hf | sort", true),
            ("hash nosuch-hf; true", true),
            ("nosuch-hf 2>/dev/null | sort", true),
            ("echo 'x: not found' >&2; false", false),
        ] {
            assert_eq!(asked(guard.into()).unwrap(), nothing_to_do, "{guard}");
        }
        let list = ["sh", "-c", "echo 'sh: 1: x: not found' >&2"].map(Value::from).to_vec();
        assert!(asked(list.into()).unwrap(), "what a program says is its own");
    }

    #[test]
    fn what_a_shell_did_not_find_is_told_by_its_words() {
        for (line, name) in [
            ("/bin/sh: 1: nosuch: not found", Some("nosuch")),
            ("sh: 12: ./no/such: not found", Some("./no/such")),
            ("/bin/sh: line 1: nosuch: command not found", Some("nosuch")),
            ("sh: nosuch: command not found", Some("nosuch")),
            ("/bin/sh: nosuch: not found", Some("nosuch")),
            ("/bin/sh: 1: hash: nosuch: not found", None),
            ("/usr/bin/check: 3: nosuch: not found", None),
            ("file x: not found", None),
            ("/bin/sh: 1: cannot open x: No such file", None),
        ] {
            assert_eq!(missing_in(line), name, "{line}");
        }
    }

    #[test]
    fn f10_a_command_that_a_run_was_told_to_stop_in_is_not_tried_again() {
        let double = Double::new(|_| {
            Some(system::Output {
                exit: Exit::Stopped(crate::stop::StopReason::Told),
                stdout: Vec::new(),
                stderr: Vec::new(),
            })
        });
        let want = want("make", &[("always", true.into()), ("tries", 5.into()), ("try_sleep", 3_600.into())]);
        let error = trial::writing(&double, |writing| Commands.apply(&want, &[], writing)).unwrap_err();
        assert!(error.to_string().contains("interrupted because the run was told to stop"), "{error}");
        assert_eq!(double.ran(), ["make"]);
    }

    #[test]
    fn a_guard_that_was_killed_has_said_nothing() {
        let killed = |exit| system::Output { exit, stdout: Vec::new(), stderr: Vec::new() };
        for (exit, words) in [
            (Exit::Signal(9), "`false` was ended by signal 9"),
            (Exit::Code(137), "`false` failed with exit code 137"),
            (Exit::TimedOut(Duration::from_secs(2)), "`false` was ended after its timeout of 2 s"),
            (
                Exit::Held(7),
                "`false` is still there after SIGKILL: the kernel holds its process 7, as at a disk that does not answer",
            ),
        ] {
            let double = Double::new(move |_| Some(killed(exit)));
            for guard in ["unless", "only_if"] {
                let want = want("x", &[("command", "true".into()), (guard, "false".into())]);
                let error = trial::plan(&Commands, &double, &want).unwrap_err().to_string();
                assert_eq!(error, words);
            }
        }
    }

    #[test]
    fn a_guard_that_fails_lets_the_command_run() {
        let double = Double::new(|_| Some(failed(1, "")));
        let unless = want("x", &[("unless", "false".into())]);
        assert_eq!(trial::said(&trial::changes(&Commands, &double, &unless)), ["unless: fails -> succeeds"]);
        let double = Double::new(|_| Some(said("")));
        assert_eq!(trial::changes(&Commands, &double, &unless), []);
    }

    #[test]
    fn a_working_directory_that_is_missing_is_named() {
        let machine = system::Machine::open(Path::new("/")).unwrap();
        let missing = tempfile::tempdir().unwrap().path().join("gone");
        let cwd = missing.to_str().unwrap();
        let want = want("x", &[("unless", "false".into()), ("cwd", cwd.into()), ("command", "true".into())]);
        let error = guards(&want, &machine).err().unwrap();
        assert!(needed(&error).is_some(), "{error}");
        assert!(error.to_string().contains(&format!("working directory {cwd},")), "{error}");
    }
}
