//! The `git` of one repository: how it is called, and what it is asked.
//!
//! It runs as the user who owns the repository, never asks for a password, and runs no hook of the repository. No
//! setting of the repository can make it look at another directory, other objects or fewer files than intended. An
//! argument that begins with `-` never reaches it, and secrets are passed in its environment.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use holdfast_catalog::resource::attribute::{AbsolutePath, AccountName, GitRemote, Secret};
use holdfast_catalog::value::Sensitive;

use crate::provider::{Error, Reading, Writing};
use crate::system::{Exit, Inspect, Invocation, Output, path_text};

/// Settings that override those of the repository.
const SETTINGS: [&str; 15] = [
    "core.hooksPath=/dev/null",
    "core.fileMode=true",
    "core.fsmonitor=false",
    "core.sparseCheckout=false",
    "core.useReplaceRefs=false",
    "core.commitGraph=false",
    "core.ignoreStat=false",
    "core.checkStat=default",
    "core.trustctime=true",
    "protocol.ext.allow=never",
    "advice.detachedHead=false",
    "gc.autoDetach=false",
    "maintenance.autoDetach=false",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
];

/// How long a remote may take to list its branches and tags: one that does not answer must not hold up the run.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a command may take that reads the files of a checkout, and one that only reads git's own. The owner of a
/// checkout can make git wait for ever, and the run with it.
const FILES_TIMEOUT: Duration = Duration::from_secs(60);
const OWN_TIMEOUT: Duration = Duration::from_secs(10);

/// Commands that read the files of a checkout or of a commit, or ask a remote.
const SLOW: [&str; 5] = ["ls-files", "ls-remote", "pack-objects", "status", "submodule"];

/// The most bytes of git's output that are read, and of a list of all files, none of which may be left out.
const MAX_OUTPUT: usize = 4 * 1024 * 1024;
const MAX_TRACKED: usize = 512 * 1024 * 1024;

/// The variables that fix where the repository and its files are, whatever its settings say.
const HERE: [(&str, &str); 2] = [("GIT_DIR", ".git"), ("GIT_WORK_TREE", ".")];

/// How a repository is reached, and as whom.
#[derive(Debug, Clone, Copy)]
pub struct RemoteAccess<'a> {
    pub remote: &'a GitRemote,
    /// The owner of the checkout.
    pub user: Option<&'a AccountName>,
    /// The private key for ssh.
    pub identity: Option<&'a AbsolutePath>,
    /// Headers for https.
    pub headers: &'a BTreeMap<String, Secret>,
    /// How long one command may take.
    pub timeout: Duration,
}

#[cfg(test)]
impl<'a> RemoteAccess<'a> {
    /// Access as the test's own user.
    pub fn plain(remote: &'a GitRemote, headers: &'a BTreeMap<String, Secret>) -> Self {
        Self { remote, user: None, identity: None, headers, timeout: Duration::from_secs(5) }
    }
}

/// What git may do.
#[derive(Clone, Copy)]
pub enum May<'a> {
    Look(Reading<'a>),
    Change(Writing<'a>),
}

/// The git of one checkout.
#[derive(Clone, Copy)]
pub struct Git<'a> {
    pub(super) access: RemoteAccess<'a>,
    pub(super) dir: &'a Path,
    may: May<'a>,
}

impl<'a> Git<'a> {
    /// The git of this directory.
    pub fn new(access: RemoteAccess<'a>, dir: &'a Path, may: May<'a>) -> Self {
        Self { access, dir, may }
    }

    /// The invocation of git with these arguments.
    pub fn invocation(&self, arguments: &[&str]) -> Invocation {
        let settings = SETTINGS.iter().flat_map(|setting| ["-c", setting]);
        let words = ["git"].into_iter().chain(settings).chain(arguments.iter().copied());
        let mut invocation = Invocation::new(words)
            .variable("GIT_TERMINAL_PROMPT", "0")
            .variable("GIT_CONFIG_NOSYSTEM", "1")
            .variable("GIT_NO_REPLACE_OBJECTS", "1")
            .variable("GIT_SSH_COMMAND", &ssh(self.access.identity))
            .timeout(self.access.timeout)
            .stoppable();
        if matches!(self.may, May::Look(_)) {
            // Looking must not even refresh the index.
            invocation = invocation.variable("GIT_OPTIONAL_LOCKS", "0");
            let is_slow = arguments.first().is_some_and(|word| SLOW.contains(word));
            let most = if is_slow { FILES_TIMEOUT } else { OWN_TIMEOUT };
            invocation = invocation.timeout(self.access.timeout.min(most));
        }
        if arguments.first() != Some(&"init") {
            for (name, value) in HERE {
                invocation = invocation.variable(name, value);
            }
        }
        let secret = self.secret_settings();
        invocation = invocation.variable("GIT_CONFIG_COUNT", &secret.len().to_string());
        for (at, (key, value)) in secret.into_iter().enumerate() {
            invocation = invocation.variable(&format!("GIT_CONFIG_KEY_{at}"), &key);
            invocation.environment.push((format!("GIT_CONFIG_VALUE_{at}"), value));
        }
        invocation.cwd = Some(self.dir.to_owned());
        invocation.user = self.access.user.map(ToString::to_string);
        invocation
    }

