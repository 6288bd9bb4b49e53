//! What runs store elsewhere while the state cannot be written, and how it comes back: everything that a run reads of
//! earlier ones, and what was set aside for people. Nothing is removed there before it is in the state again.

use std::path::{Path, PathBuf};

use super::{Error, MemoryDir, NAME, Runs, lent_places};
use crate::enforce;
use crate::state::{self, StateDir};

/// The records of what was unpacked.
const ARCHIVES: &str = "archives";

/// What was in the place of present files. No run reads it, and it may be large, so it is only moved back and never
/// copied there.
const BACKUPS: &str = "backups";

/// A file that exists if a place began with everything that the state had: whatever it lacks now was removed by a run.
const WHOLE: &str = "whole";

/// Another place, with what the state has, as far as that can be read, or with what an earlier run left there.
pub(super) fn lend(state: &StateDir, error: state::Error) -> Result<MemoryDir, Error> {
    let earlier = lent_places(state).find_map(|place| StateDir::existing(&place));
    let is_new = earlier.is_none();
    let Some(dir) = earlier.or_else(|| lent_places(state).find_map(|place| StateDir::open(&place).ok()))
    else {
        return Err(error.into());
    };
    let mut notes = vec![format!(
        "what this run leaves is recorded only in {}, until the next boot; after that, drift cannot be told from \
         intentional changes: {error}",
        dir.path().display()
    )];
    if is_new && let Some(memory) = StateDir::existing(&state.path().join(NAME)) {
        notes.extend(copy_what_can_be_read(&memory, &dir).iter().map(ToString::to_string));
    }
    Ok(MemoryDir { dir, notes })
}

/// Copies everything that a run reads of earlier ones, as far as it can be read and there is space. Only if that was
/// all, whatever is missing there later was removed by a run. Returns what could not be copied, and why.
fn copy_what_can_be_read(memory: &StateDir, dir: &StateDir) -> Vec<state::Error> {
    let mut errors = copy(memory, dir);
    if errors.is_empty() {
        errors.extend(dir.replace(WHOLE, b"").err());
    }
    errors
}

/// Moves back what runs left elsewhere while the state could not be written. On an error, everything that is not back
/// yet, and everything that a run reads, is still where it was.
pub(super) fn take_back(state: &StateDir, dir: &StateDir) -> Result<(), state::Error> {
    for place in lent_places(state) {
        clear(&place);
        let Some(lent) = StateDir::existing(&place) else { continue };
        for_people(&lent, dir)?;
        copy(&lent, dir).into_iter().next().map_or(Ok(()), Err)?;
        if lent.file(WHOLE)?.is_some() {
            forget_removed(&lent, dir)?;
        }
        // It is removed in one step: if it were half removed, the next run would not know what is missing.
        std::fs::rename(&place, returned(&place)).map_err(|error| state::Error::Io {
            action: "remove",
            path: place.clone(),
            error,
        })?;
        clear(&place);
    }
    Ok(())
}

/// The name of a place from which everything is back, until it is removed. No run looks there.
fn returned(place: &Path) -> PathBuf {
    place.with_extension("returned")
}

/// Removes a place from which everything is back. What cannot be removed is left to the next run.
fn clear(place: &Path) {
    let place = returned(place);
    if StateDir::existing(&place).is_some()
        && let Err(error) = std::fs::remove_dir_all(&place)
    {
        tracing::debug!("{} stays until the next run: {error}", place.display());
    }
}

/// Copies what a run reads of earlier ones, each file on its own. What does not exist is kept at the target. Returns
/// what could not be copied, and why.
fn copy(from: &StateDir, to: &StateDir) -> Vec<state::Error> {
    let mut errors: Vec<_> =
        enforce::MEMORY_FILES.iter().filter_map(|name| copy_file(from, name, to).err()).collect();
    errors.extend(Runs::of(to).and(&Runs::of(from)).write(to).err());
    if from.has_directory(ARCHIVES) {
        match copy_archives(from, to) {
            Ok(stayed) => errors.extend(stayed),
            Err(error) => errors.push(error),
        }
    }
    errors
}

fn copy_file(from: &StateDir, name: &str, to: &StateDir) -> Result<(), state::Error> {
    match from.file(name) {
        // Anything that is not a file is not worth keeping.
        Ok(None) | Err(state::Error::NotAFile(_)) => Ok(()),
        Ok(Some(_)) => from.copy(name, to),
        Err(error) => Err(error),
    }
}

fn copy_archives(from: &StateDir, to: &StateDir) -> Result<Vec<state::Error>, state::Error> {
    let (from, to) = (from.below(ARCHIVES)?, to.below(ARCHIVES)?);
    Ok(from.names()?.iter().filter_map(|name| from.copy(name, &to).err()).collect())
}

