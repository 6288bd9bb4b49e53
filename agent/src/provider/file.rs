//! `file`: files, directories and symbolic links, and whole trees of them.
//!
//! A converged file costs one look and one read. Content, mode and owner of a file are changed in one replacement. A
//! directory tree is one resource, one streaming walk, and one event for each changed path.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use holdfast_catalog::resource::File;
use holdfast_catalog::resource::attribute::{AccountName, FileContent, FileMode};
use holdfast_catalog::resource::file::FileEnsure;

use super::claimed::Share;
use super::{
    Applied, CatalogClaims, DisplayValue, Error, Left, Need, Provider, Reading, Spared, Writing, properties,
};
use crate::content::ContentSource;
use crate::system::accounts::Database;
use crate::system::{Accounts, FileKind, Inspect, Permissions, Stat};

mod backup;
mod content;
mod regular;
mod text;
#[cfg(test)]
mod tests;
mod tree;

/// The provider of `file`.
pub struct Files;

/// The accounts of the machine, and what a directory leaves to others.
pub struct Seen {
    accounts: Arc<Accounts>,
    spared: Spared,
}

properties! {
    Ensure => "ensure",
    Content => "content",
    Target => "target",
    Mode => "mode",
    Owner => "owner",
    Group => "group",
    Purge => "purge",
}

impl Provider for Files {
    type Want = File;
    type Seen = Seen;
    type Property = Property;

    fn observe(&self, all: &[&File], reading: Reading<'_>) -> Result<Seen, Error> {
        let looks_inside = all.iter().any(|want| want.purge || want.recurse);
        let spared = if looks_inside { reading.named.spared(reading.machine)? } else { Spared::default() };
        Ok(Seen { accounts: reading.machine.accounts()?, spared })
    }

    fn plan(&self, want: &File, seen: &Seen, reading: Reading<'_>) -> Result<Plan, Error> {
        let accounts = &seen.accounts;
        let owners = match Owners::of(want, accounts, reading.named) {
            Ok(owners) => owners,
            Err(need) => return Ok(Plan::Pending(need)),
        };
        let path = Path::new(want.title.as_str());
        let changes = match want.ensured() {
            FileEnsure::Absent => plan_absent(want, path, reading.machine)?,
            FileEnsure::File => regular::plan(want, &owners, accounts, reading)?,
            FileEnsure::Symlink => plan_symlink(want, path, &owners, accounts, reading.machine)?,
            FileEnsure::Directory => tree::plan(want, &owners, seen, reading)?,
        };
        Ok(Plan::of(changes))
    }

    fn apply(&self, want: &File, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let accounts = writing.machine.accounts()?;
        let owners = Owners::of(want, &accounts, writing.named).map_err(Error::Missing)?;
        let path = Path::new(want.title.as_str());
        match want.ensured() {
            FileEnsure::Absent => Ok(also_said(0, clear(want, path, writing)?)),
            FileEnsure::File => regular::apply(want, &owners, changes, writing),
            FileEnsure::Symlink => apply_symlink(want, path, &owners, changes, writing),
            FileEnsure::Directory => tree::apply(want, &owners, changes, writing),
        }
    }

    fn names<'a>(&self, want: &'a File) -> Vec<&'a str> {
        vec![want.title.as_str()]
    }

    fn left<'a>(&self, want: &'a File) -> Left<'a> {
        let mut left: Left<'a> = vec![("ensure".into(), want.ensured().to_string().into())];
        if want.ensured() == FileEnsure::Absent {
            return left;
        }
        left.extend(want.target.as_deref().map(|target| ("target".into(), target.into())));
        left.extend(want.managed_mode().map(|mode| ("mode".into(), mode.to_string().into())));
        left.extend(want.owner.as_ref().map(|owner| ("owner".into(), owner.as_str().into())));
        left.extend(want.group.as_ref().map(|group| ("group".into(), group.as_str().into())));
        left.extend(want.purge.then(|| ("purge".into(), "absent".into())));
        match &want.content {
            Some(FileContent::Tree(entries)) => left.extend(tree::left(want, entries)),
            Some(content) if want.replace => {
                left.push(("content".into(), content::shown_hash(content).into()));
            }
            _ => {}
        }
        left
    }
}

pub(super) use backup::{forget as forget_backups, forget_secrets, places as backed_up};

/// The wanted owner and group, as ids.
#[derive(Debug, Clone, Copy)]
struct Owners {
    uid: Option<u32>,
    gid: Option<u32>,
}

impl Owners {
    /// Without the parts that other resources manage.
    fn without(&self, theirs: Share) -> Self {
        Self { uid: self.uid.filter(|_| !theirs.owner), gid: self.gid.filter(|_| !theirs.group) }
    }

    /// Whether a file is taken from a user other than root, who may still be able to write it. If its content is managed,
    /// it is written anew.
    fn take(&self, old: Option<Stat>) -> bool {
        let file = old.filter(|old| old.kind == FileKind::File);
        file.zip(self.uid).is_some_and(|(old, uid)| old.is_taken_by(uid))
    }