    /// Settings that are passed in the environment, since anybody can read arguments.
    fn secret_settings(&self) -> Vec<(String, Secret)> {
        if self.access.headers.is_empty() {
            return Vec::new();
        }
        let key = format!("http.{}.extraHeader", self.access.remote);
        let header = |(name, value): (&String, &Secret)| {
            (key.clone(), Sensitive::text(format!("{name}: {}", value.expose())).into())
        };
        // If the host redirected, git would pass them on.
        let stays = ("http.followRedirects".to_owned(), Secret::from("false"));
        std::iter::once(stays).chain(self.access.headers.iter().map(header)).collect()
    }

    /// Runs git, whether or not it succeeds.
    fn try_run(&self, limit: usize, arguments: &[&str]) -> Result<Output, Error> {
        self.execute(&self.invocation(arguments).limit(limit))
    }

    pub(super) fn execute(&self, invocation: &Invocation) -> Result<Output, Error> {
        Ok(match self.may {
            May::Look(reading) => reading.machine.probe(invocation)?,
            May::Change(writing) => writing.machine.run(invocation)?,
        })
    }

    /// The machine, for reading.
    pub(super) fn machine(&self) -> &dyn Inspect {
        match self.may {
            May::Look(reading) => reading.machine,
            May::Change(writing) => writing.machine,
        }
    }

    /// Runs git, which must succeed; returns its output.
    pub fn run(&self, arguments: &[&str]) -> Result<String, Error> {
        self.run_within(MAX_OUTPUT, arguments)
    }

    /// Like `run`, with a limit on the bytes that are read.
    fn run_within(&self, limit: usize, arguments: &[&str]) -> Result<String, Error> {
        let output = self.try_run(limit, arguments)?;
        if output.succeeded() {
            Ok(output.text().trim_end().to_owned())
        } else {
            Err(failed(arguments, &output))
        }
    }

    /// Asks the remote for the commits of these names.
    pub fn ls_remote(&self, names: &[&str]) -> Result<String, Error> {
        let timeout = self.access.timeout.min(QUESTION_TIMEOUT);
        let hurried = Self { access: RemoteAccess { timeout, ..self.access }, ..*self };
        let words = ["ls-remote", "--", self.access.remote.as_str()];
        hurried.run(&[&words, names].concat())
    }

    /// Whether the remote uses SHA-256 ids, as far as it shows one. It is asked from outside the repository, which has
    /// a format itself.
    fn has_sha256(&self) -> Result<bool, Error> {
        const IDS: usize = 64;
        let words = ["ls-remote", "--", self.access.remote.as_str(), "HEAD"];
        let mut invocation =
            self.invocation(&words).limit(MAX_OUTPUT).timeout(self.access.timeout.min(QUESTION_TIMEOUT));
        invocation.environment.retain(|(name, _)| HERE.iter().all(|(here, _)| here != name));
        let around = self.dir.parent().unwrap_or(self.dir).display().to_string();
        let output = self.execute(&invocation.variable("GIT_CEILING_DIRECTORIES", &around))?;
        if !output.succeeded() {
            return Err(failed(&words, &output));
        }
        Ok(output.text().split('\t').next().is_some_and(|id| id.len() == IDS))
    }

    /// The output of git; `None` if its answer is no. If it could not answer, that is an error.
    pub fn ask(&self, arguments: &[&str]) -> Result<Option<String>, Error> {
        let output = self.try_run(MAX_OUTPUT, arguments)?;
        match output.exit {
            Exit::Code(0) => Ok(Some(output.text().trim_end().to_owned())),
            Exit::Code(_) => Ok(None),
            _ => Err(failed(arguments, &output)),
        }
    }

