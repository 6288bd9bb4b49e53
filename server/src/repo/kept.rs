//! The last good state of a followed directory, kept on disk: a directory has no history, and a server that starts while
//! it is broken must still have something to put in force.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::shape::Shape;
use super::{CommitId, File, Snapshot, directory};
use crate::regular;

const HEADER: &[u8] = b"holdfast snapshot 2\n";

/// The kind of what is a file; the others are those of a shape.
const FILE: &str = "file";

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
        let files = snapshot.files().map(|(path, file)| (FILE, &**path, &**file.bytes()));
        let shape = snapshot.0.shape.parts().map(|(kind, path, more)| (kind, path, more.as_bytes()));
        for (kind, path, content) in files.chain(shape) {
            for part in [kind.as_bytes(), path.as_bytes(), content] {
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
    let bytes = zstd::bulk::decompress(&regular::read(path, MOST as u64).ok()?, MOST).ok()?;
    let mut rest = bytes.strip_prefix(HEADER)?;
    let (mut files, mut shape) = (BTreeMap::new(), Shape::default());
    while !rest.is_empty() {
        let (kind, after) = part(rest)?;
        let (path, after) = part(after)?;
        let (content, after) = part(after)?;
        let (kind, path) = (std::str::from_utf8(kind).ok()?, std::str::from_utf8(path).ok()?);
        if kind == FILE {
            files.insert(Arc::from(path), File::new(content));
        } else {
            shape.take(kind, path, std::str::from_utf8(content).ok()?)?;
        }
        rest = after;
    }
    let commit: CommitId = shape.id(directory::commit_of(&files));
    Some(Snapshot::new(commit, None, files, Vec::new()).shaped(shape))
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
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(bytes.len() / 2);
        fs::write(&path, bytes).unwrap();
        assert!(kept.get(id).is_none());
    }
}
