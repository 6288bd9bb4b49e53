//! Files whose directory does not exist, and which resource would make it.

use std::path::Path;

use holdfast_catalog::catalog::Policy;

use super::super::Subject;
use super::super::check::Verdict;
use super::Correct;
use crate::system::FileKind;

/// The type whose resources are in directories that others make.
const FILE: &str = "file";

impl<'s> Correct<'_, '_, 's> {
    /// Why a file that should change cannot be made, as far as a look can tell. A run that writes would fail for this
    /// reason.
    pub(super) fn cannot_stand(&self, index: usize, verdict: &Verdict) -> Option<String> {
        let subject = &self.subjects[index];
        let is_to_change = matches!(verdict, Verdict::Changes(_)) && subject.type_name() == FILE;
        let path = subject.paths().into_iter().next().filter(|_| is_to_change)?;
        let directory = Path::new(path).parent()?;
        let kind = |at: &Path| self.run.system.stat(at).ok().flatten().map(|stat| stat.kind);
        let (at, kind) = directory.ancestors().find_map(|at| Some((at, kind(at)?)))?;
        if kind == FileKind::Directory {
            return self.kept_back(index).map(|by| format!("its directory does not exist; {by}"));
        }
        let is_replaced = self.named(at).is_some_and(|other| self.is_as_bold(other, index));
        (!is_replaced).then(|| format!("{} is not a directory, so nothing can be below it", at.display()))
    }

    /// Names the resource that would make the missing directory, if policy keeps it from doing so.
    pub(super) fn kept_back(&self, index: usize) -> Option<String> {
        let paths = self.subjects[index].paths();
        let missing = |at: &&Path| self.is_missing(at);
        let directories =
            paths.iter().flat_map(|path| Path::new(path).ancestors().skip(1).take_while(missing));
        let by = directories.filter_map(|at| self.named(at)).find(|other| !self.is_as_bold(*other, index))?;
        let maker = &self.subjects[by].resource;
        let policy = if maker.policy == Policy::Off { "switched off" } else { "only watched" };
        Some(format!("{}, which makes it, is {policy} by policy", maker.reference))
    }

    /// Whether policy lets one resource do at least what it lets another.
    fn is_as_bold(&self, one: usize, other: usize) -> bool {
        self.subjects[one].resource.policy >= self.subjects[other].resource.policy
    }

    /// The resource that names a path.
    fn named(&self, path: &Path) -> Option<usize> {
        let by_path = self.by_path.get_or_init(|| {
            let paths = |(index, subject): (usize, &Subject<'s>)| {
                subject.paths().into_iter().map(Path::new).map(move |path| (path, index)).collect::<Vec<_>>()
            };
            self.subjects.iter().enumerate().flat_map(paths).collect()
        });
        by_path.get(path).copied()
    }

    /// Whether a path of the resource has no directory, and nothing in the catalog would make one. A run that writes
    /// would fail for this reason.
    pub(super) fn stands_nowhere(&self, index: usize) -> bool {
        let paths = self.subjects[index].paths();
        let mut directories = paths.iter().filter_map(|path| Path::new(path).parent());
        directories.any(|at| self.is_missing(at) && self.named(at).is_none())
    }

    fn is_missing(&self, path: &Path) -> bool {
        self.run.system.stat(path).is_ok_and(|found| found.is_none())
    }
}