/// Removes what a run removed from a complete copy: files, and records of what was unpacked.
fn forget_removed(lent: &StateDir, dir: &StateDir) -> Result<(), state::Error> {
    for name in enforce::MEMORY_FILES {
        if matches!(lent.file(name), Ok(None)) {
            dir.remove(name)?;
        }
    }
    // If it had no records, none were removed.
    if !lent.has_directory(ARCHIVES) || !dir.has_directory(ARCHIVES) {
        return Ok(());
    }
    let (lent, dir) = (lent.below(ARCHIVES)?, dir.below(ARCHIVES)?);
    let left = lent.names()?;
    dir.names()?.iter().filter(|name| !left.contains(name)).try_for_each(|name| dir.remove(name))
}

/// Moves, one by one, what was set aside and what was in the place of present files.
fn for_people(lent: &StateDir, dir: &StateDir) -> Result<(), state::Error> {
    if lent.has_directory(BACKUPS) {
        let (lent, dir) = (lent.below(BACKUPS)?, dir.below(BACKUPS)?);
        for name in lent.names()? {
            lent.copy(&name, &dir)?;
            lent.remove(&name)?;
        }
    }
    let aside = lent.names()?.into_iter().filter(|name| name.ends_with(".unreadable"));
    for name in aside {
        match lent.copy(&name, dir) {
            Err(state::Error::NotAFile(_)) => {}
            done => done?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A state with a memory, and the first place that can be used instead. What is there is removed at the end.
    struct Lent {
        state: StateDir,
        memory: StateDir,
        dir: StateDir,
        _parent: tempfile::TempDir,
    }

    impl Lent {
        fn new() -> Self {
            let parent = tempfile::tempdir().unwrap();
            let state = StateDir::open(&parent.path().join("agent")).unwrap();
            let memory = state.below(NAME).unwrap();
            for (name, text) in [("left.json", "left"), ("owed.json", "owed"), ("holds.json", "holds")] {
                memory.replace(name, text.as_bytes()).unwrap();
            }
            memory.below(ARCHIVES).unwrap().replace("record.json", b"1").unwrap();
            let dir = lent_places(&state).find_map(|place| StateDir::open(&place).ok()).unwrap();
            Self { state, memory, dir, _parent: parent }
        }

        fn kept(&self, name: &str) -> Option<String> {
            let bytes = self.memory.read(name, 99).unwrap();
            bytes.map(|bytes| String::from_utf8(bytes).unwrap())
        }

        fn archives(&self) -> Vec<String> {
            self.memory.below(ARCHIVES).unwrap().names().unwrap()
        }
    }

    impl Drop for Lent {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(self.dir.path());
            let _ = std::fs::remove_dir_all(returned(self.dir.path()));
        }
    }

    #[test]
    fn what_could_not_be_copied_there_is_still_in_the_state_when_the_rest_comes_back() {
        let lent = Lent::new();
        // A link cannot be opened, just as a file on a bad sector cannot be read.
        lent.memory.remove("left.json").unwrap();
        std::os::unix::fs::symlink("/nowhere", lent.memory.path().join("left.json")).unwrap();
        assert_eq!(copy_what_can_be_read(&lent.memory, &lent.dir).len(), 1);
        assert_eq!(lent.dir.read("owed.json", 9).unwrap().unwrap(), b"owed", "each is copied by itself");
        assert!(lent.dir.file(WHOLE).unwrap().is_none());
        lent.memory.remove("left.json").unwrap();
        lent.memory.replace("left.json", b"left").unwrap();
        lent.dir.remove("holds.json").unwrap();
        std::fs::remove_dir_all(lent.dir.path().join(ARCHIVES)).unwrap();
        take_back(&lent.state, &lent.memory).unwrap();
        assert_eq!(lent.kept("left.json").as_deref(), Some("left"));
        assert_eq!(lent.kept("holds.json").as_deref(), Some("holds"));
        assert_eq!(lent.archives(), ["record.json"]);
        assert!(!lent.dir.path().exists());
    }

    #[test]
    fn what_a_run_removed_from_a_whole_copy_is_removed() {
        let lent = Lent::new();
        assert!(copy_what_can_be_read(&lent.memory, &lent.dir).is_empty());
        lent.dir.remove("owed.json").unwrap();
        lent.dir.below(ARCHIVES).unwrap().remove("record.json").unwrap();
        take_back(&lent.state, &lent.memory).unwrap();
        assert_eq!((lent.kept("owed.json"), lent.kept("left.json").as_deref()), (None, Some("left")));
        assert!(lent.archives().is_empty());
    }

    #[test]
    fn a_place_that_was_left_half_removed_takes_nothing_from_the_state() {
        let lent = Lent::new();
        assert!(copy_what_can_be_read(&lent.memory, &lent.dir).is_empty());
        // As a run leaves it that is killed while it removes the place.
        std::fs::rename(lent.dir.path(), returned(lent.dir.path())).unwrap();
        std::fs::remove_file(returned(lent.dir.path()).join("left.json")).unwrap();
        take_back(&lent.state, &lent.memory).unwrap();
        assert_eq!(lent.kept("left.json").as_deref(), Some("left"));
        assert_eq!(lent.archives(), ["record.json"]);
        assert!(!returned(lent.dir.path()).exists(), "the next run removes the rest");
    }
}
