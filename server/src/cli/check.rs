//! `holdfast check`: everything wrong with a control repository.

use std::path::PathBuf;

use holdfast_catalog::count::counted;

use crate::check::{CheckFindings, check, judge};
use crate::compile::Program;
use crate::diagnose;
use crate::diagnostic::{Diagnostic, Severity};
use crate::inventory::Departures;

use super::{CommandOutcome, OutputFormat, repository};

mod baseline; // what the server has in force

/// Checks a control repository and shows every problem with its place.
#[derive(Debug, clap::Args)]
pub(super) struct CheckArguments {
    /// The control repository.
    #[arg(value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// The control repository, as for the other commands.
    #[arg(long, value_name = "DIR", conflicts_with = "directory")]
    repo: Option<PathBuf>,
    /// A commit, branch or tag of it, instead of its current files.
    #[arg(long, value_name = "REV")]
    rev: Option<String>,
    /// Treats every warning as an error.
    #[arg(long)]
    strict: bool,
    /// How to print problems.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

/// Runs the command.
pub(super) fn run(args: &CheckArguments) -> CommandOutcome {
    let directory = args.repo.as_deref().unwrap_or(&args.directory);
    let snapshot = match repository::open(directory, args.rev.as_deref()) {
        Ok(snapshot) => snapshot,
        Err(why) => {
            say!("error: {why}");
            return CommandOutcome::Badly;
        }
    };
    let program = Program::new(&snapshot, None);
    let mut checked = check(&program);
    let depends = checked.depends_on_the_one_before();
    let in_force = depends.then(|| baseline::find(directory, args.rev.as_deref(), &snapshot)).flatten();
    let judged = in_force.as_ref().and_then(|now| judge(&program, Some(now.before()), &|| false));
    checked = judged.unwrap_or(checked);
    let mut problems = checked.all();
    if args.strict {
        problems.iter_mut().for_each(|problem| problem.severity = Severity::Error);
    }
    repository::show(&snapshot, &problems, args.format);
    let nodes = program.inventory().nodes().count();
    match diagnose::summary(&problems) {
        Some(summary) => say!("{summary}; {}{}", compiled(&checked, nodes), uncounted(&checked)),
        None => say!("nothing wrong: {}", counted(nodes, "node compiles", "nodes compile")),
    }
    if !has_inventory_wrong(&checked) && snapshot.refusal().is_none() {
        let leaving = baseline::leaving(directory, args.rev.as_deref(), &program);
        leaving.iter().flat_map(left).for_each(|line| say!("{line}"));
    }
    if !checked.is_clean() {
        let beside = match &in_force {
            Some(in_force) => BaselineName::Commit(&in_force.name),
            None if depends => BaselineName::Unknown,
            None => BaselineName::Whatever,
        };
        say!("{}", verdict(&checked, beside));
    }
    let has_warnings = !checked.warnings.is_empty();
    if checked.is_clean() && !(args.strict && has_warnings) {
        CommandOutcome::Well
    } else {
        CommandOutcome::Badly
    }
}

/// What the commit was judged against.
#[derive(Debug, Clone, Copy)]
enum BaselineName<'a> {
    /// A commit that is presumably in force.
    Commit(&'a str),
    /// Nothing: the commit in force is unknown here, and the verdict depends on it.
    Unknown,
    /// The verdict does not depend on the commit in force.
    Whatever,
}

/// What the server would do with this commit.
fn verdict(checked: &CheckFindings, beside: BaselineName<'_>) -> String {
    let (refused, kept) = (!checked.is_usable(), checked.nodes.len());
    let first = match beside {
        BaselineName::Unknown => "as a first commit, ".to_owned(),
        BaselineName::Commit(name) => format!("with {name} in force, "),
        BaselineName::Whatever => String::new(),
    };
    let what = match (refused, beside, kept) {
        (true, BaselineName::Unknown, _) => "refuses this".to_owned(),
        (true, ..) => "refuses this as a commit: the last good one stays in force for all nodes".to_owned(),
        (false, BaselineName::Unknown, 1) => {
            "accepts this: the node that does not compile gets no catalog".to_owned()
        }
        (false, BaselineName::Unknown, many) => {
            format!("accepts this: the {many} nodes that do not compile get no catalog")
        }
        (false, _, 0) => "accepts this as a commit: the problems affect no node".to_owned(),
        (false, _, 1) => {
            "accepts this as a commit: the node that does not compile gets no new catalog".to_owned()
        }
        (false, _, many) => {
            format!("accepts this as a commit: the {many} nodes that do not compile get no new catalogs")
        }
    };
    let more = match beside {
        BaselineName::Unknown => {
            "; after another commit the result depends on that commit, which only a git repository with its history shows"
        }
        BaselineName::Commit(_) | BaselineName::Whatever => "",
    };
    format!("{first}the server {what}{more}")
}

/// How many nodes compile.
fn compiled(checked: &CheckFindings, nodes: usize) -> String {
    match checked.compiled {
        Some(compiled) => format!("{compiled} of {}", counted(nodes, "node compiles", "nodes compile")),
        None => "no node was compiled".to_owned(),
    }
}

/// It is unknown which machine an invalid entry of the inventory is about.
fn uncounted(checked: &CheckFindings) -> &'static str {
    match has_inventory_wrong(checked) {
        true => "; nodes with errors in the inventory are not counted",
        false => "",
    }
}

fn has_inventory_wrong(checked: &CheckFindings) -> bool {
    let is_of_inventory = |problem: &Diagnostic| {
        problem.origin.as_ref().is_some_and(|origin| origin.file.starts_with("inventory/"))
    };
    // the compile of a node also reports its role there, and that node is counted
    let is_of_node = |problem: &Diagnostic| checked.nodes.values().flatten().any(|other| other == problem);
    checked.fatal.iter().any(|problem| is_of_inventory(problem) && !is_of_node(problem))
}

/// What the operator must see about a commit even if nothing is wrong with it: the machines that it removes.
fn left((leaving, name): &(Departures, String)) -> Vec<String> {
    leaving.lines().into_iter().map(|line| format!("beside {name}: {line}")).collect()
}

#[cfg(test)]
mod tests;
