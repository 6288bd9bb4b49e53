//! Making a release: it is fetched, linked, built, and then marked as finished.

use std::path::Path;
use std::time::Duration;

use holdfast_catalog::resource::attribute::{Attribute as _, GitRemote, GitRevision};
use jiff::Timestamp;

use super::marker::{self, Finished};
use super::{Place, attempt, command, shared};
use crate::provider::archive::fetch::Parcel;
use crate::provider::archive::unpack;
use crate::provider::git_checkout::change;
use crate::provider::git_checkout::git::{self, Git, May};
use crate::provider::git_checkout::look;
use crate::provider::{Error, Writing};
use crate::system::{Inspect, Invocation, Permissions};

/// Why a release could not be made.
#[derive(Debug)]
pub enum ReleaseFailure {
    /// The next run may succeed.
    Passing(Error),
    /// The release itself is at fault, which is recorded.
    Release(String),
}

impl<E: Into<Error>> From<E> for ReleaseFailure {
    fn from(error: E) -> Self {
        Self::Passing(error.into())
    }
}

/// The marker of the release if it is complete; it may have been made from something other than what is wanted now.
pub fn finished(place: Place<'_>, machine: &dyn Inspect) -> Result<Option<Finished>, Error> {
    let version = place.version();
    if machine.lstat(&place.layout.release(version))?.is_none() {
        return Ok(None);
    }
    marker::read(&place.layout.finished(version), machine)
}

/// Makes the release; returns a remark, if there is one.
pub fn make(place: Place<'_>, writing: Writing<'_>) -> Result<Option<String>, ReleaseFailure> {
    let (version, machine) = (place.version(), writing.machine);
    let building = place.layout.building(version);
    marker::write(&building, &version, machine)?;
    marker::remove(&place.layout.finished(version), machine)?;
    let made = fetch(place, writing)
        .map_err(ReleaseFailure::Passing)
        .and_then(|said| build(place, writing).map(|()| said));
    if made.is_err() {
        machine.remove_tree(&place.layout.release(version))?;
        marker::remove(&building, machine)?;
        return made;
    }
    // What a build has written is on disk before its release is marked as finished.
    let release = place.layout.release(version).display().to_string();
    writing.run(&Invocation::new(["sync", "--file-system", "--", &release]))?;
    let finished = Finished { at: Timestamp::now(), content: attempt::content(place.want) };
    marker::write(&place.layout.finished(version), &finished, machine)?;
    marker::remove(&building, machine)?;
    made
}

fn build(place: Place<'_>, writing: Writing<'_>) -> Result<(), ReleaseFailure> {
    shared::link(place, shared::ReleaseState::Fresh, writing.machine)?;
    let Some(build) = &place.want.build else { return Ok(()) };
    let release = place.layout.release(place.version());
    let build = command::in_release(place.want, build, &release);
    command::run(&build, writing)
        .map_err(|why| ReleaseFailure::Release(format!("it could not be built: {why}")))
}

fn fetch(place: Place<'_>, writing: Writing<'_>) -> Result<Option<String>, Error> {
    match &place.want.remote {
        Some(remote) => from_git(place, remote, writing),
        None => from_archive(place, writing).map(|()| None),
    }
}

fn timeout(place: Place<'_>) -> Duration {
    Duration::from_secs(place.want.timeout.0.into())
}

fn from_archive(place: Place<'_>, writing: Writing<'_>) -> Result<(), Error> {
    let want = place.want;
    let (Some(source), Some(sha256)) = (&want.source, &want.sha256) else { return Ok(()) };
    let parcel = Parcel { source, sha256, headers: &want.headers, timeout: timeout(place) };
    let release = place.layout.release(place.version());
    let unpacked = unpack::unpack(parcel, (want.format(), want.strip), &release, place.owners.uid, writing)?;
    unpacked.inside().set_mode(unpacked.inner(), 0o755)?;
    unpacked.give(&place.owners, writing)?;
    unpacked.commit()
}

fn from_git(place: Place<'_>, remote: &GitRemote, writing: Writing<'_>) -> Result<Option<String>, Error> {
    let want = place.want;
    let revision = attempt::revision(want);
    let revision = GitRevision::read(&revision.into())
        .map_err(|_| Error::Refused(format!("`{revision}` is not a git revision; give a `revision`")))?;
    let owned = |mode| Permissions { mode, uid: place.owners.uid, gid: place.owners.gid };
    let release = place.layout.release(place.version());
    let tree = writing.machine.stage_tree(&release, owned(0o700), place.owners.uid)?;
    let access = git::RemoteAccess {
        remote,
        user: want.user.as_ref(),
        identity: want.identity.as_ref(),
        headers: &want.headers,
        timeout: timeout(place),
    };
    let git = Git::new(access, tree.path(), May::Change(writing));
    git.init()?;
    let commit = change::get(&git, &revision, Some(1))?;
    if want.submodules {
        git.check_out_submodules(false)?;
    }
    let pointers = git.pointers()?;
    let inside = tree.inside();
    let _ = inside
        .stage(Path::new("/REVISION"), owned(0o644), &mut format!("{commit}\n").as_bytes())?
        .commit()?;
    inside.remove_tree(Path::new("/.git"))?;
    inside.set_mode(Path::new("/"), 0o755)?;
    tree.commit(Path::new("/"))?;
    Ok((!pointers.is_empty()).then(|| look::of_lfs(&pointers)))
}
