//! What the other resources of the catalog claim, and where that really is on this machine.

mod named;
mod spared;
mod ways;

pub use named::CatalogClaims;
pub use spared::{Share, Spared};
pub(crate) use ways::{DeclaredLinks, PathAliases, inside, split};
