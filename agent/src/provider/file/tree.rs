//! A directory and everything in it: one streaming walk, one change for each path.

use std::collections::BTreeMap;
use std::path::Path;

use holdfast_catalog::hash::ContentHash;
use holdfast_catalog::resource::File;
use holdfast_catalog::resource::attribute::{FileContent, TreeEntry};

use super::{Change, Property};
use super::{Owners, Seen, access_changes, content, kind_word, plan_replacing, text};
use crate::provider::{ChangeKind, Error, Left, PathAliases, Reading, Spared, inside};
use crate::system::glob::matches_any;
use crate::system::{self, Accounts, FileKind, Stat, TreeMember, WalkStep, path_text, shown_text, text_path};

mod correct;

pub(super) use correct::apply;

/// The most paths of one directory that are corrected in a run; the next run continues.
const MAX_CHANGES: usize = 20_000;

/// The most diffs of one directory that are shown.
const MAX_DIFFS: usize = 20;

const DEFAULT_DIRECTORY_MODE: u32 = 0o755;

type TreeEntries = BTreeMap<String, TreeEntry>;

/// What the source has at a path.
#[derive(Debug, Clone, Copy)]
enum SourceEntry<'a> {
    Directory,
    /// A file, with its size, and whether it is executable.
    File(&'a ContentHash, u64, bool),
    Link(&'a str),
}

impl SourceEntry<'_> {
    fn kind(self) -> FileKind {
        match self {
            Self::Directory => FileKind::Directory,
            Self::File(..) => FileKind::File,
            Self::Link(_) => FileKind::Symlink,
        }
    }

    /// The mode of a program: every class of users that may read it may execute it.
    fn with_execution(self, mode: u32) -> u32 {
        match self {
            Self::File(_, _, true) => mode | (mode & 0o444) >> 2,
            Self::File(..) | Self::Directory | Self::Link(_) => mode,
        }
    }

    /// The wanted mode of an entry whose mode is `is`, or `None` if it is not managed.
    fn mode(self, want: &File, is: u32) -> Option<u32> {
        let declared = want.mode.and_then(|mode| member_mode(mode.0, self.kind()));
        let kept = match self {
            Self::File(_, _, true) => Some(is),
            // What the source does not mark as executable is not a program, whoever made it executable here.
            Self::File(_, _, false) => Some(is & !0o111),
            Self::Directory | Self::Link(_) => None,
        };
        declared.or(kept).map(|mode| self.with_execution(mode))
    }

    fn content(self) -> Option<FileContent> {
        match self {
            Self::Directory | Self::Link(_) => None,
            Self::File(sha256, size, _) => Some(FileContent::Hash { sha256: sha256.clone(), size }),
        }
    }
}

/// The files of the source and the directories that contain them.
fn expected(want: &File) -> BTreeMap<&str, SourceEntry<'_>> {
    let mut all = BTreeMap::new();
    let Some(FileContent::Tree(entries)) = &want.content else { return all };
    for (path, entry) in entries {
        all.extend(directories(path).map(|dir| (dir, SourceEntry::Directory)));
        let source = match entry {
            TreeEntry::File { sha256, size, program } => SourceEntry::File(sha256, *size, *program),
            TreeEntry::Link(target) => SourceEntry::Link(target),
            TreeEntry::Folder => SourceEntry::Directory,
        };
        all.insert(path.as_str(), source);
    }
    all
}

fn directories(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

/// What a source leaves on the machine: each of its paths.
pub(super) fn left(want: &File, entries: &TreeEntries) -> Left<'static> {
    let mut left = BTreeMap::new();
    for (path, entry) in entries {
        left.extend(directories(path).map(|dir| (format!("{dir}:ensure"), "directory".to_owned())));
        let kind = match entry {
            TreeEntry::File { sha256, program, .. } => {
                left.insert(format!("{path}:content"), content::shown(sha256));
                if *program {
                    let mode = want.mode.map_or_else(String::new, |mode| mode.to_string());
                    left.insert(format!("{path}:mode"), format!("{mode}, executable"));
                } else if want.mode.is_none() {
                    left.insert(format!("{path}:mode"), "not executable".to_owned());
                }
                "file"
            }
            TreeEntry::Link(target) => {
                left.insert(format!("{path}:target"), target.clone());
                "symlink"
            }
            TreeEntry::Folder => "directory",
        };
        left.insert(format!("{path}:ensure"), kind.to_owned());
    }
    left.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}

