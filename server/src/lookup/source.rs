//! The files on one node's path, in the order of the hierarchy.

use std::sync::Arc;

use holdfast_catalog::facts::Facts;

use super::data::Data;
use super::file::DataFile;
use super::hierarchy::{Level, Location, PathPattern, Writer};
use crate::diagnostic::Diagnostic;
use crate::inventory::Node;
use crate::repo::Reader;

/// A place in the hierarchy that may have data for a node.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub level: usize,
    pub name: Arc<str>,
    pub writer: Writer,
    /// Whether it is one of several files of a profile level, none of which precedes the others.
    pub span: Span,
    /// The path, or the pattern if there is no file.
    pub path: Arc<str>,
    pub state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    One,
    Profile,
}

#[derive(Debug, Clone)]
pub(super) enum State {
    File(Arc<DataFile>),
    Absent,
    Skipped(Arc<str>),
}

/// The sources of a node; those of profile levels are still patterns.
pub(super) struct Sources(Vec<Slot>);

enum Slot {
    Fixed(Source),
    Profile { level: usize, pattern: usize },
}

/// The node and the facts that paths are resolved for.
pub(super) type Subject<'a> = (&'a Node, &'a Facts);

impl Source {
    pub(super) fn file(&self) -> Option<&DataFile> {
        if let State::File(file) = &self.state { Some(file) } else { None }
    }

    /// Whether neither of the two precedes the other.
    pub(super) fn is_peer_of(&self, other: &Self) -> bool {
        self.level == other.level && self.span == Span::Profile && other.span == Span::Profile
    }
}

impl Sources {
    /// Opens the files that do not depend on profiles.
    pub(super) fn open(data: &Data, reader: &Reader, subject: Subject<'_>) -> Result<Self, Vec<Diagnostic>> {
        let mut slots = Vec::new();
        let mut problems = Vec::new();
        for (index, level) in data.settings().levels.iter().enumerate() {
            for (pattern, path) in level.paths.iter().enumerate() {
                if path.holds_profile() {
                    slots.push(Slot::Profile { level: index, pattern });
                    continue;
                }
                match open(data, reader, subject, (index, level, path), "") {
                    Ok(source) => slots.push(Slot::Fixed(source)),
                    Err(found) => problems.extend(found),
                }
            }
        }
        if problems.is_empty() { Ok(Self(slots)) } else { Err(problems) }
    }

    /// All sources, including the files of these profiles at their level, in the order of the profiles' names.
    pub(super) fn with_profiles(
        &self,
        data: &Data,
        reader: &Reader,
        subject: Subject<'_>,
        profiles: &[Arc<str>],
    ) -> Result<Vec<Source>, Vec<Diagnostic>> {
        let mut names: Vec<&str> =
            profiles.iter().map(|name| name.strip_prefix("profile::").unwrap_or(name)).collect();
        names.sort_unstable();
        names.dedup();
        let mut sources = Vec::with_capacity(self.0.len() + names.len());
        let mut problems = Vec::new();
        for slot in &self.0 {
            let (index, pattern) = match slot {
                Slot::Fixed(source) => {
                    sources.push(source.clone());
                    continue;
                }
                Slot::Profile { level, pattern } => (*level, *pattern),
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
    data: &Data,
    reader: &Reader,
    (node, facts): Subject<'_>,
    (index, level, pattern): (usize, &Level, &PathPattern),
    profile: &str,
) -> Result<Source, Vec<Diagnostic>> {
    let span = if pattern.holds_profile() { Span::Profile } else { Span::One };
    let source = |path: Arc<str>, state| Source {
        level: index,
        name: level.name.clone(),
        writer: level.writer,
        span,
        path,
        state,
    };
    let path = match pattern.locate(node, facts, profile).map_err(|problem| vec![problem])? {
        Location::Path(path) => path,
        Location::Skipped { why } => return Ok(source(pattern.text.clone(), State::Skipped(why.into()))),
    };
    let Some(content) = reader.open(&path) else { return Ok(source(path, State::Absent)) };
    let file = data.file(index, &path, content);
    if file.problems.is_empty() { Ok(source(path, State::File(file))) } else { Err(file.problems.clone()) }
}
