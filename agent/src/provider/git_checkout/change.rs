//! Makes a checkout, or brings one to another revision.

use std::path::Path;

use holdfast_catalog::resource::GitCheckout;
use holdfast_catalog::resource::attribute::{GitRemote, GitRevision};

use super::damage::{Damage, UPDATING};
use super::git::{Git, May};
use super::objects::fetch_again;
use super::revision::{Local, RevisionKind};
use super::{Change, Property};
use crate::provider::archive::owners::Owners;
use crate::provider::{Error, Writing};
use crate::system::{Exit, FileKind, Permissions};

/// Makes a checkout beside its place, and moves it there.
pub fn make(
    want: &GitCheckout,
    remote: &GitRemote,
    revision: &GitRevision,
    writing: Writing<'_>,
) -> Result<(), Error> {
    let path = Path::new(want.title.as_str());
    let accounts = writing.machine.accounts()?;
    let owners = Owners::of_user(want.user.as_ref(), None, &accounts).map_err(Error::Missing)?;
    let access = Permissions { mode: 0o700, uid: owners.uid, gid: owners.gid };
    let old = writing.machine.lstat(path)?.filter(|stat| stat.kind == FileKind::Directory);
    let tree = writing.machine.stage_tree(path, access, owners.uid)?;
    let git = super::git(want, remote, tree.path(), May::Change(writing));
    git.init()?;
    get(&git, revision, want.depth)?;
    if want.submodules {
        git.check_out_submodules(false)?;
    }
    tree.inside().set_mode(Path::new("/"), old.map_or(0o755, |stat| stat.mode))?;
    Ok(tree.commit(Path::new("/"))?)
}

/// Fetches a revision into an empty repository and checks it out. Returns its commit.
pub fn get(git: &Git<'_>, revision: &GitRevision, depth: Option<u32>) -> Result<String, Error> {
    let target = git.target(revision, &git.local(revision)?)?;
    let commit = git.fetch(revision, &target, depth)?;
    git.check_out(&commit, false)?;
    Ok(commit)
}

/// Makes the changes that were planned. If objects of git turn out to be damaged, they are fetched again first.
pub fn correct(
    want: &GitCheckout,
    (remote, revision): (&GitRemote, &GitRevision),
    changes: &[Change],
    writing: Writing<'_>,
) -> Result<(), Error> {
    let path = Path::new(want.title.as_str());
    let git = super::git(want, remote, path, May::Change(writing));
    let owners = || {
        let accounts = writing.machine.accounts()?;
        Owners::of_user(want.user.as_ref(), None, &accounts).map_err(Error::Missing)
    };
    let damage = Damage::of(path, writing.machine)?;
    let is_damaged = damage.words().is_some();
    if is_damaged {
        damage.repair(path, &owners()?, writing)?;
    }
    let force = want.force || is_damaged || writing.machine.lstat(&path.join(UPDATING))?.is_some();
    let bringing = Bringing { want, remote, revision, changes, force, is_damaged, is_refetched: false };
    let error = match bringing.bring(&git, writing) {
        Err(error @ Error::Command { exit: Exit::Code(_), .. }) => error,
        done => return done,
    };
    let Some(objects) = git.damaged_objects(revision)? else { return Err(error) };
    let fetched = fetch_again(want, (remote, revision), &owners()?, writing);
    fetched.map_err(|error| objects.refused(path, &error))?;
    if git.damaged_objects(revision)?.is_some() {
        if !force {
            let error = Error::Unexpected(format!("{remote} does not have them all"));
            return Err(objects.refused(path, &error));
        }
        Damage::lost_head().repair(path, &owners()?, writing)?;
    }
    Bringing { is_refetched: true, ..bringing }.bring(&git, writing)
}

/// A checkout that is brought to what is wanted.
struct Bringing<'a> {
    want: &'a GitCheckout,
    remote: &'a GitRemote,
    revision: &'a GitRevision,
    changes: &'a [Change],
    /// Whether local changes are thrown away.
    force: bool,
    /// Whether git's own files were damaged, and were repaired.
    is_damaged: bool,
    /// Whether objects were damaged, and were fetched again.
    is_refetched: bool,
}

