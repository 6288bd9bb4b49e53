//! What is at an archive's path, and how it differs.

use std::path::Path;

use holdfast_catalog::resource::Archive;
use holdfast_catalog::resource::attribute::FileMode;

use super::digest::hash_of;
use super::friends::Friends;
use super::known::KnownArchive;
use super::marker::Marker;
use super::owners::Owners;
use super::record::{ArchiveRecord, Drift};
use super::{Change, Property, Seen};
use crate::provider::{Error, Reading};
use crate::system::{Accounts, FileKind, Inspect, Stat, path_text, shown_text};

/// The most paths that a message names.
const MAX_NAMED: usize = 5;

/// The changes that remove what is there.
pub fn to_remove(want: &Archive, state_dir: &Path, machine: &dyn Inspect) -> Result<Vec<Change>, Error> {
    let path = Path::new(want.title.as_str());
    let Some(stat) = machine.lstat(path)? else { return Ok(Vec::new()) };
    if want.force || ArchiveRecord::read(want, state_dir).is_some() || is_own(want, path, &stat, machine)? {
        return Ok(vec![Change::new(Property::Ensure, "present", "absent")]);
    }
    Err(Error::Conflict(format!(
        "nothing says that {} was made by an archive, and it is removed only with force = true; check what it is first",
        path.display()
    )))
}

/// Whether this resource made it: a directory is recognized by its marker, a file by its hash.
fn is_own(want: &Archive, path: &Path, stat: &Stat, machine: &dyn Inspect) -> Result<bool, Error> {
    match (stat.kind, &want.sha256) {
        (FileKind::Directory, _) => Ok(Marker::read(path, machine)?.is_some()),
        (FileKind::File, Some(hash)) => Ok(hash_of(path, machine)?.as_deref() == Some(hash.as_str())),
        _ => Ok(false),
    }
}

/// The changes that are needed.
pub fn differences(
    want: &Archive,
    owners: &Owners,
    Seen { accounts, spared }: &Seen,
    reading: Reading<'_>,
) -> Result<Vec<Change>, Error> {
    let machine = reading.machine;
    let friends = Friends::below(want.title.as_str(), spared, machine);
    let path = Path::new(want.title.as_str());
    let known = KnownArchive::of(want, reading)?;
    let Some(stat) = machine.lstat(path)? else {
        return Ok(vec![Change::new(Property::Ensure, "absent", "present")]);
    };
    let mut changes = match (want.format().is_some(), stat.kind) {
        (true, FileKind::Directory) => match &known {
            _ if machine.list(path)?.is_empty() => {
                return Ok(vec![
                    Change::new(Property::Ensure, "absent", "present").note("the directory is empty"),
                ]);
            }
            Some(known) => of_directory(want, path, known, machine)?,
            None => {
                let change = foreign(want, kind_word(FileKind::Directory))?;
                return Ok(vec![change.note(all_that_goes(path, machine)?)]);
            }
        },
        (false, FileKind::File) => of_file(want, path, machine)?,
        (false, FileKind::Directory) if known.is_some() => {
            return Ok(vec![Change::new(Property::Ensure, "an unpacked directory", "present")]);
        }
        (_, FileKind::Directory) => {
            let change = foreign(want, kind_word(FileKind::Directory))?;
            return Ok(vec![change.note(all_that_goes(path, machine)?)]);
        }
        (_, kind) => return Ok(vec![foreign(want, kind_word(kind))?]),
    };
    if !changes.is_empty() {
        // Anything else is about to be replaced and need not be looked at.
        return Ok(changes);
    }
    let record = known.as_ref().and_then(KnownArchive::record).filter(|record| record.is_of(want));
    let drift = record.map(|record| record.drift(want, &friends, machine)).unwrap_or_default();
    changes.extend(in_place(want, &drift));
    if let Some(mode) = want.mode.filter(|mode| mode.0 != stat.mode) {
        changes.push(Change::new(Property::Mode, FileMode(stat.mode), mode));
    }
    let names = [want.owner.as_ref(), want.group.as_ref()];
    changes.extend(owners.differences(path, names, &friends, accounts, machine)?);
    changes.extend(access(&drift, want.mode.is_none_or(|mode| mode.0 == stat.mode), accounts));
    Ok(changes)
}

/// A change if the content is no longer what was unpacked.
fn in_place(want: &Archive, drift: &Drift) -> Option<Change> {
    let hash = want.sha256.as_ref()?;
    let words: Vec<_> =
        drift.content.iter().map(|(path, what)| format!("{} {what}", shown_text(path))).collect();
    let change = || Change::new(Property::Sha256, "changed in place", hash).note(some(&words));
    (!words.is_empty()).then(change)
}

