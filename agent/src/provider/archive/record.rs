//! What was unpacked, recorded in the agent's own state, where nobody else can write: each member with its kind,
//! permission bits and content. From the record the next run sees what was changed in place.
//!
//! A file is hashed only if its size is right and it was touched since, or if users other than root can write it or its
//! directory. The kernel sets the time of a change and nobody can set it back, but writing through a memory mapping
//! leaves it as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use holdfast_catalog::hash::ContentHash;
use holdfast_catalog::resource::Archive;
use serde::{Deserialize, Serialize};

use super::digest::{hash, hash_of};
use super::friends::Friends;
use crate::provider::{Error, PathAliases, Reading, inside};
use crate::system::glob::matches_any;
use crate::system::{
    self, FileKind, Inspect, Machine, Permissions, Stat, System as _, WalkStep, path_text, text_path,
};

const DIRECTORY: &str = "/archives";

const PRIVATE: Permissions = Permissions { mode: 0o600, uid: None, gid: None };

/// The most bytes of a record, more than any archive needs.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// An archive that was put in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveRecord {
    /// The archive's path, for people.
    path: String,
    /// The SHA-256 of the archive.
    pub sha256: String,
    /// The number of leading directories that were stripped.
    pub strip: u32,
    /// Its members, by the text of the path below it; the empty path is the archive itself.
    pub members: BTreeMap<String, ArchiveMember>,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveMember {
    pub mode: u32,
    pub what: MemberKind,
}

/// The kind of a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberKind {
    Directory,
    /// A symbolic link with this target, as a text.
    Link(String),
    File {
        /// The SHA-256 of its content.
        sha256: String,
        /// Its size in bytes.
        size: u64,
        /// When it was last touched while it was right, in seconds and nanoseconds.
        touched: Option<(i64, u32)>,
    },
}

/// How an archive differs from what was unpacked.
#[derive(Debug, Default)]
pub struct Drift {
    /// Members whose content differs: the path, and what is wrong.
    pub content: Vec<(String, String)>,
    /// Members with other permission bits: the path, the bits now, and the recorded ones.
    pub modes: Vec<(String, u32, u32)>,
    /// Members that belong to a user other than the agent's own: the path and the user id.
    pub owners: Vec<(String, u32)>,
    /// Members that belong to a group other than the agent's own: the path and the group id.
    pub groups: Vec<(String, u32)>,
}

/// The paths of what was unpacked below a directory inside an archive of the catalog; `place` is the directory's real
/// path.
pub(in crate::provider) fn unpacked_in(place: &str, reading: Reading<'_>) -> BTreeSet<String> {
    let mut ways = PathAliases::new(reading.machine);
    let mut all = BTreeSet::new();
    for want in reading.named.of_type::<Archive>() {
        let top = ways.place(want.title.as_str());
        if let Some(record) = Some(want)
            .filter(|_| place.starts_with(&inside(&top, "")))
            .and_then(|want| ArchiveRecord::read(want, reading.state_dir))
        {
            all.extend(record.members.into_keys().map(|member| inside(&top, &member)));
        }
    }
    all
}

