//! A directory without git as a repository: one that a developer edits, or that `--repo DIR` names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::limits::{RepoLimits, WalkBudget};
use super::shape::{self, TreeShape};
use super::{A_LINK, CommitId, IgnoredEntry, RepoError, Snapshot, SnapshotFile};
use crate::regular;

/// The largest `.gitmodules` that is read, in bytes.
const MAX_SUBMODULES: u64 = 1024 * 1024;

/// A directory to take snapshots of.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// The directory at this path.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The path of the directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Reads the tree as it is. Hidden entries (except in modules' files) and a `target` at the top are left out; links
    /// are not followed.
    ///
    /// # Errors
    /// Returns an error if the directory cannot be read, or exceeds the limits.
    pub fn snapshot(&self) -> Result<Snapshot, RepoError> {
        let mut listing = Listing { submodules: self.submodules(), ..Listing::default() };
        listing.folder(&self.root, "")?;
        let read_one = |path: &str| regular::read(&self.root.join(path), u64::MAX).ok();
        let sizes = listing.files.iter().map(|(path, size)| (&**path, *size));
        // A folder is on this disk already, so it is really as large as it looks.
        let walked = WalkBudget::new(RepoLimits::default());
        let mut refused = RepoLimits::default().judge(sizes, &walked, &read_one);
        let mut files = BTreeMap::new();
        for (path, _) in listing.files.iter().filter(|(path, _)| !refused.has(path)) {
            if let Some(file) = read(&self.root.join(&**path))? {
                files.insert(path.clone(), file);
            }
        }
        RepoLimits::default().judge_content(&mut files, &mut refused);
        // What is left out contributes to the id; otherwise, a change in it would go unnoticed.
        let left_out = refused.placeholders();
        let commit = listing.shape.id(commit_of(files.iter().chain(&left_out)));
        Ok(Snapshot::within_limits(commit, None, files, listing.ignored, refused).shaped(listing.shape))
    }
}

impl Directory {
    /// The submodules of a checkout: no commit of this repository contains their files, so a server would not see them.
    fn submodules(&self) -> BTreeSet<String> {
        let text = regular::text(&self.root.join(".gitmodules"), MAX_SUBMODULES).unwrap_or_default();
        let path = |line: &str| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == "path").then(|| value.trim().trim_matches('"').trim_end_matches('/').to_owned())
        };
        text.lines().filter_map(path).collect()
    }
}

/// The hash of names and contents.
pub(super) fn commit_of<'a>(files: impl IntoIterator<Item = (&'a Arc<str>, &'a SnapshotFile)>) -> CommitId {
    let mut hash = Sha256::new();
    for (path, file) in files {
        hash.update((path.len() as u64).to_le_bytes());
        hash.update(path.as_bytes());
        hash.update(file.hash().as_str().as_bytes());
    }
    let digits = data_encoding::HEXLOWER.encode(&hash.finalize());
    CommitId::of_directory(&digits)
}

/// Whether an entry is not part of a control repository.
pub(super) fn is_left_out(parent: &str, name: &str) -> bool {
    name.starts_with('.') || (parent.is_empty() && name == "target")
}

/// What is in the directory, before any file is read.
#[derive(Default)]
struct Listing {
    files: BTreeMap<Arc<str>, u64>,
    ignored: Vec<IgnoredEntry>,
    submodules: BTreeSet<String>,
    shape: TreeShape,
}

impl Listing {
    fn folder(&mut self, folder: &Path, path: &str) -> Result<(), RepoError> {
        for entry in std::fs::read_dir(folder).map_err(|source| failed(folder, source))? {
            let entry = entry.map_err(|source| failed(folder, source))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                let path = format!("{path}{}", name.to_string_lossy());
                self.ignored.push(IgnoredEntry { path, what: "a name that is not UTF-8" });
                continue;
            };
            let inner = format!("{path}{name}");
            let is_given = shape::is_given(&inner);
            if if is_given { !shape::is_delivered(name) } else { is_left_out(path, name) } {
                continue;
            }
            let kind = entry.file_type().map_err(|source| failed(&entry.path(), source))?;
            if kind.is_dir() && self.submodules.contains(&inner) {
                self.ignored.push(IgnoredEntry { path: inner, what: "a submodule" });
            } else if kind.is_dir() {
                let before = self.count();
                self.folder(&entry.path(), &format!("{inner}/"))?;
                if is_given && self.count() == before {
                    self.shape.folders.insert(inner.into());
                }
            } else if kind.is_file() {
                if is_given && is_program(&entry) {
                    self.shape.programs.insert(inner.as_str().into());
                }
                self.file(&entry.path(), inner)?;
            } else if let Some(target) = link(&entry, kind).filter(|_| is_given) {
                self.shape.links.insert(inner.into(), target.into());
            } else {
                let what = if kind.is_symlink() { A_LINK } else { "a device, pipe or socket" };
                self.ignored.push(IgnoredEntry { path: inner, what });
            }
        }
        Ok(())
    }

    /// The number of entries that would be copied to machines.
    fn count(&self) -> usize {
        self.files.len() + self.shape.links.len() + self.shape.folders.len() + self.ignored.len()
    }

    fn file(&mut self, file: &Path, path: String) -> Result<(), RepoError> {
        if let Some(metadata) = unless_gone(std::fs::symlink_metadata(file), file)? {
            self.files.insert(path.into(), metadata.len());
        }
        Ok(())
    }
}

