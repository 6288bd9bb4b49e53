//! What keeps even root from changing a name in a directory: a file system that is mounted read-only, or an attribute.

use std::ffi::OsStr;
use std::path::Path;

use rustix::fd::AsFd as _;
use rustix::fs::{IFlags, Mode, OFlags, StatVfsMountFlags};

use super::resolve::PathHandle;

/// How a file is opened to read its attributes: it never waits for another process at the other end.
const LOOK: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The hint about a path on a file system that is mounted read-only.
pub(super) fn read_only(path: &Path) -> String {
    format!(
        "; the file system is mounted read-only (`findmnt --target {}`): mount it for writing, or look in `dmesg` for why the \
         kernel did that",
        path.display()
    )
}

/// Whether a directory is on a file system that is mounted read-only.
pub(super) fn is_read_only(place: &PathHandle) -> bool {
    let mount = rustix::fs::fstatvfs(&place.dir);
    mount.is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// The attribute that protects a file or its directory from changes, even by root.
pub(super) fn by_attribute(place: &PathHandle, path: &Path) -> Option<String> {
    let flags_of = |name: &OsStr| {
        let open = rustix::fs::openat(place.dir.as_fd(), name, LOOK, Mode::empty()).ok()?;
        rustix::fs::ioctl_getflags(&open).ok()
    };
    let word = |flags: IFlags| match flags {
        flags if flags.contains(IFlags::IMMUTABLE) => Some(("immutable", 'i')),
        flags if flags.contains(IFlags::APPEND) => Some(("append-only", 'a')),
        _ => None,
    };
    let own = flags_of(&place.name).and_then(word).map(|found| (found, path));
    let directory = || flags_of(".".as_ref()).and_then(word).zip(path.parent());
    let ((word, letter), path) = own.or_else(directory)?;
    let path = path.display();
    Some(format!(
        "; {path} has the attribute {word} (`lsattr -d {path}`), which keeps even root out: remove it with `chattr \
         -{letter} {path}`, or leave this to what set it"
    ))
}
