//! The last good state of a followed directory, kept on disk. A directory has no history, and a server that starts
//! while the directory is broken must still have something to put in force.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::limits::Exclusions;
use super::shape::TreeShape;
use super::{Snapshot, SnapshotFile, directory};
use crate::regular;

const HEADER: &[u8] = b"holdfast snapshot 2\n";

/// The kind of entry for a file.
const FILE: &str = "file";

/// The kind of entry for a data file that exceeds its limit; its content is the reason.
const REFUSED_FILE: &str = "refused file";

/// The kind of entry for a part of the data that exceeds its limit; its content is the first of its files, then the reason.
const REFUSED_PART: &str = "refused part";

/// The largest snapshot to read, in bytes: the files that a repository may have, with their paths.
const MAX_BYTES: usize = 640 * 1024 * 1024;

/// The file in which the state is kept.
#[derive(Debug, Clone)]
pub struct SnapshotCache(PathBuf);

impl SnapshotCache {
    /// The file at this path.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Keeps a snapshot in place of the one before, whole or not at all.
    ///
    /// # Errors
    /// Returns an error if it cannot be written.
    pub fn put(&self, snapshot: &Snapshot) -> io::Result<()> {
        let packed = zstd::bulk::compress(&written(snapshot), 1)?;
        let fresh = self.0.with_extension("new");
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(&packed)?;
        file.sync_all()?;
        fs::rename(&fresh, &self.0)?;
        self.0.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
    }

    /// The snapshot with this id; `None` if there is none, if another one is kept, or if the file is damaged.
    pub fn get(&self, id: &str) -> Option<Snapshot> {
        read(&self.0).filter(|snapshot| snapshot.commit().as_str() == id)
    }
}

/// A snapshot as bytes: one part after another, each preceded by its length.
fn written(snapshot: &Snapshot) -> Vec<u8> {
    let mut bytes = HEADER.to_vec();
    let mut add = |parts: &[&[u8]]| {
        for part in parts {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(*part);
        }
    };
    for (path, file) in snapshot.files().filter(|(_, file)| file.refusal().is_none()) {
        add(&[FILE.as_bytes(), path.as_bytes(), file.bytes()]);
    }
    for (kind, path, more) in snapshot.0.shape.parts() {
        add(&[kind.as_bytes(), path.as_bytes(), more.as_bytes()]);
    }
    for (path, reason) in &snapshot.0.refused.files {
        add(&[REFUSED_FILE.as_bytes(), path.as_bytes(), reason.as_bytes()]);
    }
    for (path, (first, reason)) in &snapshot.0.refused.parts {
        add(&[REFUSED_PART.as_bytes(), path.as_bytes(), first.as_bytes(), reason.as_bytes()]);
    }
    bytes
}

/// Reads a snapshot. If the file is damaged, the snapshot's hash is different from the one that is sought.
fn read(path: &Path) -> Option<Snapshot> {
    let bytes = zstd::bulk::decompress(&regular::read(path, MAX_BYTES as u64).ok()?, MAX_BYTES).ok()?;
    let mut rest = bytes.strip_prefix(HEADER)?;
    let (mut files, mut shape, mut refused) = (BTreeMap::new(), TreeShape::default(), Exclusions::default());
    while !rest.is_empty() {
        let (kind, after) = part(rest)?;
        let (path, after) = part(after)?;
        let (content, after) = part(after)?;
        let (kind, path) = (text(kind)?, text(path)?);
        rest = after;
        match kind {
            FILE => drop(files.insert(Arc::from(path), SnapshotFile::new(content))),
            REFUSED_FILE => drop(refused.files.insert(path.into(), text(content)?.into())),
            REFUSED_PART => {
                let (reason, after) = part(rest)?;
                refused.parts.insert(path.into(), (text(content)?.into(), text(reason)?.into()));
                rest = after;
            }
            kind => shape.take(kind, path, text(content)?)?,
        }
    }
    let left_out = refused.placeholders();
    let commit = shape.id(directory::commit_of(files.iter().chain(&left_out)));
    Some(Snapshot::within_limits(commit, None, files, Vec::new(), refused).shaped(shape))
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
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
        let kept = SnapshotCache::at(&path);
        let files = [("a", b"1".to_vec()), ("hieradata/b.toml", vec![0, 255, 10])];
        let source = directory.path().join("source");
        for (path, bytes) in &files {
            fs::create_dir_all(source.join(path).parent().unwrap()).unwrap();
            fs::write(source.join(path), bytes).unwrap();
        }
        fs::create_dir_all(source.join("modules/a/files/t/empty")).unwrap();
        std::os::unix::fs::symlink("empty", source.join("modules/a/files/t/link")).unwrap();
        let snapshot = crate::repo::Directory::new(&source).snapshot().unwrap();
        let id = snapshot.commit().as_str();
        assert!(kept.get(id).is_none());
        kept.put(&snapshot).unwrap();
        let back = kept.get(id).unwrap();
        assert_eq!(back.get("hieradata/b.toml").unwrap().bytes()[..], files[1].1);
        assert_eq!(back.files().count(), 2);
        assert!(back.has_shape_of(&snapshot) && back.links_under("modules/a/files/t").count() == 1);
        assert!(kept.get("dir-0").is_none());
        // What one tenant has too much of is left out, and is still left out when it is read back.
        for number in 0..=2_000 {
            write(&source, &format!("hieradata/customers/acme/{number}.toml"), "");
        }
        write(&source, "hieradata/customers/birch.toml", &"#".repeat(8 * 1024 * 1024 + 1));
        let cut = crate::repo::Directory::new(&source).snapshot().unwrap();
        kept.put(&cut).unwrap();
        let back = kept.get(cut.commit().as_str()).unwrap();
        assert!(back.has_shape_of(&cut) && back.files().count() == cut.files().count());
        let parts = |snapshot: &Snapshot| {
            let parts = snapshot.refused_parts().map(|part| format!("{part:?}"));
            parts.collect::<Vec<_>>()
        };
        assert_eq!((parts(&back), parts(&back).len()), (parts(&cut), 1));
        for path in ["hieradata/customers/acme/7.toml", "hieradata/customers/birch.toml"] {
            assert!(back.get(path).unwrap().refusal().is_some(), "{path}");
            assert_eq!(back.get(path).unwrap().refusal(), cut.get(path).unwrap().refusal());
        }
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(bytes.len() / 2);
        fs::write(&path, bytes).unwrap();
        assert!(kept.get(cut.commit().as_str()).is_none());
    }

    fn write(source: &Path, path: &str, text: &str) {
        let path = source.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}
