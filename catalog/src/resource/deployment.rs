//! `deployment`: releases of an application, and the link to the live one.

use std::collections::BTreeMap;
use std::fmt;

use super::archive::{source_errors, source_implied};
use super::attribute::{
    AbsolutePath, AccountName, ArchiveFormat, Attribute, AttributeKind, CommandLine, FileSource, GitRemote,
    GitRevision, Mismatch, RelativePath, Seconds, Secret,
};
use super::claim::{Claim, Hold, PathKind};
use super::define::resource_type;
use super::git_checkout::{remote_errors, remote_implied};
use super::{AttributeError, Implied, Rules};
use crate::hash::ContentHash;
use crate::value::Value;

/// The name of a release, which is a directory's name: never hidden and never like an option.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReleaseName(String);

impl ReleaseName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReleaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Attribute for ReleaseName {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        let all = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b));
        if first && all && text.len() <= 128 {
            return Ok(Self(text.to_owned()));
        }
        let why = format!("is `{}`, which is not the name of a release", text.escape_debug());
        Err(Mismatch::because(why)
            .help("use letters, digits, `.`, `_`, `+` and `-`; begin with a letter or digit"))
    }
}

resource_type! {
    /// Releases of an application, and the link to the one that is live. The title is the directory that holds them: `releases/VERSION`, `shared/`, and the link `current`. A new version is fetched and built while the old one runs; then the link is switched, whole, and `activate` and `health` are run. Where one of these fails, the old version is made current again, the run reports the failure, and this version is not tried again until something of it changes or its marker `releases/.VERSION.failed` is removed. Another `version` that was built before is only linked again: that is how a deployment is rolled back.
    Deployment("deployment"), titled AbsolutePath {
        /// The name of the release that is to be live, such as `1.4.2`. What a name stands for is built once: other content needs another name. What is changed later in a release that was built is not looked for: an `archive` compares its files.
        property version: ReleaseName,
        /// Where the release's archive is: see `archive`. Give this, or `remote`.
        parameter source: Option<FileSource> => "this or `remote` is required",
        /// The SHA-256 of the archive in hex, checked before anything is unpacked.
        parameter sha256: Option<ContentHash> => "required with `source`",
        /// So many leading directories of the archive are left out; what is beside them is dropped.
        parameter strip: u32 = 0,
        /// The git repository that the release is taken from: see `git_checkout`. The release holds its files, and the commit's id as `REVISION`, but no `.git`.
        parameter remote: Option<GitRemote> => "this or `source` is required",
        /// The tag, commit or branch of `remote`. It is asked for when the release is built, and not again.
        parameter revision: Option<GitRevision> => "what `version` says",
        /// Checks out submodules, too.
        parameter submodules: bool = false,
        /// Paths in the release that are kept over releases, such as `log` or `config/secrets.yml`: they are links to the same path below `shared/`. What is missing there is made as an empty directory; what has a dot in its name is taken for a file that is managed by itself (`file`), and is waited for.
        property shared: Vec<RelativePath>,
        /// The user who owns the releases, builds them and asks for their health.
        parameter user: Option<AccountName> => "`\"root\"`",
        /// The group of the releases.
        parameter group: Option<AccountName> => "the user's own",
        /// A command that is run as `user` in the new release before it goes live, such as `["bundle", "install"]`.
        parameter build: Option<CommandLine>,
        /// Variables of the environment of `build`, `activate` and `health`; they may be secret.
        parameter environment: BTreeMap<String, Secret>,
        /// A command that makes the new release the running one, such as `["systemctl", "restart", "shop"]`. It is run as root, in `/`, after the link was switched, and again when it is switched back.
        parameter activate: Option<CommandLine>,
        /// A command, run as `user` in the live release, that succeeds where it works, such as `["curl", "-fsS", "http://localhost:3000/health"]`. It is tried again a second after it has failed, and once more when `health_timeout` is over; a single try may last until then.
        parameter health: Option<CommandLine>,
        /// How long the release may take to become healthy.
        parameter health_timeout: Seconds = Seconds(30),
        /// How many finished releases are kept; the live one and the one before it always are.
        parameter keep: u32 = 5,
        /// The private key for ssh, readable for `user`: see `git_checkout`.
        parameter identity: Option<AbsolutePath>,
        /// Headers that are sent to the source or the remote: see `archive`.
        parameter headers: BTreeMap<String, Secret>,
        /// How long fetching may take, and unpacking, and `build`, and `activate`.
        parameter timeout: Seconds = Seconds(1800),
    }
}

