//! `holdfast check`: everything wrong with a control repository.

use std::path::PathBuf;

use holdfast_catalog::diagnostic::Severity;

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
    /// A commit, branch or tag of it, instead of its files as they are.
    #[arg(long, value_name = "REV")]
    rev: Option<String>,
    /// Takes every warning for an error.
    #[arg(long)]
    strict: bool,
    /// How problems are written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Ended {
    let snapshot = match repository::open(&args.directory, args.rev.as_deref()) {
        Ok(snapshot) => snapshot,
        Err(why) => {
            say!("error: {why}");
            return Ended::Badly;
        }
    };
    let program = Program::new(&snapshot, None);
    let checked = check(&program);
    let mut problems = checked.all();
    if args.strict {
        problems.iter_mut().for_each(|problem| problem.severity = Severity::Error);
    }
    repository::show(&snapshot, &problems, args.format);
    let nodes = program.inventory().nodes().count();
    let compiled = nodes - checked.nodes.len();
    match diagnose::summary(&problems) {
        Some(summary) => say!("{summary}; {compiled} of {nodes} nodes compile"),
        None if nodes == 1 => say!("nothing wrong: 1 node compiles"),
        None => say!("nothing wrong: {nodes} nodes compile"),
    }
    match problems.iter().any(|problem| problem.severity == Severity::Error) {
        true => Ended::Badly,
        false => Ended::Well,
    }
}
