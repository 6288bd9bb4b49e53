//! `holdfast check`: everything wrong with a control repository.

use std::path::PathBuf;

use holdfast_catalog::diagnostic::{Diagnostic, Severity};

use crate::check::{Checked, check};
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
        Some(summary) => say!("{summary}; {compiled} of {nodes} nodes compile{}", uncounted(&checked)),
        None if nodes == 1 => say!("nothing wrong: 1 node compiles"),
        None => say!("nothing wrong: {nodes} nodes compile"),
    }
    if !checked.is_clean() {
        say!("{}", verdict(&checked));
    }
    let has_warnings = !checked.warnings.is_empty();
    if checked.is_clean() && !(args.strict && has_warnings) { Ended::Well } else { Ended::Badly }
}

/// What the server would do with it.
fn verdict(checked: &Checked) -> String {
    if !checked.is_usable() {
        return "the server refuses this as a commit: the last good one stays in force for all nodes"
            .to_owned();
    }
    match checked.nodes.len() {
        0 => "the server takes this as a commit: what is wrong stops no node".to_owned(),
        1 => "the server takes this as a commit: the node that does not compile keeps its last catalog"
            .to_owned(),
        many => format!(
            "the server takes this as a commit: the {many} nodes that do not compile keep their last catalogs"
        ),
    }
}

/// Of an entry of the inventory that is wrong nobody knows what machine it is.
fn uncounted(checked: &Checked) -> &'static str {
    let is_of_inventory = |problem: &Diagnostic| {
        problem.origin.as_ref().is_some_and(|origin| origin.file.starts_with("inventory/"))
    };
    match checked.fatal.iter().any(is_of_inventory) {
        true => "; those that the inventory has wrong are not counted",
        false => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::Snapshot;

    fn checked(overlay: &[(&str, &str)]) -> Checked {
        let mut files = std::collections::BTreeMap::from([
            ("inventory/a/acme.toml", "[\"web1.acme.example\"]\nrole = \"web\"\nstage = \"test\"\n"),
            ("modules/role/manifests/web.toml", "doc = \"Web.\"\ninclude = [\"profile::web\"]\n"),
            (
                "modules/profile/manifests/web.toml",
                "doc = \"Web.\"\n[parameters]\nport = { type = \"Port\", default = 80, doc = \"Port.\" }\n",
            ),
        ]);
        files.extend(overlay.iter().copied());
        let files = files.into_iter().map(|(path, text)| (path, text.as_bytes()));
        check(&Program::new(&Snapshot::of_files(files), None))
    }

    #[test]
    fn a_check_says_what_the_server_does_with_the_commit() {
        let bad = "[profile.web]\nport = 0\n";
        let kept = checked(&[("hieradata/customers/acme.toml", bad)]);
        assert!(verdict(&kept).contains("takes this as a commit: the node that does not compile keeps"));
        let refused = checked(&[("hieradata/common.toml", bad)]);
        assert!(verdict(&refused).contains("refuses this as a commit"));
        assert_eq!((uncounted(&kept), uncounted(&refused)), ("", ""));
        let inventory = "[\"web1.acme.example\"]\nrole = \"web\"\nstage = \"tset\"\n";
        let wrong = checked(&[("inventory/a/acme.toml", inventory)]);
        assert!(uncounted(&wrong).contains("are not counted") && verdict(&wrong).contains("refuses"));
    }
}
