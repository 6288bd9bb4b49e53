//! The three files of a CA, which are made together and never written again.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use rcgen::KeyPair;
use zeroize::Zeroizing;

use super::AuthorityError;
use crate::regular;

/// The file with the CA's certificate.
pub const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "key.pem";
const TOKEN_KEY: &str = "token.key";

/// The largest file to read, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// The content of the files.
pub struct AuthorityFiles {
    /// The certificate in PEM.
    pub certificate: String,
    pub key: KeyPair,
    /// The key for checking join strings.
    pub token_key: [u8; 32],
}

/// Whether one of the files exists.
pub fn is_at(directory: &Path) -> bool {
    [CERTIFICATE, KEY, TOKEN_KEY].iter().any(|file| directory.join(file).symlink_metadata().is_ok())
}

/// Reads the three files.
pub fn read(directory: &Path) -> Result<AuthorityFiles, AuthorityError> {
    let [certificate_file, key_file, token_file] =
        [CERTIFICATE, KEY, TOKEN_KEY].map(|file| directory.join(file));
    let certificate = read_file(&certificate_file)?;
    let certificate = String::from_utf8(certificate.to_vec()).map_err(|_| damaged(&certificate_file))?;
    let key = read_file(&key_file)?;
    let key = std::str::from_utf8(&key).ok().and_then(|key| KeyPair::from_pem(key).ok());
    let key = key.ok_or_else(|| damaged(&key_file))?;
    let token_key = read_file(&token_file)?.as_slice().try_into().map_err(|_| damaged(&token_file))?;
    Ok(AuthorityFiles { certificate, key, token_key })
}

/// Writes the three files to disk, in a directory that gets its name only when it is complete.
pub fn write(
    directory: &Path,
    certificate: &str,
    key: &str,
    token_key: &[u8; 32],
) -> Result<(), AuthorityError> {
    let draft = directory.with_extension("new");
    match fs::remove_dir_all(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file_error(&draft)(error)),
        _ => {}
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&draft).map_err(file_error(&draft))?;
    for (file, bytes) in
        [(KEY, key.as_bytes()), (TOKEN_KEY, token_key), (CERTIFICATE, certificate.as_bytes())]
    {
        write_private(&draft.join(file), bytes)?;
    }
    sync(&draft)?;
    // A directory that is not empty is never replaced by this.
    fs::rename(&draft, directory).map_err(file_error(directory))?;
    sync(directory.parent().unwrap_or(Path::new("/")))
}

/// The error for a file with other content.
pub fn damaged(file: &Path) -> AuthorityError {
    AuthorityError::Damaged(file.display().to_string())
}

fn read_file(file: &Path) -> Result<Zeroizing<Vec<u8>>, AuthorityError> {
    regular::read(file, MAX_BYTES).map(Zeroizing::new).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => AuthorityError::Missing(file.display().to_string()),
        _ => file_error(file)(error),
    })
}

/// Writes a new file that only its owner can read.
fn write_private(file: &Path, bytes: &[u8]) -> Result<(), AuthorityError> {
    let write = || {
        let mut open = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
        open.write_all(bytes)?;
        open.sync_all()
    };
    write().map_err(file_error(file))
}

fn sync(directory: &Path) -> Result<(), AuthorityError> {
    fs::File::open(directory).and_then(|open| open.sync_all()).map_err(file_error(directory))
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> AuthorityError {
    let path = path.display().to_string();
    move |source| AuthorityError::File { path, source }
}
