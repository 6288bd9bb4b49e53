//! The `git` of one repository: how it is called, and what it is asked.
//!
//! It runs as the user whose repository it is, asks nobody for a password, and runs no hook and no command that the
//! repository names. What begins with `-` never reaches it; secrets go by its environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use holdfast_catalog::resource::attribute::{AbsolutePath, GitRemote, GitRevision, Secret, SystemName};

use crate::provider::{Error, Reading, Writing};
use crate::system::{Invocation, Output};

/// Settings that are stronger than those of the repository.
const SETTINGS: [&str; 6] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "protocol.ext.allow=never",
    "advice.detachedHead=false",
    "gc.autoDetach=false",
    "maintenance.autoDetach=false",
];

/// How a repository is reached, and as whom.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// Where it is.
    pub remote: &'a GitRemote,
    /// Whose checkout it is.
    pub user: Option<&'a SystemName>,
    /// The key for ssh.
    pub identity: Option<&'a AbsolutePath>,
    /// What is sent over https.
    pub headers: &'a BTreeMap<String, Secret>,
    /// How long one command may take.
    pub timeout: Duration,
}

/// What git may do.
#[derive(Clone, Copy)]
pub enum May<'a> {
    /// Only look.
    Look(Reading<'a>),
    /// Change the checkout.
    Change(Writing<'a>),
}

/// The git of one checkout.
#[derive(Clone, Copy)]
pub struct Git<'a> {
    access: Access<'a>,
    dir: &'a Path,
    may: May<'a>,
}

/// What a revision is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It moves.
    Branch,
    /// It stays.
    Tag,
    /// It is what it says.
    Commit,
}

/// The commit that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What the revision is.
    pub kind: Kind,
    /// Its commit.
    pub commit: String,
    /// Why the remote could not be asked, where it could not: then this is what it said the last time.
    pub away: Option<String>,
}

/// What is known here of a name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Local {
    /// The commit of the branch when the remote was last asked.
    pub branch: Option<String>,
    /// The commit of the tag.
    pub tag: Option<String>,
}

impl<'a> Git<'a> {
    /// In this directory.
    pub fn new(access: Access<'a>, dir: &'a Path, may: May<'a>) -> Self {
        Self { access, dir, may }
    }

    /// How git is called with these arguments.
    pub fn invocation(&self, arguments: &[&str]) -> Invocation {
        let settings = SETTINGS.iter().flat_map(|setting| ["-c", setting]);
        let words = ["git"].into_iter().chain(settings).chain(arguments.iter().copied());
        let mut invocation = Invocation::new(words)
            .variable("GIT_TERMINAL_PROMPT", "0")
            .variable("GIT_CONFIG_NOSYSTEM", "1")
            .variable("GIT_SSH_COMMAND", &ssh(self.access.identity))
            .timeout(self.access.timeout)
            .limit(4 * 1024 * 1024);
        if matches!(self.may, May::Look(_)) {
            // A look must not even refresh the index.
            invocation = invocation.variable("GIT_OPTIONAL_LOCKS", "0");
        }
        invocation = invocation.variable("GIT_CONFIG_COUNT", &self.access.headers.len().to_string());
        for (at, (name, value)) in self.access.headers.iter().enumerate() {
            let key = format!("http.{}.extraHeader", self.access.remote);
            invocation = invocation.variable(&format!("GIT_CONFIG_KEY_{at}"), &key);
            let value = holdfast_catalog::value::Sensitive::text(format!("{name}: {}", value.expose()));
            invocation.environment.push((format!("GIT_CONFIG_VALUE_{at}"), value.into()));
        }
        invocation.cwd = Some(PathBuf::from(self.dir));
        invocation.user = self.access.user.map(ToString::to_string);
        invocation
    }

    /// Runs git to whatever end.
    fn try_run(&self, arguments: &[&str]) -> Result<Output, Error> {
        let invocation = self.invocation(arguments);
        Ok(match self.may {
            May::Look(reading) => reading.machine.probe(&invocation)?,
            May::Change(writing) => writing.machine.run(&invocation)?,
        })
    }

    /// Runs git, which must succeed; answers with what it printed.
    pub fn run(&self, arguments: &[&str]) -> Result<String, Error> {
        let output = self.try_run(arguments)?;
        if output.succeeded() {
            Ok(output.text().trim_end().to_owned())
        } else {
            Err(failed(arguments, &output))
        }
    }

