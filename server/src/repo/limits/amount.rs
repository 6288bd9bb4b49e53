//! An amount of files and of what they contain, and whether it is too large.

/// The longest path to walk, which is also the longest that the kernel accepts, in bytes.
pub(super) const MAX_PATH: usize = 4096;

/// Files, their bytes and what they contain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::repo) struct Amount {
    pub files: u64,
    pub bytes: u64,
    /// Scalars, lists and tables. They are counted only in data, once it is read.
    pub values: u64,
}

/// What to do about files that are too large or too many.
pub(super) const CURE: &str = "large artefacts belong on a package server";

impl Amount {
    pub(super) fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }

    /// Marks that the entries were not counted to the end.
    pub(super) fn leave(&mut self) {
        self.files = u64::MAX;
    }

    pub(super) fn plus(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.values += other.values;
    }

    pub(super) fn minus(&mut self, other: Self) {
        self.files -= other.files;
        self.bytes -= other.bytes;
        self.values -= other.values;
    }

    /// The size of a part by what this total has too much of.
    pub(super) fn size(self, part: &Self, most: Self) -> u64 {
        if self.files > most.files {
            part.files
        } else if self.bytes > most.bytes {
            part.bytes
        } else {
            part.values
        }
    }

    /// What to do about an amount that is too large.
    pub(super) fn cure(self) -> &'static str {
        if self.values > 0 { "long lists belong on a server that machines ask" } else { CURE }
    }

    /// In words, how the amount exceeds the limit; `None` if it does not.
    pub(super) fn beyond(self, most: Self) -> Option<String> {
        if self.files == u64::MAX {
            Some(format!(
                "has more files and folders than the limit (the limit is {} files), or a path of more than {MAX_PATH} bytes",
                most.files
            ))
        } else if self.files > most.files {
            Some(format!("has {} files; the limit is {}", self.files, most.files))
        } else if self.bytes > most.bytes {
            Some(format!("has {} bytes; the limit is {}", self.bytes, most.bytes))
        } else if self.values > most.values {
            Some(format!("has {} values; the limit is {}", self.values, most.values))
        } else {
            None
        }
    }
}
