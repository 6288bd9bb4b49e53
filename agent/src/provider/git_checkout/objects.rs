//! The objects of a checkout's repository: whether a commit can be read as a whole, and how what is damaged is fetched
//! again.
//!
//! git removes a file before it reads the object that takes its place. An object that cannot be read costs that file,
//! so everything is read before git changes anything.

use std::path::Path;

use holdfast_catalog::resource::GitCheckout;
use holdfast_catalog::resource::attribute::{GitRemote, GitRevision};

use super::git::{Git, May, failed};
use super::revision::Local;
use crate::provider::archive::owners::Owners;
use crate::provider::{Error, Writing};
use crate::system::{Exit, Invocation, Permissions};

/// Where git keeps the objects of a repository, many in a file. It looks there before it looks for single files.
const PACKS: &str = ".git/objects/pack";

/// Names that the remote gave. They may name objects that are damaged, with which git refuses to fetch.
const NAMES: [&str; 2] = [".git/refs/remotes/origin", ".git/refs/tags"];

/// Objects that cannot be read.
#[derive(Debug)]
pub struct DamagedObjects {
    /// The commit, or the name of one, that needs them.
    of: String,
    /// The first line of what git reports.
    said: String,
}

impl DamagedObjects {
    /// The damage in words.
    pub fn words(&self) -> String {
        format!("objects of {} cannot be read: {}", self.of, self.said)
    }

    /// The error that says why it is left as it is.
    pub fn refused(&self, path: &Path, error: &Error) -> Error {
        Error::Refused(format!(
            "{}: {}, as after a power cut, and they could not be fetched again: {error}; no file was changed; if this does \
             not pass, move the directory away: it is cloned anew",
            path.display(),
            self.words()
        ))
    }
}

impl Git<'_> {
    /// Makes sure that all files of a commit can be read. All content is read: damage may leave names and sizes whole.
    pub fn must_read(&self, commit: &str) -> Result<(), Error> {
        let words = ["pack-objects", "--quiet", "--revs", "--stdout", "--window=0", "--compression=0"];
        // A tree in place of its commit: older commits are not needed, and a short history does not have them.
        let command = self.invocation(&words).input(format!("{commit}^{{tree}}\n"));
        let output = self.execute(&command)?;
        if output.succeeded() { Ok(()) } else { Err(failed(&words, &output)) }
    }

    /// The damage to what a look at this revision reads; `None` if there is none.
    pub fn damaged_objects(&self, revision: &GitRevision) -> Result<Option<DamagedObjects>, Error> {
        let names =
            ["HEAD".to_owned(), format!("refs/remotes/origin/{revision}"), format!("refs/tags/{revision}")];
        for name in names {
            let found = match self.ask(&["rev-parse", "--verify", "--quiet", &name])? {
                Some(id) => self.damage_of(&id)?,
                None if name != "HEAD"
                    && self.machine().lstat(&self.dir.join(".git").join(&name))?.is_some() =>
                {
                    Some(DamagedObjects { of: name, said: "it names no commit".to_owned() })
                }
                None => None,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        // What was never fetched is not damaged.
        let is_here = revision.is_commit() && self.ask(&["cat-file", "-e", revision.as_str()])?.is_some();
        if is_here { self.damage_of(revision.as_str()) } else { Ok(None) }
    }

    fn damage_of(&self, commit: &str) -> Result<Option<DamagedObjects>, Error> {
        match self.must_read(commit) {
            Ok(()) => Ok(None),
            Err(Error::Command { exit: Exit::Code(_), said, .. }) => {
                let said = said.lines().next().unwrap_or_default().to_owned();
                Ok(Some(DamagedObjects { of: commit.to_owned(), said }))
            }
            Err(error) => Err(error),
        }
    }
}

/// Fetches a revision as if nothing of it were here: git does not fetch what it believes to have. What arrives is added
/// to the repository, so commits that exist only here stay.
pub fn fetch_again(
    want: &GitCheckout,
    (remote, revision): (&GitRemote, &GitRevision),
    owners: &Owners,
    writing: Writing<'_>,
) -> Result<(), Error> {
    let path = Path::new(want.title.as_str());
    let access = Permissions { mode: 0o700, uid: owners.uid, gid: owners.gid };
    let tree = writing.machine.stage_tree(path, access, owners.uid)?;
    let fresh = super::git(want, remote, tree.path(), May::Change(writing));
    fresh.init()?;
    // Packs are looked at before single objects, and so hide the damaged ones.
    fresh.run(&["config", "--local", "fetch.unpackLimit", "1"])?;
    let target = fresh.target(revision, &Local::default())?;
    let commit = fresh.fetch(revision, &target, want.depth)?;
    fresh.must_read(&commit)?;
    let packs = tree.inside().list(&Path::new("/").join(PACKS))?;
    let mut packs: Vec<_> = packs.iter().map(|name| format!("{PACKS}/{}", name.to_string_lossy())).collect();
    // A pack is used as soon as its index is there, which therefore comes last.
    packs.sort_by_key(|name| name.ends_with(".idx"));
    let to = path.join(PACKS).display().to_string();
    let mkdir = ["mkdir", "-p", "--", &to].map(str::to_owned).to_vec();
    let moves = ["mv", "-f", "-t", &to, "--"].map(str::to_owned).into_iter().chain(packs).collect();
    for words in [mkdir, moves] {
        let mut command = Invocation::new(words);
        command.cwd = Some(tree.path().to_owned());
        command.user = want.user.as_ref().map(ToString::to_string);
        writing.run(&command)?;
    }
    let git = super::git(want, remote, path, May::Change(writing));
    git.forget_names()?;
    NAMES.iter().try_for_each(|names| writing.machine.remove_tree(&path.join(names)))?;
    git.run(&["prune-packed", "--quiet"]).map(drop)
}
