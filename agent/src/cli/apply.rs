//! `holdfast-agent apply`: enforces a catalog from a file, without a server.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use holdfast_catalog::report::Mode;

use super::{Common, outcome, progress};
use crate::run::{self, GivenCatalog};
use crate::state::StateDir;
use crate::stop;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A bundle from `holdfast compile --bundle`, or only a catalog, if it needs no file contents
    #[arg(long, value_name = "FILE")]
    catalog: PathBuf,
    /// Show what would change, and change nothing
    #[arg(long)]
    audit: bool,
    /// Also write the report to this file, as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, common: &Common) -> anyhow::Result<ExitCode> {
    let place = common.place()?;
    let given = GivenCatalog::read(&arguments.catalog)?;
    let state = StateDir::open(&place.state_dir)?;
    let mode = if arguments.audit { Mode::Audit } else { place.config.mode };
    let stop = stop::on_signal()?;
    let begins = format!("a run of {} begins ({})", arguments.catalog.display(), outcome::mode(mode));
    let watched = progress::watched(&begins);
    let report = run::apply(&place, &state, &given, mode, &stop);
    drop(watched);
    let report = report?;
    // What was done is printed first: it was done whether or not the report can be written.
    let printed = outcome::print(&report, Some(given.certname()), common);
    if let Some(path) = &arguments.report {
        let json = serde_json::to_string_pretty(&report)?;
        std::fs::write(path, json + "\n").with_context(|| format!("cannot write {}", path.display()))?;
    }
    printed?;
    Ok(outcome::exit_code(&report, false, common))
}
