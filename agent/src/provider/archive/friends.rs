//! What other resources manage in a tree that one makes: a configuration in an unpacked program, the mode of a directory of a
//! checkout. It is left to them, as finely as they manage it.

use std::path::Path;

use crate::provider::claimed::{Share, Spared};
use crate::provider::{Error, PathAliases, Writing};
use crate::system::Inspect;

/// What others manage below a path.
pub struct Friends<'s> {
    spared: &'s Spared,
    /// Where the path really is.
    top: String,
    /// Whether they manage anything there.
    are_any: bool,
}

impl<'s> Friends<'s> {
    /// Below a path.
    pub fn below(top: &str, spared: &'s Spared, machine: &dyn Inspect) -> Self {
        let top = PathAliases::new(machine).place(top);
        let are_any = spared.names_below(&top);
        Self { spared, top, are_any }
    }

    /// What is theirs of a member; the tree itself is nobody else's.
    pub fn share(&self, member: &str) -> Share {
        if self.are_any && !member.is_empty() {
            self.spared.share(&self.top, member)
        } else {
            Share::default()
        }
    }

    /// The same of a path.
    pub fn share_of(&self, member: &Path) -> Share {
        member.to_str().map(|member| self.share(member)).unwrap_or_default()
    }
}

/// What a catalog claims, for who changes something.
pub fn spared(writing: Writing<'_>) -> Result<Spared, Error> {
    writing.named.spared(writing.machine)
}
