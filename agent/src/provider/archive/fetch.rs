//! Fetching what a hash names, from a URL or a path, into a file that is used only if the hash is right.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use holdfast_catalog::hash::ContentHash;
use holdfast_catalog::resource::attribute::{FileSource, Secret};
use sha2::{Digest as _, Sha256};

use crate::download;
use crate::provider::{Error, Need};
use crate::system::{Inspect, Permissions, Staged, System};

/// What is fetched, and how it is verified.
#[derive(Debug, Clone, Copy)]
pub struct Parcel<'a> {
    pub source: &'a FileSource,
    /// The SHA-256 of the content.
    pub sha256: &'a ContentHash,
    /// Headers for the source's host.
    pub headers: &'a BTreeMap<String, Secret>,
    /// How long the transfer may take.
    pub timeout: Duration,
}

impl Parcel<'_> {
    /// Writes the content beside `path` of `to`, complete and checked. If it is not right, nothing of it is left.
    pub fn stage<'m>(
        &self,
        from: &dyn Inspect,
        to: &'m dyn System,
        path: &Path,
        access: Permissions,
    ) -> Result<Box<dyn Staged + 'm>, Error> {
        let mut body = HashingReader { inner: self.open(from)?, digest: Sha256::new() };
        let staged = to.stage(path, access, &mut body)?;
        let got = data_encoding::HEXLOWER.encode(&body.digest.finalize());
        if got == self.sha256.as_str() {
            return Ok(staged);
        }
        Err(Error::Unexpected(format!(
            "{} does not match: its SHA-256 is {got}, not {}; nothing was changed",
            self.source, self.sha256
        )))
    }

    fn open(&self, machine: &dyn Inspect) -> Result<Box<dyn Read>, Error> {
        match self.source {
            FileSource::Url(url) => {
                let request = download::Download { url, headers: self.headers, timeout: self.timeout };
                Ok(Box::new(download::open(request, machine)?))
            }
            FileSource::Path(path) => match machine.open(Path::new(path.as_str()))? {
                Some(opened) => Ok(Box::new(opened.file)),
                None => {
                    Err(Error::missing(Need::path(path.as_str(), format!("its source {path} is not there"))))
                }
            },
        }
    }
}

/// Hashes everything that is read through it.
struct HashingReader {
    inner: Box<dyn Read>,
    digest: Sha256,
}

impl Read for HashingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.digest.update(&buffer[..length]);
        Ok(length)
    }
}
