//! Bounded reads below a root that is not trusted: no link leads out of it, and only regular files are opened.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};

/// The most bytes of a file that are read for facts.
const MAX_BYTES: u64 = 64 * 1024;

/// A root directory, and the running system behind it.
pub(super) struct Tree {
    root: OwnedFd,
}

impl Tree {
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { root: rustix::fs::openat(CWD, root, flags, Mode::empty())? })
    }

    fn open_at(&self, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        Ok(rustix::fs::openat2(&self.root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)?)
    }

    /// The text of a file below the root.
    pub(super) fn own(&self, path: &str) -> Option<String> {
        let fd = self.open_at(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY).ok()?;
        read_limited(fd.into()).ok()
    }

    /// The text of a file below the root or, if it is not there, of the running system.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        self.own(path).or_else(|| host(path))
    }

    /// The target of a link below the root.
    pub(super) fn link(&self, path: &str) -> Option<String> {
        let fd = self.open_at(path, OFlags::PATH | OFlags::NOFOLLOW).ok()?;
        rustix::fs::readlinkat(fd, "", Vec::new()).ok()?.into_string().ok()
    }

    /// The names in a directory below the root, sorted.
    pub(super) fn names(&self, path: &str) -> Vec<String> {
        let Ok(fd) = self.open_at(path, OFlags::RDONLY | OFlags::DIRECTORY) else { return Vec::new() };
        let Ok(entries) = rustix::fs::Dir::read_from(fd) else { return Vec::new() };
        let name = |entry: rustix::io::Result<rustix::fs::DirEntry>| {
            entry.ok()?.file_name().to_str().ok().map(str::to_owned)
        };
        let mut names: Vec<_> = entries.filter_map(name).filter(|name| !name.starts_with('.')).collect();
        names.sort();
        names
    }

    /// The text of an operator's file, which must not be writable by others.
    pub(super) fn operators(&self, path: &str) -> io::Result<String> {
        let fd = self.open_at(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
        if rustix::fs::fstat(&fd)?.st_mode & 0o022 != 0 {
            return Err(io::Error::other("users other than its owner can write it (chmod go-w)"));
        }
        read_limited(fd.into())
    }
}

fn read_limited(file: std::fs::File) -> io::Result<String> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = String::new();
    if file.take(MAX_BYTES + 1).read_to_string(&mut text)? as u64 > MAX_BYTES {
        return Err(io::Error::other(format!("it is larger than {MAX_BYTES} bytes")));
    }
    Ok(text)
}

/// The text of a file of the running system; only the beginning if it is long.
pub(super) fn host(path: impl Into<PathBuf>) -> Option<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path.into()).ok()?.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_below_the_root() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        std::fs::write(root.path().join("etc/hostname"), "inner\n").unwrap();
        std::os::unix::fs::symlink("/etc/hostname", root.path().join("a")).unwrap();
        std::os::unix::fs::symlink("../../../../../../etc/passwd", root.path().join("b")).unwrap();
        let tree = Tree::open(root.path()).unwrap();
        assert_eq!(tree.own("/a").unwrap(), "inner\n");
        assert!(tree.own("/b").is_none());
        assert_eq!(tree.link("/a").unwrap(), "/etc/hostname");
    }

    #[test]
    fn a_fifo_neither_blocks_nor_is_read() {
        let root = tempfile::tempdir().unwrap();
        let fifo = root.path().join("x");
        rustix::fs::mknodat(CWD, &fifo, rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert!(Tree::open(root.path()).unwrap().own("/x").is_none());
    }
}
