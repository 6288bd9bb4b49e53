//! `git_checkout`: a directory that contains one revision of a repository.
//!
//! Planning writes nothing, not even git's index. A new checkout is made beside its place and moved there by one
//! rename. A change of revision that was interrupted is recognized by a marker, and the next run finishes it.

use std::path::Path;
use std::time::Duration;

use holdfast_catalog::resource::GitCheckout;
use holdfast_catalog::resource::attribute::{GitRemote, GitRevision, Presence};

use super::archive::Seen;
use super::archive::friends::Friends;
use super::archive::owners::Owners;
use super::{Applied, Error, Left, Need, Provider, Reading, Writing, properties};
use crate::system::{self, Exit, FileKind, Inspect, Liveness};

pub(super) mod change;
mod content;
mod damage;
pub(super) mod git;
pub(super) mod look;
mod objects;
mod revision;
pub(super) mod tracked;
#[cfg(test)]
mod tests;

use damage::Damage;
use git::{Git, May, RemoteAccess};

/// The provider of `git_checkout`.
pub struct Checkouts;

properties! {
    Ensure => "ensure",
    Remote => "remote",
    Revision => "revision",
    Force => "force",
    Submodules => "submodules",
}

impl Provider for Checkouts {
    type Want = GitCheckout;
    type Seen = Seen;
    type Property = Property;

    fn observe(&self, _: &[&GitCheckout], reading: Reading<'_>) -> Result<Seen, Error> {
        Seen::now(reading)
    }

    fn plan(
        &self,
        want: &GitCheckout,
        Seen { accounts, spared }: &Seen,
        reading: Reading<'_>,
    ) -> Result<Plan, Error> {
        if reading.machine.liveness() != Liveness::Live {
            return Ok(Plan::NotApplicable("git is run on a running system only".to_owned()));
        }
        let path = Path::new(want.title.as_str());
        let stands = Stands::at(path, reading.machine)?;
        if want.ensure == Presence::Absent {
            return Ok(match stands {
                Stands::Nothing => Plan::IN_SYNC,
                Stands::Checkout => Plan::of(vec![Change::new(Property::Ensure, "present", "absent")]),
                Stands::Empty | Stands::Other(_) => return Err(stands.refused(path, "removed")),
            });
        }
        let owners = match Owners::of(want.user.as_ref(), None, accounts) {
            Ok(owners) => owners,
            Err(need) => return Ok(Plan::Pending(need)),
        };
        match stands {
            Stands::Nothing | Stands::Empty => Ok(missing(want, reading)?),
            Stands::Other(_) => Err(stands.refused(path, "replaced")),
            Stands::Checkout => {
                look::refuse_others(path, &owners, accounts, reading.machine)?;
                let damage = Damage::of(path, reading.machine)?;
                if let Some(words) = damage.words() {
                    if !Damage::may_be_repaired(path, want.force, reading.machine)? {
                        return Err(damage.refused(path));
                    }
                    let note = "a power cut leaves it so; it is repaired, and checked out again";
                    return Ok(Plan::of(vec![Change::new(Property::Force, words, look::CLEAN).note(note)]));
                }
                let friends = Friends::below(want.title.as_str(), spared, reading.machine);
                match look::differences(wanted(want)?, want, &friends, reading) {
                    Err(Error::System(error @ system::Error::Spawn { .. })) => {
                        Ok(Plan::pending(format!("git is not installed: {error}")))
                    }
                    Err(error @ Error::Command { exit: Exit::Code(_), .. }) => {
                        let (remote, revision) = wanted(want)?;
                        let git = git(want, remote, path, May::Look(reading));
                        let objects = git.damaged_objects(revision)?.ok_or(error)?;
                        let note = "a power cut leaves it so; they are fetched again";
                        let change = Change::new(Property::Force, objects.words(), look::CLEAN).note(note);
                        Ok(Plan::of(vec![change]))
                    }
                    changes => Ok(Plan::of(changes?)),
                }
            }
        }
    }

    fn apply(&self, want: &GitCheckout, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let path = Path::new(want.title.as_str());
        if want.ensure == Presence::Absent {
            writing.machine.remove_tree(path)?;
            return Ok(Applied::default());
        }
        let (remote, revision) = wanted(want)?;
        if changes.iter().any(|change| change.property == Property::Ensure) {
            change::make(want, remote, revision, writing)?;
        } else {
            change::correct(want, (remote, revision), changes, writing)?;
        }
        Ok(Applied::default())
    }

