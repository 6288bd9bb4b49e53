//! Contents: whether a file has a given one, and streams that are checked while they are read.

use std::io::{self, Cursor, Read};

use holdfast_catalog::hash::ContentHash;
use holdfast_catalog::resource::attribute::FileContent;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::content::{self, ContentSource};
use crate::provider::Error;
use crate::system::OpenFile;

const BUFFER: usize = 16 * 1024;

/// The size of a content in bytes; `None` for a tree.
pub(super) fn size(content: &FileContent) -> Option<u64> {
    match content {
        FileContent::Inline(text) => Some(text.expose().len() as u64),
        FileContent::Hash { size, .. } => Some(*size),
        FileContent::Tree(_) => None,
    }
}

/// The hash of a content, as it is shown.
pub(super) fn shown_hash(content: &FileContent) -> String {
    match content {
        FileContent::Inline(text) => shown(&ContentHash::of(text.expose().as_bytes())),
        FileContent::Hash { sha256, .. } => shown(sha256),
        FileContent::Tree(_) => String::new(),
    }
}

/// A hash as it is shown.
pub(super) fn shown(hash: &ContentHash) -> String {
    format!("sha256:{hash}")
}

/// Whether an open file of the right size has this content.
pub(super) fn is_same(content: &FileContent, opened: &mut OpenFile) -> io::Result<bool> {
    match content {
        FileContent::Inline(text) => is_text(text.expose().as_bytes(), &mut opened.file),
        FileContent::Hash { sha256, .. } => Ok(hash_of(&mut opened.file)? == *sha256),
        FileContent::Tree(_) => Ok(false),
    }
}

/// Compares while reading. The size is known to be right, so the end need not be read separately.
fn is_text(mut expected: &[u8], file: &mut impl Read) -> io::Result<bool> {
    let mut buffer = [0; BUFFER];
    while !expected.is_empty() {
        let part = expected.len().min(BUFFER);
        let length = file.read(&mut buffer[..part])?;
        if length == 0 || buffer[..length] != expected[..length] {
            return Ok(false);
        }
        expected = &expected[length..];
    }
    Ok(true)
}

/// The hash of everything that is left to read.
pub(super) fn hash_of(file: &mut impl Read) -> io::Result<ContentHash> {
    let mut hasher = Sha256::new();
    let mut buffer = [0; BUFFER];
    loop {
        match file.read(&mut buffer)? {
            0 => return finish(hasher),
            length => hasher.update(&buffer[..length]),
        }
    }
}

fn finish(hasher: Sha256) -> io::Result<ContentHash> {
    let hex = data_encoding::HEXLOWER.encode(&hasher.finalize());
    ContentHash::parse(&hex).ok_or_else(|| io::Error::other("not a valid hash"))
}

/// A content that is hashed while it is read.
pub(super) struct CheckedReader {
    inner: Box<dyn Read>,
    hasher: Sha256,
    expected: Option<ContentHash>,
}

/// Opens a content, to be written somewhere.
pub(super) fn open(
    content: Option<&FileContent>,
    source: &dyn ContentSource,
) -> Result<CheckedReader, Error> {
    let (inner, expected): (Box<dyn Read>, _) = match content {
        None | Some(FileContent::Tree(_)) => (Box::new(io::empty()), None),
        Some(FileContent::Inline(text)) => {
            (Box::new(Cursor::new(Zeroizing::new(text.expose().as_bytes().to_vec()))), None)
        }
        Some(FileContent::Hash { sha256, size }) => {
            // A source that gives too much is cut off after one byte more; the hash is wrong then.
            (Box::new(source.open(sha256, *size)?.take(size + 1)), Some(sha256.clone()))
        }
    };
    Ok(CheckedReader { inner, hasher: Sha256::new(), expected })
}

impl CheckedReader {
    /// Checks that everything that was read is what the catalog names.
    pub(super) fn verify(self) -> Result<(), Error> {
        let Some(expected) = self.expected else { return Ok(()) };
        let failed = |source| content::Error::Read { sha256: expected.clone(), source };
        let got = finish(self.hasher).map_err(failed)?;
        if got == expected { Ok(()) } else { Err(content::Error::Mismatch { expected, got }.into()) }
    }
}

impl Read for CheckedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        if self.expected.is_some() {
            self.hasher.update(&buffer[..length]);
        }
        Ok(length)
    }
}
