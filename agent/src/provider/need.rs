//! Things that are missing and that another resource may bring, as data beside the message about them.

use std::fmt;
use std::path::{Path, PathBuf};

/// Something that a resource needs and that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    pub why: String,
    pub what: Needed,
}

/// What is needed, as far as that has an effect on other resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needed {
    /// A user or a group.
    Account(String),
    Path(PathBuf),
    /// Anything else: a package, a database, a program that is found by its name.
    Other,
}

impl Need {
    /// A user or a group of this name.
    pub fn account(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self { why: why.into(), what: Needed::Account(name.into()) }
    }

    /// Something at this path.
    pub fn path(path: impl Into<PathBuf>, why: impl Into<String>) -> Self {
        Self { why: why.into(), what: Needed::Path(path.into()) }
    }
}

impl Needed {
    /// The name of the account that is needed.
    pub fn as_account(&self) -> Option<&str> {
        match self {
            Self::Account(name) => Some(name),
            Self::Path(_) | Self::Other => None,
        }
    }

    /// The path at which something is needed.
    pub fn as_path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            Self::Account(_) | Self::Other => None,
        }
    }
}

impl From<String> for Need {
    fn from(why: String) -> Self {
        Self { why, what: Needed::Other }
    }
}

impl From<&str> for Need {
    fn from(why: &str) -> Self {
        why.to_owned().into()
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}