    /// Looks up the ids. The error says which account is missing.
    fn of(want: &File, accounts: &Accounts, named: &CatalogClaims<'_>) -> Result<Self, Need> {
        const CURE: &str = "; manage it too, or name another";
        if want.ensured() == FileEnsure::Absent {
            return Ok(Self { uid: None, gid: None });
        }
        let missing = |database, name: &AccountName, cure: &str| {
            let why = format!("{}{cure}", accounts.missing(database, name.as_str()));
            Err(Need::account(name.as_str(), why))
        };
        let uid = match want.owner.as_ref().map(|name| (name, accounts.uid(name.as_str()))) {
            Some((name, None)) => {
                return missing(Database::Passwd, name, named.unless_has_user(name.as_str(), CURE));
            }
            found => found.and_then(|(_, uid)| uid),
        };
        let gid = match want.group.as_ref().map(|name| (name, accounts.gid(name.as_str()))) {
            Some((name, None)) => {
                return missing(Database::Group, name, named.unless_has_group(name.as_str(), CURE));
            }
            found => found.and_then(|(_, gid)| gid),
        };
        Ok(Self { uid, gid })
    }

    /// The permissions of something new: what is not set is taken from the old one, or is root's.
    fn access(&self, mode: u32, old: Option<Stat>) -> Permissions {
        Permissions {
            mode,
            uid: self.uid.or_else(|| old.map(|old| old.uid)),
            gid: self.gid.or_else(|| old.map(|old| old.gid)),
        }
    }
}

/// Adds the changes of mode, owner and group. `mode` is `None` if it is not managed.
fn access_changes(
    want: &File,
    mode: Option<u32>,
    owners: &Owners,
    accounts: &Accounts,
    stat: &Stat,
    changes: &mut Vec<Change>,
) {
    if let Some(mode) = mode.filter(|mode| *mode != stat.mode) {
        changes.push(Change::new(Property::Mode, FileMode(stat.mode), FileMode(mode)));
    }
    // Shown in the form in which it is wanted, so the next run compares like with like.
    let number = |name: &AccountName| name.as_str().bytes().all(|b| b.is_ascii_digit());
    if let (Some(owner), Some(_)) = (&want.owner, owners.uid.filter(|uid| *uid != stat.uid)) {
        let is = if number(owner) { stat.uid.to_string() } else { accounts.user_name(stat.uid) };
        changes.push(with_lost_bits(Change::new(Property::Owner, is, owner), mode, stat));
    }
    if let (Some(group), Some(_)) = (&want.group, owners.gid.filter(|gid| *gid != stat.gid)) {
        let is = if number(group) { stat.gid.to_string() } else { accounts.group_name(stat.gid) };
        changes.push(with_lost_bits(Change::new(Property::Group, is, group), mode, stat));
    }
}

/// Notes that undeclared set-id bits are lost with a change of owner. The kernel clears them, since they would give the
/// new owner's rights to what the old one put there.
fn with_lost_bits(change: Change, mode: Option<u32>, stat: &Stat) -> Change {
    if mode.is_some() || stat.kind != FileKind::File {
        return change;
    }
    let lost = match (stat.mode & SET_UID != 0, stat.mode & SET_GID == SET_GID) {
        (true, true) => "its set-id bits are cleared",
        (true, false) => "its set-user-id bit is cleared",
        (false, true) => "its set-group-id bit is cleared",
        (false, false) => return change,
    };
    let is = FileMode(stat.mode);
    change.note(format!("{lost} by that ({is} now): set `mode` to keep it"))
}

/// The bit by which a program runs as its owner.
const SET_UID: u32 = 0o4000;

/// The bits by which a program runs as its group. The first of them alone grants nothing, and the kernel keeps it.
const SET_GID: u32 = 0o2010;

/// Sets owner, group and mode of what is there, as far as they are in `properties`. A change of owner clears the set-id
/// bits. A declared mode is set again; undeclared bits are not, since the previous owner may have set them.
/// [`with_lost_bits`] reports that they are lost.
fn apply_access(
    path: &Path,
    mode: Option<u32>,
    owners: &Owners,
    properties: &[Property],
    writing: Writing<'_>,
) -> Result<(), Error> {
    let uid = owners.uid.filter(|_| properties.contains(&Property::Owner));
    let gid = owners.gid.filter(|_| properties.contains(&Property::Group));
    let given = uid.is_some() || gid.is_some();
    let again = |mode: &u32| given && mode & 0o6000 != 0;
    let mode = mode.filter(|mode| properties.contains(&Property::Mode) || again(mode));
    match mode {
        mode if given => writing.machine.set_owner(path, uid, gid, mode)?,
        Some(mode) => writing.machine.set_mode(path, mode)?,
        None => {}
    }
    Ok(())
}

fn kind_word(kind: FileKind) -> &'static str {
    match kind {
        FileKind::File => "file",
        FileKind::Directory => "directory",
        FileKind::Symlink => "symlink",
        FileKind::Other => "special file",
    }
}

