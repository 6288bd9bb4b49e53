//! `git_checkout`: a directory that holds one revision of a git repository.

use std::collections::BTreeMap;

use super::attribute::{
    AbsolutePath, AccountName, GitRemote, GitRevision, Presence, Seconds, Secret, header_error,
};
use super::claim::{Claim, PathKind};
use super::define::resource_type;
use super::{AttributeError, Implied, Rules};

resource_type! {
    /// A directory that holds one revision of a git repository. The title is its path. Git runs as `user`, asks nobody for a password, and runs no hook of the repository. The checkout is at a commit and on no branch, so that nobody mistakes it for a place to work in. Filters of the machine, such as that of Git LFS, are not used: of a file that is a pointer, the report says so.
    GitCheckout("git_checkout"), titled AbsolutePath {
        /// Whether it is there. With `absent`, the directory is removed with all that is in it, if it is a checkout.
        property ensure: Presence = Presence::Present,
        /// Where the repository is: `https://`, `ssh://`, `user@host:path`, `file:///` or an absolute path. Passwords have no place in it: see `identity` and `headers`.
        property remote: Option<GitRemote> => "required, unless absent",
        /// The branch, tag or commit (its whole id) that is checked out. A branch is asked for at each run and followed as it moves; while the remote cannot be reached, the checkout stays as it is and the run says so. A tag or commit that is here needs no network.
        property revision: Option<GitRevision> => "required, unless absent",
        /// The user whose checkout it is: git runs as this user, with its keys, and all files are its own. What is said of a checkout is what git says as this user, who can make it say anything: what they must not change is not their checkout.
        parameter user: Option<AccountName> => "`\"root\"`",
        /// Fetches so many commits of history only.
        parameter depth: Option<u32> => "all history",
        /// Checks out submodules, too, as the revision names them.
        property submodules: bool = false,
        /// Throws local changes of files that git knows away, as drift: those of submodules too where these are checked out, of execute bits, and of files that git was told to pass over (`--assume-unchanged`, `--skip-worktree`, a sparse checkout). Without it they are only said, and stop a change of revision that would overwrite them. Files that git does not know are left, but where the revision has one of that name. A file that git calls changed however it is checked out, since `.gitattributes` rules out the line ends of the commit, is nobody's change: it is said.
        property force: bool = false,
        /// The private key for ssh, readable for `user`. The host's own key must be known already (`known_hosts`).
        parameter identity: Option<AbsolutePath>,
        /// Headers that are sent to the remote, such as `Authorization`; they may be secret, and go over https only.
        parameter headers: BTreeMap<String, Secret>,
        /// How long one command of git may take; asking a remote what it has takes a minute at most, and so does a look at what is there.
        parameter timeout: Seconds = Seconds(600),
    }
}

/// Checks a remote and how it is reached, wherever they are attributes.
pub(super) fn remote_errors(
    remote: Option<&GitRemote>,
    identity: Option<&AbsolutePath>,
    headers: &BTreeMap<String, Secret>,
) -> Vec<AttributeError> {
    let mut errors: Vec<_> = header_error(headers, remote.map(GitRemote::as_str)).into_iter().collect();
    if identity.is_some() && !remote.is_some_and(GitRemote::is_ssh) {
        let error = AttributeError::new("identity", "`identity` is for remotes that are reached by ssh");
        errors.push(error.help("use ssh:// or user@host:path, or leave `identity` out"));
    }
    errors
}

/// What comes before something that is fetched with git.
pub(super) fn remote_implied(remote: &GitRemote, identity: Option<&AbsolutePath>) -> Vec<Implied> {
    let mut implied = vec![Implied::on("package", "git")];
    if remote.is_ssh() {
        implied.extend(["openssh-client", "openssh-clients"].map(|name| Implied::on("package", name)));
    }
    implied.extend(identity.map(|key| Implied::on_path(key.as_str())));
    implied.extend(remote.path().map(Implied::on_path));
    implied
}

impl Rules for GitCheckout {
    fn validate(&self) -> Vec<AttributeError> {
        let mut errors = remote_errors(self.remote.as_ref(), self.identity.as_ref(), &self.headers);
        let mut refuse = |attribute, message: &str, help: &str| {
            errors.push(AttributeError::new(attribute, message).help(help));
        };
        if self.title.as_str() == "/" {
            refuse("title", "the root directory is not a checkout", "name a directory below it");
        }
        if self.depth == Some(0) {
            refuse("depth", "`depth` is 0: nothing would be fetched", "use at least 1, or leave it out");
        }
        if self.ensure == Presence::Absent {
            return errors;
        }
        if self.remote.is_none() {
            refuse(
                "remote",
                "a checkout needs a `remote`",
                "say where the repository is: remote = \"https://…\"",
            );
        }
        if self.revision.is_none() {
            refuse("revision", "a checkout needs a `revision`", "name a branch, a tag or a commit");
        }
        errors
    }

    fn implied(&self) -> Vec<Implied> {
        let mut implied = vec![Implied::on_parent(self.title.as_str())];
        implied.extend(self.user.iter().map(|user| Implied::on("user", user.as_str())));
        implied.extend(self.remote.iter().flat_map(|remote| remote_implied(remote, self.identity.as_ref())));
        implied
    }

    fn claims(&self) -> Vec<Claim> {
        match self.ensure {
            Presence::Present => Claim::whole_tree(self.title.as_str()),
            Presence::Absent => Claim::standing(self.title.as_str(), PathKind::Nothing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType as _};
    use crate::value::Value;

    fn read(attributes: &[(&str, Value)]) -> Result<GitCheckout, Vec<AttributeError>> {
        let attributes: Attributes = attributes.iter().map(|(k, v)| ((*k).into(), v.clone())).collect();
        GitCheckout::read("/srv/shop", &attributes)
    }

    fn wrong(attributes: &[(&str, Value)]) -> Vec<&'static str> {
        let errors = read(attributes).unwrap_err();
        assert!(errors.iter().all(|error| error.help.is_some()), "{errors:?}");
        errors.iter().map(|error| error.attribute).collect()
    }

    #[test]
    fn what_is_missing_or_contradicts_is_said_with_the_cure() {
        let (https, ssh) = (("remote", Value::from("https://h/x")), ("remote", Value::from("git@h:x")));
        let main = ("revision", Value::from("main"));
        assert_eq!(wrong(&[]), ["remote", "revision"]);
        assert_eq!(wrong(&[https.clone(), main.clone(), ("depth", 0.into())]), ["depth"]);
        let identity = ("identity", Value::from("/root/.ssh/key"));
        assert_eq!(wrong(&[https, main.clone(), identity.clone()]), ["identity"]);
        assert!(read(&[ssh, main, identity]).is_ok());
        assert!(read(&[("ensure", "absent".into())]).is_ok());
    }

    #[test]
    fn git_and_the_user_come_first() {
        let attributes =
            [("remote", "git@h:x".into()), ("revision", "main".into()), ("user", Value::from("shop"))];
        let implied = read(&attributes).unwrap().implied();
        for edge in [
            Implied::on("package", "git"),
            Implied::on("user", "shop"),
            Implied::on("package", "openssh-client"),
        ] {
            assert!(implied.contains(&edge), "{edge:?} of {implied:?}");
        }
    }
}
