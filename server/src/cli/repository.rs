//! A control repository as commands without a server see it: a directory as it is, or one of its commits, with a node
//! of it and that node's facts.

use std::io::{IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_catalog::certname::Certname;
use holdfast_catalog::facts::Facts;
use holdfast_catalog::spelling::nearest;

use crate::check::{ENVIRONMENT, facts_of, read_facts};
use crate::compile::Program;
use crate::diagnose::{self, Colour};
use crate::diagnostic::Diagnostic;
use crate::excerpt::Excerpts;
use crate::inventory::Node;
use crate::repo::{Directory, GitRepository, Snapshot};

use super::{OutputFormat, print_bytes};

/// The most names to suggest.
const MAX_SUGGESTED: usize = 5;

/// Which node of which repository.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Question {
    /// The machine's name in the inventory.
    #[arg(long, value_name = "NAME")]
    node: String,
    /// The control repository: a checkout, read as it is.
    #[arg(long, value_name = "DIR", default_value = ".")]
    repo: PathBuf,
    /// A commit, branch or tag of it, instead of its current files.
    #[arg(long, value_name = "REV")]
    rev: Option<String>,
    /// The machine's facts as JSON; otherwise facts/NAME.json or facts/default.json of the repository.
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,
}

/// A node with everything that is needed to answer questions about it.
pub(super) struct CompileInput {
    pub(super) program: Program,
    pub(super) node: Arc<Node>,
    pub(super) facts: Facts,
    /// The branch's name, or the name for a directory without one.
    pub(super) environment: String,
}

/// Why a question cannot be answered.
pub(super) enum InputError {
    /// For a reason that fits on one line.
    Because(String),
    /// For problems that have places.
    Problems(Snapshot, Vec<Diagnostic>),
}

impl InputError {
    /// Prints it on standard error.
    pub(super) fn tell(&self) {
        match self {
            Self::Because(why) => say!("error: {why}"),
            Self::Problems(snapshot, problems) => show_on_stderr(snapshot, problems),
        }
    }
}

impl Question {
    /// Opens the repository and finds the node in it.
    pub(super) fn ask(&self) -> Result<CompileInput, InputError> {
        let snapshot = open(&self.repo, self.rev.as_deref()).map_err(InputError::Because)?;
        let program = Program::new(&snapshot, None);
        let certname = Certname::parse(&self.node).map_err(|error| InputError::Because(error.to_string()))?;
        let node = self.find(&program, &certname)?;
        let facts = self.facts(&snapshot, &certname)?;
        snapshot.remarks().iter().for_each(|remark| say!("note: {}", remark.message));
        let environment = self.rev.clone().unwrap_or_else(|| ENVIRONMENT.to_owned());
        Ok(CompileInput { program, node, facts, environment })
    }

    fn find(&self, program: &Program, certname: &Certname) -> Result<Arc<Node>, InputError> {
        if let Some(node) = program.inventory().get(certname) {
            return Ok(node.clone());
        }
        let in_inventory = |problem: &Diagnostic| {
            problem.origin.as_ref().is_some_and(|origin| origin.file.starts_with("inventory/"))
        };
        let problems: Vec<_> = program.problems().into_iter().filter(in_inventory).collect();
        if !problems.is_empty() {
            return Err(InputError::Problems(program.snapshot().clone(), problems));
        }
        let names: Vec<_> = program.inventory().nodes().map(|node| node.certname.as_str()).collect();
        let short = format!("{certname}.");
        let of_host: Vec<_> = names.iter().copied().filter(|name| name.starts_with(&short)).collect();
        let near = match (&of_host[..], nearest(certname.as_str(), names.iter().copied())) {
            ([], near) => near.map(|near| format!("; did you mean `{near}`?")),
            ([one], _) => Some(format!("; did you mean `{one}`?")),
            (several, _) => match several.len().checked_sub(MAX_SUGGESTED).filter(|more| *more > 0) {
                None => Some(format!("; did you mean one of {}?", several.join(", "))),
                Some(more) => {
                    let some = several[..MAX_SUGGESTED].join(", ");
                    Some(format!("; did you mean one of {some} or of {more} more?"))
                }
            },
        };
        let why = format!("`{certname}` is not in the inventory{}", near.unwrap_or_default());
        Err(InputError::Because(why))
    }

