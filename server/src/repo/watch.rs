//! Notices that something in a directory changed. What changed is not asked: the tree is read again.
//!
//! Folders are watched, never single files (a watch on a file dies with its first atomic replacement), and what is
//! hidden or built is not.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::directory::is_left_out;
use super::follower::Signal;

pub(super) struct Watch {
    root: PathBuf,
    watcher: RecommendedWatcher,
    folders: BTreeSet<PathBuf>,
}

impl Watch {
    pub(super) fn start(root: &Path, signals: Sender<Signal>) -> notify::Result<Self> {
        let root_of_events = root.to_owned();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // an error (a queue that overflowed, say) is a reason to look, too; nobody listening is none to worry
            if event.as_ref().map_or(true, |event| concerns(&root_of_events, event)) {
                let _nobody = signals.send(Signal::Changed);
            }
        })?;
        watcher.watch(root, RecursiveMode::NonRecursive)?;
        let mut watch = Self { root: root.to_owned(), watcher, folders: BTreeSet::new() };
        watch.renew()?;
        Ok(watch)
    }

    /// Watches the folders at the top that are new since the last time.
    pub(super) fn renew(&mut self) -> notify::Result<()> {
        let entries = std::fs::read_dir(&self.root).map_err(notify::Error::io)?.flatten();
        let is_ours = |entry: &std::fs::DirEntry| {
            entry.file_type().is_ok_and(|kind| kind.is_dir())
                && entry.file_name().to_str().is_some_and(|name| !is_left_out("", name))
        };
        let now: BTreeSet<PathBuf> = entries.filter(is_ours).map(|entry| entry.path()).collect();
        for gone in self.folders.difference(&now) {
            // its watch went with it
            let _gone = self.watcher.unwatch(gone);
        }
        for new in now.difference(&self.folders) {
            self.watcher.watch(new, RecursiveMode::Recursive)?;
        }
        self.folders = now;
        Ok(())
    }
}

/// Whether an event can have changed the tree. Reading raises events too: they must not wake the reader.
fn concerns(root: &Path, event: &Event) -> bool {
    let is_ours = |path: &PathBuf| {
        let Ok(inner) = path.strip_prefix(root) else { return true };
        let mut parent = "";
        inner.iter().all(|name| {
            let ours = name.to_str().is_some_and(|name| !is_left_out(parent, name));
            parent = "/";
            ours
        })
    };
    !matches!(event.kind, EventKind::Access(_)) && (event.paths.is_empty() || event.paths.iter().any(is_ours))
}
