//! What can go wrong at the machine, with the path and what to do.

use std::io;
use std::path::{Path, PathBuf};

/// An operation on the machine failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused an operation.
    #[error("{doing} {} failed: {source}{hint}", .path.display())]
    Io {
        /// What was tried, such as `reading`.
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
        /// What else is known, such as the space that is left.
        hint: String,
    },
    /// A link on the way that an untrusted user could have planted.
    #[error(
        "{} is not followed: anyone who owns the directory around this link (uid {owner}) could lead it elsewhere; \
         name the path that it leads to, or make the link and its directory root's", .link.display()
    )]
    PlantedLink {
        link: PathBuf,
        /// Who owns it or its directory.
        owner: u32,
    },
    /// More links on the way than any sensible path has.
    #[error("{} has too many levels of symbolic links", .0.display())]
    LinkLoop(PathBuf),
    /// A file with other hard links, in a directory where others can create such links.
    #[error(
        "{} has {links} hard links in a directory that others can write: its owner and mode are not touched; \
         remove the other links, or manage its content too", .path.display()
    )]
    PlantedHardLink {
        path: PathBuf,
        /// How many names it has.
        links: u64,
    },
    /// A file whose access control list cannot be given to a new file.
    #[error(
        "the access control list of {} cannot be kept ({source}), and without it others could do more with the file: \
         it is not replaced; remove the list with `setfacl --remove-all`, or manage another path", .path.display()
    )]
    AclLost { path: PathBuf, source: io::Error },
    /// Someone put another file in place of the new one.
    #[error(
        "the new content of {} was swapped for something else before it was put in place, which anyone who can write \
         to its directory can do: check what is there, and who did it", .0.display()
    )]
    Swapped(PathBuf),
    /// A device, a FIFO, a socket or a directory where a file was expected.
    #[error("{} is not a regular file; remove it, or manage another path", .0.display())]
    NotAFile(PathBuf),
    /// A file that is larger than the limit for reading it.
    #[error("{} has {size} bytes, more than the limit of {limit}", .path.display())]
    TooLarge {
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A file system that others serve, and that does not respond.
    #[error(
        "{} was not checked: {} ({fstype}) did not answer for {seconds} s; check what serves it, or unmount it with \
         `umount --lazy {}`", .path.display(), .point.display(), .point.display()
    )]
    NoAnswer {
        path: PathBuf,
        /// Where it is mounted.
        point: PathBuf,
        fstype: String,
        seconds: u64,
    },
    /// A path outside the root, such as one that is not absolute.
    #[error("{} is not an absolute path below the managed root", .0.display())]
    BadPath(PathBuf),
    /// A command for a root that is not a running system.
    #[error("`{0}` is not run: the managed root is a directory, not a running system")]
    NotLive(String),
    /// A program that could not be started.
    #[error("`{program}` could not be started: {source}")]
    Spawn { program: String, source: io::Error },
    /// The directory in which the command should run does not exist.
    #[error("`{command}` should run in the working directory {}, which does not exist", .directory.display())]
    NoDirectory { command: String, directory: PathBuf },
    /// The user as whom the command should run does not exist.
    #[error("`{command}` should run as `{user}`, which does not exist")]
    NoSuchUser { command: String, user: String },
}

impl Error {
    /// The kernel refused `doing` something at `path`.
    pub fn io(doing: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io { doing, path: path.to_owned(), source: source.into(), hint: String::new() }
    }

    /// Adds what else is known.
    #[must_use]
    pub(crate) fn hint(mut self, words: impl FnOnce() -> String) -> Self {
        if let Self::Io { hint, .. } = &mut self {
            *hint = words();
        }
        self
    }

    /// The path at which nothing is, where that is what is wrong: of a program, the name that it was called by.
    pub fn missing(&self) -> Option<&Path> {
        let path = match self {
            Self::Io { path, .. } => path,
            Self::Spawn { program, .. } => Path::new(program),
            _ => return None,
        };
        (self.kind() == Some(io::ErrorKind::NotFound)).then_some(path)
    }

    /// The kind of the error, if it came from the kernel.
    pub fn kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Io { source, .. } | Self::Spawn { source, .. } => Some(source.kind()),
            _ => None,
        }
    }
}