impl Bringing<'_> {
    fn bring(&self, git: &Git<'_>, writing: Writing<'_>) -> Result<(), Error> {
        let commit = self.commit(git)?;
        if let Some(commit) = &commit {
            git.must_read(commit)?;
        }
        let marker = git.dir.join(UPDATING);
        let interrupted = writing.machine.lstat(&marker)?.is_some();
        if interrupted {
            // A process that was stopped while writing it does not come back for it.
            writing.machine.remove(&git.dir.join(".git/index.lock"))?;
        }
        let changed = git.changed_files(self.want.submodules)?;
        let mut never_clean = if self.is_damaged { Vec::new() } else { git.never_clean(&changed)? };
        let is_untouched = changed.len() == never_clean.len();
        if !is_untouched || self.force {
            never_clean.clear();
        }
        if interrupted || is_untouched {
            let access = Permissions { mode: 0o600, uid: None, gid: None };
            let _ = writing.machine.stage(&marker, access, &mut &b""[..])?.commit()?;
        }
        let done = git.make_way(&never_clean).and_then(|()| self.update(git, commit.as_deref()));
        let done = done.and(git.bring_back(&never_clean));
        // If git itself gives up, it leaves everything as it was: a change that the next run finds was made by someone.
        if let Ok(()) | Err(Error::Command { exit: Exit::Code(_), .. }) = &done {
            writing.machine.remove(&marker)?;
        }
        done
    }

    fn is_off(&self, property: Property) -> bool {
        self.changes.iter().any(|change| change.property == property)
    }

    /// The commit to check out; `None` if what is checked out stays.
    fn commit(&self, git: &Git<'_>) -> Result<Option<String>, Error> {
        let (revision, depth) = (self.revision, self.want.depth);
        let is_repaired = self.is_damaged || self.is_refetched;
        let commit = if self.is_off(Property::Remote) {
            Some(of_other_remote(git, self.remote, revision, depth)?)
        } else if self.is_off(Property::Revision) || is_repaired {
            wanted_commit(git, revision, depth)?
        } else {
            git.head()?
        };
        let is_other = is_repaired || self.is_off(Property::Revision) || self.is_off(Property::Force);
        Ok(commit.filter(|_| is_other))
    }

    fn update(&self, git: &Git<'_>, commit: Option<&str>) -> Result<(), Error> {
        if self.force {
            git.look_at_all()?;
        }
        if let Some(commit) = commit {
            git.check_out(commit, self.force)?;
        }
        if self.want.submodules {
            git.check_out_submodules(self.force)?;
        }
        Ok(())
    }
}

/// Switches to another remote, and fetches what is wanted from it. Names from the old one no longer count, nor does a
/// commit that only the old one has. If that fails, the old remote stays set, so the next run starts again.
fn of_other_remote(
    git: &Git<'_>,
    remote: &GitRemote,
    revision: &GitRevision,
    depth: Option<u32>,
) -> Result<String, Error> {
    const URL: &str = "remote.origin.url";
    let old = git.remote()?.unwrap_or_default();
    git.forget_names()?;
    git.run(&["config", "--local", URL, remote.as_str()])?;
    let fetched = fetch_anew(git, revision, depth);
    if fetched.is_err() {
        git.run(&["config", "--local", URL, &old])?;
    }
    fetched
}

/// Fetches a revision from a remote of which nothing is known here.
fn fetch_anew(git: &Git<'_>, revision: &GitRevision, depth: Option<u32>) -> Result<String, Error> {
    let target = git.target(revision, &Local::default())?;
    if target.kind == RevisionKind::Commit && git.has(&target.commit)? {
        git.has_at_remote(&target.commit)?;
        return Ok(target.commit);
    }
    git.fetch(revision, &target, depth)
}

/// The wanted commit if it was fetched just now, or is there already.
fn wanted_commit(git: &Git<'_>, revision: &GitRevision, depth: Option<u32>) -> Result<Option<String>, Error> {
    let target = git.target(revision, &git.local(revision)?)?;
    if !git.has(&target.commit)? {
        return git.fetch(revision, &target, depth).map(Some);
    }
    // By these names the next run recognizes what this one left.
    match target.kind {
        _ if target.away.is_some() => {}
        RevisionKind::Branch => {
            git.remember(format!("refs/remotes/origin/{revision}"), &target.commit)?;
        }
        RevisionKind::Tag => {
            git.remember(format!("refs/tags/{revision}"), &target.commit)?;
        }
        RevisionKind::Commit => {}
    }
    Ok(Some(target.commit))
}