impl Deployment {
    /// How the archive is unpacked.
    pub fn format(&self) -> ArchiveFormat {
        self.source.as_ref().and_then(FileSource::format).unwrap_or(ArchiveFormat::Tar)
    }

    fn commands(&self) -> impl Iterator<Item = &CommandLine> {
        [&self.build, &self.activate, &self.health].into_iter().flatten()
    }
}

/// A shared path that is inside another one, or listed twice.
fn nested(shared: &[RelativePath]) -> Option<(&RelativePath, &RelativePath)> {
    let inside = |a: &RelativePath, b: &RelativePath| {
        a.as_str().strip_prefix(b.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    shared.iter().enumerate().find_map(|(at, a)| {
        let others = shared.iter().enumerate().filter(|(other, _)| *other != at);
        others.map(|(_, b)| b).find(|b| inside(a, b)).map(|b| (a, b))
    })
}

impl Rules for Deployment {
    const SETS: &'static [&'static str] = &["shared"];

    fn validate(&self) -> Vec<AttributeError> {
        let mut errors = match (&self.source, &self.remote) {
            (_, None) => source_errors(self.source.as_ref(), &self.headers, self.strip),
            (_, remote) => remote_errors(remote.as_ref(), None, &self.headers),
        };
        let mut refuse = |attribute, message: &str, help: &str| {
            errors.push(AttributeError::new(attribute, message).help(help));
        };
        if self.title.as_str() == "/" {
            refuse("title", "the root directory is not a deployment", "name a directory below it");
        }
        if self.source.is_some() == self.remote.is_some() {
            let help = "give an archive as `source` with `sha256`, or a git repository as `remote`";
            refuse("source", "a deployment needs either a `source` or a `remote`", help);
        }
        if self.source.is_some() != self.sha256.is_some() {
            let help = "give the 64 hex digits that `sha256sum FILE` prints, beside `source`";
            refuse("sha256", "`source` and `sha256` belong together", help);
        }
        if self.remote.is_none() && (self.revision.is_some() || self.submodules || self.identity.is_some()) {
            let help = "leave `revision`, `submodules` and `identity` out, or give a `remote`";
            refuse("remote", "`revision`, `submodules` and `identity` are for a `remote`", help);
        } else if self.identity.is_some() && !self.remote.as_ref().is_some_and(GitRemote::is_ssh) {
            let help = "use ssh:// or user@host:path, or leave `identity` out";
            refuse("identity", "`identity` is for remotes that are reached by ssh", help);
        }
        if self.source.is_none() && self.strip > 0 {
            refuse("strip", "`strip` is for a `source`", "leave it out");
        }
        if self.keep == 0 {
            refuse("keep", "`keep` is 0, but the live release is always kept", "use at least 1");
        }
        if let Some((inner, outer)) = nested(&self.shared) {
            let message = format!("the shared path `{inner}` is in `{outer}`, which is shared already");
            refuse("shared", &message, "leave the inner one out");
        }
        errors
    }

    fn implied(&self) -> Vec<Implied> {
        let root = self.title.as_str();
        let mut implied = vec![Implied::on_path(root)];
        implied.extend(self.shared.iter().map(|path| Implied::on_path(&format!("{root}/shared/{path}"))));
        implied.extend(self.user.iter().map(|user| Implied::on("user", user.as_str())));
        implied.extend(self.group.iter().map(|group| Implied::on_group(group.as_str())));
        implied.extend(self.commands().filter_map(CommandLine::program_path).map(Implied::on_file));
        implied.extend(self.source.iter().flat_map(|source| source_implied(source, Some(self.format()))));
        implied.extend(self.remote.iter().flat_map(|remote| remote_implied(remote, self.identity.as_ref())));
        implied
    }

    fn claims(&self) -> Vec<Claim> {
        let root = self.title.as_str();
        let mut claims = Claim::whole_tree(root);
        claims.extend(Claim::standing(&format!("{root}/current"), PathKind::Symlink));
        for directory in ["releases", "shared"] {
            claims.push(Claim::path(format!("{root}/{directory}"), Hold::Standing(PathKind::Directory)));
        }
        claims
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType as _};

    fn read(attributes: &[(&str, Value)]) -> Result<Deployment, Vec<AttributeError>> {
        let attributes: Attributes = attributes.iter().map(|(k, v)| ((*k).into(), v.clone())).collect();
        Deployment::read("/srv/shop", &attributes)
    }

    fn wrong(more: &[(&str, Value)]) -> Vec<&'static str> {
        let mut attributes = vec![("version", Value::from("1.4.2"))];
        attributes.extend_from_slice(more);
        let errors = read(&attributes).unwrap_err();
        assert!(errors.iter().all(|error| error.help.is_some()), "{errors:?}");
        errors.iter().map(|error| error.attribute).collect()
    }

    fn archive() -> Vec<(&'static str, Value)> {
        vec![("source", "/srv/a.tar".into()), ("sha256", "ab".repeat(32).as_str().into())]
    }

    fn with(name: &'static str, value: impl Into<Value>) -> Vec<(&'static str, Value)> {
        let mut all = archive();
        all.push((name, value.into()));
        all
    }

    #[test]
    fn a_release_has_the_name_of_a_directory() {
        for good in ["1.4.2", "v1", "20240131T1200", "1.0+b-1"] {
            assert!(ReleaseName::read(&good.into()).is_ok(), "{good}");
        }
        for bad in ["", ".hidden", "-rf", "a/b", "..", "a b", "a\n"] {
            assert!(ReleaseName::read(&bad.into()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn it_comes_from_an_archive_or_from_git() {
        assert_eq!(wrong(&[]), ["source"]);
        assert_eq!(wrong(&[("source", "/srv/a.tar".into())]), ["sha256"]);
        assert_eq!(wrong(&with("remote", "https://h/x")), ["source"]);
        assert_eq!(wrong(&with("revision", "main")), ["remote"]);
        let git = [("remote", Value::from("git@h:x")), ("identity", "/root/key".into())];
        assert!(read(&[("version", "v1".into()), git[0].clone(), git[1].clone()]).is_ok());
        assert_eq!(wrong(&[git[0].clone(), ("strip", 1.into())]), ["strip"]);
        assert_eq!(wrong(&[("remote", "https://h/x".into()), git[1].clone()]), ["identity"]);
    }

    #[test]
    fn what_cannot_work_is_said_with_the_cure() {
        assert_eq!(wrong(&with("keep", 0)), ["keep"]);
        let shared = |list: &[&str]| Value::from(list.iter().map(|s| Value::from(*s)).collect::<Vec<_>>());
        assert_eq!(wrong(&with("shared", shared(&["log/app", "log"]))), ["shared"]);
        assert_eq!(wrong(&with("shared", shared(&["log", "log"]))), ["shared"]);
        let mut fine = with("shared", shared(&["log", "logs"]));
        fine.push(("version", "1".into()));
        assert!(read(&fine).is_ok());
    }

    #[test]
    fn files_that_are_shared_come_first() {
        let mut all = with("shared", "config/secrets.yml");
        all.extend([("version", "1".into()), ("activate", vec![Value::from("/usr/local/bin/up")].into())]);
        let implied = read(&all).unwrap().implied();
        for edge in
            [Implied::on_path("/srv/shop/shared/config/secrets.yml"), Implied::on_file("/usr/local/bin/up")]
        {
            assert!(implied.contains(&edge), "{edge:?} of {implied:?}");
        }
    }
}
