//! What resources claim: the things of a machine that they manage, in the parts that they manage.
//!
//! A claim is a [`ClaimTarget`] and how it is held. Two resources that hold one thing would undo each other in every run, so
//! the compiler refuses them. Where only the machine knows (an alias of a unit, a link on the way to a path), the agent
//! finds out what each really claims there and compares again: both fail before anything is done to either. A type
//! lists its claims in its own file ([`crate::resource::Rules::claims`]). What a resource claims is also what a purge
//! leaves alone.

use std::collections::BTreeSet;
use std::fmt;

use super::attribute::{LinePattern, Presence, Secret};

mod clash;
mod conflict;
#[cfg(test)]
mod tests;

pub use conflict::{Conflict, conflicts};

/// The kind of the members of a directory that is purged, in [`Hold::Rest`].
pub const MEMBER: &str = "member";

/// Something of a machine that can be managed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimTarget {
    Path(String),
    /// A path below a user's home directory, which the machine knows; the home directory itself if `below` is empty.
    InHome {
        user: String,
        /// The path relative to the home directory.
        below: String,
    },
    /// Anything else, by its kind and its name: the unit `ssh.service`.
    Object {
        /// The kind, as in "the unit".
        kind: &'static str,
        /// Its name; empty if a machine has only one.
        name: String,
    },
}

impl fmt::Display for ClaimTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "`{path}`"),
            Self::InHome { user, below } if below.is_empty() => write!(f, "the home of `{user}`"),
            Self::InHome { user, below } => write!(f, "`~{user}/{below}`"),
            Self::Object { kind, name } if name.is_empty() => write!(f, "the {kind}"),
            Self::Object { kind, name } => write!(f, "the {kind} `{name}`"),
        }
    }
}

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    File,
    Directory,
    Symlink,
    Nothing,
}

impl fmt::Display for PathKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "a file",
            Self::Directory => "a directory",
            Self::Symlink => "a symbolic link",
            Self::Nothing => "nothing",
        })
    }
}

/// A part of a text file whose other parts belong to others.
#[derive(Debug, Clone, PartialEq)]
pub enum FilePiece {
    /// An entry that is identified by a name: the entry for the host `web1`.
    Entry {
        /// The kind, as in "the host".
        of: &'static str,
        name: String,
    },
    /// A setting of an INI file.
    Setting {
        /// Its section; empty for the part before the first.
        section: String,
        key: String,
        /// The line as it is written; `None` if it is removed.
        line: Option<Secret>,
    },
    /// A line.
    Line {
        /// The line, if one is given.
        text: Option<Secret>,
        /// The pattern for the line that it replaces or removes.
        finds: Option<LinePattern>,
    },
}

/// How a thing is held. Two holds of one thing may be compatible.
#[derive(Debug, Clone, PartialEq)]
pub enum Hold {
    /// The whole of an object.
    Whole,
    /// One side of it, as in "the mode of": others may hold its other sides.
    Side(&'static str),
    /// One side of everything below a path, as in "the owner of": a resource that makes what is there leaves that side
    /// to this one.
    SideBelow(&'static str),
    /// The value that an object should have: holds with the same value are compatible.
    Said(String),
    /// Like [`Hold::Said`], for a part of the object: two of these are compatible.
    SaidOfPart(String),
    /// What is at a path.
    Standing(PathKind),
    /// Something is at a path, whatever it is.
    Something,
    /// The whole content of a file, a link or a directory.
    Content,
    /// The content of a file when it is made; later content is left to others.
    Seed,
    /// A part of a text file, and whether it should be there.
    Piece(FilePiece, Presence),
    /// All pieces of a kind. Those that no resource claims are removed, and nothing else may manage the file.
    Rest(&'static str),
    /// A member of a list that others may also manage.
    Member(String),
    /// All members of a list.
    Members(BTreeSet<String>),
    /// A fact about the machine and not a wish: nothing else can have the whole of it.
    Taken,
    /// The home directory of a user, with its content: a purge around it spares it, and others may manage what is in
    /// it.
    Home(String),
    /// Everything below a path, which a purge spares.
    Tree,
    /// The links that enable or mask a unit, which a purge spares.
    Links,
}

impl Hold {
    /// Whether it means that something should be at the path.
    pub fn is_wanted(&self) -> bool {
        match self {
            Self::Standing(standing) => *standing != PathKind::Nothing,
            Self::Piece(_, there) => *there == Presence::Present,
            Self::Content | Self::Seed | Self::Something | Self::Side(_) | Self::Home(_) | Self::Tree => true,
            _ => false,
        }
    }
}

/// A thing that a resource manages, or a part of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    pub thing: ClaimTarget,
    /// How it is held.
    pub hold: Hold,
}

impl Claim {
    /// A claim on a path.
    pub fn path(path: impl Into<String>, hold: Hold) -> Self {
        Self { thing: ClaimTarget::Path(path.into()), hold }
    }

    /// A claim on a path below a user's home directory.
    pub fn in_home(user: &str, below: &str, hold: Hold) -> Self {
        Self { thing: ClaimTarget::InHome { user: user.to_owned(), below: below.to_owned() }, hold }
    }

    /// A claim on an object.
    pub fn object(kind: &'static str, name: impl Into<String>, hold: Hold) -> Self {
        Self { thing: ClaimTarget::Object { kind, name: name.into() }, hold }
    }

    /// A claim on a whole object.
    pub fn whole(kind: &'static str, name: impl Into<String>) -> Self {
        Self::object(kind, name, Hold::Whole)
    }

    /// A claim on an entry of a text file.
    pub fn entry(path: &str, of: &'static str, name: impl Into<String>, there: Presence) -> Self {
        Self::path(path, Hold::Piece(FilePiece::Entry { of, name: name.into() }, there))
    }

    /// Claims on what is at a path, and on its content.
    pub fn standing(path: &str, standing: PathKind) -> Vec<Self> {
        let content = (standing != PathKind::Nothing).then(|| Self::path(path, Hold::Content));
        std::iter::once(Self::path(path, Hold::Standing(standing))).chain(content).collect()
    }

    /// Claims on a file that a resource writes as a whole, including its owner and mode; or on its absence.
    pub fn whole_file(path: &str, there: Presence) -> Vec<Self> {
        if there == Presence::Absent {
            return Self::standing(path, PathKind::Nothing);
        }
        let sides = ["mode", "owner", "group"].map(|side| Self::path(path, Hold::Side(side)));
        Self::standing(path, PathKind::File).into_iter().chain(sides).collect()
    }

    /// Claims on a directory that a resource makes with everything in it.
    pub fn whole_tree(path: &str) -> Vec<Self> {
        let tree = Self::path(path, Hold::Tree);
        Self::standing(path, PathKind::Directory).into_iter().chain([tree]).collect()
    }
}