    /// The commit that is checked out; `None` if there is none yet.
    pub fn head(&self) -> Result<Option<String>, Error> {
        self.ask(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])
    }

    /// The URL of the remote in the repository's settings.
    pub fn remote(&self) -> Result<Option<String>, Error> {
        self.ask(&["config", "--local", "--get", "remote.origin.url"])
    }

    /// Whether a commit is in the repository.
    pub fn has(&self, commit: &str) -> Result<bool, Error> {
        Ok(self.ask(&["cat-file", "-e", &format!("{commit}^{{commit}}")])?.is_some())
    }

    /// Tracked files that were changed here, including those of submodules if these are managed; and files that git was
    /// told to ignore changes of, changed or not.
    pub fn changed_files(&self, submodules: bool) -> Result<Vec<String>, Error> {
        let quiet = ["--untracked-files=no", "--no-renames", "--ignore-submodules=all"];
        let status = ["status", "--porcelain", "-z", quiet[0], quiet[1], quiet[2]];
        let text = self.run_within(MAX_TRACKED, &status)?;
        let entry = |entry: &str| entry.get(3..).map(str::to_owned);
        let mut files: Vec<_> = text.split('\0').filter_map(entry).collect();
        files.extend(self.passed_over()?.iter().map(|path| format!("{path} (hidden from git)")));
        if submodules {
            // The repository decides the path of a submodule. It is printed, and never part of a command.
            let each = format!(
                "printf '\\0%s\\0' \"$displaypath\" && \
                 GIT_NO_REPLACE_OBJECTS=1 GIT_WORK_TREE=. git status --porcelain -z {}",
                quiet.join(" ")
            );
            let text = self.run(&["submodule", "--quiet", "foreach", "--recursive", &each])?;
            files.extend(of_submodules(&text));
        }
        Ok(files)
    }

    /// Files whose changes git was told to ignore. That includes what a sparse checkout leaves out: no resource asks
    /// for one.
    fn passed_over(&self) -> Result<Vec<String>, Error> {
        let is_hidden = |tag: u8| tag.is_ascii_lowercase() || tag == b'S';
        let text = self.run_within(MAX_TRACKED, &["ls-files", "-v", "-z"])?;
        let entry = |entry: &str| {
            let path = entry.get(2..).filter(|_| is_hidden(entry.as_bytes()[0]))?;
            Some(path.to_owned())
        };
        Ok(text.split('\0').filter_map(entry).collect())
    }

    /// The texts of the paths of all tracked files, including those of submodules if these are managed.
    pub fn tracked(&self, submodules: bool) -> Result<Vec<String>, Error> {
        let also = submodules.then_some("--recurse-submodules");
        let arguments: Vec<&str> = ["ls-files", "-z", "--cached"].into_iter().chain(also).collect();
        let output = self.try_run(MAX_TRACKED, &arguments)?;
        if !output.succeeded() {
            return Err(failed(&arguments, &output));
        }
        let paths = output.stdout.split(|byte| *byte == 0).filter(|path| !path.is_empty());
        Ok(paths.map(|path| path_text(Path::new(OsStr::from_bytes(path))).into_owned()).collect())
    }

    /// Makes git look again at files whose changes it was told to ignore.
    pub fn look_at_all(&self) -> Result<(), Error> {
        for path in self.passed_over()? {
            for flag in ["--no-assume-unchanged", "--no-skip-worktree"] {
                self.run(&["update-index", flag, "--", &path])?;
            }
        }
        Ok(())
    }

    /// The branch that is checked out, if any.
    pub fn branch(&self) -> Result<Option<String>, Error> {
        self.ask(&["symbolic-ref", "--quiet", "--short", "HEAD"])
    }

    /// Submodules whose commit is not the one in the revision.
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

    /// Checks a commit out, with a detached `HEAD`.
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

    /// Makes an empty repository with the same format of ids as the remote.
    pub fn init(&self) -> Result<(), Error> {
        let format = self.has_sha256()?.then_some("--object-format=sha256");
        let words = ["init", "--quiet", "--template="].into_iter().chain(format);
        self.run(&words.collect::<Vec<_>>())?;
        self.run(&["remote", "add", "--", "origin", self.access.remote.as_str()]).map(drop)
    }
}

/// The ssh command that git runs: it never asks, does not wait for ever, and refuses unknown hosts.
fn ssh(identity: Option<&AbsolutePath>) -> String {
    let asks_nobody = "ssh -o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=15";
    match identity {
        None => asks_nobody.to_owned(),
        Some(key) => {
            let quoted = key.as_str().replace('\'', r"'\''");
            format!("{asks_nobody} -o IdentitiesOnly=yes -i '{quoted}'")
        }
    }
}

