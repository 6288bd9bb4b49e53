//! How an existing checkout differs.

use std::path::Path;

use holdfast_catalog::resource::GitCheckout;
use holdfast_catalog::resource::attribute::{GitRemote, GitRevision};

use super::damage::UPDATING;
use super::git::{Git, May};
use super::revision::{Local, RevisionKind, RevisionTarget};
use super::{Change, Property};
use crate::provider::archive::friends::Friends;
use crate::provider::archive::owners::Owners;
use crate::provider::{ChangeKind, Error, Reading};
use crate::system::{Accounts, Inspect};

/// The value if no tracked file was changed.
pub const CLEAN: &str = "clean";

/// The value if all submodules are as the revision says.
pub const CHECKED_OUT: &str = "checked out";

/// The most paths that a message names.
const MAX_NAMED: usize = 5;

/// Refuses a checkout that belongs to someone else: its settings could run whatever its owner likes.
pub fn refuse_others(
    path: &Path,
    owners: &Owners,
    accounts: &Accounts,
    machine: &dyn Inspect,
) -> Result<(), Error> {
    let wanted = owners.uid.unwrap_or_else(|| rustix::process::geteuid().as_raw());
    for place in [path.to_owned(), path.join(".git")] {
        let Some(stat) = machine.lstat(&place)? else { continue };
        if stat.uid != wanted {
            return Err(Error::Refused(format!(
                "{} belongs to {} and not to {}, the user that git would run as; set `user` to its owner, or change the owner",
                place.display(),
                accounts.user_name(stat.uid),
                accounts.user_name(wanted)
            )));
        }
    }
    Ok(())
}

/// The changes that are needed.
pub fn differences(
    (remote, revision): (&GitRemote, &GitRevision),
    want: &GitCheckout,
    friends: &Friends<'_>,
    reading: Reading<'_>,
) -> Result<Vec<Change>, Error> {
    let path = Path::new(want.title.as_str());
    let git = super::git(want, remote, path, May::Look(reading));
    let mut changes = Vec::new();
    let known = git.remote()?.unwrap_or_default();
    let is_other = known != remote.as_str();
    if is_other {
        changes.push(Change::new(Property::Remote, without_password(&known), remote));
    }
    changes.extend(revision_change(revision, is_other, path, &git, reading)?);
    let mut files = git.changed_files(want.submodules)?;
    files.retain(|file| {
        let theirs = friends.share(file);
        !theirs.content && !theirs.mode
    });
    let never_clean = git.never_clean(&files)?;
    files.retain(|file| !never_clean.contains(file));
    if !never_clean.is_empty() {
        let note = format!(
            "git reports {} as changed however it is checked out, although no one changed it: `.gitattributes` marks \
             it as text, and the commit has other line endings; run `git add --renormalize .`, and commit the result",
            some(&never_clean)
        );
        changes.push(Change::new(Property::Force, "", "").kind(ChangeKind::Note).note(note));
    }
    let pointers = git.pointers()?;
    if !pointers.is_empty() {
        changes.push(Change::new(Property::Revision, "", "").kind(ChangeKind::Note).note(of_lfs(&pointers)));
    }
    match files.is_empty() {
        true => {}
        false if want.force => changes.push(Change::new(Property::Force, changed(&files), CLEAN)),
        false => {
            let note = format!("{}; force = true would discard that", changed(&files));
            changes.push(Change::new(Property::Force, changed(&files), "").kind(ChangeKind::Note).note(note));
        }
    }
    // Another revision may have other submodules.
    if want.submodules && changes.iter().all(|change| change.property != Property::Revision) {
        let stray = git.stray_submodules()?;
        let change =
            || Change::new(Property::Submodules, format!("not checked out: {}", some(&stray)), CHECKED_OUT);
        changes.extend((!stray.is_empty()).then(change));
    }
    Ok(changes)
}

/// The change if the revision is not the wanted one, or a note about it. What is known from another remote does not
/// count.
fn revision_change(
    revision: &GitRevision,
    is_other: bool,
    path: &Path,
    git: &Git<'_>,
    reading: Reading<'_>,
) -> Result<Option<Change>, Error> {
    let local = if is_other { Local::default() } else { git.local(revision)? };
    let target = git.target(revision, &local)?;
    let head = git.head()?.unwrap_or_else(|| "no commit".to_owned());
    let interrupted = reading.machine.lstat(&path.join(UPDATING))?.is_some();
    if head == target.commit
        && !interrupted
        && let Some(branch) = git.branch()?
    {
        let change =
            Change::new(Property::Revision, format!("{head} on the branch {branch}"), &target.commit);
        return Ok(Some(change.note("a checkout is not on a branch")));
    }
    if head == target.commit && !interrupted {
        return Ok(target.away.map(|why| {
            let note = format!("cannot ask the remote whether `{revision}` moved: {why}");
            Change::new(Property::Revision, &head, &head).kind(ChangeKind::Note).note(note)
        }));
    }
    let names = if head.starts_with("no ") { Vec::new() } else { git.names_of(&head)? };
    let moved = target.kind == RevisionKind::Branch && local.branch.as_ref() == Some(&head) && !interrupted;
    let note = note(revision, &target, interrupted);
    let change = Change::new(Property::Revision, &head, &target.commit).also(names).note(note);
    Ok(Some(if moved { change.kind(ChangeKind::Moved) } else { change }))
}

fn note(revision: &GitRevision, target: &RevisionTarget, interrupted: bool) -> String {
    let what = match target.kind {
        RevisionKind::Branch => format!("the branch `{revision}`"),
        RevisionKind::Tag => format!("the tag `{revision}`"),
        RevisionKind::Commit => "the commit".to_owned(),
    };
    let away = target.away.as_ref().map(|why| format!("; cannot ask the remote whether it moved: {why}"));
    let again = if interrupted { "; an earlier change was interrupted" } else { "" };
    format!("{what}{again}{}", away.unwrap_or_default())
}

/// The note about files that are Git LFS pointers.
pub fn of_lfs(pointers: &[String]) -> String {
    format!(
        "{} contains a Git LFS pointer and not the content: the machine's git filters are not used; deliver it with an \
         `archive`, or commit the content itself",
        some(pointers)
    )
}

fn changed(files: &[String]) -> String {
    format!("changed: {}", some(files))
}

fn some(names: &[String]) -> String {
    let shown = names.iter().take(MAX_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MAX_NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// A URL that someone else wrote, without what may be a password.
fn without_password(url: &str) -> String {
    match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?))) {
        Some((scheme, (user, rest))) if user.contains(':') => format!("{scheme}://…@{rest}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_url_that_stands_there_is_not_shown() {
        assert_eq!(without_password("https://a:hunter2@h/x"), "https://…@h/x");
        assert_eq!(without_password("git@h:x"), "git@h:x");
    }

    #[test]
    fn so_many_files_are_named() {
        let files: Vec<_> = (1..8).map(|n| format!("f{n}")).collect();
        assert_eq!(some(&files), "f1, f2, f3, f4, f5 and 2 more");
        assert_eq!(some(&files[..1]), "f1");
    }
}
