//! The second look, which uses only the standard library.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::make::Wanted;

/// Whether the machine is as one resource wants it.
pub(super) fn is_as_wanted(one: &Wanted, all: &[Wanted], root: &Path) -> bool {
    let at = |path: &str| root.join(path.trim_start_matches('/'));
    let kind = |path: &str| std::fs::symlink_metadata(at(path)).ok();
    let text = |path: &str| std::fs::read_to_string(at(path)).unwrap_or_default();
    match one {
        Wanted::File { path, content, mode } => kind(path)
            .is_some_and(|meta| meta.is_file() && meta.mode() & 0o7777 == *mode && text(path) == *content),
        Wanted::Absent { path } | Wanted::Gone { path, .. } => kind(path).is_none(),
        Wanted::Link { path, target } => std::fs::read_link(at(path)).is_ok_and(|is| is == Path::new(target)),
        Wanted::Directory { path, purge } => {
            kind(path).is_some_and(|meta| meta.is_dir())
                && (!purge || strays(&at(path), path, all).is_empty())
        }
        Wanted::Line { path, line } => text(path).lines().any(|is| is == line),
        Wanted::Setting { path, key, value, .. } => {
            let inside = text(path);
            let section = inside.lines().skip_while(|line| line.trim() != "[main]").skip(1);
            let mut section = section.take_while(|line| !line.starts_with('['));
            section
                .any(|line| line.split_once('=').is_some_and(|(k, v)| k.trim() == key && v.trim() == value))
        }
        Wanted::Made { path, .. } => kind(path).is_some(),
        Wanted::Held { path, holds, .. } => text(path) == *holds,
        Wanted::Always { .. } => true,
    }
}

/// What no resource names in a directory. Directories are never purged without `force`.
fn strays(dir: &Path, path: &str, all: &[Wanted]) -> Vec<PathBuf> {
    let root = &dir.ancestors().nth(path.matches('/').count()).unwrap();
    let named: Vec<String> =
        all.iter().filter_map(Wanted::names).flat_map(|path| by_all_names(path, root)).collect();
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let is_stray = |entry: &PathBuf| {
        let whole = format!("{path}/{}", entry.file_name().unwrap().to_str().unwrap());
        !named.contains(&whole) && !std::fs::symlink_metadata(entry).unwrap().is_dir()
    };
    entries.filter(is_stray).collect()
}

/// A path, the links on the way to it, and its name without them.
fn by_all_names(path: &str, root: &Path) -> Vec<String> {
    let (parent, name) = path.rsplit_once('/').unwrap();
    let (mut parent, mut all) = (parent.to_owned(), vec![path.to_owned()]);
    for _ in 0..40 {
        let Ok(target) = std::fs::read_link(root.join(parent.trim_start_matches('/'))) else { break };
        let beside = parent.rsplit_once('/').unwrap().0.to_owned();
        all.push(std::mem::replace(&mut parent, format!("{beside}/{}", target.display())));
    }
    all.push(format!("{parent}/{name}"));
    all
}

/// Everything below a root.
pub(super) fn everything(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut todo = vec![root.to_owned()];
    while let Some(path) = todo.pop() {
        let meta = std::fs::symlink_metadata(&path).unwrap();
        if meta.is_dir() {
            todo.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let what = std::fs::read_link(&path).map(PathBuf::into_os_string).unwrap_or_default();
        let text = std::fs::read(&path).unwrap_or_default();
        all.insert(path, format!("{} {:o} {what:?} {text:?}", meta.ino(), meta.mode()));
    }
    all
}
