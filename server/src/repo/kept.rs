//! The last good state of a followed directory, kept on disk: a directory has no history, and a server that starts while
//! it is broken must still have something to put in force.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{CommitId, File, Snapshot, directory};

const HEADER: &[u8] = b"holdfast snapshot 1\n";

/// More than a repository may hold is no snapshot.
const MOST: usize = 512 * 1024 * 1024;

/// Where it is kept.
#[derive(Debug, Clone)]
pub struct Kept(PathBuf);

impl Kept {
    /// At this path.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Keeps a snapshot in the place of the one before, whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put(&self, snapshot: &Snapshot) -> io::Result<()> {
        let mut bytes = HEADER.to_vec();
        for (path, file) in snapshot.files() {
            for part in [path.as_bytes(), file.bytes()] {
                bytes.extend((part.len() as u64).to_le_bytes());
                bytes.extend(part);
            }
        }
        let packed = zstd::bulk::compress(&bytes, 1)?;
        let fresh = self.0.with_extension("new");
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(&packed)?;
        file.sync_all()?;
        fs::rename(&fresh, &self.0)?;
        self.0.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
    }

    /// The snapshot of this id; none where another is kept, or none, or what is kept is damaged.
    pub fn get(&self, id: &str) -> Option<Snapshot> {
        read(&self.0).filter(|snapshot| snapshot.commit().as_str() == id)
    }
}

/// What is damaged has another hash.
fn read(path: &Path) -> Option<Snapshot> {
    let bytes = zstd::bulk::decompress(&fs::read(path).ok()?, MOST).ok()?;
    let mut rest = bytes.strip_prefix(HEADER)?;
    let mut files = BTreeMap::new();
    while !rest.is_empty() {
        let (path, after) = part(rest)?;
        let (content, after) = part(after)?;
        files.insert(Arc::from(std::str::from_utf8(path).ok()?), File::new(content));
        rest = after;
    }
    let commit: CommitId = directory::commit_of(&files);
    Some(Snapshot::new(commit, None, files, Vec::new()))
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_kept_under_its_id_and_a_damaged_one_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("last-good");
        let kept = Kept::at(&path);
        let files = [("a", b"1".to_vec()), ("hieradata/b.toml", vec![0, 255, 10])];
        let snapshot = Snapshot::of_files(files.clone());
        let id = snapshot.commit().as_str();
        assert!(kept.get(id).is_none());
        kept.put(&snapshot).unwrap();
        let back = kept.get(id).unwrap();
        assert_eq!(back.get("hieradata/b.toml").unwrap().bytes()[..], files[1].1);
        assert_eq!(back.files().count(), 2);
        assert!(kept.get("dir-0").is_none());
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(bytes.len() / 2);
        fs::write(&path, bytes).unwrap();
        assert!(kept.get(id).is_none());
    }
}
