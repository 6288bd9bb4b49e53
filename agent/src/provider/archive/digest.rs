//! The SHA-256 of files that may be large.

use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::provider::Error;
use crate::system::{Inspect, OpenFile};

/// The hash of a file's content; `None` if there is no file.
pub(super) fn hash_of(path: &Path, machine: &dyn Inspect) -> Result<Option<String>, Error> {
    machine.open(path)?.map(|opened| hash(opened, path)).transpose()
}

/// The hash of an open file; `path` is its name in errors.
pub(super) fn hash(mut opened: OpenFile, path: &Path) -> Result<String, Error> {
    let mut digest = Sha256::new();
    io::copy(&mut opened.file, &mut digest).map_err(|e| crate::system::Error::io("reading", path, e))?;
    Ok(data_encoding::HEXLOWER.encode(&digest.finalize()))
}