/// The mode of a member: a class of users that cannot read it cannot execute it, and one that can read a directory can
/// search it.
fn member_mode(mode: u32, kind: FileKind) -> Option<u32> {
    let readers = (mode & 0o444) >> 2;
    match kind {
        FileKind::Directory => Some(mode | readers),
        FileKind::File | FileKind::Other => Some(mode & !0o111 | mode & readers),
        FileKind::Symlink => None,
    }
}

fn directory_mode(want: &File) -> Option<u32> {
    let mode = want.mode?.0;
    if want.recurse { member_mode(mode, FileKind::Directory) } else { Some(mode) }
}

/// The changes that are needed.
pub(super) fn plan(
    want: &File,
    owners: &Owners,
    seen: &Seen,
    reading: Reading<'_>,
) -> Result<Vec<Change>, Error> {
    let path = Path::new(want.title.as_str());
    let Seen { accounts, spared } = seen;
    let expected = expected(want);
    let place = PathAliases::new(reading.machine).place(want.title.as_str());
    let purges = want.purge && spared.whole_around(&place).is_none();
    let mut look = TreeWalk {
        want,
        place,
        purges,
        owners,
        accounts,
        reading,
        spared,
        expected,
        changes: Vec::new(),
        diffs: 0,
    };
    let mut own = Vec::new();
    match reading.machine.lstat(path)? {
        None => own.push(Change::new(Property::Ensure, "absent", "directory")),
        Some(stat) if stat.kind != FileKind::Directory => {
            own.push(plan_replacing(want, path, &stat, reading.machine)?);
        }
        Some(stat) => {
            access_changes(want, directory_mode(want), owners, accounts, &stat, &mut own);
            if want.purge && !look.purges {
                own.push(purge_kept(
                    "nothing is purged: another resource manages the content of a directory around it",
                ));
            }
            if (want.recurse || want.purge) && !look.is_anothers() {
                reading.machine.walk(path, &mut |met| look.member(met?))?;
            }
        }
    }
    look.missing();
    look.changes.sort_by(|a, b| a.path.cmp(&b.path));
    own.append(&mut look.changes);
    Ok(own)
}

/// A walk in progress.
struct TreeWalk<'a> {
    want: &'a File,
    /// The real path of the directory.
    place: String,
    /// Whether unclaimed members are removed. Not if another resource makes the directory with everything in it.
    purges: bool,
    owners: &'a Owners,
    accounts: &'a Accounts,
    reading: Reading<'a>,
    spared: &'a Spared,
    /// The entries of the source that were not met yet.
    expected: BTreeMap<&'a str, SourceEntry<'a>>,
    changes: Vec<Change>,
    diffs: usize,
}