impl ArchiveRecord {
    /// Records a tree that nobody else can enter.
    pub fn of_tree(want: &Archive, inside: &dyn Inspect, inner: &Path) -> Result<Self, Error> {
        let mut record = Self::new(want);
        let mut failed = None;
        inside.walk(inner, &mut |met| {
            let member = met?;
            match ArchiveMember::of(&inner.join(member.path), &member.stat, inside) {
                Ok(found) => {
                    record.members.insert(path_text(member.path).into_owned(), found);
                }
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
            Ok(WalkStep::Into)
        })?;
        failed.map_or(Ok(record), Err)
    }

    /// A record with no members yet.
    pub fn new(want: &Archive) -> Self {
        let sha256 = want.sha256.as_ref().map(ToString::to_string).unwrap_or_default();
        let path = want.title.as_str().to_owned();
        Self { path, sha256, strip: want.strip, members: BTreeMap::new() }
    }

    /// The record of an archive; `None` if there is none, or it cannot be parsed.
    pub fn read(want: &Archive, state_dir: &Path) -> Option<Self> {
        let state = Machine::open(state_dir).ok()?;
        let bytes = state.read(&place(want), MAX_BYTES).ok()??;
        serde_json::from_slice(&bytes).ok()
    }

    /// Writes the record.
    pub fn write(&self, want: &Archive, state_dir: &Path) -> Result<(), Error> {
        let state = Machine::open(state_dir)?;
        if !has_directory(&state)? {
            state.remove(Path::new(DIRECTORY))?;
            state.make_dir(Path::new(DIRECTORY), Permissions { mode: 0o700, ..PRIVATE })?;
        }
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        Ok(system::write_durably(&state, &place(want), PRIVATE, &bytes)?)
    }

    /// Removes the record.
    pub fn remove(want: &Archive, state_dir: &Path) -> Result<(), Error> {
        Ok(Machine::open(state_dir)?.remove(&place(want))?)
    }

    /// The permission bits of the archive's top directory or file.
    pub fn mode(&self) -> Option<u32> {
        self.members.get("").map(|top| top.mode)
    }

    /// Whether the record is of the wanted version.
    pub fn is_of(&self, want: &Archive) -> bool {
        want.sha256.as_ref().is_some_and(|hash| hash.as_str() == self.sha256) && self.strip == want.strip
    }

    /// What was changed in place since. What was added, and what others manage, is not looked at.
    pub fn drift(&self, want: &Archive, friends: &Friends<'_>, machine: &dyn Inspect) -> Drift {
        let mut drift = Drift::default();
        let mut open = OpenDirectories::default();
        for (path, member) in &self.members {
            if is_ignored(want, path) {
                continue;
            }
            let at = below(want, path);
            let theirs = friends.share(path);
            let found = if theirs.content {
                let Ok(Some(stat)) = machine.lstat(&at) else { continue };
                Ok(Ok(stat))
            } else {
                member.look(&at, open.has(path), machine)
            };
            let stat = match found {
                Ok(Ok(stat)) => stat,
                Ok(Err(what)) => {
                    drift.content.push((path.clone(), what.to_owned()));
                    continue;
                }
                Err(error) => {
                    drift.content.push((path.clone(), format!("cannot be looked at: {error}")));
                    continue;
                }
            };
            open.note(path, &stat);
            let has_mode =
                stat.kind != FileKind::Symlink && !theirs.mode && (want.mode.is_none() || !path.is_empty());
            if has_mode && stat.mode != member.mode {
                drift.modes.push((path.clone(), stat.mode, member.mode));
            }
            let (uid, gid) = own();
            if want.owner.is_none() && !theirs.owner && stat.uid != uid {
                drift.owners.push((path.clone(), stat.uid));
            }
            if want.group.is_none() && !theirs.group && stat.gid != gid {
                drift.groups.push((path.clone(), stat.gid));
            }
        }
        drift
    }

    /// Notes the change time of each file that is right now, so it need not be read again until it is touched.
    pub fn refresh(&mut self, want: &Archive, machine: &dyn Inspect) {
        for (path, member) in &mut self.members {
            let found = member.look(&below(want, path), true, machine);
            if let (MemberKind::File { touched, .. }, Ok(Ok(stat))) = (&mut member.what, found) {
                *touched = Some((stat.times.changed, stat.times.changed_nanos));
            }
        }
    }
}

impl ArchiveMember {
    fn of(path: &Path, stat: &Stat, machine: &dyn Inspect) -> Result<Self, Error> {
        let what = match stat.kind {
            FileKind::Symlink => MemberKind::Link(path_text(&machine.read_link(path)?).into_owned()),
            FileKind::File => {
                let sha256 = hash_of(path, machine)?.unwrap_or_default();
                MemberKind::File { sha256, size: stat.size, touched: None }
            }
            FileKind::Directory | FileKind::Other => MemberKind::Directory,
        };
        Ok(Self { mode: stat.mode, what })
    }

