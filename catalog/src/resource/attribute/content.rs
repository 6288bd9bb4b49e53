//! Texts that may be secret, and the content of files.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::{Attribute, AttributeKind, Mismatch};
use crate::hash::ContentHash;
use crate::value::{Kind, Sensitive, TextPiece, Value};

/// A text that may be secret.
#[derive(Clone, PartialEq)]
pub struct Secret(Value);

impl Secret {
    /// The text itself, only for its target.
    pub fn expose(&self) -> Arc<str> {
        let exposed = match &self.0.kind {
            Kind::Sensitive(secret) => secret.expose(),
            _ => self.0.clone(),
        };
        exposed.scalar_text().unwrap_or_default()
    }

    /// Whether it is secret, and must not be shown.
    pub fn is_sensitive(&self) -> bool {
        self.0.is_sensitive()
    }

    /// Its pieces, secret and not.
    pub fn pieces(&self) -> Vec<TextPiece> {
        let whole = |secret| vec![TextPiece { text: self.expose(), secret }];
        match &self.0.kind {
            Kind::Sensitive(secret) => secret.as_pieces().map_or_else(|| whole(true), <[_]>::to_vec),
            _ => whole(false),
        }
    }

    /// The text with secret parts masked.
    pub fn shown(&self) -> String {
        match &self.0.kind {
            Kind::Sensitive(secret) => secret.masked(),
            _ => self.0.as_str().unwrap_or_default().to_owned(),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.shown(), f)
    }
}

impl Attribute for Secret {
    const KIND: AttributeKind = AttributeKind::Secret;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = match &value.kind {
            Kind::Sensitive(secret) => secret.expose(),
            _ => value.clone(),
        };
        match text.as_str() {
            Some(text) if !text.contains('\0') => Ok(Self(value.clone())),
            _ => Err(Mismatch::KIND),
        }
    }
}

/// The content of a file: text in the catalog, or content that is fetched by its hash.
#[derive(Debug, Clone, PartialEq)]
pub enum FileContent {
    /// In the catalog, and perhaps secret.
    Inline(Secret),
    /// From a module's `files/`.
    Hash {
        /// The SHA-256 of the content.
        sha256: ContentHash,
        /// The size in bytes.
        size: u64,
    },
    /// A directory in a module's `files/`: its content by relative path.
    Tree(BTreeMap<String, TreeEntry>),
}

/// What a directory in a module's `files/` has at a path. Directories that are not empty are not listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeEntry {
    File {
        /// The SHA-256 of the content.
        sha256: ContentHash,
        /// The size in bytes.
        size: u64,
        /// Whether it is executable.
        program: bool,
    },
    /// A symbolic link with this target, which is inside the directory.
    Link(String),
    Folder,
}

impl FileContent {
    /// Whether it must not be shown.
    pub fn is_sensitive(&self) -> bool {
        matches!(self, Self::Inline(secret) if secret.is_sensitive())
    }

    /// The value in a catalog of a file in `files/`.
    pub fn hash_value(sha256: &ContentHash, size: u64) -> Value {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        [("sha256", sha256.as_str().into()), ("size", size.into())].into()
    }

    /// The value in a catalog of a directory in `files/`.
    pub fn tree_value(entries: BTreeMap<Arc<str>, Value>) -> Value {
        [("tree", entries.into())].into()
    }

    /// The hashes that it names.
    pub fn hashes(&self) -> Vec<&ContentHash> {
        match self {
            Self::Inline(_) => Vec::new(),
            Self::Hash { sha256, .. } => vec![sha256],
            Self::Tree(entries) => entries.values().filter_map(TreeEntry::hash).collect(),
        }
    }

    /// The value of an executable in a directory: that of the file, marked.
    pub fn program_value(file: Value) -> Value {
        let mut map = file.as_map().cloned().unwrap_or_default();
        map.insert("program".into(), true.into());
        map.into()
    }

    /// The value of a link in a directory.
    pub fn link_value(target: &str) -> Value {
        [("link", target.into())].into()
    }

    /// The value of an empty directory in a directory.
    pub fn folder_value() -> Value {
        [("folder", true.into())].into()
    }

    /// Whether a link at a relative path leads to something below the directory that the path is relative to, whatever
    /// other links exist: all its `..` come first.
    pub fn stays_inside(path: &str, target: &str) -> bool {
        let depth = path.matches('/').count();
        let mut parts = target.split('/').peekable();
        let mut up = 0;
        while parts.next_if_eq(&"..").is_some() {
            up += 1;
        }
        let is_plain = parts.all(|part| !matches!(part, "" | "." | ".."));
        is_plain && up <= depth && !target.is_empty() && !target.contains(char::is_control)
    }
}