    /// What git printed; none where it failed.
    fn ask(&self, arguments: &[&str]) -> Result<Option<String>, Error> {
        let output = self.try_run(arguments)?;
        Ok(output.succeeded().then(|| output.text().trim_end().to_owned()))
    }

    /// The commit that is checked out; none where there is none yet.
    pub fn head(&self) -> Result<Option<String>, Error> {
        self.ask(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])
    }

    /// The remote's URL that the repository knows.
    pub fn remote(&self) -> Result<Option<String>, Error> {
        self.ask(&["config", "--local", "--get", "remote.origin.url"])
    }

    /// Whether a commit is here.
    pub fn has(&self, commit: &str) -> Result<bool, Error> {
        Ok(self.ask(&["cat-file", "-e", &format!("{commit}^{{commit}}")])?.is_some())
    }

    /// Files that git knows and that were changed here.
    pub fn changed_files(&self) -> Result<Vec<String>, Error> {
        let quiet = ["--untracked-files=no", "--no-renames", "--ignore-submodules=all"];
        let text = self.run(&["status", "--porcelain", "-z", quiet[0], quiet[1], quiet[2]])?;
        let entry = |entry: &str| entry.get(3..).map(str::to_owned);
        Ok(text.split('\0').filter_map(entry).collect())
    }

    /// Submodules that are not as the revision says.
    pub fn stray_submodules(&self) -> Result<Vec<String>, Error> {
        let text = self.run(&["submodule", "status", "--recursive"])?;
        let stray = text.lines().filter(|line| !line.starts_with(' '));
        Ok(stray.filter_map(|line| line.split_whitespace().nth(1)).map(str::to_owned).collect())
    }

    /// Names that point at a commit: tags, and branches of the remote.
    pub fn names_of(&self, commit: &str) -> Result<Vec<String>, Error> {
        let points = format!("--points-at={commit}");
        let text =
            self.run(&["for-each-ref", &points, "--format=%(refname)", "refs/tags", "refs/remotes/origin"])?;
        let name = |line: &str| {
            let name =
                line.strip_prefix("refs/tags/").or_else(|| line.strip_prefix("refs/remotes/origin/"))?;
            Some(name.to_owned())
        };
        Ok(text.lines().filter_map(name).collect())
    }

    /// What is known here of a revision.
    pub fn local(&self, revision: &GitRevision) -> Result<Local, Error> {
        let (branch, tag) = (format!("refs/remotes/origin/{revision}"), format!("refs/tags/{revision}"));
        let format = "--format=%(refname) %(objectname) %(*objectname)";
        Ok(local(&self.run(&["for-each-ref", format, &branch, &tag])?, &branch, &tag))
    }

    /// The commit that a revision means. Only what may have moved, or is not known here, is asked of the remote.
    pub fn target(&self, revision: &GitRevision, local: &Local) -> Result<Target, Error> {
        let known = |kind, commit: &String| Target { kind, commit: commit.clone(), away: None };
        if revision.is_commit() {
            return Ok(known(Kind::Commit, &revision.as_str().to_owned()));
        }
        if let (None, Some(tag)) = (&local.branch, &local.tag) {
            return Ok(known(Kind::Tag, tag));
        }
        match self.at_remote(revision) {
            Ok(target) => Ok(target),
            Err(error @ Error::Command { .. }) => match &local.branch {
                Some(branch) => Ok(Target { away: Some(error.to_string()), ..known(Kind::Branch, branch) }),
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// Asks the remote for a branch or a tag.
    fn at_remote(&self, revision: &GitRevision) -> Result<Target, Error> {
        let url = self.access.remote.as_str();
        let names = [
            format!("refs/heads/{revision}"),
            format!("refs/tags/{revision}"),
            format!("refs/tags/{revision}^{{}}"),
        ];
        let text = self.run(&["ls-remote", "--", url, &names[0], &names[1], &names[2]])?;
        let find = |name: &String| {
            let line = text.lines().filter_map(|line| line.split_once('\t')).find(|(_, n)| n == name);
            line.map(|(commit, _)| commit.to_owned()).filter(|commit| is_id(commit))
        };
        let target = |kind| move |commit| Target { kind, commit, away: None };
        let found = find(&names[0]).map(target(Kind::Branch));
        let found = found.or_else(|| find(&names[2]).or_else(|| find(&names[1])).map(target(Kind::Tag)));
        found.ok_or_else(|| {
            let hint = if revision.as_str().bytes().all(|b| b.is_ascii_hexdigit()) {
                "; a commit is named by its whole id"
            } else {
                ""
            };
            Error::Refused(format!("{url} has no branch and no tag `{revision}`{hint}"))
        })
    }

    /// Fetches what is wanted; answers with the commit that is to be checked out.
    pub fn fetch(
        &self,
        revision: &GitRevision,
        target: &Target,
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
            Kind::Branch => {
                fetch(&["--no-tags"], &[&format!("+refs/heads/{revision}:{branch}")])?;
                // It may have moved on since it was asked for.
                self.run(&["rev-parse", "--verify", &format!("{branch}^{{commit}}")])
            }
            Kind::Tag => {
                fetch(&["--no-tags"], &[&format!("+refs/tags/{revision}:refs/tags/{revision}")])?;
                self.run(&["rev-parse", "--verify", &format!("refs/tags/{revision}^{{commit}}")])
            }
            Kind::Commit => {
                // Some hosts give a commit by its id alone; from others everything is fetched.
                if fetch(&["--no-tags"], &[&target.commit]).is_err() || !self.has(&target.commit)? {
                    self.fetch_all()?;
                }
                if self.has(&target.commit)? {
                    return Ok(target.commit.clone());
                }
                Err(Error::Refused(format!("{} has no commit {}", self.access.remote, target.commit)))
            }
        }
    }

    fn fetch_all(&self) -> Result<(), Error> {
        let is_shallow = self.run(&["rev-parse", "--is-shallow-repository"])? == "true";
        let whole = is_shallow.then_some("--unshallow");
        let options = ["fetch", "--quiet", "--force", "--tags"].into_iter().chain(whole);
        let all = options.chain(["--", "origin", "+refs/heads/*:refs/remotes/origin/*"]);
        self.run(&all.collect::<Vec<_>>()).map(drop)
    }

    /// Checks a commit out, on no branch.
    pub fn check_out(&self, commit: &str, force: bool) -> Result<(), Error> {
        let force = force.then_some("--force");
        let words = ["checkout", "--quiet", "--detach"].into_iter().chain(force).chain([commit, "--"]);
        self.run(&words.collect::<Vec<_>>()).map(drop)
    }

    /// Checks submodules out as the revision says.
    pub fn check_out_submodules(&self, force: bool) -> Result<(), Error> {
        self.run(&["submodule", "--quiet", "sync", "--recursive"])?;
        let force = force.then_some("--force");
        let words = ["submodule", "--quiet", "update", "--init", "--recursive"].into_iter().chain(force);
        self.run(&words.collect::<Vec<_>>()).map(drop)
    }

    /// Makes the repository, empty.
    pub fn init(&self) -> Result<(), Error> {
        self.run(&["init", "--quiet", "--template="])?;
        self.run(&["remote", "add", "--", "origin", self.access.remote.as_str()]).map(drop)
    }
}

/// The ssh that git runs: never asks, and takes no host that is not known.
fn ssh(identity: Option<&AbsolutePath>) -> String {
    let asks_nobody = "ssh -o BatchMode=yes";
    match identity {
        None => asks_nobody.to_owned(),
        Some(key) => {
            let quoted = key.as_str().replace('\'', r"'\''");
            format!("{asks_nobody} -o IdentitiesOnly=yes -i '{quoted}'")
        }
    }
}

fn local(text: &str, branch: &str, tag: &str) -> Local {
    let find = |name: &str| {
        let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        // An annotated tag is an object of its own; its commit stands behind it.
        lines
            .find(|words| words.first() == Some(&name))
            .and_then(|words| words.last().map(|id| (*id).to_owned()))
    };
    Local { branch: find(branch), tag: find(tag) }
}

fn is_id(text: &str) -> bool {
    text.len() >= 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// git's failure, named by what was asked of it and not by all its settings.
fn failed(arguments: &[&str], output: &Output) -> Error {
    Error::Command {
        command: format!("git {}", arguments.join(" ")),
        exit: output.exit,
        said: output.last_words(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::trial;
    use crate::system::double::{Double, failed, said};
    use holdfast_catalog::resource::attribute::Attribute as _;

    fn access<'a>(remote: &'a GitRemote, headers: &'a BTreeMap<String, Secret>) -> Access<'a> {
        Access { remote, user: None, identity: None, headers, timeout: Duration::from_secs(5) }
    }

    fn remote(text: &str) -> GitRemote {
        GitRemote::read(&text.into()).unwrap()
    }

    fn revision(text: &str) -> GitRevision {
        GitRevision::read(&text.into()).unwrap()
    }

    /// What the remote says of `main` when git prints this.
    fn target(text: &'static str, name: &str, known: Local) -> Result<Target, Error> {
        let double =
            Double::new(move |_| Some(if text.is_empty() { failed(128, "no route") } else { said(text) }));
        let (remote, headers) = (remote("https://h/x"), BTreeMap::new());
        trial::writing(&double, |writing| {
            Git::new(access(&remote, &headers), Path::new("/"), May::Change(writing))
                .target(&revision(name), &known)
        })
    }

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    #[test]
    fn secrets_are_in_no_argument_and_nobody_is_asked() {
        let double = Double::new(|_| None);
        let (remote, headers) =
            (remote("https://h/x"), BTreeMap::from([("Authorization".into(), "hunter2".into())]));
        let invocation = trial::writing(&double, |writing| {
            Git::new(access(&remote, &headers), Path::new("/srv"), May::Change(writing))
                .invocation(&["fetch"])
        });
        assert!(!format!("{invocation:?}").contains("hunter2"), "{invocation:?}");
        let variable = |name: &str| {
            let found = invocation.environment.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.expose().to_string()).unwrap_or_default()
        };
        assert_eq!(variable("GIT_CONFIG_VALUE_0"), "Authorization: hunter2");
        assert_eq!(variable("GIT_CONFIG_KEY_0"), "http.https://h/x.extraHeader");
        assert_eq!((variable("GIT_TERMINAL_PROMPT"), variable("GIT_CONFIG_COUNT")), ("0".into(), "1".into()));
        let command = invocation.command.to_string();
        assert!(command.contains("core.hooksPath=/dev/null") && command.ends_with(" fetch"), "{command}");
    }

    #[test]
    fn the_path_of_a_key_is_no_shell() {
        let key = AbsolutePath::read(&"/home/a'; touch x; '/key".into()).unwrap();
        assert_eq!(
            ssh(Some(&key)),
            r"ssh -o BatchMode=yes -o IdentitiesOnly=yes -i '/home/a'\''; touch x; '\''/key'"
        );
    }

    #[test]
    fn branches_and_tags_of_the_remote_are_told_apart_by_their_whole_names() {
        let answer = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\trefs/x/refs/heads/main\nbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\trefs/heads/main\n";
        let found = target(answer, "main", Local::default()).unwrap();
        assert_eq!((found.kind, found.commit.as_str()), (Kind::Branch, B));
        let annotated = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\trefs/tags/v1\nbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\trefs/tags/v1^{}\n";
        let found = target(annotated, "v1", Local::default()).unwrap();
        assert_eq!((found.kind, found.commit.as_str()), (Kind::Tag, B));
        let missing = target("\n", "abc1234", Local::default()).unwrap_err().to_string();
        assert!(missing.contains("whole id"), "{missing}");
    }

    #[test]
    fn what_cannot_have_moved_is_not_asked_for_and_a_remote_that_is_away_is_no_failure() {
        let tag = Local { tag: Some(A.to_owned()), branch: None };
        assert_eq!(target("", "v1", tag).unwrap().commit, A);
        assert_eq!(target("", A, Local::default()).unwrap().kind, Kind::Commit);
        let branch = Local { branch: Some(A.to_owned()), tag: None };
        let last = target("", "main", branch).unwrap();
        assert!(last.commit == A && last.away.unwrap().contains("no route"));
        assert!(target("", "main", Local::default()).is_err());
    }

    #[test]
    fn what_is_known_here_is_a_commit_and_not_the_tag_object() {
        let text = format!("refs/remotes/origin/x {A} \nrefs/tags/x {A} {B}\n");
        let known = local(&text, "refs/remotes/origin/x", "refs/tags/x");
        assert_eq!((known.branch.as_deref(), known.tag.as_deref()), (Some(A), Some(B)));
    }
}
