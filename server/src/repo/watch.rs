//! Notices that something in a directory changed. What changed is not asked: the tree is read again.
//!
//! Folders are watched, never single files (a watch on a file dies with its first atomic replacement), and what is
//! hidden or built is not.

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
    /// Something said so: look now.
    Poked,
    /// The directory is changing: look when it is quiet.
    Changed,
}

pub(super) struct Watch {
    root: PathBuf,
    watcher: RecommendedWatcher,
    /// What is watched, and which directory was there: another may have taken its place.
    watched: BTreeMap<PathBuf, Identity>,
}

/// What makes a directory itself, whatever it is called.
type Identity = (u64, u64);

impl Watch {
    pub(super) fn start(root: &Path, signals: Sender<Signal>) -> notify::Result<Self> {
        let root_of_events = root.to_owned();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // an error (a queue that overflowed, say) is a reason to look, too; nobody listening is not a reason to worry
            if event.as_ref().map_or(true, |event| concerns(&root_of_events, event)) {
                let _nobody = signals.send(Signal::Changed);
            }
        })?;
        let mut watch = Self { root: root.to_owned(), watcher, watched: BTreeMap::new() };
        watch.renew()?;
        Ok(watch)
    }

    /// Watches what is new since the last time, or is in the place of what was watched: the root, the folders at its
    /// top, and the folder that the root is in, where another may be put in its place.
    pub(super) fn renew(&mut self) -> notify::Result<()> {
        let now = self.wanted().map_err(notify::Error::io)?;
        let gone = self.watched.iter().filter(|(path, identity)| now.get(*path) != Some(identity));
        for path in gone.map(|(path, _)| path.clone()).collect::<Vec<_>>() {
            self.watched.remove(&path);
            // its watch went with it, where it was removed
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

    fn wanted(&self) -> std::io::Result<BTreeMap<PathBuf, Identity>> {
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

/// Whether an event can have changed the tree. Reading raises events too: they must not wake the reader.
fn concerns(root: &Path, event: &Event) -> bool {
    let is_ours = |path: &PathBuf| {
        // beside the root lies what is others'
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
