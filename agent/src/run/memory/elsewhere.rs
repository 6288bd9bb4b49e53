//! What runs remember elsewhere while the state takes nothing, and how it comes back: all that a run reads of earlier ones, and
//! what was put aside for people. Nothing is removed there before it lies in the state again.

use super::{Error, Memory, NAME, Runs, lent_places};
use crate::enforce;
use crate::state::{self, StateDir};

/// Records of what was unpacked.
const ARCHIVES: &str = "archives";

/// What stood where files are now. No run reads it, and it may be large: it only comes back.
const BACKUPS: &str = "backups";

/// There where a place began with all that the state had: what it lacks now was removed by a run.
const WHOLE: &str = "whole";

/// Another place, with what the state holds as far as that can be read, or with what an earlier run left there.
pub(super) fn lend(state: &StateDir, error: state::Error) -> Result<Memory, Error> {
    let earlier = lent_places(state).find_map(|place| StateDir::existing(&place));
    let is_new = earlier.is_none();
    let Some(dir) = earlier.or_else(|| lent_places(state).find_map(|place| StateDir::open(&place).ok()))
    else {
        return Err(error.into());
    };
    let mut notes = vec![format!(
        "what this run leaves is remembered in {} and until the next boot only, after which drift cannot be told from new \
         wishes: {error}",
        dir.path().display()
    )];
    if is_new && let Some(memory) = StateDir::existing(&state.path().join(NAME)) {
        let copied = copy(&memory, &dir).and_then(|()| dir.replace(WHOLE, b""));
        notes.extend(copied.err().map(|error| error.to_string()));
    }
    Ok(Memory { dir, notes })
}

/// What runs left elsewhere while the state took nothing goes back to it; on an error all of it that is not there yet, and all
/// that a run reads, still lies where it was.
pub(super) fn take_back(state: &StateDir, dir: &StateDir) -> Result<(), state::Error> {
    for place in lent_places(state) {
        let Some(lent) = StateDir::existing(&place) else { continue };
        for_people(&lent, dir)?;
        copy(&lent, dir)?;
        if lent.file(WHOLE)?.is_some() {
            forget_removed(&lent, dir)?;
        }
        std::fs::remove_dir_all(&place).map_err(|error| state::Error::Io {
            action: "remove",
            path: place,
            error,
        })?;
    }
    Ok(())
}

/// Copies what a run reads of earlier ones.
fn copy(from: &StateDir, to: &StateDir) -> Result<(), state::Error> {
    for name in enforce::MEMORY_FILES {
        match from.copy(name, to) {
            // What is no file is nothing to keep.
            Err(state::Error::NotAFile(_)) => {}
            done => done?,
        }
    }
    Runs::of(to).and(&Runs::of(from)).write(to)?;
    if from.has_directory(ARCHIVES) {
        let (from, to) = (from.below(ARCHIVES)?, to.below(ARCHIVES)?);
        from.names()?.iter().try_for_each(|name| from.copy(name, &to))?;
    }
    Ok(())
}

/// Records that a run removed from a copy of all are removed.
fn forget_removed(lent: &StateDir, dir: &StateDir) -> Result<(), state::Error> {
    if !dir.has_directory(ARCHIVES) {
        return Ok(());
    }
    let (lent, dir) = (lent.below(ARCHIVES)?, dir.below(ARCHIVES)?);
    let left = lent.names()?;
    dir.names()?.iter().filter(|name| !left.contains(name)).try_for_each(|name| dir.remove(name))
}

/// Moves, one by one, what was put aside and what stood where files are now.
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
