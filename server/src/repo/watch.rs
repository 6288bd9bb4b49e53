//! Notices that something in a directory has changed. It does not matter what: the tree is read again.
//!
//! Only folders are watched, never single files (a watch on a file ends when the file is atomically replaced), and no
//! hidden folders or build results.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::directory::is_left_out;
use super::shape;

/// What wakes a follower.
#[derive(Debug, Clone, Copy)]
pub(super) enum Signal {
    /// It was poked: look now.
    Poked,
    /// The directory is changing: look when it is quiet.
    Changed,
}

pub(super) struct Watch {
    root: PathBuf,
    watcher: RecommendedWatcher,
    /// The watched directories with their identities, since another one may have taken the place of a path.
    watched: BTreeMap<PathBuf, DirectoryIdentity>,
}

/// What identifies a directory, whatever its name: the device and the inode.
type DirectoryIdentity = (u64, u64);

impl Watch {
    pub(super) fn start(root: &Path, signals: Sender<Signal>) -> notify::Result<Self> {
        let root_of_events = root.to_owned();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // an error, such as a queue that overflowed, is also a reason to look; if no one listens, that is fine
            if event.as_ref().map_or(true, |event| concerns(&root_of_events, event)) {
                let _nobody = signals.send(Signal::Changed);
            }
        })?;
        let mut watch = Self { root: root.to_owned(), watcher, watched: BTreeMap::new() };
        watch.renew()?;
        Ok(watch)
    }

    /// Watches what is new or was replaced since the last time: the root, the folders at its top, and the folder that
    /// contains the root, in which another root may take its place.
    pub(super) fn renew(&mut self) -> notify::Result<()> {
        let now = self.wanted().map_err(notify::Error::io)?;
        let gone = self.watched.iter().filter(|(path, identity)| now.get(*path) != Some(identity));
        for path in gone.map(|(path, _)| path.clone()).collect::<Vec<_>>() {
            self.watched.remove(&path);
            // if it was removed, its watch is gone already
            let _gone = self.watcher.unwatch(&path);
        }
        for (path, identity) in now {
            if self.watched.contains_key(&path) {
                continue;
            }
            let below = path != self.root && path.starts_with(&self.root);
            let mode = if below { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            self.watcher.watch(&path, mode)?;
            self.watched.insert(path, identity);
        }
        Ok(())
    }

    fn wanted(&self) -> std::io::Result<BTreeMap<PathBuf, DirectoryIdentity>> {
        let identity = |path: &Path| std::fs::metadata(path).map(|found| (found.dev(), found.ino()));
        let mut wanted = BTreeMap::from([(self.root.clone(), identity(&self.root)?)]);
        let whole = std::path::absolute(&self.root)?;
        if let Some(parent) = whole.parent()
            && let Ok(found) = identity(parent)
        {
            wanted.insert(parent.to_owned(), found);
        }
        for entry in std::fs::read_dir(&self.root)?.flatten() {
            let is_ours = entry.file_type().is_ok_and(|kind| kind.is_dir())
                && entry.file_name().to_str().is_some_and(|name| !is_left_out("", name));
            if is_ours && let Ok(found) = identity(&entry.path()) {
                wanted.insert(entry.path(), found);
            }
        }
        Ok(wanted)
    }
}

/// Whether an event can have changed the tree. Reading causes events too, which must not wake the reader.
fn concerns(root: &Path, event: &Event) -> bool {
    let is_ours = |path: &PathBuf| {
        // what is beside the root does not belong to it
        let Ok(inner) = path.strip_prefix(root) else { return false };
        if inner.to_str().is_some_and(shape::is_given) {
            return inner.iter().skip(3).all(|name| name.to_str().is_some_and(shape::is_delivered));
        }
        let mut parent = "";
        inner.iter().all(|name| {
            let ours = name.to_str().is_some_and(|name| !is_left_out(parent, name));
            parent = "/";
            ours
        })
    };
    !matches!(event.kind, EventKind::Access(_)) && (event.paths.is_empty() || event.paths.iter().any(is_ours))
}
