//! Putting an archive in its place: all of it, or nothing.

use std::path::Path;
use std::time::Duration;

use holdfast_catalog::resource::Archive;
use holdfast_catalog::resource::attribute::Format;

use super::fetch::Parcel;
use super::marker::Marker;
use super::owners::Owners;
use super::unpack;
use crate::provider::{Error, Writing};
use crate::system::{Access, FileKind};

/// Fetches it, checks it, and puts it in its place.
pub fn install(want: &Archive, owners: &Owners, writing: Writing<'_>) -> Result<(), Error> {
    let (Some(source), Some(sha256)) = (&want.source, &want.sha256) else { return Ok(()) };
    let timeout = Duration::from_secs(want.timeout.0.into());
    let parcel = Parcel { source, sha256, headers: &want.headers, timeout };
    match want.format() {
        Some(format) => directory(want, format, parcel, owners, writing),
        None => file(want, parcel, owners, writing),
    }
}

fn directory(
    want: &Archive,
    format: Format,
    parcel: Parcel<'_>,
    owners: &Owners,
    writing: Writing<'_>,
) -> Result<(), Error> {
    let target = Path::new(want.title.as_str());
    let unpacked = unpack::unpack(parcel, (format, want.strip), target, writing)?;
    let (inside, inner) = (unpacked.inside(), unpacked.inner().to_owned());
    // Found missing now, it costs nothing; found missing at the next run, it would be unpacked again and again.
    if let Some(creates) = &want.creates
        && inside.lstat(&inner.join(creates.as_str()))?.is_none()
    {
        return Err(Error::Missing(format!(
            "the archive does not hold `{creates}`, which `creates` names; look at `creates` and `strip`"
        )));
    }
    Marker { sha256: parcel.sha256.to_string(), strip: want.strip }.write(&inner, inside)?;
    let old = writing.machine.lstat(target)?.filter(|stat| stat.kind == FileKind::Directory);
    let kept = old.map_or(0o755, |stat| stat.mode);
    inside.set_mode(&inner, want.mode.map_or(kept, |mode| mode.0))?;
    unpacked.give(owners, writing)?;
    unpacked.commit()
}

fn file(want: &Archive, parcel: Parcel<'_>, owners: &Owners, writing: Writing<'_>) -> Result<(), Error> {
    let target = Path::new(want.title.as_str());
    let old = writing.machine.lstat(target)?;
    let kept = old.filter(|stat| stat.kind == FileKind::File);
    let access = Access {
        mode: want.mode.map_or_else(|| kept.map_or(0o644, |stat| stat.permissions()), |mode| mode.0),
        uid: owners.uid.or_else(|| kept.map(|stat| stat.uid)),
        gid: owners.gid.or_else(|| kept.map(|stat| stat.gid)),
    };
    let staged = parcel.stage(writing.machine, writing.machine, target, access)?;
    if old.is_some_and(|stat| stat.kind == FileKind::Directory) {
        writing.machine.remove_tree(target)?;
    }
    let _ = staged.commit()?;
    Ok(())
}
