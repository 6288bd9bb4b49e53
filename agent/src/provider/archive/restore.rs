//! Restores what was changed in place, member by member, so what was added beside them is kept.

use std::path::Path;

use holdfast_catalog::resource::Archive;

use super::friends::Friends;
use super::owners::Owners;
use super::record::{self, ArchiveRecord, MemberKind};
use super::unpack::Unpacked;
use crate::provider::Error;
use crate::system::{FileKind, Permissions, System, text_path};

/// Restores each member that is not as it was unpacked, from the same archive unpacked again.
pub fn members(
    want: &Archive,
    unpacked: &Unpacked<'_>,
    record: &ArchiveRecord,
    owners: &Owners,
    friends: &Friends<'_>,
    machine: &dyn System,
) -> Result<(), Error> {
    for (path, _) in &record.drift(want, friends, machine).content {
        let Some(member) = record.members.get(path).filter(|_| !path.is_empty()) else { continue };
        let (at, from) = (record::below(want, path), unpacked.inner().join(text_path(path)));
        let (theirs, is) = (friends.share(path), machine.lstat(&at)?);
        let access = Permissions {
            mode: is.filter(|_| theirs.mode).map_or(member.mode, |is| is.mode),
            uid: is.filter(|_| theirs.owner).map(|is| is.uid).or(owners.uid),
            gid: is.filter(|_| theirs.group).map(|is| is.gid).or(owners.gid),
        };
        one(&at, &from, &member.what, access, unpacked, machine)?;
    }
    access(want, record, friends, machine)
}

fn one(
    at: &Path,
    from: &Path,
    what: &MemberKind,
    access: Permissions,
    unpacked: &Unpacked<'_>,
    machine: &dyn System,
) -> Result<(), Error> {
    let is = machine.lstat(at)?.map(|stat| stat.kind);
    match (what, is) {
        (MemberKind::Directory, Some(FileKind::Directory)) => return Ok(()),
        (_, Some(FileKind::Directory)) if !machine.list(at)?.is_empty() => {
            return Err(stands_there(at, "a directory that is not empty"));
        }
        (MemberKind::Directory, Some(FileKind::Symlink)) => return Err(stands_there(at, "a link")),
        (_, Some(FileKind::Directory)) => machine.remove_tree(at)?,
        (MemberKind::Directory, Some(_)) => machine.remove(at)?,
        _ => {}
    }
    match what {
        MemberKind::Directory => machine.make_dir(at, access)?,
        MemberKind::Link(target) => machine.make_symlink(at, &text_path(target), access)?,
        MemberKind::File { .. } => {
            let opened = unpacked.inside().open(from)?;
            let Some(mut opened) = opened else {
                return Err(Error::missing(format!("the archive does not contain {}", from.display())));
            };
            let _ = machine.stage(at, access, &mut opened.file)?.commit()?;
        }
    }
    Ok(())
}

/// The error if something is in the place of a member that may contain someone's data, or lead to it: it is not
/// removed.
fn stands_there(at: &Path, what: &str) -> Error {
    Error::Conflict(format!(
        "{} is {what}, where the archive has something else: move it away, or name it in `ignore`",
        at.display()
    ))
}

/// Gives members the permission bits that they had, and gives to the agent itself what has no owner or group set.
pub fn access(
    want: &Archive,
    record: &ArchiveRecord,
    friends: &Friends<'_>,
    machine: &dyn System,
) -> Result<(), Error> {
    let drift = record.drift(want, friends, machine);
    let (uid, gid) = record::own();
    for (path, _) in &drift.owners {
        machine.set_owner(&record::below(want, path), Some(uid), None, None)?;
    }
    for (path, _) in &drift.groups {
        machine.set_owner(&record::below(want, path), None, Some(gid), None)?;
    }
    // Set after the owners, since changing an owner may clear bits.
    for (path, _, mode) in &record.drift(want, friends, machine).modes {
        machine.set_mode(&record::below(want, path), *mode)?;
    }
    Ok(())
}
