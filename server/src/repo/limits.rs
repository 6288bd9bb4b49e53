//! What a server takes: a repository beyond these is a mistake, or an attack.

use super::RepoError;

const MAX_FILES: usize = 50_000;
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;
const MAX_TOTAL_BYTES: u64 = 256 * 1024 * 1024;

/// Counts what is read, and refuses what is too much.
#[derive(Debug, Default)]
pub(super) struct Limits {
    files: usize,
    bytes: u64,
}

impl Limits {
    /// One more file.
    pub(super) fn take(&mut self, path: &str, bytes: u64) -> Result<(), RepoError> {
        self.files += 1;
        self.bytes += bytes;
        let problem = if bytes > MAX_FILE_BYTES {
            format!("{path} has {bytes} bytes; a file has at most {MAX_FILE_BYTES}")
        } else if self.files > MAX_FILES {
            format!("the repository has more than {MAX_FILES} files")
        } else if self.bytes > MAX_TOTAL_BYTES {
            format!("the repository has more than {MAX_TOTAL_BYTES} bytes")
        } else {
            return Ok(());
        };
        Err(RepoError::Limit(format!("{problem}; large artefacts belong on a package server")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_huge_file_and_too_many_files_are_refused_by_name() {
        let error = Limits::default().take("files/image.iso", MAX_FILE_BYTES + 1).unwrap_err();
        assert!(error.to_string().contains("files/image.iso"), "{error}");
        let mut limits = Limits::default();
        assert!((0..MAX_FILES).all(|_| limits.take("x", 1).is_ok()));
        assert!(limits.take("x", 1).unwrap_err().to_string().contains("files"));
    }
}
