//! What git is given: where a repository is, and which revision is wanted. Neither can be an option or a command.

use std::fmt;

use super::source::url;
use super::{AbsolutePath, Attribute, AttributeKind, Mismatch};
use crate::value::Value;

/// Where a repository is: `https://`, `http://`, `ssh://`, `user@host:path`, `file:///`, or an absolute path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitRemote(String);

impl GitRemote {
    /// The remote as git takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is reached by ssh.
    pub fn is_ssh(&self) -> bool {
        self.0.starts_with("ssh://") || !(self.0.contains("://") || self.0.starts_with('/'))
    }

    /// The path, if it is a repository on this machine.
    pub fn path(&self) -> Option<&str> {
        Some(self.0.strip_prefix("file://").unwrap_or(&self.0)).filter(|path| path.starts_with('/'))
    }
}

impl fmt::Display for GitRemote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Attribute for GitRemote {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        let path = text.strip_prefix("file://").unwrap_or(text);
        if path.starts_with('/') {
            AbsolutePath::read(&path.into())?;
            return plain(text);
        }
        if text.starts_with("ssh://") {
            let authority = url(text, &["ssh://"])?;
            if authority
                .split_once('@')
                .is_some_and(|(user, host)| user.contains(':') || host.starts_with('-'))
            {
                return Err(Mismatch::because("contains a password, which everyone would see")
                    .help("use a key: give its path as `identity`"));
            }
            return plain(text);
        }
        if !text.contains("://")
            && let Some((host, path)) = text.split_once(':')
        {
            return scp_like(text, host, path);
        }
        url(text, &["https://", "http://"])?;
        plain(text)
    }
}

/// Reads `user@host:path`.
fn scp_like(text: &str, host: &str, path: &str) -> Result<GitRemote, Mismatch> {
    let name = |s: &str| {
        s.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
            && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let (user, host) = host.split_once('@').unwrap_or(("git", host));
    if name(user) && name(host) && !path.is_empty() && !path.starts_with(['-', ':']) {
        return plain(text);
    }
    Err(no_remote(text))
}

fn no_remote(text: &str) -> Mismatch {
    let why = format!("is `{}`, which is not the address of a repository", text.escape_debug());
    Mismatch::because(why).help("give https://, ssh:// or file:///, user@host:path, or an absolute path")
}

fn plain(text: &str) -> Result<GitRemote, Mismatch> {
    let ok = text.bytes().all(|b| b.is_ascii_graphic() && !b"\"'<>\\`{|}".contains(&b));
    ok.then(|| GitRemote(text.to_owned())).ok_or_else(|| no_remote(text))
}

/// A branch, a tag, or the complete id of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitRevision(String);

impl GitRevision {
    /// The revision as git takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the complete id of a commit.
    pub fn is_commit(&self) -> bool {
        matches!(self.0.len(), 40 | 64)
            && self.0.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    }
}

impl fmt::Display for GitRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Attribute for GitRevision {
    const KIND: AttributeKind = AttributeKind::Text;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value.as_str().ok_or(Mismatch::KIND)?;
        // The rules of `git check-ref-format`, and only characters that names of branches and tags have in practice.
        let part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        let all = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.+/#@=,".contains(&b));
        let ok = first && all && text.len() <= 255 && !text.contains("..") && !text.ends_with('.');
        if ok && text.split('/').all(part) {
            return Ok(Self(text.to_owned()));
        }
        let why = format!("is `{}`, which is not the name of a branch or a tag", text.escape_debug());
        Err(Mismatch::because(why).help("give a branch, a tag, or the whole id of a commit"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_is_a_place_and_never_an_option_or_a_command() {
        for good in [
            "https://git.example/acme/shop.git",
            "ssh://git@git.example:2222/acme/shop.git",
            "git@git.example:acme/shop.git",
            "git.example:acme/shop.git",
            "file:///srv/git/shop.git",
            "/srv/git/shop.git",
        ] {
            assert!(GitRemote::read(&good.into()).is_ok(), "{good}");
        }
        for bad in [
            "",
            "shop",
            "--upload-pack=touch",
            "ext::sh -c touch",
            "ext::sh%",
            "-oProxyCommand=x:y",
            "git@-oProxyCommand=x:y",
            "ssh://-oProxyCommand=x/y",
            "ssh://git@-oProxyCommand=x/y",
            "git@h:-x",
            "https://h/a\nb",
            "fd::7",
        ] {
            assert!(GitRemote::read(&bad.into()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn passwords_in_a_remote_are_refused_and_not_quoted() {
        for bad in ["https://deploy:hunter2@h/x", "ssh://deploy:hunter2@h/x"] {
            let error = GitRemote::read(&bad.into()).unwrap_err();
            assert!(!format!("{error:?}").contains("hunter2"), "{bad}");
        }
    }

    #[test]
    fn remotes_by_ssh_are_known() {
        let remote = |text: &str| GitRemote::read(&text.into()).unwrap();
        assert!(remote("git@h:x").is_ssh() && remote("ssh://h/x").is_ssh());
        assert!(!remote("https://h/x").is_ssh() && !remote("/srv/x").is_ssh());
        assert_eq!(remote("file:///srv/x").path(), Some("/srv/x"));
    }

    #[test]
    fn a_revision_is_a_name_or_a_whole_id() {
        let read = |text: &str| GitRevision::read(&text.into());
        for good in ["main", "v1.2.3", "release/2.x", "feature/#12", "0d1f2e3"] {
            assert!(!read(good).unwrap().is_commit(), "{good}");
        }
        assert!(read(&"a1".repeat(20)).unwrap().is_commit());
        for bad in [
            "",
            "-f",
            "a..b",
            "a b",
            "main^{tree}",
            "main~1",
            "a@{1}",
            "x.lock",
            "/a",
            "a/",
            ".a",
            "a\n",
            "a:b",
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
