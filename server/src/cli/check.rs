//! `holdfast check`: everything wrong with a control repository.

use std::path::PathBuf;

use crate::check::check;
use crate::compile::Program;
use crate::diagnose;

use super::{Ended, Format, repository};

/// Shows everything that is wrong with a control repository, each with its place.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The control repository.
    #[arg(value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// How problems are written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Ended {
    let snapshot = match repository::open(&args.directory, None) {
        Ok(snapshot) => snapshot,
        Err(why) => {
            say!("error: {why}");
            return Ended::Badly;
        }
    };
    let program = Program::new(&snapshot, None);
    let checked = check(&program);
    let problems = checked.all();
    repository::show(&snapshot, &problems, args.format);
    let nodes = program.inventory().nodes().count();
    let compiled = nodes - checked.nodes.len();
    match diagnose::summary(&problems) {
        Some(summary) => say!("{summary}; {compiled} of {nodes} nodes compile"),
        None if nodes == 1 => say!("nothing wrong: 1 node compiles"),
        None => say!("nothing wrong: {nodes} nodes compile"),
    }
    if checked.is_clean() { Ended::Well } else { Ended::Badly }
}