    fn facts(&self, snapshot: &Snapshot, certname: &Certname) -> Result<Facts, InputError> {
        let refused = |problem| InputError::Problems(snapshot.clone(), vec![problem]);
        if let Some(path) = &self.facts {
            let shown = path.display().to_string();
            let bytes =
                std::fs::read(path).map_err(|e| InputError::Because(format!("cannot read {shown}: {e}")))?;
            return read_facts(&shown, &bytes).map_err(refused);
        }
        Ok(facts_of(snapshot, certname).map_err(refused)?.unwrap_or_else(|| {
            say!("note: no facts of {certname}: levels of the data whose path needs one are skipped");
            Facts::none()
        }))
    }
}

/// Opens a directory as it is, or one of its commits. A directory inside a repository means the whole repository, as
/// for git.
pub(super) fn open(directory: &Path, revision: Option<&str>) -> Result<Snapshot, String> {
    // A directory that does not exist is not inside a repository, even if its path is.
    if let Err(error) = std::fs::metadata(directory) {
        return Err(format!("cannot read {}: {error}", directory.display()));
    }
    let whole = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    let snapshot = match revision {
        Some(revision) => {
            let root = whole.ancestors().find(|path| GitRepository::is_at(path)).unwrap_or(directory);
            GitRepository::open(root, revision).and_then(|repository| repository.snapshot())
        }
        None => {
            let root = root(&whole).unwrap_or(directory);
            if root == directory && is_bare(directory) {
                return Err(format!(
                    "{0} is a bare git repository, which has no files to read as they are: name a commit or branch of \
                     it, such as --rev main",
                    directory.display()
                ));
            }
            Directory::new(root).snapshot()
        }
    };
    let snapshot = snapshot.map_err(|error| error.or_exhausted(directory).to_string())?;
    if PARTS.iter().all(|part| snapshot.under(part).next().is_none()) {
        return Err(format!(
            "{} is not a control repository: it has no inventory/, modules/ or hieradata/; `holdfast init DIR` makes one",
            directory.display()
        ));
    }
    Ok(snapshot)
}

/// The control repository that a directory is, or is inside of.
pub(super) fn root(directory: &Path) -> Option<&Path> {
    directory.ancestors().find(|path| is_root(path))
}

/// The git repository of a directory, whether the directory is read as it is or by a revision.
pub(super) fn git_of(directory: &Path, revision: Option<&str>) -> Option<PathBuf> {
    let whole = std::path::absolute(directory).ok()?;
    let is_it = |path: &&Path| if revision.is_some() { GitRepository::is_at(path) } else { is_root(path) };
    let root = whole.ancestors().find(is_it)?;
    GitRepository::is_at(root).then(|| root.to_owned())
}

/// The folders of a control repository; it has at least one of them.
const PARTS: [&str; 3] = ["inventory", "modules", "hieradata"];

fn is_root(directory: &Path) -> bool {
    PARTS.iter().any(|part| directory.join(part).is_dir())
}

fn is_bare(directory: &Path) -> bool {
    directory.join("HEAD").is_file() && GitRepository::is_at(directory)
}

/// Prints problems as data: on standard output, in the requested format.
pub(super) fn show(snapshot: &Snapshot, problems: &[Diagnostic], format: OutputFormat) {
    let mut out = Vec::new();
    let written = match format {
        OutputFormat::Json => {
            let excerpts = Excerpts::new(snapshot, None);
            let problems: Vec<_> =
                problems.iter().map(|problem| excerpts.redacted(problem.clone())).collect();
            diagnose::json_lines(&problems, &mut out)
        }
        OutputFormat::Text => {
            out.write_all(text(snapshot, problems, std::io::stdout().is_terminal()).as_bytes())
        }
    };
    print_bytes(written.map(|()| out));
    if format == OutputFormat::Text {
        diagnose::hint(problems).into_iter().for_each(|hint| say!("{hint}"));
    }
}

/// Prints problems as messages: on standard error.
pub(super) fn show_on_stderr(snapshot: &Snapshot, problems: &[Diagnostic]) {
    let words = text(snapshot, problems, std::io::stderr().is_terminal());
    // As with all messages, standard error may be closed.
    let _ = std::io::stderr().lock().write_all(words.as_bytes());
    diagnose::hint(problems).into_iter().for_each(|hint| say!("{hint}"));
}

fn text(snapshot: &Snapshot, problems: &[Diagnostic], terminal: bool) -> String {
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = if terminal && !no_colour { Colour::Allowed } else { Colour::Plain };
    let excerpts = Excerpts::new(snapshot, None);
    let shown = problems.iter().map(|problem| {
        let problem = excerpts.redacted(problem.clone());
        diagnose::text(&problem, &|origin| excerpts.line(origin), colour) + "\n\n"
    });
    shown.collect()
}
