//! `holdfast-agent run`: the daemon, or one run with `--once`.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use holdfast_catalog::report::Mode;
use rustix::process::Signal;

use super::{Common, apart, outcome, progress};
use crate::at_hand;
use crate::run::Done;
use crate::spool::Delivery;
use crate::{daemon, run, state, stop};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Do one run, then exit
    #[arg(long)]
    once: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    audit: bool,
    /// If another run is in progress, wait for its end, then run
    #[arg(long, requires = "once")]
    wait: bool,
    /// Nobody waits for what is printed, as with the daemon's own runs
    #[arg(long, requires = "once", hide = true)]
    unattended: bool,
    /// This process does the run, and another one waits for it
    #[arg(long, requires = "once", hide = true)]
    apart: bool,
}

pub(super) fn run(arguments: &Arguments, common: &Common) -> anyhow::Result<ExitCode> {
    let place = common.place()?;
    if !arguments.once {
        daemon::run(&place, &once(arguments, common))?;
        return Ok(ExitCode::SUCCESS);
    }
    super::UNATTENDED.store(arguments.unattended, Ordering::Relaxed);
    let is_waited_for = arguments.unattended || arguments.apart;
    if arguments.apart {
        // Whoever kills the process that waits means the run.
        let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    }
    if !is_waited_for && let Ok(code) = apart::run(std::env::args_os().skip(1).chain(["--apart".into()])) {
        return Ok(code.into());
    }
    let mode = if arguments.audit { Mode::Audit } else { place.config.mode };
    let stop = stop::on_signal()?;
    let watched = progress::watched(&format!("a run begins ({})", outcome::mode(mode)));
    let done = in_turn(arguments.wait, &stop, || run::once(&place, mode, &stop));
    drop(watched);
    let ended = done.map_err(Into::into).and_then(|done| print(&done, common));
    if is_waited_for {
        stop::hang_up(*ended.as_ref().unwrap_or(&1));
    }
    ended.map(Into::into)
}

/// Prints what became of a run, and returns the exit code.
fn print(done: &Done, common: &Common) -> anyhow::Result<u8> {
    outcome::print(&done.report, Some(&done.certname), common)?;
    tell_of(done);
    Ok(outcome::code(&done.report, done.is_refused, common))
}

/// How often a run that waits for another one checks whether that one has ended.
const TURN: Duration = Duration::from_millis(200);

/// Does a run, with `wait` as soon as no other is in progress. A request to stop ends the wait.
fn in_turn<T>(
    wait: bool,
    stop: &AtomicBool,
    run: impl Fn() -> Result<T, run::Error>,
) -> Result<T, run::Error> {
    loop {
        match run() {
            Err(run::Error::State(state::Error::Locked(..))) if wait && !stop.load(Ordering::Relaxed) => {
                at_hand::tell("waiting for another run to end");
                std::thread::sleep(TURN);
            }
            ended => return ended,
        }
    }
}

/// Prints what keeps reports from the server, which is not part of them.
fn tell_of(done: &Done) {
    let Delivery { refused, waits, lost, .. } = &done.delivery;
    let notes = [
        lost.as_ref().map(|why| format!("the report of this run is lost: {why}")),
        waits.as_ref().map(|why| format!("reports are waiting on disk: {why}")),
        refused.as_ref().map(|why| format!("a report was not delivered: {why}")),
        done.aside.words(),
    ];
    notes.into_iter().flatten().for_each(|words| super::note(&words));
}

/// The command line of one run with the daemon's own settings. It waits for a run that someone started by hand: anyone
/// who asks for a run gets one.
fn once(arguments: &Arguments, common: &Common) -> Vec<OsString> {
    let mut line: Vec<OsString> =
        ["run", "--once", "--wait", "--unattended"].into_iter().map(OsString::from).collect();
    if arguments.audit {
        line.push("--audit".into());
    }
    let given = [("--config", &common.config), ("--state-dir", &common.state_dir)];
    for (option, path) in given {
        line.extend(path.iter().flat_map(|path| [option.into(), path.clone().into_os_string()]));
    }
    line.extend(["--root".into(), common.root.clone().into_os_string()]);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Anyone who asks the daemon for a run while another is in progress gets one.
    #[test]
    fn the_daemons_run_waits_for_one_that_is_going_on() {
        let arguments = Arguments { once: false, audit: false, wait: false, unattended: false, apart: false };
        let common = Common {
            config: None,
            state_dir: None,
            root: "/".into(),
            detailed_exitcodes: false,
            format: crate::cli::Format::Text,
        };
        let line = once(&arguments, &common);
        assert!(line.contains(&"--wait".into()) && line.contains(&"--unattended".into()), "{line:?}");
    }

    #[test]
    fn f21_a_run_that_waits_has_its_turn_and_one_that_does_not_says_who_runs() {
        let directory = tempfile::tempdir().unwrap();
        let state = state::StateDir::open(&directory.path().join("agent")).unwrap();
        let (held, stop) = (std::cell::Cell::new(Some(state.lock().unwrap())), AtomicBool::new(false));
        let run = || Ok(state.lock().map(drop)?);
        let refused = in_turn(false, &stop, run).unwrap_err().to_string();
        assert!(refused.contains("another run is in progress"), "{refused}");
        let ends_meanwhile = || {
            let tried = run();
            drop(held.take());
            tried
        };
        assert!(in_turn(true, &stop, ends_meanwhile).is_ok());
        let _held = state.lock().unwrap();
        stop.store(true, Ordering::Relaxed);
        assert!(in_turn(true, &stop, run).is_err(), "told to stop, it does not wait");
    }
}
