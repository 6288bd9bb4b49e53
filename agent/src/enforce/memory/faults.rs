//! Which files of the memory the next run will not be able to use, for commands that only look.

use std::collections::BTreeSet;
use std::path::Path;

use holdfast_catalog::count::counted;

use super::doubt::{self, UNENDED};
use super::{HOLDS, Header, KEY, LEFT, Left, MAX_BYTES, OWED, OwedFile, VERSION};
use crate::system::{Inspect as _, Machine};

/// What is wrong with each file of the memory.
pub(crate) fn faults(path: &Path) -> Vec<String> {
    let Ok(dir) = Machine::open(path) else { return Vec::new() };
    let judge = |name: &str, judge: fn(&[u8]) -> Result<(), String>| {
        let read = dir.read(Path::new(name), MAX_BYTES).map_err(|error| error.to_string());
        let judged = read.and_then(|bytes| bytes.map_or(Ok(()), |bytes| judge(&bytes)));
        judged.err().map(|why| format!("{}{name} cannot be used ({why})", path.display()))
    };
    let all =
        [judge(KEY, key), judge(LEFT, left), judge(OWED, owed), judge(HOLDS, holds), judge(UNENDED, unended)];
    all.into_iter().flatten().collect()
}

fn key(bytes: &[u8]) -> Result<(), String> {
    let size = || counted(bytes.len(), "byte", "bytes");
    (bytes.len() == 32).then_some(()).ok_or_else(|| format!("it has {}", size()))
}

fn left(bytes: &[u8]) -> Result<(), String> {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (first, rest) = bytes.split_at(end);
    let header: Header = serde_json::from_slice(first).map_err(|error| error.to_string())?;
    if header.version != VERSION {
        return Err("it is of another version".to_owned());
    }
    serde_json::from_slice::<Left>(rest).map(drop).map_err(|error| error.to_string())
}

fn owed(bytes: &[u8]) -> Result<(), String> {
    serde_json::from_slice::<OwedFile>(bytes).map(drop).map_err(|error| error.to_string())
}

pub(super) fn holds(bytes: &[u8]) -> Result<(), String> {
    serde_json::from_slice::<BTreeSet<String>>(bytes).map(drop).map_err(|error| error.to_string())
}

fn unended(bytes: &[u8]) -> Result<(), String> {
    doubt::read(bytes)
        .map(drop)
        .ok_or_else(|| "an earlier run did not end, and its start time is lost".to_owned())
}
