//! File contents by their hash: a catalog names them, and a provider gets them here.

use std::io::{self, Read};

use holdfast_catalog::hash::ContentHash;

/// Gives contents by hash. What it gives is checked again while it is written, so a source cannot substitute other
/// content.
pub trait ContentSource: Sync {
    /// Opens a content of `size` bytes.
    ///
    /// # Errors
    /// Fails if it is not available now.
    fn open(&self, sha256: &ContentHash, size: u64) -> Result<Box<dyn Read>, Error>;
}

/// Why a content is not available.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "content {0} is not in the cache, and the server cannot be reached; run again when the server answers"
    )]
    Missing(ContentHash),
    /// It could not be fetched.
    #[error("content {sha256} could not be fetched: {reason}")]
    Fetch { sha256: ContentHash, reason: String },
    /// Its bytes are not those that the catalog names.
    #[error("content {expected} has different bytes (their hash is {got}); nothing was written")]
    Mismatch {
        /// The hash that the catalog names.
        expected: ContentHash,
        got: ContentHash,
    },
    /// It could not be read.
    #[error("content {sha256} could not be read: {source}")]
    Read { sha256: ContentHash, source: io::Error },
}

/// A source for tests that need no content.
#[cfg(test)]
pub(crate) struct Nowhere;

#[cfg(test)]
impl ContentSource for Nowhere {
    fn open(&self, sha256: &ContentHash, _: u64) -> Result<Box<dyn Read>, Error> {
        Err(Error::Missing(sha256.clone()))
    }
}