impl TreeWalk<'_> {
    /// Whether another resource manages the content of the directory.
    fn is_anothers(&self) -> bool {
        self.spared.is_whole(&self.place)
    }

    fn member(&mut self, member: &TreeMember<'_>) -> system::Result<WalkStep> {
        let path = &*path_text(member.path);
        if matches_any(&self.want.ignore, member.path.file_name().unwrap_or_default()) {
            return Ok(WalkStep::Past);
        }
        if self.changes.len() >= MAX_CHANGES {
            return Ok(WalkStep::Past);
        }
        match self.expected.remove(path) {
            Some(source) => self.sourced(path, source, member),
            None => self.unsourced(path, &member.stat),
        }
    }

    /// Handles a path that the source has.
    fn sourced(
        &mut self,
        path: &str,
        source: SourceEntry<'_>,
        member: &TreeMember<'_>,
    ) -> system::Result<WalkStep> {
        if member.stat.kind != source.kind() {
            let (is, should) = (kind_word(member.stat.kind), kind_word(source.kind()));
            self.changes.push(Change::new(Property::Ensure, is, should).below(path));
            return Ok(WalkStep::Past);
        }
        match source {
            SourceEntry::File(hash, size, _) if self.want.replace => {
                self.content(path, hash, size, member)?;
            }
            SourceEntry::Link(target) => self.target(path, target)?,
            SourceEntry::File(..) | SourceEntry::Directory => {}
        }
        self.access(path, source.mode(self.want, member.stat.mode), &member.stat);
        Ok(WalkStep::Into)
    }

    fn target(&mut self, path: &str, target: &str) -> system::Result<()> {
        let is = self.reading.machine.read_link(&Path::new(self.want.title.as_str()).join(path))?;
        if is != Path::new(target) {
            self.changes.push(Change::new(Property::Target, is.to_string_lossy(), target).below(path));
        }
        Ok(())
    }

    fn content(
        &mut self,
        path: &str,
        hash: &ContentHash,
        size: u64,
        member: &TreeMember<'_>,
    ) -> system::Result<()> {
        let wanted = FileContent::Hash { sha256: hash.clone(), size };
        let failed = |source| system::Error::io("reading", member.path, source);
        let mut opened = member.open()?;
        let is = content::hash_of(&mut opened.file).map_err(failed)?;
        if is == *hash {
            return Ok(());
        }
        let mut diff = None;
        if self.want.show_diff && opened.stat.links < 2 && self.diffs < MAX_DIFFS {
            self.diffs += 1;
            diff = text::diff(Some(&mut opened), &wanted, self.reading.content);
        }
        let change = Change::new(Property::Content, content::shown(&is), content::shown(hash));
        self.changes.push(change.below(path).diff(diff));
        Ok(())
    }

    fn access(&mut self, path: &str, mode: Option<u32>, stat: &Stat) {
        let mut changes = Vec::new();
        let theirs = self.spared.share_by_recursion(&self.place, path);
        let mode = mode.filter(|_| !theirs.mode);
        let owners = self.owners.without(theirs);
        access_changes(self.want, mode, &owners, self.accounts, stat, &mut changes);
        self.changes.extend(changes.into_iter().map(|change| change.below(path)));
    }

    /// Handles a path that the source does not have.
    fn unsourced(&mut self, path: &str, stat: &Stat) -> system::Result<WalkStep> {
        let deeper = if self.want.recurse { WalkStep::Into } else { WalkStep::Past };
        let whole = inside(&self.place, path);
        if self.spared.is_tree(&whole) {
            return Ok(WalkStep::Past);
        }
        let is_link = stat.kind == FileKind::Symlink;
        if self.spared.contains(&whole)
            || is_link && self.spared.is_link_of_unit(&whole, self.reading.machine)
        {
            return Ok(deeper);
        }
        if !self.purges {
            if self.want.content.is_some() {
                return Ok(WalkStep::Past);
            }
            let mode = self.want.mode.and_then(|mode| member_mode(mode.0, stat.kind));
            self.access(path, mode, stat);
            return Ok(deeper);
        }
        if stat.kind == FileKind::Directory {
            if self.spared.any_below(&whole) || self.spared.holds_link_of_unit(&whole, self.reading.machine) {
                return Ok(deeper);
            }
            if !self.want.force {
                self.note(path, "kept: a directory is removed only with force = true");
                return Ok(WalkStep::Past);
            }
            if let Some(ignored) = self.ignored_in(&whole)? {
                if deeper == WalkStep::Past {
                    self.note(path, &format!("kept: `ignore` leaves `{ignored}` in it alone"));
                }
                return Ok(deeper);
            }
        }
        self.changes.push(Change::new(Property::Purge, "present", "absent").below(path));
        Ok(WalkStep::Past)
    }

    /// A path below a directory that is ignored, if there is one.
    fn ignored_in(&self, directory: &str) -> system::Result<Option<String>> {
        let mut found = None;
        if self.want.ignore.is_empty() {
            return Ok(found);
        }
        self.reading.machine.walk(&text_path(directory), &mut |met| {
            let member = met?;
            if matches_any(&self.want.ignore, member.path.file_name().unwrap_or_default()) {
                found = Some(shown_text(&path_text(member.path)).into_owned());
                return Ok(WalkStep::Stop);
            }
            Ok(WalkStep::Into)
        })?;
        Ok(found)
    }

    fn note(&mut self, path: &str, words: &str) {
        self.changes.push(purge_kept(words).below(path));
    }

    /// Adds what the source has and the walk did not meet.
    fn missing(&mut self) {
        let missing = std::mem::take(&mut self.expected);
        let room = MAX_CHANGES.saturating_sub(self.changes.len());
        // In the order of paths, so a directory comes before its members.
        let is_ignored = |path: &str| path.split('/').any(|name| matches_any(&self.want.ignore, name));
        let missing = missing.into_iter().filter(|(path, _)| !is_ignored(path)).take(room);
        let change =
            |source: SourceEntry<'_>| Change::new(Property::Ensure, "absent", kind_word(source.kind()));
        self.changes.extend(missing.map(|(path, source)| change(source).below(path)));
    }
}

/// The note about something that a purge leaves.
fn purge_kept(words: &str) -> Change {
    Change::new(Property::Purge, "present", "absent").kind(ChangeKind::Note).note(words)
}
