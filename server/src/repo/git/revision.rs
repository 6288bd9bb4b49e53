//! Which commit a name refers to. A branch that is followed is `refs/heads/NAME` and nothing else: anyone who may push
//! tags must not be able to move it. A name on a command line is a commit, a branch or a tag, in this order; git itself
//! tries tags first.

use std::collections::HashSet;
use std::path::Path;

use gix::ObjectId;

use crate::diagnostic::{Code, Diagnostic};

use super::super::CommitId;

/// What is read from a repository.
#[derive(Debug, Clone)]
pub(super) enum RevisionSelector {
    /// A branch to follow.
    Branch(String),
    /// A revision that a person named.
    Revision(String),
}

impl RevisionSelector {
    /// The name, as it was given.
    pub(super) fn text(&self) -> &str {
        let (Self::Branch(text) | Self::Revision(text)) = self;
        text
    }
}

/// The commit that a name refers to, with remarks on the name.
pub(super) struct ResolvedRevision {
    pub(super) id: ObjectId,
    pub(super) remarks: Vec<Diagnostic>,
}

/// The commit that is wanted; `None` if there is none.
pub(super) fn resolve(repository: &gix::Repository, wanted: &RevisionSelector) -> Option<ResolvedRevision> {
    match wanted {
        RevisionSelector::Branch(name) => {
            let name = name.strip_prefix("refs/heads/").unwrap_or(name);
            let id = reference(repository, &format!("refs/heads/{name}"))?;
            let tag = reference(repository, &format!("refs/tags/{name}"));
            Some(ResolvedRevision { id, remarks: tag.map(|_| tag_of_that_name(name)).into_iter().collect() })
        }
        RevisionSelector::Revision(text) => revision(repository, text),
    }
}

/// The warning about a tag with the name of the branch that is followed.
pub(in super::super) fn tag_of_that_name(branch: &str) -> Diagnostic {
    let message =
        format!("there is a tag `{branch}` with the name of the branch: only the branch is followed");
    Diagnostic::warning(Code::AmbiguousRevision, message, None)
        .help("remove the tag, and find out who pushed it")
}

fn revision(repository: &gix::Repository, text: &str) -> Option<ResolvedRevision> {
    // in `main~3`, the meaning of the first name is decided here, and the rest is left to git
    let end = text.find(['~', '^', ':']).or_else(|| text.find("@{")).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let mut found = named(repository, name);
    let Some((_, id)) = found.first() else {
        let id = repository.rev_parse_single(text).ok()?.detach();
        return Some(ResolvedRevision { id, remarks: Vec::new() });
    };
    let id = match rest {
        "" => *id,
        _ if rest.starts_with("@{") => repository.rev_parse_single(text).ok()?.detach(),
        _ => repository.rev_parse_single(format!("{id}{rest}").as_str()).ok()?.detach(),
    };
    let (meant, _) = found.remove(0);
    found.retain(|(_, other)| Some(*other) != found_id(repository, id));
    let others: Vec<_> = found.into_iter().map(|(what, _)| what).collect();
    let remark = (!others.is_empty()).then(|| {
        let message = format!("`{name}` is {meant}, and also {}: the first is used", others.join(" and "));
        Diagnostic::warning(Code::AmbiguousRevision, message, None)
            .help(format!("write refs/heads/{name} or refs/tags/{name} for the other"))
    });
    Some(ResolvedRevision { id, remarks: remark.into_iter().collect() })
}

/// The commit that an object refers to.
fn found_id(repository: &gix::Repository, id: ObjectId) -> Option<ObjectId> {
    Some(repository.find_object(id).ok()?.peel_to_commit().ok()?.id)
}

