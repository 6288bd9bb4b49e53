//! `apt_key`: a key that signs apt repositories.

use super::attribute::{AptFiles, AptName, FileContent, Presence};
use super::claim::{Claim, Hold};
use super::define::resource_type;
use super::{AttributeError, Implied, Rules};

/// Keyrings of repositories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keyrings {}

impl AptFiles for Keyrings {
    const DIRECTORY: &'static str = "/etc/apt/keyrings";
    const SUFFIXES: &'static [&'static str] = &[".asc", ".gpg"];
}

impl Keyrings {
    /// The title of the key to which this file belongs.
    pub(super) fn title_of(path: &str) -> Option<&str> {
        let name = path.strip_prefix(Self::DIRECTORY)?.strip_prefix('/')?;
        Self::SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix))
    }
}

/// The beginning of an armored key.
pub const ARMOR: &str = "-----BEGIN PGP";

resource_type! {
    /// A key, or several, that sign repositories of apt: `/etc/apt/keyrings/NAME.asc` where it is armored text, else
    /// `NAME.gpg`. The title is NAME. It is trusted for those repositories alone that name this file in `signed_by`.
    AptKey("apt_key"), titled AptName<Keyrings> {
        /// Whether it is there.
        property ensure: Presence = Presence::Present,
        /// The key: armored text inline, or either form by `source`.
        property content: Option<FileContent> => "required, unless absent",
    }
}

impl Rules for AptKey {
    fn validate(&self) -> Vec<AttributeError> {
        let refuse = |message: &str, help: &str| vec![AttributeError::new("content", message).help(help)];
        match &self.content {
            None if self.ensure == Presence::Present => {
                refuse("a key needs a `content`", "give `content` or `source`, or use ensure = \"absent\"")
            }
            Some(FileContent::Tree(_)) => refuse("the source is a directory", "name one file of it"),
            Some(FileContent::Inline(text)) => {
                if text.is_sensitive() {
                    refuse("the key is sensitive", "apt needs only the public key, which is not secret")
                } else if !text.expose().starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----") {
                    let help = "export it with `gpg --armor --export`, or give its file by `source`";
                    refuse("the text is not an armored public key", help)
                } else {
                    Vec::new()
                }
            }
            None | Some(FileContent::Hash { .. }) => Vec::new(),
        }
    }

    fn implied(&self) -> Vec<Implied> {
        self.title.paths().iter().take(1).map(|path| Implied::on_parent(path)).collect()
    }

    fn claims(&self) -> Vec<Claim> {
        let armored = matches!(self.content, Some(FileContent::Inline(_)));
        let file = |(at, path): (usize, &String)| match (self.ensure, at) {
            (Presence::Absent, _) => Claim::whole_file(path, Presence::Absent),
            // It exists in only one form: armored text is in the first.
            (Presence::Present, 0) if armored => Claim::whole_file(path, Presence::Present),
            (Presence::Present, _) if armored => Claim::whole_file(path, Presence::Absent),
            (Presence::Present, _) => vec![Claim::path(path, Hold::Content)],
        };
        self.title.paths().iter().enumerate().flat_map(file).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Attributes, ResourceType};
    use crate::value::{Kind, Sensitive, Value};

    fn read(content: Value) -> Result<AptKey, Vec<AttributeError>> {
        AptKey::read("example", &[("content".into(), content)].into())
    }

    #[test]
    fn an_inline_key_is_armored_and_public() {
        assert!(read("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n".into()).is_ok());
        assert!(read("mDME".into()).is_err());
        let private = "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlFgE\n";
        assert!(read(private.into()).is_err());
        assert!(read(Kind::Sensitive(Sensitive::text(private)).into()).is_err());
        assert!(AptKey::read("example", &Attributes::new()).is_err());
    }

    #[test]
    fn a_key_that_is_not_to_be_there_needs_no_content() {
        assert!(AptKey::read("example", &[("ensure".into(), "absent".into())].into()).is_ok());
    }
}
