//! Corrects what differs in a tree, path by path.

use std::path::Path;
use std::sync::Arc;

use holdfast_catalog::resource::File;

use super::super::regular::{Replacement, replace};
use super::super::{Owners, apply_access, backup, clear, kind_word, properties};
use super::{Change, DEFAULT_DIRECTORY_MODE, Property, SourceEntry, directory_mode, expected, member_mode};
use crate::provider::{Applied, ChangeKind, Error, Writing};
use crate::system::{FileKind, Stat, text_path};

/// Makes the changes, path by path. One that fails does not keep the others from being made.
pub(in crate::provider::file) fn apply(
    want: &File,
    owners: &Owners,
    changes: &[Change],
    writing: Writing<'_>,
) -> Result<Applied, Error> {
    let path = Path::new(want.title.as_str());
    let expected = expected(want);
    let mut applied = Applied::default();
    let mut position = 0;
    for group in changes.chunk_by(|a, b| a.path == b.path) {
        let first = position;
        position += group.len();
        if group.iter().all(|change| change.kind == ChangeKind::Note) {
            continue;
        }
        let properties = properties(group);
        let Some(below) = group.first().and_then(|change| change.path.as_deref()) else {
            let not_kept = apply_own(want, path, owners, &properties, writing)?;
            applied.said.extend(not_kept.map(|words| (first, words)));
            continue;
        };
        let job = TreeTask {
            want,
            owners,
            path: &path.join(text_path(below)),
            source: expected.get(below).copied(),
        };
        match job.apply(&properties, writing) {
            Ok(words) => applied.said.extend(words.map(|words| (first, words))),
            Err(error) => {
                let error = Arc::new(error);
                applied.failed.extend((first..position).map(|at| (at, error.clone().into())));
            }
        }
    }
    Ok(applied)
}

/// Corrects the directory itself; returns what is not kept of what it replaces.
fn apply_own(
    want: &File,
    path: &Path,
    owners: &Owners,
    properties: &[Property],
    writing: Writing<'_>,
) -> Result<Option<String>, Error> {
    if !properties.contains(&Property::Ensure) {
        apply_access(path, directory_mode(want), owners, properties, writing)?;
        return Ok(None);
    }
    let not_kept = clear(want, path, writing)?;
    let mode = directory_mode(want).unwrap_or(DEFAULT_DIRECTORY_MODE);
    writing.machine.make_dir(path, owners.access(mode, None))?;
    Ok(not_kept)
}

/// One path of the tree.
struct TreeTask<'a> {
    want: &'a File,
    owners: &'a Owners,
    path: &'a Path,
    source: Option<SourceEntry<'a>>,
}

impl TreeTask<'_> {
    /// Corrects what differs; returns a remark, if there is one.
    fn apply(&self, properties: &[Property], writing: Writing<'_>) -> Result<Option<String>, Error> {
        let old = writing.machine.lstat(self.path)?;
        if properties.contains(&Property::Purge) {
            return self.purge(old, writing);
        }
        let mode = match self.source {
            // A new file has the declared mode, or begins with the default one.
            Some(source) if old.is_none_or(|old| old.kind != source.kind()) => source.mode(self.want, 0o644),
            Some(source) => source.mode(self.want, old.map_or(0o644, |old| old.permissions())),
            None => old.and_then(|old| member_mode(self.want.mode?.0, old.kind)),
        };
        let is_taken =
            self.want.replace && self.owners.take(old) && matches!(self.source, Some(SourceEntry::File(..)));
        let is_made = |property: &Property| match property {
            Property::Ensure | Property::Content | Property::Target => true,
            Property::Owner => is_taken,
            _ => false,
        };
        match self.source {
            Some(source) if properties.iter().any(is_made) => self.make(source, mode, old, writing),
            _ => apply_access(self.path, mode, self.owners, properties, writing).map(|()| None),
        }
    }

    fn make(
        &self,
        source: SourceEntry<'_>,
        mode: Option<u32>,
        old: Option<Stat>,
        writing: Writing<'_>,
    ) -> Result<Option<String>, Error> {
        let in_the_way = old.filter(|old| old.kind != source.kind());
        let loses = in_the_way.is_some_and(|old| {
            source.kind() == FileKind::Directory || matches!(old.kind, FileKind::Directory | FileKind::Other)
        });
        if loses && !self.want.force {
            let (path, should) = (self.path.display(), kind_word(source.kind()));
            return Err(Error::Conflict(format!("{path} is replaced by a {should} only with force = true")));
        }
        if let SourceEntry::Link(target) = source {
            let is_blocked =
                in_the_way.is_some_and(|old| matches!(old.kind, FileKind::Directory | FileKind::Other));
            let keep = if is_blocked { clear } else { backup::keep };
            let not_kept = keep(self.want, self.path, writing)?;
            let access = self.owners.access(0o777, None);
            writing.machine.make_symlink(self.path, Path::new(target), access)?;
            return Ok(not_kept);
        }
        match source.content() {
            Some(content) => {
                let kept = old.filter(|_| in_the_way.is_none()).map(|old| old.permissions());
                let mode = mode.or(kept).unwrap_or(0o644);
                let job = Replacement { path: self.path, content: Some(&content), mode, old };
                replace(self.want, self.owners, &job, writing)
            }
            None => {
                let not_kept = clear(self.want, self.path, writing)?;
                let access = self.owners.access(mode.unwrap_or(DEFAULT_DIRECTORY_MODE), None);
                writing.machine.make_dir(self.path, access)?;
                Ok(not_kept)
            }
        }
    }

    fn purge(&self, old: Option<Stat>, writing: Writing<'_>) -> Result<Option<String>, Error> {
        match old.map(|old| old.kind) {
            None => Ok(None),
            Some(FileKind::Directory) if !self.want.force => {
                let path = self.path.display();
                Err(Error::Conflict(format!("{path} is a directory, and is removed only with force = true")))
            }
            Some(_) => clear(self.want, self.path, writing),
        }
    }
}