    /// The state of the member, or what is wrong with it, in words. Whether the file must be read depends on what is
    /// known of it, and on `is_open`: whether users other than root can write its directory.
    fn look(
        &self,
        path: &Path,
        is_open: bool,
        machine: &dyn Inspect,
    ) -> Result<Result<Stat, &'static str>, Error> {
        let must_be_read = |stat: &Stat| match &self.what {
            MemberKind::File { size, touched, .. } => {
                let was_touched = *touched != Some((stat.times.changed, stat.times.changed_nanos));
                stat.size == *size && (was_touched || is_open || is_written_by_others(stat))
            }
            _ => false,
        };
        let Some((stat, opened)) = machine.open_if(path, &must_be_read)? else {
            return Ok(Err("is not there"));
        };
        let is_right = match (&self.what, stat.kind) {
            (MemberKind::Directory, FileKind::Directory) => true,
            (MemberKind::Link(target), FileKind::Symlink) => machine.read_link(path)? == text_path(target),
            (MemberKind::File { size, sha256, .. }, FileKind::File) => match opened {
                Some(opened) => hash(opened, path)? == *sha256,
                None => stat.size == *size,
            },
            _ => return Ok(Err("is something else")),
        };
        Ok(if is_right { Ok(stat) } else { Err("differs") })
    }
}

/// Directories of an archive that users other than root can write. A directory is met before its members.
#[derive(Default)]
struct OpenDirectories<'a>(BTreeSet<&'a str>);

impl<'a> OpenDirectories<'a> {
    fn note(&mut self, path: &'a str, stat: &Stat) {
        if stat.kind == FileKind::Directory && is_written_by_others(stat) {
            self.0.insert(path);
        }
    }

    /// Whether a member is in one of them.
    fn has(&self, path: &str) -> bool {
        let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
        self.0.contains(dir)
    }
}

/// Whether users other than the agent's own can write it.
fn is_written_by_others(stat: &Stat) -> bool {
    stat.uid != own().0 || stat.mode & 0o022 != 0
}

/// The agent's own user and group ids; root on a real machine.
pub fn own() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

/// The path of a member.
pub fn below(want: &Archive, path: &str) -> PathBuf {
    let top = Path::new(want.title.as_str());
    if path.is_empty() { top.to_owned() } else { top.join(text_path(path)) }
}

/// Whether a member, or a directory that contains it, is ignored.
fn is_ignored(want: &Archive, path: &str) -> bool {
    text_path(path).iter().any(|name| matches_any(&want.ignore, name))
}

fn place(want: &Archive) -> PathBuf {
    Path::new(DIRECTORY).join(name(want))
}

/// The file name of an archive's record.
pub(in crate::provider) fn name(want: &Archive) -> String {
    format!("{}.json", ContentHash::of(want.title.as_str().as_bytes()))
}

fn has_directory(state: &Machine) -> system::Result<bool> {
    Ok(state.lstat(Path::new(DIRECTORY))?.is_some_and(|stat| stat.kind == FileKind::Directory))
}

/// The file names of all records.
pub(in crate::provider) fn names(state: &Machine) -> system::Result<Vec<String>> {
    if !has_directory(state)? {
        return Ok(Vec::new());
    }
    let names = state.list(Path::new(DIRECTORY))?.into_iter();
    Ok(names.filter_map(|name| name.into_string().ok()).filter(|name| name.ends_with(".json")).collect())
}

/// Removes a record by its file name.
pub(in crate::provider) fn forget(name: &str, state: &Machine) -> system::Result<()> {
    state.remove(&Path::new(DIRECTORY).join(name))
}