fn read(file: &Path) -> Result<Option<SnapshotFile>, RepoError> {
    Ok(unless_gone(regular::read(file, u64::MAX), file)?.map(SnapshotFile::new))
}

/// The result, or `None` if the file is gone, such as an editor's temporary file.
fn unless_gone<T>(outcome: std::io::Result<T>, file: &Path) -> Result<Option<T>, RepoError> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(file, error)),
    }
}

fn is_program(entry: &std::fs::DirEntry) -> bool {
    let mode =
        entry.metadata().map(|metadata| std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()));
    mode.is_ok_and(|mode| mode & 0o111 != 0)
}

/// The target of a link; `None` if it is not a link.
fn link(entry: &std::fs::DirEntry, kind: std::fs::FileType) -> Option<String> {
    let target = kind.is_symlink().then(|| std::fs::read_link(entry.path()).ok()).flatten()?;
    target.into_os_string().into_string().ok()
}

fn failed(path: &Path, source: std::io::Error) -> RepoError {
    RepoError::Io { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn the_tree_is_read_without_what_is_hidden_built_or_linked() {
        let dir = tempfile::tempdir().unwrap();
        for path in
            ["hieradata/common.toml", ".git/config", "target/x", "modules/a/files/target/y", "a/.hidden"]
        {
            write(dir.path(), path, path);
        }
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("hieradata/link.toml")).unwrap();
        let snapshot = Directory::new(dir.path()).snapshot().unwrap();
        let paths: Vec<_> = snapshot.files().map(|(path, _)| &**path).collect();
        assert_eq!(paths, ["hieradata/common.toml", "modules/a/files/target/y"]);
        assert_eq!(snapshot.ignored().len(), 1);
        assert_eq!(snapshot.ignored()[0].path, "hieradata/link.toml");
    }

    #[test]
    fn submodules_of_a_checkout_are_left_out_and_named() {
        let dir = tempfile::tempdir().unwrap();
        write(
            dir.path(),
            ".gitmodules",
            "[submodule \"ssh\"]\n\tpath = modules/ssh\n\turl = https://x.example/ssh\n",
        );
        write(dir.path(), "modules/ssh/manifests/init.toml", "doc = \"SSH.\"\n");
        write(dir.path(), "modules/a/manifests/init.toml", "doc = \"A.\"\n");
        let snapshot = Directory::new(dir.path()).snapshot().unwrap();
        assert_eq!(snapshot.files().count(), 1);
        assert_eq!(snapshot.ignored(), [IgnoredEntry { path: "modules/ssh".into(), what: "a submodule" }]);
    }

    #[test]
    fn what_a_module_gives_is_read_with_its_shape() {
        let dir = tempfile::tempdir().unwrap();
        for path in
            ["modules/a/files/t/.htaccess", "modules/a/files/t/run.sh", "modules/a/files/t/.run.sh.swp"]
        {
            write(dir.path(), path, path);
        }
        let tree = dir.path().join("modules/a/files/t");
        let program = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(tree.join("run.sh"), program).unwrap();
        std::os::unix::fs::symlink("run.sh", tree.join("link")).unwrap();
        std::fs::create_dir_all(tree.join("empty/deep")).unwrap();
        let folder = "modules/a/files/t";
        let read = || Directory::new(dir.path()).snapshot().unwrap();
        let snapshot = read();
        let paths: Vec<_> =
            snapshot.under(folder).map(|(path, _)| path.rsplit('/').next().unwrap()).collect();
        assert_eq!(paths, [".htaccess", "run.sh"]);
        assert!(snapshot.is_program("modules/a/files/t/run.sh") && snapshot.ignored().is_empty());
        assert_eq!(snapshot.links_under(folder).collect::<Vec<_>>(), [("modules/a/files/t/link", "run.sh")]);
        assert_eq!(snapshot.empty_under(folder).collect::<Vec<_>>(), ["modules/a/files/t/empty/deep"]);
        std::fs::remove_dir(tree.join("empty/deep")).unwrap();
        assert_ne!(read().commit(), snapshot.commit(), "a shape is a part of what is followed");
    }

    #[test]
    fn the_hash_changes_with_names_and_contents_alone() {
        let commit = |files: &[(&str, &str)]| {
            Snapshot::of_files(files.iter().map(|(path, text)| (*path, text.as_bytes()))).commit().clone()
        };
        let first = commit(&[("a", "1"), ("b", "2")]);
        assert_eq!(first, commit(&[("b", "2"), ("a", "1")]));
        for other in [&[("a", "1"), ("b", "3")], &[("a", "1"), ("c", "2")]] {
            assert_ne!(first, commit(other));
        }
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "a", "1");
        write(dir.path(), "b", "2");
        assert_eq!(*Directory::new(dir.path()).snapshot().unwrap().commit(), first);
    }

    #[test]
    fn a_snapshot_keeps_its_bytes_when_the_directory_changes() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "a", "before");
        let snapshot = Directory::new(dir.path()).snapshot().unwrap();
        write(dir.path(), "a", "after");
        assert_eq!(&**snapshot.get("a").unwrap().bytes(), b"before");
    }
}
