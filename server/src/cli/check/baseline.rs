//! The commit that the server will have in force when a new commit arrives, as far as a clone can tell: the upstream of
//! its branch, or else the commit that is checked out. A commit that the server refused is skipped, as the server did.

use std::path::Path;

use crate::check::{Baseline, CheckFindings, check, judge};
use crate::compile::Program;
use crate::inventory::{Departures, Inventory};
use crate::lookup::hierarchy::HierarchySettings;
use crate::repo::{self, GitRepository, Snapshot};

use super::super::repository;

/// How many commits to go back at most.
const MAX_COMMITS: usize = 8;

/// A commit that is presumably in force.
pub(super) struct BaselineCommit {
    /// Its name for people.
    pub(super) name: String,
    program: Program,
    checked: CheckFindings,
}

impl BaselineCommit {
    /// The commit and its check, for the judgement of the next one.
    pub(super) fn before(&self) -> Baseline<'_> {
        Baseline { program: &self.program, checked: &self.checked }
    }
}

/// The commit in force when `now` arrives; `None` if that cannot be told here.
pub(super) fn find(directory: &Path, revision: Option<&str>, now: &Snapshot) -> Option<BaselineCommit> {
    let root = repository::git_of(directory, revision)?;
    let repository = GitRepository::open(&root, revision.unwrap_or("HEAD")).ok()?;
    let name = name_of(&repository, revision, now)?;
    let mut found: Option<BaselineCommit> = None;
    for (program, name) in back_to_a_clean_one(&repository, name).into_iter().rev() {
        let checked = judge(&program, found.as_ref().map(BaselineCommit::before), &|| false)?;
        if checked.is_usable() {
            found = Some(BaselineCommit { name, program, checked });
        }
    }
    found
}

/// The machines that the files remove, compared with the commit that is presumably in force, and the name of that
/// commit. Only its inventory is read; nothing of it is judged for this.
pub(super) fn leaving(
    directory: &Path,
    revision: Option<&str>,
    program: &Program,
) -> Option<(Departures, String)> {
    let root = repository::git_of(directory, revision)?;
    let repository = GitRepository::open(&root, revision.unwrap_or("HEAD")).ok()?;
    let name = name_of(&repository, revision, program.snapshot())?;
    let before = repository.snapshot_of(&name).ok()?;
    let (inventory, _) = Inventory::read(&before, &HierarchySettings::read(&before).0.labels);
    Some((Departures::between(&inventory, program.inventory()), name))
}

/// A commit and those before it, back to one at which every node compiles. Whether the server took one of the others
/// depends on those before it.
fn back_to_a_clean_one(repository: &GitRepository, name: String) -> Vec<(Program, String)> {
    let (mut found, mut next) = (Vec::new(), repository.snapshot_of(&name).ok());
    while let Some(snapshot) = next.take_if(|_| found.len() < MAX_COMMITS) {
        let program = Program::new(&snapshot, None);
        if !check(&program).is_clean() {
            next = repository.snapshot_of(&format!("{}^", snapshot.commit())).ok();
        }
        let name = if found.is_empty() { name.clone() } else { short(&program) };
        found.push((program, name));
    }
    found
}

/// The name of the commit before, in git's notation.
fn name_of(repository: &GitRepository, revision: Option<&str>, now: &Snapshot) -> Option<String> {
    let upstream = repository.upstream().filter(|name| match revision {
        None => true,
        Some(_) => {
            let upstream = repository.snapshot_of(name);
            upstream.is_ok_and(|up| repository.builds_on(now.commit(), up.commit()))
        }
    });
    let name = match (upstream, revision) {
        (Some(upstream), _) => upstream,
        (None, None) => "HEAD".to_owned(),
        (None, Some(revision)) => return Some(format!("{revision}^")),
    };
    // A commit that the server already has is judged against the one before it, as when it arrived.
    let base = repository.snapshot_of(&name).ok()?;
    Some(if is_same(&base, now) { format!("{name}^") } else { name })
}

fn is_same(one: &Snapshot, other: &Snapshot) -> bool {
    let files = |of: &Snapshot| {
        of.files().map(|(path, file)| (path.clone(), file.hash().clone())).collect::<Vec<_>>()
    };
    files(one) == files(other)
}

fn short(program: &Program) -> String {
    format!("commit {}", repo::short(program.snapshot().commit()))
}