fn read_hash(value: &Value) -> Option<(ContentHash, u64)> {
    let map = value.as_map().filter(|map| map.len() == 2)?;
    let sha256 = ContentHash::parse(map.get("sha256")?.as_str()?)?;
    Some((sha256, u64::try_from(map.get("size")?.as_int()?).ok()?))
}

impl TreeEntry {
    /// The hash of a file; `None` for anything else.
    pub fn hash(&self) -> Option<&ContentHash> {
        match self {
            Self::File { sha256, .. } => Some(sha256),
            Self::Link(_) | Self::Folder => None,
        }
    }
}

fn read_entry(path: &str, value: &Value) -> Option<TreeEntry> {
    let map = value.as_map()?;
    let only = |key: &str| map.get(key).filter(|_| map.len() == 1);
    if let Some(target) = only("link") {
        let target = target.as_str().filter(|target| FileContent::stays_inside(path, target))?;
        return Some(TreeEntry::Link(target.to_owned()));
    }
    if let Some(folder) = only("folder") {
        return folder.as_bool().filter(|is_folder| *is_folder).map(|_| TreeEntry::Folder);
    }
    let mut file = map.clone();
    let program = file.remove("program").map_or(Some(false), |program| program.as_bool())?;
    let (sha256, size) = read_hash(&file.into())?;
    Some(TreeEntry::File { sha256, size, program })
}

fn read_tree(value: &Value) -> Option<FileContent> {
    let map = value.as_map().filter(|map| map.len() == 1)?;
    let relative =
        |path: &str| !path.split('/').any(|part| matches!(part, "" | "." | "..")) && !path.contains('\0');
    let entry = |(path, value): (&Arc<str>, &Value)| {
        relative(path).then(|| Some((path.to_string(), read_entry(path, value)?))).flatten()
    };
    map.get("tree")?.as_map()?.iter().map(entry).collect::<Option<_>>().map(FileContent::Tree)
}

impl Attribute for FileContent {
    const KIND: AttributeKind = AttributeKind::Content;
    fn read(value: &Value) -> Result<Self, Mismatch> {
        if let Some((sha256, size)) = read_hash(value) {
            return Ok(Self::Hash { sha256, size });
        }
        if let Some(tree) = read_tree(value) {
            return Ok(tree);
        }
        Secret::read(value).map(Self::Inline)
    }
}

impl From<Sensitive> for Secret {
    fn from(sensitive: Sensitive) -> Self {
        Self(Kind::Sensitive(sensitive).into())
    }
}

/// A text that may be shown, for what the agent itself passes to a command.
impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_stays_inside_whatever_other_links_there_are() {
        for (path, target) in
            [("a", "b"), ("a", "b/c"), ("d/a", "../b"), ("d/e/a", "../../b/c"), ("d/a", "b")]
        {
            assert!(FileContent::stays_inside(path, target), "{path} -> {target}");
        }
        for (path, target) in [
            ("a", "/etc/passwd"),
            ("a", "../b"),
            ("d/a", "../../b"),
            ("a", "b/../../c"),
            ("d/a", "b/../c"),
            ("a", ""),
            ("a", "./b"),
            ("a", "b//c"),
            ("a", "b\nc"),
        ] {
            assert!(!FileContent::stays_inside(path, target), "{path} -> {target}");
        }
    }

    #[test]
    fn content_by_hash_is_told_from_text() {
        let hash = ContentHash::of(b"x");
        let value = FileContent::hash_value(&hash, 1);
        assert_eq!(FileContent::read(&value).unwrap(), FileContent::Hash { sha256: hash.clone(), size: 1 });
        let tree = FileContent::tree_value([(Arc::from("a/b"), value.clone())].into());
        assert_eq!(FileContent::read(&tree).unwrap().hashes(), [&hash]);
        let escaping = FileContent::tree_value([(Arc::from("../b"), value.clone())].into());
        assert!(FileContent::read(&escaping).is_err());
        let program = FileContent::program_value(value);
        let entries = [
            ("run", program),
            ("link", FileContent::link_value("run")),
            ("empty", FileContent::folder_value()),
        ];
        let tree = FileContent::tree_value(entries.map(|(path, value)| (Arc::from(path), value)).into());
        let FileContent::Tree(entries) = FileContent::read(&tree).unwrap() else { panic!("it is a tree") };
        assert_eq!(entries["run"], TreeEntry::File { sha256: hash, size: 1, program: true });
        assert_eq!(
            (&entries["link"], &entries["empty"]),
            (&TreeEntry::Link("run".into()), &TreeEntry::Folder)
        );
        let escaping = FileContent::tree_value([(Arc::from("link"), FileContent::link_value("../x"))].into());
        assert!(FileContent::read(&escaping).is_err());
        assert!(matches!(FileContent::read(&"text".into()), Ok(FileContent::Inline(_))));
    }
}