/// Changes for members whose permission bits are not those they were unpacked with, or that belong to another user
/// although no owner is set.
fn access(drift: &Drift, is_top_right: bool, accounts: &Accounts) -> Vec<Change> {
    let of = |paths: Vec<&String>| {
        let names: Vec<_> = paths
            .into_iter()
            .map(|path| if path.is_empty() { "it".into() } else { shown_text(path) })
            .collect();
        format!("of {}", some(&names))
    };
    let (uid, gid) = super::record::own();
    let mode = drift.modes.first().filter(|_| is_top_right).map(|(_, is, should)| {
        let paths = drift.modes.iter().map(|(path, ..)| path).collect();
        Change::new(Property::Mode, FileMode(*is), FileMode(*should)).note(of(paths))
    });
    let owner = drift.owners.first().map(|(_, is)| {
        let paths = drift.owners.iter().map(|(path, _)| path).collect();
        Change::new(Property::Owner, accounts.user_name(*is), accounts.user_name(uid)).note(of(paths))
    });
    let group = drift.groups.first().map(|(_, is)| {
        let paths = drift.groups.iter().map(|(path, _)| path).collect();
        Change::new(Property::Group, accounts.group_name(*is), accounts.group_name(gid)).note(of(paths))
    });
    [mode, owner, group].into_iter().flatten().collect()
}

/// The first few of several words, and how many more there are.
fn some(words: &[impl AsRef<str>]) -> String {
    let shown = words.iter().take(MAX_NAMED).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    match words.len().saturating_sub(MAX_NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The change that replaces something that this resource did not make; an error if that is not allowed.
fn foreign(want: &Archive, is: &str) -> Result<Change, Error> {
    if want.force {
        return Ok(Change::new(Property::Ensure, is, "present"));
    }
    let path = &want.title;
    Err(Error::Conflict(format!(
        "{path} is {is}, and nothing says that it was made by this archive; it is replaced only with force = true; check \
         what it is first"
    )))
}

/// What is removed with a directory that is replaced.
fn all_that_goes(path: &Path, machine: &dyn Inspect) -> Result<String, Error> {
    let names: Vec<_> =
        machine.list(path)?.iter().map(|name| shown_text(&path_text(name.as_ref())).into_owned()).collect();
    Ok(format!("with everything in it, and nothing says that this archive made it: {}", some(&names)))
}

/// Whether the wanted version is there, and what was unpacked is no longer recorded.
pub fn has_lost_its_record(want: &Archive, reading: Reading<'_>) -> Result<bool, Error> {
    let known = KnownArchive::of(want, reading)?.filter(|known| known.record().is_none());
    let wanted = want.sha256.as_ref().map(|hash| hash.as_str());
    Ok(known.is_some_and(|known| Some(known.version().0) == wanted))
}

fn of_directory(
    want: &Archive,
    path: &Path,
    is: &KnownArchive,
    machine: &dyn Inspect,
) -> Result<Vec<Change>, Error> {
    let Some(hash) = want.sha256.as_ref().map(|hash| hash.as_str()) else { return Ok(Vec::new()) };
    let (sha256, strip) = is.version();
    if sha256 != hash {
        return Ok(vec![Change::new(Property::Sha256, sha256, hash)]);
    }
    if is.record().is_none() {
        let note = "the agent's record of what was unpacked is missing or damaged, so what was changed since is \
                    unknown: the files are compared with the archive again";
        return Ok(vec![Change::new(Property::Sha256, "unknown", hash).also([hash]).note(note)]);
    }
    if strip != want.strip {
        let change = Change::new(Property::Sha256, format!("{hash} with strip = {strip}"), hash).also([hash]);
        return Ok(vec![change.note(format!("it is unpacked again, with strip = {}", want.strip))]);
    }
    let Some(creates) = &want.creates else { return Ok(Vec::new()) };
    let missing = machine.lstat(&path.join(creates.as_str()))?.is_none();
    let change =
        || Change::new(Property::Creates, "absent", "present").note(format!("{creates} is not there"));
    Ok(missing.then(change).into_iter().collect())
}

fn of_file(want: &Archive, path: &Path, machine: &dyn Inspect) -> Result<Vec<Change>, Error> {
    let Some(should) = &want.sha256 else { return Ok(Vec::new()) };
    let is = hash_of(path, machine)?.unwrap_or_default();
    Ok((is != should.as_str()).then(|| Change::new(Property::Sha256, is, should)).into_iter().collect())
}

fn kind_word(kind: FileKind) -> &'static str {
    match kind {
        FileKind::File => "a file",
        FileKind::Directory => "a directory",
        FileKind::Symlink => "a symbolic link",
        FileKind::Other => "a special file",
    }
}
