//! `holdfast-agent reports`: which reports of this machine the server does not have, and what happens to them.

use std::process::ExitCode;

use clap::Args;
use holdfast_catalog::count::counted;

use super::style::harmless;
use super::{Common, Format};
use crate::identity;
use crate::spool::{SetAside, Spool};
use crate::state::StateDir;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Queue the refused ones again, for the next run to deliver
    #[arg(long, conflicts_with = "clear")]
    retry: bool,
    /// Remove those that are set aside: refused, unreadable, or from when this machine was another node
    #[arg(long)]
    clear: bool,
}

pub(super) fn run(arguments: &Arguments, common: &Common) -> anyhow::Result<ExitCode> {
    let place = common.place()?;
    // What cannot be looked at may still be there.
    let seen = StateDir::look(&place.state_dir)?;
    anyhow::ensure!(seen.is_there(), identity::Error::NotEnrolled);
    let changes = arguments.retry || arguments.clear;
    let state = if changes { StateDir::open(&place.state_dir)? } else { seen };
    let spool = Spool::open(&state)?;
    if arguments.retry {
        let _lock = state.lock()?;
        super::say(&format!(
            "{} again; the next run that reaches the server delivers them",
            wait(spool.retry()?)
        ));
    }
    if arguments.clear {
        let _lock = state.lock()?;
        super::say(&format!("{} removed", reports(spool.clear()?)));
    }
    let all = spool.list()?;
    match common.format {
        Format::Json => super::print_json(&all)?,
        Format::Text if all.is_empty() => super::say("no reports are waiting or set aside"),
        Format::Text => super::print_text(&all.iter().map(line).collect::<String>())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn reports(count: usize) -> String {
    counted(count, "report", "reports")
}

fn wait(count: usize) -> String {
    counted(count, "report waits", "reports wait")
}

fn line(report: &SetAside) -> String {
    let began = report.began.map_or("at an unknown time".to_owned(), |began| format!("{began:.0}"));
    let why = report.why.as_ref().map(|why| format!(": {}", harmless(why))).unwrap_or_default();
    format!("{:<12} {began}  {}{why}\n", report.place, harmless(&report.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_when_and_why() {
        let report = SetAside {
            place: "refused",
            name: "n1.json".into(),
            began: Some(jiff::Timestamp::UNIX_EPOCH),
            why: Some("too large\u{1b}[2J".into()),
        };
        assert_eq!(line(&report), "refused      1970-01-01T00:00:00Z  n1.json: too large\\u{1b}[2J\n");
        assert!(
            line(&SetAside { began: None, why: None, ..report }).contains("at an unknown time  n1.json\n")
        );
    }
}