/// Everything that a name can refer to, the most likely first.
fn named(repository: &gix::Repository, name: &str) -> Vec<(&'static str, ObjectId)> {
    let mut found: Vec<(&'static str, ObjectId)> = Vec::new();
    found.extend(commit_of_digits(repository, name).map(|id| ("a commit", id)));
    if name.starts_with("refs/") {
        found.extend(reference(repository, name).map(|id| ("a reference", id)));
    }
    for (what, folder) in
        [("a branch", "refs/heads"), ("a tag", "refs/tags"), ("a remote's branch", "refs/remotes")]
    {
        found.extend(reference(repository, &format!("{folder}/{name}")).map(|id| (what, id)));
    }
    found
}

/// The commit whose id begins with these digits; `None` if there are none or several.
fn commit_of_digits(repository: &gix::Repository, digits: &str) -> Option<ObjectId> {
    if digits.len() < 4 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let prefix = gix::hash::Prefix::from_hex(digits).ok()?;
    let mut candidates = HashSet::new();
    repository.objects.lookup_prefix(prefix, Some(&mut candidates)).ok()??.ok();
    let mut commits = candidates.into_iter().filter_map(|id| {
        let object = repository.find_object(id).ok()?;
        (object.kind == gix::objs::Kind::Commit).then_some(id)
    });
    let first = commits.next()?;
    commits.next().is_none().then_some(first)
}

/// The commit of a reference, by its full name. gix, like git, would also try other folders.
fn reference(repository: &gix::Repository, name: &str) -> Option<ObjectId> {
    let mut reference = repository.try_find_reference(name).ok()??;
    if reference.name().as_bstr() != name {
        return None;
    }
    let id = reference.peel_to_id().ok()?.detach();
    found_id(repository, id)
}

/// What is wrong with a branch that exists; `None` if it does not, or can be read.
pub(super) fn broken_branch(repository: &gix::Repository, name: &str) -> Option<String> {
    let name = format!("refs/heads/{}", name.strip_prefix("refs/heads/").unwrap_or(name));
    let file = repository.common_dir().join(&name);
    let is_file = |file: &Path| std::fs::metadata(file).is_ok_and(|found| found.is_file());
    let cure = format!("remove {}, and push the branch again", file.display());
    match repository.try_find_reference(&*name) {
        Ok(None) => None,
        Ok(Some(mut found)) if found.name().as_bstr() == name => match found.peel_to_id() {
            Ok(id) => Some(format!("{name} names {id}, which is not a commit that can be read here")),
            Err(error) => Some(format!("{name} names nothing that can be read: {error}")),
        },
        Err(_) if is_file(&file) => {
            Some(match std::fs::metadata(&file).is_ok_and(|found| found.len() == 0) {
                true => format!("{name} is empty, as after a power cut; {cure}"),
                false => format!("{name} is broken, and names no commit; {cure}"),
            })
        }
        _ => None,
    }
}

/// The remote branch that the checked-out branch follows, if it was ever fetched.
pub(super) fn upstream(repository: &gix::Repository) -> Option<String> {
    let branch = repository.head_name().ok()??;
    let direction = gix::remote::Direction::Fetch;
    let tracked = repository.branch_remote_tracking_ref_name(branch.as_ref(), direction)?.ok()?;
    let name = tracked.as_bstr().to_string();
    reference(repository, &name)?;
    Some(name.strip_prefix("refs/remotes/").unwrap_or(&name).to_owned())
}

/// The most commits to walk through to find one: anyone who asks for an older one has waited long already.
const MAX_COMMITS: usize = 100_000;

/// Whether `older` is an ancestor of `newer`.
pub(in super::super) fn builds_on(repository: &gix::Repository, newer: &str, older: &str) -> bool {
    let id = |text: &str| ObjectId::from_hex(text.as_bytes()).ok();
    let (Some(newer), Some(older)) = (id(newer), id(older)) else { return false };
    let Ok(walk) = repository.rev_walk([newer]).all() else { return false };
    walk.take(MAX_COMMITS).map_while(Result::ok).skip(1).any(|commit| commit.id == older)
}

/// A remark if a branch moved to a commit that does not build on the one before.
pub(super) fn history(repository: &gix::Repository, last: &CommitId, now: ObjectId) -> Option<Diagnostic> {
    let before = ObjectId::from_hex(last.as_str().as_bytes()).ok()?;
    if before == now {
        return None;
    }
    let is_here = repository.has_object(before);
    let base = repository.merge_base(before, now).ok().flatten();
    if base.is_some_and(|base| base == before) {
        return None;
    }
    let last = last.as_str().get(..10).unwrap_or_default();
    let message = match base {
        Some(base) if base == now => {
            format!("the branch was set back: it was at commit {last}, which builds on this one")
        }
        // All ancestors of this commit are here. If the commit before is not, nothing more is known of it.
        base if base.is_some() || !is_here => {
            format!("the branch was rewritten: this commit does not build on {last}, where it was")
        }
        _ => {
            format!("the branch was replaced: this commit has no history in common with {last}, where it was")
        }
    };
    let help = "someone force-pushed: find out who, and protect the branch if that was not intended";
    Some(Diagnostic::warning(Code::HistoryRewritten, message, None).help(help))
}