    fn names<'a>(&self, want: &'a GitCheckout) -> Vec<&'a str> {
        vec![want.title.as_str()]
    }

    fn left<'a>(&self, want: &'a GitCheckout) -> Left<'a> {
        let mut left: Left<'a> = vec![("ensure".into(), want.ensure.to_string().into())];
        if want.ensure == Presence::Absent {
            return left;
        }
        left.extend(want.remote.as_ref().map(|remote| ("remote".into(), remote.as_str().into())));
        left.extend(want.revision.as_ref().map(|revision| ("revision".into(), revision.as_str().into())));
        left.extend(want.force.then_some(("force".into(), look::CLEAN.into())));
        left.extend(want.submodules.then_some(("submodules".into(), look::CHECKED_OUT.into())));
        left
    }
}

/// What is at the path.
enum Stands {
    Nothing,
    Empty,
    Checkout,
    Other(String),
}

impl Stands {
    fn at(path: &Path, machine: &dyn Inspect) -> Result<Self, Error> {
        let Some(stat) = machine.lstat(path)? else { return Ok(Self::Nothing) };
        if stat.kind != FileKind::Directory {
            return Ok(Self::Other("not a directory".to_owned()));
        }
        let git = path.join(".git");
        match machine.lstat(&git)?.map(|stat| stat.kind) {
            Some(FileKind::Directory) => Ok(Self::Checkout),
            Some(FileKind::File) => {
                Ok(Self::Other(named_by(path, machine.read_text(&git)?.as_deref(), machine)?))
            }
            Some(_) => Ok(Self::Other("a directory whose .git is neither a file nor a directory".to_owned())),
            None if machine.list(path)?.is_empty() => Ok(Self::Empty),
            None => Ok(Self::Other("a directory that is not a checkout".to_owned())),
        }
    }

    fn refused(&self, path: &Path, what: &str) -> Error {
        let is = match self {
            Self::Nothing | Self::Empty => "an empty directory",
            Self::Checkout => "a checkout",
            Self::Other(is) => is.as_str(),
        };
        Error::Conflict(format!(
            "{} is {is}, and is not {what}; check what it is, and move it away",
            path.display()
        ))
    }
}

/// What a directory is whose `.git` is a file with this text, which should name the place of the repository.
fn named_by(path: &Path, text: Option<&str>, machine: &dyn Inspect) -> Result<String, Error> {
    // The longest path that the kernel accepts.
    const LONGEST: usize = 4096;
    let named = text.and_then(|text| text.strip_prefix("gitdir:")).map(str::trim);
    let Some(named) = named.filter(|named| (1..LONGEST).contains(&named.len())) else {
        return Ok("a directory whose .git is a file that names no repository".to_owned());
    };
    Ok(match machine.stat(&path.join(named))? {
        Some(_) => "a part of another checkout".to_owned(),
        None => format!("a directory whose .git names {}, which is not there", named.escape_debug()),
    })
}

/// The plan for a checkout that does not exist; a repository on this machine may still appear.
fn missing(want: &GitCheckout, reading: Reading<'_>) -> Result<Plan, Error> {
    if let Some(path) = want.remote.as_ref().and_then(GitRemote::path)
        && reading.machine.stat(Path::new(path))?.is_none()
    {
        return Ok(Plan::pending(Need::path(path, format!("its remote {path} is not there"))));
    }
    let change = Change::new(Property::Ensure, "absent", "present");
    Ok(Plan::of(vec![match &want.revision {
        Some(revision) => change.note(format!("`{revision}` is checked out")),
        None => change,
    }]))
}

/// The remote and the revision, which every present checkout has according to the rules of the type.
fn wanted(want: &GitCheckout) -> Result<(&GitRemote, &GitRevision), Error> {
    let both = want.remote.as_ref().zip(want.revision.as_ref());
    both.ok_or_else(|| Error::Refused("a checkout needs a `remote` and a `revision`".to_owned()))
}

/// The git of a checkout.
fn git<'a>(want: &'a GitCheckout, remote: &'a GitRemote, dir: &'a Path, may: May<'a>) -> Git<'a> {
    let access = RemoteAccess {
        remote,
        user: want.user.as_ref(),
        identity: want.identity.as_ref(),
        headers: &want.headers,
        timeout: Duration::from_secs(want.timeout.0.into()),
    };
    Git::new(access, dir, may)
}
