//! What is replaced or removed, kept in the agent's state: by content, with a line of where it stood.

use std::path::Path;

use holdfast_catalog::resource::File;

use super::content;
use crate::provider::{Error, Writing};
use crate::system::{Access, Inspect as _, Machine, System as _};

const DIRECTORY: &str = "/backups";

const PRIVATE: Access = Access { mode: 0o600, uid: None, gid: None };

/// Keeps a file as `backups/SHA256`, with `SHA256.json` beside it, if the resource wants backups and there is one.
pub(super) fn keep(want: &File, path: &Path, writing: Writing<'_>) -> Result<(), Error> {
    if !want.backup {
        return Ok(());
    }
    let Some(mut opened) = writing.machine.open(path)? else { return Ok(()) };
    let failed = |source| crate::system::Error::io("backing up", path, source);
    let hash = content::hash_of(&mut opened.file).map_err(failed)?;
    let state = Machine::open(writing.state_dir)?;
    if state.lstat(Path::new(DIRECTORY))?.is_none() {
        state.make_dir(Path::new(DIRECTORY), Access { mode: 0o700, ..PRIVATE })?;
    }
    let kept = Path::new(DIRECTORY).join(hash.as_str());
    std::io::Seek::rewind(&mut opened.file).map_err(failed)?;
    let _ = state.stage(&kept, PRIVATE, &mut opened.file)?.commit()?;
    let about = serde_json::json!({
        "path": path.display().to_string(),
        "mode": format!("{:04o}", opened.stat.mode),
        "uid": opened.stat.uid,
        "gid": opened.stat.gid,
    });
    let _ =
        state.stage(&kept.with_extension("json"), PRIVATE, &mut about.to_string().as_bytes())?.commit()?;
    Ok(state.settle()?)
}