/// The error for a failure of git. It names the arguments without all the settings.
pub(super) fn failed(arguments: &[&str], output: &Output) -> Error {
    Error::Command {
        command: format!("git {}", arguments.join(" ")),
        exit: output.exit,
        said: output.last_words(),
    }
}

/// The paths of changed files, from the top. After an empty entry comes the path of a submodule, then its own changes.
fn of_submodules(text: &str) -> Vec<String> {
    let (mut files, mut within) = (Vec::new(), "");
    let mut entries = text.split('\0');
    while let Some(entry) = entries.next() {
        if entry.is_empty() {
            within = entries.next().unwrap_or_default();
        } else if let Some(path) = entry.get(3..) {
            files.push(format!("{within}/{path}"));
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::resource::attribute::Attribute as _;

    use super::*;
    use crate::provider::trial;
    use crate::system::double::Double;

    #[test]
    fn files_of_submodules_are_told_by_their_whole_paths_whatever_these_hold() {
        let text = "\0lib\0 M s\0 M t u\0\0lib/deep|&;id >x #\0\0other\0 D a\0";
        assert_eq!(of_submodules(text), ["lib/s", "lib/t u", "other/a"]);
        assert_eq!(of_submodules("\0x;id|e #\0 M a\0"), ["x;id|e #/a"]);
        assert!(of_submodules("").is_empty());
    }

    #[test]
    fn secrets_are_in_no_argument_and_nobody_is_asked() {
        let double = Double::new(|_| None);
        let remote = GitRemote::read(&"https://h/x".into()).unwrap();
        let headers = BTreeMap::from([("Authorization".into(), "hunter2".into())]);
        let invocation = trial::writing(&double, |writing| {
            Git::new(RemoteAccess::plain(&remote, &headers), Path::new("/srv"), May::Change(writing))
                .invocation(&["fetch"])
        });
        assert!(!format!("{invocation:?}").contains("hunter2"), "{invocation:?}");
        let variable = |name: &str| {
            let found = invocation.environment.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.expose().to_string()).unwrap_or_default()
        };
        assert_eq!(variable("GIT_CONFIG_VALUE_1"), "Authorization: hunter2");
        assert_eq!(variable("GIT_CONFIG_KEY_1"), "http.https://h/x.extraHeader");
        assert_eq!((variable("GIT_TERMINAL_PROMPT"), variable("GIT_CONFIG_COUNT")), ("0".into(), "2".into()));
        let command = invocation.command.to_string();
        assert!(command.contains("core.hooksPath=/dev/null") && command.ends_with(" fetch"), "{command}");
    }

    #[test]
    fn a_look_is_over_soon_whatever_the_owner_of_a_checkout_does() {
        let double = Double::new(|invocation| {
            let exit = Exit::TimedOut(invocation.timeout);
            Some(Output { exit, stdout: Vec::new(), stderr: Vec::new() })
        });
        let remote = GitRemote::read(&"https://h/x".into()).unwrap();
        let headers = BTreeMap::new();
        let access =
            RemoteAccess { timeout: Duration::from_secs(600), ..RemoteAccess::plain(&remote, &headers) };
        let named = crate::provider::CatalogClaims::new(&[]);
        let reading = Reading {
            machine: &double,
            content: &crate::content::Nowhere,
            named: &named,
            state_dir: double.root.path(),
        };
        let git = Git::new(access, Path::new("/srv"), May::Look(reading));
        let timeout = |words: &[&str]| git.invocation(words).timeout.as_secs();
        assert_eq!((timeout(&["rev-parse", "HEAD"]), timeout(&["for-each-ref"])), (10, 10));
        assert_eq!((timeout(&["status"]), timeout(&["submodule", "status"])), (60, 60));
        // A command that did not answer does not mean another remote, no commit or no branch.
        for asked in [git.remote(), git.head(), git.branch()] {
            assert!(asked.unwrap_err().to_string().contains("timeout of 10 s"));
        }
        trial::writing(&double, |writing| {
            let git = Git::new(access, Path::new("/srv"), May::Change(writing));
            assert_eq!(git.invocation(&["checkout"]).timeout.as_secs(), 600);
        });
    }

    #[test]
    fn the_path_of_a_key_is_no_shell() {
        let key = AbsolutePath::read(&"/home/a'; touch x; '/key".into()).unwrap();
        assert_eq!(
            ssh(Some(&key)),
            r"ssh -o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=15 -o IdentitiesOnly=yes -i '/home/a'\''; touch x; '\''/key'"
        );
    }
}
