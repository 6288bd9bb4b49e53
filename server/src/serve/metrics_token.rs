//! The file of the setting `metrics_token_file`. It is read at the start, and only if it is protected like a secret.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::dashboard::MetricsToken;
use crate::regular;

/// The largest file to read, in bytes.
const MAX_BYTES: u64 = 4096;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum MetricsTokenError {
    /// The file cannot be read.
    #[error("`metrics_token_file`: cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// Others can read it.
    #[error(
        "`metrics_token_file`: anyone on this machine can read {} (mode {mode:04o}): run `chmod 0640` on it, with the \
         server's group, and write a new token into it", path.display()
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It does not contain a token.
    #[error(
        "`metrics_token_file`: {} must contain one token of at least 16 visible ASCII characters, such as that of \
         `openssl rand -hex 32`", path.display()
    )]
    NotOne {
        /// The file.
        path: PathBuf,
    },
}

/// Reads the token in a file.
///
/// # Errors
/// Returns an error if there is none, or if others can read it.
pub(super) fn read(path: &Path) -> Result<MetricsToken, MetricsTokenError> {
    let unreadable = |source| MetricsTokenError::Unreadable { path: path.to_owned(), source };
    let text = regular::text(path, MAX_BYTES).map_err(unreadable)?;
    let mode = std::fs::metadata(path).map_err(unreadable)?.mode() & 0o7777;
    if mode & 0o007 != 0 {
        return Err(MetricsTokenError::Open { path: path.to_owned(), mode });
    }
    MetricsToken::parse(&text).ok_or_else(|| MetricsTokenError::NotOne { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_token_is_read_only_where_it_is_one_and_a_secret() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let with = |text: &str, mode: u32| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            read(&path).map(drop).map_err(|error| error.to_string())
        };
        let token = "0123456789abcdef\n";
        assert_eq!((with(token, 0o600), with(token, 0o640)), (Ok(()), Ok(())));
        let said = with(token, 0o644).unwrap_err();
        assert!(said.contains("anyone on this machine can read") && said.contains("(mode 0644)"), "{said}");
        let said = with("short\n", 0o600).unwrap_err();
        assert!(said.contains("at least 16 visible ASCII characters") && !said.contains("short"), "{said}");
        std::fs::remove_file(&path).unwrap();
        let said = read(&path).map(drop).unwrap_err().to_string();
        assert!(
            said.starts_with("`metrics_token_file`: cannot read /") && said.contains("/token: "),
            "{said}"
        );
    }
}
