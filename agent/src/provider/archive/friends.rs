//! What other resources manage in a tree that one resource makes, such as a configuration file in an unpacked program,
//! or the mode of a directory in a checkout. That is left to them, in exactly the parts that they manage.

use std::path::Path;

use crate::provider::claimed::{Share, Spared};
use crate::provider::{Error, PathAliases, Writing};
use crate::system::{Inspect, path_text};

/// What other resources manage below a path.
pub struct Friends<'s> {
    spared: &'s Spared,
    /// The real path.
    top: String,
    /// Whether they manage anything there.
    are_any: bool,
}

impl<'s> Friends<'s> {
    /// What they manage below `top`.
    pub fn below(top: &str, spared: &'s Spared, machine: &dyn Inspect) -> Self {
        let top = PathAliases::new(machine).place(top);
        let are_any = spared.names_below(&top);
        Self { spared, top, are_any }
    }

    /// What others manage of a member. The tree itself is managed by nothing else.
    pub fn share(&self, member: &str) -> Share {
        if self.are_any && !member.is_empty() {
            self.spared.share(&self.top, member)
        } else {
            Share::default()
        }
    }

    /// Like `share`, for a [`Path`].
    pub fn share_of(&self, member: &Path) -> Share {
        self.share(&path_text(member))
    }
}

/// What the catalog claims, for a provider that is about to write.
pub fn spared(writing: Writing<'_>) -> Result<Spared, Error> {
    writing.named.spared(writing.machine)
}
