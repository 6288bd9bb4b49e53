//! A new node begins where an earlier one ended: what the earlier runs left is no longer drift, and nothing is owed for
//! it.

use std::io::{BufReader, Read as _};
use std::path::Path;

use super::{Header, LEFT, LastState, Left, MAX_BYTES, OWED, PRIVATE, UNENDED};
use crate::system::{Error, Inspect as _, Machine, System as _, write_durably};

/// Forgets what earlier runs left and owe, except which paths and attributes were secret: the machine still has those
/// secrets, and its new owner must not read them in a diff. Returns whether there was anything.
///
/// # Errors
/// Fails if it cannot be removed.
pub(crate) fn disown(path: &Path) -> Result<bool, Error> {
    let dir = Machine::open(path)?;
    let mut had_some = false;
    for name in [OWED, UNENDED] {
        had_some |= dir.lstat(Path::new(name))?.is_some();
        dir.remove(Path::new(name))?;
    }
    if let Some(opened) = dir.open(Path::new(LEFT))? {
        let was = read(BufReader::new(opened.file.take(MAX_BYTES)));
        // What cannot be read is set aside by the next run, which reports it.
        if let Ok((header, left)) = was
            && (header.whole || header.half || !left.gone.is_empty() || !left.resources.is_empty())
        {
            had_some = true;
            write_durably(&dir, Path::new(LEFT), PRIVATE, &secrets_alone(header, left))?;
        }
    }
    dir.settle()?;
    Ok(had_some)
}

fn read(mut file: impl std::io::BufRead) -> serde_json::Result<(Header, Left)> {
    let mut first = String::new();
    file.read_line(&mut first).map_err(serde::de::Error::custom)?;
    Ok((serde_json::from_str(&first)?, serde_json::from_reader(file)?))
}

fn secrets_alone(header: Header, left: Left) -> Vec<u8> {
    let header = Header { whole: false, half: false, ..header };
    let resources = left.resources.into_iter().filter(|(_, entry)| !entry.secret.is_empty());
    let resources = resources.map(|(name, entry)| (name, secret_alone(entry))).collect();
    let left = Left { resources, gone: [].into(), secret: left.secret };
    let mut bytes = serde_json::to_vec(&header).unwrap_or_default();
    bytes.push(b'\n');
    bytes.extend(serde_json::to_vec(&left).unwrap_or_default());
    bytes
}

/// Keeps only what was secret. No resource has empty rules, so the values can never count as drift.
fn secret_alone(entry: LastState) -> LastState {
    let LastState { mut wanted, secret, names, .. } = entry;
    wanted.retain(|name, _| secret.contains(name));
    LastState { wanted, rules: Some(String::new()), secret, names, ..LastState::default() }
}
