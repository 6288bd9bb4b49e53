//! The files on one node's path, in the order of the hierarchy.

use std::sync::Arc;

use holdfast_catalog::facts::Facts;

use super::data::DataTree;
use super::file::DataFile;
use super::hierarchy::{Level, LevelWriter, Location, PathPattern};
use crate::diagnostic::Diagnostic;
use crate::inventory::Node;
use crate::repo::SnapshotReader;

/// A place in the hierarchy that may have data for a node.
#[derive(Debug, Clone)]
pub(super) struct DataSource {
    pub level: usize,
    pub name: Arc<str>,
    pub writer: LevelWriter,
    /// Whether it is one of several files of a profile level, none of which precedes the others.
    pub span: SourceSpan,
    /// The path, or the pattern if there is no file.
    pub path: Arc<str>,
    pub state: SourceState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SourceSpan {
    One,
    Profile,
}

#[derive(Debug, Clone)]
pub(super) enum SourceState {
    File(Arc<DataFile>),
    Absent,
    Skipped(Arc<str>),
}

/// The sources of a node; those of profile levels are still patterns.
pub(super) struct DataSources(Vec<SourceSlot>);

enum SourceSlot {
    Fixed(DataSource),
    Profile { level: usize, pattern: usize },
}

/// The node and the facts that paths are resolved for.
pub(super) type PathSubject<'a> = (&'a Node, &'a Facts);

impl DataSource {
    pub(super) fn file(&self) -> Option<&DataFile> {
        if let SourceState::File(file) = &self.state { Some(file) } else { None }
    }

    /// Whether neither of the two precedes the other.
    pub(super) fn is_peer_of(&self, other: &Self) -> bool {
        self.level == other.level && self.span == SourceSpan::Profile && other.span == SourceSpan::Profile
    }
}

impl DataSources {
    /// Opens the files that do not depend on profiles.
    pub(super) fn open(
        data: &DataTree,
        reader: &SnapshotReader,
        subject: PathSubject<'_>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut slots = Vec::new();
        let mut problems = Vec::new();
        for (index, level) in data.settings().levels.iter().enumerate() {
            for (pattern, path) in level.paths.iter().enumerate() {
                if path.holds_profile() {
                    slots.push(SourceSlot::Profile { level: index, pattern });
                    continue;
                }
                match open(data, reader, subject, (index, level, path), "") {
                    Ok(source) => slots.push(SourceSlot::Fixed(source)),
                    Err(found) => problems.extend(found),
                }
            }
        }
        if problems.is_empty() { Ok(Self(slots)) } else { Err(problems) }
    }

    /// All sources, including the files of these profiles at their level, in the order of the profiles' names.
    pub(super) fn with_profiles(
        &self,
        data: &DataTree,
        reader: &SnapshotReader,
        subject: PathSubject<'_>,
        profiles: &[Arc<str>],
    ) -> Result<Vec<DataSource>, Vec<Diagnostic>> {
        let mut names: Vec<&str> =
            profiles.iter().map(|name| name.strip_prefix("profile::").unwrap_or(name)).collect();
        names.sort_unstable();
        names.dedup();
        let mut sources = Vec::with_capacity(self.0.len() + names.len());
        let mut problems = Vec::new();
        for slot in &self.0 {
            let (index, pattern) = match slot {
                SourceSlot::Fixed(source) => {
                    sources.push(source.clone());
                    continue;
                }
                SourceSlot::Profile { level, pattern } => (*level, *pattern),
            };
            let level = &data.settings().levels[index];
            for name in &names {
                match open(data, reader, subject, (index, level, &level.paths[pattern]), name) {
                    Ok(source) => sources.push(source),
                    Err(found) => problems.extend(found),
                }
            }
        }
        if problems.is_empty() { Ok(sources) } else { Err(problems) }
    }
}

fn open(
    data: &DataTree,
    reader: &SnapshotReader,
    (node, facts): PathSubject<'_>,
    (index, level, pattern): (usize, &Level, &PathPattern),
    profile: &str,
) -> Result<DataSource, Vec<Diagnostic>> {
    let span = if pattern.holds_profile() { SourceSpan::Profile } else { SourceSpan::One };
    let source = |path: Arc<str>, state| DataSource {
        level: index,
        name: level.name.clone(),
        writer: level.writer,
        span,
        path,
        state,
    };
    let path = match pattern.locate(node, facts, profile).map_err(|problem| vec![problem])? {
        Location::Path(path) => path,
        Location::Skipped { why } => {
            return Ok(source(pattern.text.clone(), SourceState::Skipped(why.into())));
        }
    };
    let Some(content) = reader.open(&path) else { return Ok(source(path, SourceState::Absent)) };
    let file = data.file(index, &path, content);
    if file.problems.is_empty() {
        Ok(source(path, SourceState::File(file)))
    } else {
        Err(file.problems.clone())
    }
}
