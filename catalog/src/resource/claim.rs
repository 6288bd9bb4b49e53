//! What resources claim: the things of a machine that they manage, as fine as they manage them.
//!
//! A claim is a [`Thing`] and how it is held. Two resources that hold one thing would undo each other run by run, so they
//! are refused by the compiler. Where only the machine knows (an alias of a unit, a link on the way to a path), the agent says
//! what each really claims there and compares again: both fail before anything is done to either. A type says what it claims in
//! its own file ([`crate::resource::Rules::claims`]); what a resource claims is also what a purge leaves alone.

use std::collections::BTreeSet;
use std::fmt;

use super::attribute::{Pattern, Presence, Secret};

mod clash;
mod conflict;
#[cfg(test)]
mod tests;

pub use conflict::{Conflict, conflicts};

/// What is in a directory that is purged, as [`Hold::Rest`] says it.
pub const MEMBER: &str = "member";

/// Something of a machine that can be managed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Thing {
    Path(String),
    /// A path below a user's home, which the machine knows; the home itself where `below` is empty.
    InHome {
        user: String,
        /// The path below the home.
        below: String,
    },
    /// Anything else, by its kind and its name: the unit `ssh.service`.
    Object {
        /// What it is, as in "the unit".
        kind: &'static str,
        /// Its name; empty where a machine has one alone.
        name: String,
    },
}

impl fmt::Display for Thing {
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
pub enum Standing {
    File,
    Directory,
    Symlink,
    Nothing,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "a file",
            Self::Directory => "a directory",
            Self::Symlink => "a symbolic link",
            Self::Nothing => "nothing",
        })
    }
}

/// A part of a text file whose other parts are somebody else's.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// An entry that is known by a name: the entry for the host `web1`.
    Entry {
        /// What it is, as in "the host".
        of: &'static str,
        name: String,
    },
    /// A setting of an INI file.
    Setting {
        /// Its section; empty for what is before the first.
        section: String,
        key: String,
        /// The line that it is written as; none where it is removed.
        line: Option<Secret>,
    },
    /// A line.
    Line {
        /// The line, if one is named.
        text: Option<Secret>,
        /// What finds the line that it replaces or removes.
        finds: Option<Pattern>,
    },
}

/// How a thing is held: two holds of one thing may be friends.
#[derive(Debug, Clone, PartialEq)]
pub enum Hold {
    /// The whole of an object.
    Whole,
    /// One side of it, as in "the mode of": others may hold its other sides.
    Side(&'static str),
    /// One side of all that is below a path, as in "the owner of": anyone who makes what is there leaves that side to this.
    SideBelow(&'static str),
    /// What an object is said to be: who says the same is a friend.
    Said(String),
    /// As [`Hold::Said`], of a part of the object: two of these are friends.
    SaidOfPart(String),
    /// What is at a path.
    Standing(Standing),
    /// Something is at a path, whatever it is.
    Something,
    /// All that a file, a link or a directory holds.
    Content,
    /// What a file holds when it is made; what it holds later is left to others.
    Seed,
    /// A part of a text file; whether it is to be there.
    Piece(Piece, Presence),
    /// All pieces of a kind, of which those that no other resource claims are removed; nobody else has a say in the file.
    Rest(&'static str),
    /// A member of a list that others may have a say in.
    Member(String),
    /// All members of a list.
    Members(BTreeSet<String>),
    /// It is so on the machine, and no wish: nobody else can have the whole of it.
    Taken,
    /// The home of a user, with what is in it: spared by a purge of what is around it, and free for others otherwise.
    Home(String),
    /// All below a path: spared by a purge.
    Tree,
    /// The links by which a unit is enabled or masked: spared by a purge.
    Links,
}

impl Hold {
    /// Whether it means that something is to be at the path.
    pub fn is_wanted(&self) -> bool {
        match self {
            Self::Standing(standing) => *standing != Standing::Nothing,
            Self::Piece(_, there) => *there == Presence::Present,
            Self::Content | Self::Seed | Self::Something | Self::Side(_) | Self::Home(_) | Self::Tree => true,
            _ => false,
        }
    }
}

/// A thing that a resource manages, or a part of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    pub thing: Thing,
    /// How it is held.
    pub hold: Hold,
}

impl Claim {
    /// Of a path.
    pub fn path(path: impl Into<String>, hold: Hold) -> Self {
        Self { thing: Thing::Path(path.into()), hold }
    }

    /// Of a path below the home of a user.
    pub fn in_home(user: &str, below: &str, hold: Hold) -> Self {
        Self { thing: Thing::InHome { user: user.to_owned(), below: below.to_owned() }, hold }
    }

    /// Of an object.
    pub fn object(kind: &'static str, name: impl Into<String>, hold: Hold) -> Self {
        Self { thing: Thing::Object { kind, name: name.into() }, hold }
    }

    /// Of a whole object.
    pub fn whole(kind: &'static str, name: impl Into<String>) -> Self {
        Self::object(kind, name, Hold::Whole)
    }

    /// Of an entry of a text file.
    pub fn entry(path: &str, of: &'static str, name: impl Into<String>, there: Presence) -> Self {
        Self::path(path, Hold::Piece(Piece::Entry { of, name: name.into() }, there))
    }

    /// Of what is at a path, and what it holds.
    pub fn standing(path: &str, standing: Standing) -> Vec<Self> {
        let content = (standing != Standing::Nothing).then(|| Self::path(path, Hold::Content));
        std::iter::once(Self::path(path, Hold::Standing(standing))).chain(content).collect()
    }

    /// Of a file that a resource writes whole, its owner and mode too; or of its absence.
    pub fn whole_file(path: &str, there: Presence) -> Vec<Self> {
        if there == Presence::Absent {
            return Self::standing(path, Standing::Nothing);
        }
        let sides = ["mode", "owner", "group"].map(|side| Self::path(path, Hold::Side(side)));
        Self::standing(path, Standing::File).into_iter().chain(sides).collect()
    }

    /// Of a directory that a resource makes with all that is in it.
    pub fn whole_tree(path: &str) -> Vec<Self> {
        let tree = Self::path(path, Hold::Tree);
        Self::standing(path, Standing::Directory).into_iter().chain([tree]).collect()
    }
}
