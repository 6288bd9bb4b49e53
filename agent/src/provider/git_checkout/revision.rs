//! What a revision means: the checkout is asked, and the remote if it may know better.

use holdfast_catalog::resource::attribute::GitRevision;

use super::git::Git;
use crate::provider::Error;

/// The kind of a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevisionKind {
    Branch,
    Tag,
    /// The id of a commit.
    Commit,
}

/// The wanted commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionTarget {
    /// The kind of the revision.
    pub kind: RevisionKind,
    pub commit: String,
    /// Why the remote could not be asked; then this is its last known answer.
    pub away: Option<String>,
}

/// What the repository knows about a name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Local {
    /// The commit of the branch when the remote was last asked.
    pub branch: Option<String>,
    /// The commit of the tag.
    pub tag: Option<String>,
}

impl Git<'_> {
    /// What the repository knows about a revision.
    pub fn local(&self, revision: &GitRevision) -> Result<Local, Error> {
        let (branch, tag) = (format!("refs/remotes/origin/{revision}"), format!("refs/tags/{revision}"));
        let format = "--format=%(refname) %(objectname) %(*objectname)";
        Ok(local(&self.run(&["for-each-ref", format, &branch, &tag])?, &branch, &tag))
    }

    /// The commit that a revision means. The remote is only asked if that may have moved, or is not known here.
    pub fn target(&self, revision: &GitRevision, local: &Local) -> Result<RevisionTarget, Error> {
        let known = |kind, commit: &String| RevisionTarget { kind, commit: commit.clone(), away: None };
        if revision.is_commit() {
            return Ok(known(RevisionKind::Commit, &revision.as_str().to_owned()));
        }
        if let (None, Some(tag)) = (&local.branch, &local.tag) {
            return Ok(known(RevisionKind::Tag, tag));
        }
        match self.at_remote(revision) {
            Ok(target) => Ok(target),
            Err(error @ Error::Command { .. }) => match &local.branch {
                Some(branch) => Ok(RevisionTarget {
                    away: Some(error.to_string()),
                    ..known(RevisionKind::Branch, branch)
                }),
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// Asks the remote for a branch or a tag.
    fn at_remote(&self, revision: &GitRevision) -> Result<RevisionTarget, Error> {
        let url = self.access.remote.as_str();
        let names = [
            format!("refs/heads/{revision}"),
            format!("refs/tags/{revision}"),
            format!("refs/tags/{revision}^{{}}"),
        ];
        let text = self.ls_remote(&[&names[0], &names[1], &names[2]])?;
        let find = |name: &String| {
            let line = text.lines().filter_map(|line| line.split_once('\t')).find(|(_, n)| n == name);
            line.map(|(commit, _)| commit.to_owned()).filter(|commit| is_id(commit))
        };
        let target = |kind| move |commit| RevisionTarget { kind, commit, away: None };
        let found = find(&names[0]).map(target(RevisionKind::Branch));
        let found =
            found.or_else(|| find(&names[2]).or_else(|| find(&names[1])).map(target(RevisionKind::Tag)));
        found.ok_or_else(|| {
            let hint = if revision.as_str().bytes().all(|b| b.is_ascii_hexdigit()) {
                "; name a commit by its full id"
            } else {
                ""
            };
            Error::missing(format!("{url} has no branch or tag `{revision}`{hint}"))
        })
    }

    /// Fetches what is wanted; returns the commit to check out.
    pub fn fetch(
        &self,
        revision: &GitRevision,
        target: &RevisionTarget,
        depth: Option<u32>,
    ) -> Result<String, Error> {
        let depth = depth.map(|depth| format!("--depth={depth}"));
        let fetch = |more: &[&str], spec: &[&str]| {
            let options = ["fetch", "--quiet", "--force"].into_iter().chain(depth.as_deref());
            let all = options.chain(more.iter().copied()).chain(["--", "origin"]).chain(spec.iter().copied());
            self.run(&all.collect::<Vec<_>>())
        };
        let branch = format!("refs/remotes/origin/{revision}");
        match target.kind {
            RevisionKind::Branch => {
                self.forget_rivals(std::slice::from_ref(&branch))?;
                fetch(&["--no-tags"], &[&format!("+refs/heads/{revision}:{branch}")])?;
                // The branch may have moved since it was asked for.
                self.run(&["rev-parse", "--verify", &format!("{branch}^{{commit}}")])
            }
            RevisionKind::Tag => {
                let tag = format!("refs/tags/{revision}");
                self.forget_rivals(std::slice::from_ref(&tag))?;
                fetch(&["--no-tags"], &[&format!("+{tag}:{tag}")])?;
                self.run(&["rev-parse", "--verify", &format!("{tag}^{{commit}}")])
            }
            RevisionKind::Commit => {
                // Some hosts give a commit by its id; from others everything is fetched.
                if fetch(&["--no-tags"], &[&target.commit]).is_err() || !self.has(&target.commit)? {
                    self.fetch_all()?;
                }
                if self.has(&target.commit)? {
                    return Ok(target.commit.clone());
                }
                Err(Error::missing(format!("{} has no commit {}", self.access.remote, target.commit)))
            }
        }
    }

    /// Checks that a commit in the repository is also in the remote. git does not fetch a commit that it has, so all
    /// names are fetched.
    pub fn has_at_remote(&self, commit: &str) -> Result<(), Error> {
        self.fetch_all()?;
        let names = self.run(&["for-each-ref", "--count=1", &format!("--contains={commit}")])?;
        if names.is_empty() {
            return Err(Error::missing(format!("{} has no commit {commit}", self.access.remote)));
        }
        Ok(())
    }

    /// Removes the names that a remote gave.
    pub fn forget_names(&self) -> Result<(), Error> {
        self.known_names()?.lines().try_for_each(|name| self.forget(name))
    }

    /// Keeps a commit under a name of the remote.
    pub fn remember(&self, name: String, commit: &str) -> Result<(), Error> {
        self.forget_rivals(std::slice::from_ref(&name))?;
        self.run(&["update-ref", &name, commit]).map(drop)
    }

    fn known_names(&self) -> Result<String, Error> {
        self.run(&["for-each-ref", "--format=%(refname)", "refs/tags", "refs/remotes/origin"])
    }

    fn forget(&self, name: &str) -> Result<(), Error> {
        self.run(&["update-ref", "--no-deref", "-d", name]).map(drop)
    }

    /// Forgets names that keep git from taking these. `feature` is no name beside `feature/x`, so a remote that has the one no longer
    /// has the other. Answers with whether there were any.
    fn forget_rivals(&self, wanted: &[String]) -> Result<bool, Error> {
        let names = self.known_names()?;
        let in_the_way = names.lines().filter(|name| wanted.iter().any(|one| are_rivals(one, name)));
        let in_the_way: Vec<&str> = in_the_way.collect();
        in_the_way.iter().try_for_each(|name| self.forget(name))?;
        Ok(!in_the_way.is_empty())
    }

    fn fetch_all(&self) -> Result<(), Error> {
        match self.try_fetch_all() {
            Err(_) if self.forget_rivals(&self.names_at_remote()?)? => self.try_fetch_all(),
            tried => tried,
        }
    }

    /// What the names of the remote are called here.
    fn names_at_remote(&self) -> Result<Vec<String>, Error> {
        let text = self.ls_remote(&["refs/heads/*", "refs/tags/*"])?;
        let names = text.lines().filter_map(|line| line.split_once('\t')).map(|(_, name)| name);
        let here = |name: &str| match name.strip_prefix("refs/heads/") {
            Some(branch) => format!("refs/remotes/origin/{branch}"),
            None => name.to_owned(),
        };
        Ok(names.filter(|name| !name.ends_with("^{}")).map(here).collect())
    }

    fn try_fetch_all(&self) -> Result<(), Error> {
        let is_shallow = self.run(&["rev-parse", "--is-shallow-repository"])? == "true";
        let whole = is_shallow.then_some("--unshallow");
        let options = ["fetch", "--quiet", "--force", "--tags"].into_iter().chain(whole);
        let all = options.chain(["--", "origin", "+refs/heads/*:refs/remotes/origin/*"]);
        self.run(&all.collect::<Vec<_>>()).map(drop)
    }
}

fn local(text: &str, branch: &str, tag: &str) -> Local {
    let find = |name: &str| {
        let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        // An annotated tag is an object of its own, which points to its commit.
        lines
            .find(|words| words.first() == Some(&name))
            .and_then(|words| words.last().map(|id| (*id).to_owned()))
    };
    Local { branch: find(branch), tag: find(tag) }
}

/// Whether two names cannot be beside each other, since one would be a folder of the other.
fn are_rivals(one: &str, other: &str) -> bool {
    let is_in =
        |name: &str, folder: &str| name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    is_in(one, other) || is_in(other, one)
}

fn is_id(text: &str) -> bool {
    text.len() >= 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use holdfast_catalog::resource::attribute::{Attribute as _, GitRemote};

    use super::*;
    use crate::provider::git_checkout::git::{May, RemoteAccess};
    use crate::provider::trial;
    use crate::system::double::{Double, failed, said};

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn revision(text: &str) -> GitRevision {
        GitRevision::read(&text.into()).unwrap()
    }

    /// The answer of the remote for a name if git prints this text.
    fn target(text: &'static str, name: &str, known: Local) -> Result<RevisionTarget, Error> {
        let double =
            Double::new(move |_| Some(if text.is_empty() { failed(128, "no route") } else { said(text) }));
        let (remote, headers) = (GitRemote::read(&"https://h/x".into()).unwrap(), BTreeMap::new());
        trial::writing(&double, |writing| {
            Git::new(RemoteAccess::plain(&remote, &headers), Path::new("/"), May::Change(writing))
                .target(&revision(name), &known)
        })
    }

    #[test]
    fn branches_and_tags_of_the_remote_are_told_apart_by_their_whole_names() {
        let answer = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\trefs/x/refs/heads/main\nbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\trefs/heads/main\n";
        let found = target(answer, "main", Local::default()).unwrap();
        assert_eq!((found.kind, found.commit.as_str()), (RevisionKind::Branch, B));
        let annotated = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\trefs/tags/v1\nbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\trefs/tags/v1^{}\n";
        let found = target(annotated, "v1", Local::default()).unwrap();
        assert_eq!((found.kind, found.commit.as_str()), (RevisionKind::Tag, B));
        let missing = target("\n", "abc1234", Local::default()).unwrap_err().to_string();
        assert!(missing.contains("full id"), "{missing}");
    }

    #[test]
    fn what_cannot_have_moved_is_not_asked_for_and_a_remote_that_is_away_is_no_failure() {
        let tag = Local { tag: Some(A.to_owned()), branch: None };
        assert_eq!(target("", "v1", tag).unwrap().commit, A);
        assert_eq!(target("", A, Local::default()).unwrap().kind, RevisionKind::Commit);
        let branch = Local { branch: Some(A.to_owned()), tag: None };
        let last = target("", "main", branch).unwrap();
        assert!(last.commit == A && last.away.unwrap().contains("no route"));
        assert!(target("", "main", Local::default()).is_err());
    }

    #[test]
    fn a_remote_that_is_away_is_not_waited_for_as_long_as_a_fetch() {
        let waited = Arc::new(Mutex::new(Vec::new()));
        let times = waited.clone();
        let double = Double::new(move |invocation| {
            times.lock().unwrap().push(invocation.timeout.as_secs());
            Some(failed(128, "no route"))
        });
        let (remote, headers) = (GitRemote::read(&"https://h/x".into()).unwrap(), BTreeMap::new());
        trial::writing(&double, |writing| {
            for timeout in [600, 7] {
                let timeout = Duration::from_secs(timeout);
                let access = RemoteAccess { timeout, ..RemoteAccess::plain(&remote, &headers) };
                let git = Git::new(access, Path::new("/"), May::Change(writing));
                assert!(git.target(&revision("main"), &Local::default()).is_err());
                assert!(git.run(&["fetch"]).is_err());
            }
        });
        assert_eq!(*waited.lock().unwrap(), [60, 600, 7, 7]);
    }

    #[test]
    fn what_is_known_here_is_a_commit_and_not_the_tag_object() {
        let text = format!("refs/remotes/origin/x {A} \nrefs/tags/x {A} {B}\n");
        let known = local(&text, "refs/remotes/origin/x", "refs/tags/x");
        assert_eq!((known.branch.as_deref(), known.tag.as_deref()), (Some(A), Some(B)));
    }
}
