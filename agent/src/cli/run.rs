//! `holdfast-agent run`: the daemon, or one run with `--once`.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;
use holdfast_catalog::report::Mode;

use super::style::harmless;
use super::{Common, Style, outcome};
use crate::config::Place;
use crate::spool::Delivery;
use crate::{daemon, run, stop};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// One run, then end
    #[arg(long)]
    once: bool,
    /// Say what would change, and change nothing
    #[arg(long)]
    audit: bool,
}

pub(super) fn run(arguments: &Arguments, common: &Common) -> anyhow::Result<ExitCode> {
    let place = common.place()?;
    if !arguments.once {
        daemon::run(&place, &once(arguments, common))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mode = if arguments.audit { Mode::Audit } else { place.config.mode };
    let done = run::once(&place, mode, &*stop::on_signal()?)?;
    outcome::print(&done.report, Some(&done.certname), common)?;
    tell_of(&done.delivery, &place);
    Ok(outcome::exit_code(&done.report, common))
}

/// What keeps reports from the server is no part of them.
fn tell_of(delivery: &Delivery, place: &Place) {
    let aside = place.state_dir.join("spool/failed");
    let notes = [
        delivery.lost.as_ref().map(|why| format!("the report of this run is lost: {why}")),
        delivery.waits.as_ref().map(|why| format!("reports wait on disk: {why}")),
        delivery
            .refused
            .as_ref()
            .map(|why| format!("a report was put aside, see {}: {why}", aside.display())),
    ];
    let note = Style::of(&std::io::stderr()).warn("note:");
    for words in notes.into_iter().flatten() {
        super::say(&format!("{note} {}", harmless(&words)));
    }
}

/// The command line of one run with the daemon's own settings.
fn once(arguments: &Arguments, common: &Common) -> Vec<OsString> {
    let mut line: Vec<OsString> = vec!["run".into(), "--once".into()];
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
