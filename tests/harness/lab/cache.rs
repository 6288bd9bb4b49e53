//! Things that are expensive to make and the same for every lab. They are kept on the machine in folders named by the
//! hash of their recipes, so a changed recipe makes a new one, and are moved into place only when complete. One that
//! has not been used for a week is removed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::Error;

/// The folder for everything that belongs to labs.
pub const HOME: &str = "/var/tmp/holdfast-lab";

/// How long something is kept after its last use.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Returns the folder for `recipe`; if it does not exist, it is made by `build` first.
pub fn folder(
    name: &str,
    recipe: &[&str],
    build: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<PathBuf, Error> {
    let home = Path::new(HOME);
    fs::create_dir_all(home).map_err(Error::io(home))?;
    let ready = home.join(format!("{name}-{}", key(recipe)));
    let _turn = lock(&home.join(format!("{name}.lock")))?;
    if ready.exists() {
        mark_used(&ready)?;
        return Ok(ready);
    }
    remove_unused(home, name)?;
    let unfinished = ready.with_extension("new");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(Error::io(&unfinished))?;
    }
    fs::create_dir(&unfinished).map_err(Error::io(&unfinished))?;
    build(&unfinished)?;
    fs::rename(&unfinished, &ready).map_err(Error::io(&ready))?;
    Ok(ready)
}

fn mark_used(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|open| open.set_modified(SystemTime::now())).map_err(Error::io(folder))
}

/// Removes what was made by recipes that are no longer in use. A lab lives for an hour, so nothing that one uses is
/// removed.
fn remove_unused(home: &Path, name: &str) -> Result<(), Error> {
    for entry in fs::read_dir(home).map_err(Error::io(home))? {
        let entry = entry.map_err(Error::io(home))?;
        let path = entry.path();
        let modified = entry.metadata().and_then(|metadata| metadata.modified()).map_err(Error::io(&path))?;
        let unused = modified.elapsed().unwrap_or_default() > KEPT;
        if unused && path.is_dir() && entry.file_name().to_string_lossy().starts_with(&format!("{name}-")) {
            fs::remove_dir_all(&path).map_err(Error::io(&path))?;
        }
    }
    Ok(())
}

/// Waits for a lock between processes, which is held until the file is dropped.
pub fn lock(path: &Path) -> Result<File, Error> {
    let file = File::create(path).map_err(Error::io(path))?;
    file.lock().map_err(Error::io(path))?;
    Ok(file)
}

fn key(recipe: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in recipe {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    HEXLOWER.encode(&hash.finalize()[..6])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_a_week_goes_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let make = |name: &str, age: Duration| {
            let path = home.path().join(name);
            fs::create_dir(&path).unwrap();
            File::open(&path).unwrap().set_modified(SystemTime::now() - age).unwrap();
            path
        };
        let old = make("image-old", KEPT * 2);
        let kept = [make("image-new", KEPT / 2), make("repository-old", KEPT * 2), make("labs", KEPT * 2)];
        remove_unused(home.path(), "image").unwrap();
        assert!(!old.exists());
        assert!(kept.iter().all(|path| path.exists()));
    }

    #[test]
    fn the_key_tells_recipes_apart_however_they_are_cut() {
        assert_eq!(key(&["a", "bc"]), key(&["a", "bc"]));
        assert_ne!(key(&["a", "bc"]), key(&["ab", "c"]));
        assert_ne!(key(&["a"]), key(&["a", ""]));
    }
}
