//! What stands at an archive's path, and what differs.

use std::io;
use std::path::Path;

use holdfast_catalog::resource::Archive;
use holdfast_catalog::resource::attribute::Mode;
use sha2::{Digest as _, Sha256};

use super::marker::Marker;
use super::owners::Owners;
use super::{Change, Property};
use crate::provider::Error;
use crate::system::{Accounts, FileKind, Inspect, Stat};

/// What is to be removed.
pub fn to_remove(want: &Archive, machine: &dyn Inspect) -> Result<Vec<Change>, Error> {
    let path = Path::new(want.title.as_str());
    let Some(stat) = machine.lstat(path)? else { return Ok(Vec::new()) };
    if want.force || is_own(want, path, &stat, machine)? {
        return Ok(vec![Change::new(Property::Ensure, "present", "absent")]);
    }
    Err(Error::Conflict(format!(
        "{} was not made by an archive, and is removed only with force = true; look at what it is first",
        path.display()
    )))
}

/// Whether this resource made it: a directory by its marker, a file by its hash.
fn is_own(want: &Archive, path: &Path, stat: &Stat, machine: &dyn Inspect) -> Result<bool, Error> {
    match (stat.kind, &want.sha256) {
        (FileKind::Directory, _) => Ok(Marker::read(path, machine)?.is_some()),
        (FileKind::File, Some(hash)) => Ok(hash_of(path, machine)?.as_deref() == Some(hash.as_str())),
        _ => Ok(false),
    }
}

/// What differs.
pub fn differences(
    want: &Archive,
    owners: &Owners,
    accounts: &Accounts,
    machine: &dyn Inspect,
) -> Result<Vec<Change>, Error> {
    let path = Path::new(want.title.as_str());
    let Some(stat) = machine.lstat(path)? else {
        return Ok(vec![Change::new(Property::Ensure, "absent", "present")]);
    };
    let mut changes = match (want.format().is_some(), stat.kind) {
        (true, FileKind::Directory) => match Marker::read(path, machine)? {
            Some(marker) => of_directory(want, path, &marker, machine)?,
            None if machine.list(path)?.is_empty() => {
                return Ok(vec![
                    Change::new(Property::Ensure, "absent", "present").note("the directory is empty"),
                ]);
            }
            None => return Ok(vec![foreign(want, "another directory")?]),
        },
        (false, FileKind::File) => of_file(want, path, machine)?,
        (false, FileKind::Directory) if Marker::read(path, machine)?.is_some() => {
            return Ok(vec![Change::new(Property::Ensure, "an unpacked directory", "present")]);
        }
        (_, kind) => return Ok(vec![foreign(want, kind_word(kind))?]),
    };
    if !changes.is_empty() {
        // What is about to be replaced need not be looked at any further.
        return Ok(changes);
    }
    if let Some(mode) = want.mode.filter(|mode| mode.0 != stat.mode) {
        changes.push(Change::new(Property::Mode, Mode(stat.mode), mode));
    }
    let names = [want.owner.as_ref(), want.group.as_ref()];
    changes.extend(owners.differences(path, names, accounts, machine)?);
    Ok(changes)
}

/// Something that this resource did not make stands there: whether it may be replaced.
fn foreign(want: &Archive, is: &str) -> Result<Change, Error> {
    if want.force {
        return Ok(Change::new(Property::Ensure, is, "present"));
    }
    let path = &want.title;
    Err(Error::Conflict(format!(
        "{path} is {is} that was not made by this archive, and is replaced only with force = true; look at what it is first"
    )))
}

fn of_directory(
    want: &Archive,
    path: &Path,
    is: &Marker,
    machine: &dyn Inspect,
) -> Result<Vec<Change>, Error> {
    let Some(hash) = want.sha256.as_ref().map(|hash| hash.as_str()) else { return Ok(Vec::new()) };
    if is.sha256 != hash {
        return Ok(vec![Change::new(Property::Sha256, &is.sha256, hash)]);
    }
    if is.strip != want.strip {
        let change =
            Change::new(Property::Sha256, format!("{hash} with strip = {}", is.strip), hash).also([hash]);
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

/// The hash of a file's content; none where nothing stands there.
fn hash_of(path: &Path, machine: &dyn Inspect) -> Result<Option<String>, Error> {
    let Some(mut opened) = machine.open(path)? else { return Ok(None) };
    let mut digest = Sha256::new();
    io::copy(&mut opened.file, &mut digest).map_err(|e| crate::system::Error::io("reading", path, e))?;
    Ok(Some(data_encoding::HEXLOWER.encode(&digest.finalize())))
}

fn kind_word(kind: FileKind) -> &'static str {
    match kind {
        FileKind::File => "a file",
        FileKind::Directory => "a directory",
        FileKind::Symlink => "a symbolic link",
        FileKind::Other => "a special file",
    }
}
