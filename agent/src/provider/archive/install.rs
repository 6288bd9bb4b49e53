//! Puts an archive in its place: all of it, or nothing.

use std::path::Path;
use std::time::Duration;

use holdfast_catalog::resource::Archive;
use holdfast_catalog::resource::attribute::ArchiveFormat;

use super::fetch::Parcel;
use super::friends::Friends;
use super::known::KnownArchive;
use super::marker::Marker;
use super::owners::Owners;
use super::record::{ArchiveMember, ArchiveRecord, MemberKind};
use super::{restore, unpack};
use crate::provider::{Error, Writing};
use crate::system::{FileKind, Permissions};

/// Fetches the archive, checks it, and puts it in its place. If this version is there already, only what was changed in
/// it is restored.
pub fn install(
    want: &Archive,
    owners: &Owners,
    friends: &Friends<'_>,
    writing: Writing<'_>,
) -> Result<(), Error> {
    let (Some(source), Some(sha256)) = (&want.source, &want.sha256) else { return Ok(()) };
    let timeout = Duration::from_secs(want.timeout.0.into());
    let parcel = Parcel { source, sha256, headers: &want.headers, timeout };
    match want.format() {
        Some(format) => directory(want, format, parcel, (owners, friends), writing),
        None => file(want, parcel, owners, writing),
    }
}

fn directory(
    want: &Archive,
    format: ArchiveFormat,
    parcel: Parcel<'_>,
    (owners, friends): (&Owners, &Friends<'_>),
    writing: Writing<'_>,
) -> Result<(), Error> {
    let target = Path::new(want.title.as_str());
    let old = writing.machine.lstat(target)?.filter(|stat| stat.kind == FileKind::Directory);
    let known = KnownArchive::of(want, writing.reading())?;
    let unpacked = unpack::unpack(parcel, (format, want.strip), target, owners.uid, writing)?;
    let (inside, inner) = (unpacked.inside(), unpacked.inner().to_owned());
    // If that is found now, it costs nothing. The next run would unpack the archive again, and so would every later
    // one.
    if let Some(creates) = &want.creates
        && inside.lstat(&inner.join(creates.as_str()))?.is_none()
    {
        return Err(Error::missing(format!(
            "the archive does not contain `{creates}`, which `creates` names; check `creates` and `strip`"
        )));
    }
    let mut record = ArchiveRecord::of_tree(want, inside, &inner)?;
    let kept = known.as_ref().and_then(KnownArchive::record).and_then(ArchiveRecord::mode);
    let kept = kept.or(old.map(|stat| stat.mode)).unwrap_or(0o755);
    let mode = want.mode.map_or(kept, |mode| mode.0);
    record.members.insert(String::new(), ArchiveMember { mode, what: MemberKind::Directory });
    let is_here =
        old.is_some() && known.is_some_and(|known| known.version() == (parcel.sha256.as_str(), want.strip));
    if is_here && !writing.machine.list(target)?.is_empty() {
        restore::members(want, &unpacked, &record, owners, friends, writing.machine)?;
        owners.give_all(target, friends, writing.machine)?;
        writing.machine.set_mode(target, mode)?;
    } else {
        Marker { sha256: parcel.sha256.to_string(), strip: want.strip }.write(&inner, inside)?;
        inside.set_mode(&inner, mode)?;
        unpacked.give(owners, writing)?;
        unpacked.commit()?;
    }
    record.refresh(want, writing.machine);
    record.write(want, writing.state_dir)
}

fn file(want: &Archive, parcel: Parcel<'_>, owners: &Owners, writing: Writing<'_>) -> Result<(), Error> {
    let target = Path::new(want.title.as_str());
    let old = writing.machine.lstat(target)?;
    let kept = old.filter(|stat| stat.kind == FileKind::File).map(|stat| stat.permissions());
    let kept = ArchiveRecord::read(want, writing.state_dir)
        .and_then(|record| record.mode())
        .or(kept)
        .unwrap_or(0o644);
    let mode = want.mode.map_or(kept, |mode| mode.0);
    let access = Permissions { mode, uid: owners.uid, gid: owners.gid };
    let staged = parcel.stage(writing.machine, writing.machine, target, access)?;
    if old.is_some_and(|stat| stat.kind == FileKind::Directory) {
        writing.machine.remove_tree(target)?;
    }
    let _ = staged.commit()?;
    let size = writing.machine.lstat(target)?.map_or(0, |stat| stat.size);
    let what = MemberKind::File { sha256: parcel.sha256.to_string(), size, touched: None };
    let mut record = ArchiveRecord::new(want);
    record.members.insert(String::new(), ArchiveMember { mode, what });
    record.refresh(want, writing.machine);
    record.write(want, writing.state_dir)
}
