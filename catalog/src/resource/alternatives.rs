//! `alternatives`: which of several programs a common name stands for.

use super::attribute::{AbsolutePath, SystemName};
use super::claim::{Claim, PathKind};
use super::define::resource_type;
use super::{Attribute, AttributeKind, Implied, Mismatch, Rules};
use crate::value::Value;

/// Which alternative is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlternativePath {
    /// The one with the highest priority, whichever that is.
    Auto,
    Path(AbsolutePath),
}

impl std::fmt::Display for AlternativePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Path(path) => path.fmt(f),
        }
    }
}

impl Attribute for AlternativePath {
    const KIND: AttributeKind = AttributeKind::EnumOr(&["auto"], "the path of an alternative");
    fn read(value: &Value) -> Result<Self, Mismatch> {
        match value.as_str() {
            Some("auto") => Ok(Self::Auto),
            Some(text) if text.contains(['\n', '\r']) => Err(Mismatch::because("contains a line break")),
            _ => AbsolutePath::read(value).map(Self::Path),
        }
    }
}

resource_type! {
    /// Which program is behind a common name, such as `editor`, by the alternatives system of Debian. The title is the name of the alternatives; what can be chosen comes from packages, which come before.
    Alternatives("alternatives"), titled SystemName {
        /// The path of the alternative, chosen by hand and kept when packages change; or `"auto"` for the one with the highest priority.
        property path: AlternativePath,
    }
}

impl Rules for Alternatives {
    fn implied(&self) -> Vec<Implied> {
        let mut implied = vec![Implied::OnAll("package")];
        if let AlternativePath::Path(path) = &self.path {
            implied.push(Implied::on_path(path.as_str()));
        }
        implied
    }

    fn claims(&self) -> Vec<Claim> {
        let link = format!("/etc/alternatives/{}", self.title);
        Claim::standing(&link, PathKind::Symlink)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_auto_or_a_path() {
        assert_eq!(AlternativePath::read(&"auto".into()).unwrap(), AlternativePath::Auto);
        assert_eq!(AlternativePath::read(&"/bin/ed".into()).unwrap().to_string(), "/bin/ed");
        for bad in ["automatic", "bin/ed", "--auto", "/bin/ed\nx"] {
            assert!(AlternativePath::read(&bad.into()).is_err(), "{bad:?}");
        }
    }
}