/// The change if something else is there; an error if it may not be replaced.
fn plan_replacing(want: &File, path: &Path, stat: &Stat, machine: &dyn Inspect) -> Result<Change, Error> {
    let (is, should) = (kind_word(stat.kind), want.ensured().to_string());
    let harmless = match stat.kind {
        // One rename replaces these, and nothing but they themselves is lost.
        FileKind::File | FileKind::Symlink => want.ensured() != FileEnsure::Directory,
        FileKind::Directory => want.ensured() != FileEnsure::Directory && machine.list(path)?.is_empty(),
        FileKind::Other => false,
    };
    if want.force || harmless {
        return Ok(Change::new(Property::Ensure, is, should));
    }
    Err(Error::Conflict(format!(
        "{} is a {is}, and is replaced by a {should} only with force = true; check what it is first",
        path.display()
    )))
}

fn plan_absent(want: &File, path: &Path, machine: &dyn Inspect) -> Result<Vec<Change>, Error> {
    let Some(stat) = machine.lstat(path)? else { return Ok(Vec::new()) };
    if stat.kind == FileKind::Directory && !want.force && !machine.list(path)?.is_empty() {
        return Err(Error::Conflict(format!(
            "{} is a directory that is not empty, and is removed only with force = true",
            path.display()
        )));
    }
    Ok(vec![Change::new(Property::Ensure, kind_word(stat.kind), "absent")])
}

/// Removes what is in the way, with a backup if one is wanted; returns what of it is not kept.
fn clear(want: &File, path: &Path, writing: Writing<'_>) -> Result<Option<String>, Error> {
    let Some(stat) = writing.machine.lstat(path)? else { return Ok(None) };
    let not_kept = backup::keep(want, path, writing)?;
    match stat.kind {
        FileKind::Directory if want.force => writing.machine.remove_tree(path)?,
        _ => writing.machine.remove(path)?,
    }
    Ok(not_kept)
}

/// A result in which everything was done, with a remark on the change at `position`.
fn also_said(position: usize, words: Option<String>) -> Applied {
    Applied { said: words.map(|words| (position, words)).into_iter().collect(), failed: Vec::new() }
}

fn plan_symlink(
    want: &File,
    path: &Path,
    owners: &Owners,
    accounts: &Accounts,
    machine: &dyn Inspect,
) -> Result<Vec<Change>, Error> {
    let Some(target) = want.target.as_deref() else { return Ok(Vec::new()) };
    let stat = match machine.lstat(path)? {
        None => return Ok(vec![Change::new(Property::Ensure, "absent", "symlink")]),
        Some(stat) if stat.kind != FileKind::Symlink => {
            return Ok(vec![plan_replacing(want, path, &stat, machine)?]);
        }
        Some(stat) => stat,
    };
    let mut changes = Vec::new();
    let is = machine.read_link(path)?;
    if is != Path::new(target) {
        changes.push(Change::new(Property::Target, is.to_string_lossy(), target));
    }
    access_changes(want, None, owners, accounts, &stat, &mut changes);
    Ok(changes)
}

fn apply_symlink(
    want: &File,
    path: &Path,
    owners: &Owners,
    changes: &[Change],
    writing: Writing<'_>,
) -> Result<Applied, Error> {
    let properties = properties(changes);
    let Some(target) = want.target.as_deref() else { return Ok(Applied::default()) };
    if !properties.contains(&Property::Ensure) && !properties.contains(&Property::Target) {
        apply_access(path, None, owners, &properties, writing)?;
        return Ok(Applied::default());
    }
    let not_kept = match writing.machine.lstat(path)?.map(|stat| stat.kind) {
        Some(FileKind::Directory | FileKind::Other) => clear(want, path, writing)?,
        Some(FileKind::File | FileKind::Symlink) => backup::keep(want, path, writing)?,
        None => None,
    };
    writing.machine.make_symlink(path, Path::new(target), owners.access(0o777, None))?;
    let is_replaced = |property: &Property| matches!(property, Property::Ensure | Property::Target);
    Ok(also_said(properties.iter().position(is_replaced).unwrap_or_default(), not_kept))
}

/// The value of a content that is in place, for [`Provider::left`].
pub(super) fn content_left(content: &FileContent) -> String {
    content::shown_hash(content)
}

/// The first bytes of a content.
pub(super) fn beginning(
    content: &FileContent,
    source: &dyn ContentSource,
    length: u64,
) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = content::open(Some(content), source)?.take(length).read_to_end(&mut bytes);
    read.map_err(|error| Error::Refused(format!("the content could not be read: {error}")))?;
    Ok(bytes)
}

fn properties(changes: &[Change]) -> Vec<Property> {
    changes.iter().map(|change| change.property).collect()
}

/// A content as a report shows it: its hash, or a mask.
fn shown_content(content: &FileContent) -> DisplayValue {
    if content.is_sensitive() {
        DisplayValue::Masked
    } else {
        DisplayValue::Plain(content::shown_hash(content))
    }
}
