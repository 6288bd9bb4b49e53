//! What is dear to make and the same for every lab: kept on the machine in a folder named by the hash of
//! its recipe, so that a changed recipe makes a new one, and moved into place only when it is whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::Error;

/// Where the labs keep everything.
pub const HOME: &str = "/var/tmp/holdfast-lab";

/// Returns the folder of `recipe`, built first by `build` when it is not there.
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
        return Ok(ready);
    }
    let unfinished = ready.with_extension("new");
    match fs::remove_dir_all(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::io(&unfinished)(error)),
        _ => {}
    }
    fs::create_dir(&unfinished).map_err(Error::io(&unfinished))?;
    build(&unfinished)?;
    fs::rename(&unfinished, &ready).map_err(Error::io(&ready))?;
    Ok(ready)
}

/// Waits for a lock among processes; it is held until the file is dropped.
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
    fn the_key_tells_recipes_apart_however_they_are_cut() {
        assert_eq!(key(&["a", "bc"]), key(&["a", "bc"]));
        assert_ne!(key(&["a", "bc"]), key(&["ab", "c"]));
        assert_ne!(key(&["a"]), key(&["a", ""]));
    }
}
