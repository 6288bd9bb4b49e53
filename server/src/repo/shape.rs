//! What modules' `files/` contain apart from the bytes of files: links, empty folders, and which files are executable.
//!
//! git has no empty folders; one with only a `.gitkeep` counts as empty.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::{CommitId, ModuleFolder, ModulePath};

/// The name of a file that only keeps its folder.
pub(super) const KEEPS_FOLDER: &str = ".gitkeep";

/// Links, empty folders and executable files, by their paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TreeShape {
    pub(super) links: BTreeMap<Arc<str>, Arc<str>>,
    pub(super) folders: BTreeSet<Arc<str>>,
    pub(super) programs: BTreeSet<Arc<str>>,
}

impl TreeShape {
    /// The id of a directory with this shape, given the id `commit` of its names and contents.
    pub(super) fn id(&self, commit: CommitId) -> CommitId {
        if *self == Self::default() {
            return commit;
        }
        let mut hash = Sha256::new();
        let mut add = |kind: &str, path: &str, more: &str| {
            for text in [kind, path, more] {
                hash.update((text.len() as u64).to_le_bytes());
                hash.update(text.as_bytes());
            }
        };
        add("commit", commit.as_str(), "");
        self.parts().for_each(|(kind, path, more)| add(kind, path, more));
        let digits = data_encoding::HEXLOWER.encode(&hash.finalize());
        CommitId::of_directory(&digits)
    }
}

impl TreeShape {
    /// All parts: the kind, the path, and the target of a link.
    pub(super) fn parts(&self) -> impl Iterator<Item = (&'static str, &str, &str)> {
        let links = self.links.iter().map(|(path, target)| (LINK, &**path, &**target));
        let folders = self.folders.iter().map(|path| (FOLDER, &**path, ""));
        links.chain(folders).chain(self.programs.iter().map(|path| (PROGRAM, &**path, "")))
    }

    /// Adds one of [`TreeShape::parts`]; `None` if the kind is unknown.
    pub(super) fn take(&mut self, kind: &str, path: &str, more: &str) -> Option<()> {
        match kind {
            LINK => drop(self.links.insert(path.into(), more.into())),
            FOLDER => drop(self.folders.insert(path.into())),
            PROGRAM => drop(self.programs.insert(path.into())),
            _ => return None,
        }
        Some(())
    }
}

const LINK: &str = "link";
const FOLDER: &str = "folder";
const PROGRAM: &str = "program";

/// Whether a path is below `modules/NAME/files/`, whose files go to machines.
pub(super) fn is_given(path: &str) -> bool {
    ModulePath::is_in(ModuleFolder::Files, path)
}

/// Whether an entry there goes to machines: all do except the files that editors and git leave, even if the name begins
/// with a dot.
pub(super) fn is_delivered(name: &str) -> bool {
    let is_of_an_editor = name.starts_with(".#")
        || (name.starts_with('.')
            && name.rsplit_once('.').is_some_and(|(_, end)| end.len() == 3 && end.starts_with("sw")));
    name != ".git" && name != KEEPS_FOLDER && !is_of_an_editor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_module_gives_is_known_by_its_path() {
        for given in ["modules/a/files/x", "modules/a/files/.htaccess", "modules/a/files/x/y"] {
            assert!(is_given(given), "{given}");
        }
        for other in
            ["modules/a/files", "modules/a/files/", "modules/.a/files/x", "files/x", "modules/a/templates/x"]
        {
            assert!(!is_given(other), "{other}");
        }
        assert!(is_delivered(".htaccess") && is_delivered(".well-known") && is_delivered("x.swp"));
        for name in [".git", ".gitkeep", ".x.swp", ".x.swo", ".#x"] {
            assert!(!is_delivered(name), "{name}");
        }
    }

    #[test]
    fn a_shape_is_a_part_of_the_id() {
        let commit = || CommitId::from("dir-0");
        assert_eq!(TreeShape::default().id(commit()), commit());
        let one = TreeShape { folders: [Arc::from("a")].into(), ..TreeShape::default() };
        let other = TreeShape { programs: [Arc::from("a")].into(), ..TreeShape::default() };
        assert_ne!(one.id(commit()), other.id(commit()));
    }
}
