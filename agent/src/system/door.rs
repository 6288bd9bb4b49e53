//! Which thread is in a call of the kernel that may never return, and where: each look at a path goes through here. No
//! look begins on a file system that does not respond.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use super::served::{PATIENCE, ServedMount, ServedMounts};
use super::{Error, Result};

/// The door to the paths of a machine.
#[derive(Default)]
pub struct Door {
    served: Option<ServedMounts>,
    inside: Mutex<HashMap<ThreadId, (Instant, PathBuf)>>,
}

/// A call by a thread, for as long as this lives; `None` if it is part of another call.
pub(crate) struct OpenCall<'a>(Option<&'a Door>);

impl Drop for OpenCall<'_> {
    fn drop(&mut self) {
        if let Some(door) = self.0 {
            lock(&door.inside).remove(&std::thread::current().id());
        }
    }
}

impl Door {
    /// A door that checks these file systems before anything in them is looked at.
    pub fn asking(served: ServedMounts) -> Self {
        Self { served: Some(served), inside: Mutex::default() }
    }

    /// Enters a call that involves a path of this machine.
    pub(crate) fn enter(&self, path: PathBuf) -> Result<OpenCall<'_>> {
        self.ask(&path)?;
        match lock(&self.inside).entry(std::thread::current().id()) {
            Entry::Occupied(_) => Ok(OpenCall(None)),
            Entry::Vacant(none) => {
                none.insert((Instant::now(), path));
                Ok(OpenCall(Some(self)))
            }
        }
    }

    /// Fails if a file system on the way to a path does not respond.
    pub(super) fn ask(&self, path: &Path) -> Result<()> {
        self.refuse(path, ServedMounts::silent_on_the_way)
    }

    /// Fails if a file system that is mounted below a path does not respond.
    pub(super) fn enter_tree(&self, path: &Path) -> Result<()> {
        self.refuse(path, ServedMounts::silent_below)
    }

    fn refuse(
        &self,
        path: &Path,
        silent: impl FnOnce(&ServedMounts, &Path) -> Option<ServedMount>,
    ) -> Result<()> {
        let Some(served) = &self.served else { return Ok(()) };
        silent(served, path).map_or(Ok(()), |ServedMount { point, fstype, .. }| {
            Err(Error::NoAnswer { path: path.to_owned(), point, fstype, seconds: PATIENCE.as_secs() })
        })
    }

    /// The call that has taken longest, and how long it has taken.
    pub fn longest(&self) -> Option<(PathBuf, Duration)> {
        let inside = lock(&self.inside);
        let (since, path) = inside.values().min_by_key(|(since, _)| *since)?;
        Some((path.clone(), since.elapsed()))
    }
}

/// Locks a mutex. What these locks protect is consistent between any two statements, so poisoning is ignored.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::sync::Arc;

    use super::*;
    use crate::system::{Inspect as _, Machine, Met, Permissions, System as _, WalkStep};

    const PRIVATE: Permissions = Permissions { mode: 0o700, uid: None, gid: None };

    #[test]
    fn the_call_that_takes_the_longest_is_told_until_it_ends() {
        let door = Door::default();
        assert_eq!(door.longest(), None);
        let first = door.enter("/srv/a".into()).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _second = door.enter("/srv/b".into()).unwrap();
                assert_eq!(door.longest().unwrap().0, Path::new("/srv/a"));
            });
        });
        drop(door.enter("/srv/a/b".into()).unwrap());
        assert_eq!(door.longest().unwrap().0, Path::new("/srv/a"), "a part of a call does not end it");
        drop(first);
        assert_eq!(door.longest(), None);
    }

    #[test]
    fn f22_what_is_on_a_file_system_that_does_not_answer_fails_by_name_and_the_rest_is_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let machine = Machine::open(dir.path()).unwrap();
        for path in ["srv/hung/in", "srv/well/in", "opt/hung/in"] {
            std::fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        let top = dir.path().canonicalize().unwrap();
        let line = |id: u32, point: &str| {
            format!("{id} 1 0:{id} / {}/{point} rw - nfs4 server:/ rw\n", top.display())
        };
        let table = line(1, "srv/hung") + &line(2, "srv/well") + &line(3, "opt/hung");
        let served = ServedMounts::of_table(&table, |mount| !mount.point.ends_with("hung"));
        let machine = machine.through(Arc::new(Door::asking(served)));
        assert!(machine.lstat(Path::new("/srv/well/in")).unwrap().is_some());
        let words = format!("{}/srv/hung (nfs4) did not answer for 10 s", top.display());
        let path = Path::new("/srv/hung/in");
        let look: [Box<dyn Fn() -> Option<Error>>; 6] = [
            Box::new(|| machine.lstat(path).err()),
            Box::new(|| machine.open(path).err()),
            Box::new(|| machine.list(path).err()),
            Box::new(|| machine.real(path).err()),
            Box::new(|| machine.remove(path).err()),
            Box::new(|| machine.make_dir(Path::new("/srv/hung/new"), PRIVATE).err()),
        ];
        for (at, look) in look.iter().enumerate() {
            let error = look().unwrap().to_string();
            assert!(error.contains(&words), "{at}: {error}");
        }
        symlink("srv", dir.path().join("link")).unwrap();
        symlink("/srv/hung", dir.path().join("srv/well/link")).unwrap();
        for by_link in ["/link/hung", "/link/hung/in", "/srv/well/link/in"] {
            let error = machine.lstat(Path::new(by_link)).unwrap_err().to_string();
            assert!(error.contains(&words), "{by_link}: {error}");
        }
        let (mut met, mut unread) = (Vec::new(), Vec::new());
        let mut visit = |found: Met<'_>| {
            match found {
                Ok(member) => met.push(member.path.to_owned()),
                Err(member) => unread.push(member.path.to_owned()),
            }
            Ok(WalkStep::Into)
        };
        machine.walk(Path::new("/srv"), &mut visit).unwrap();
        met.sort();
        assert_eq!(
            (met, unread),
            (vec!["well".into(), "well/in".into(), "well/link".into()], vec!["hung".into()])
        );
        assert!(machine.remove_tree(Path::new("/opt")).unwrap_err().to_string().contains("/opt/hung (nfs4)"));
        assert!(dir.path().join("opt/hung/in").exists());
    }
}
