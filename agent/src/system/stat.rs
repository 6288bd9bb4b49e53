//! What the kernel says of a file, in our own words.

use std::ffi::OsStr;

use rustix::fd::{AsFd, BorrowedFd};

use super::{FileKind, FileTimes, Stat};

/// The metadata of an open handle.
pub(super) fn stat_of(fd: impl AsFd) -> rustix::io::Result<Stat> {
    rustix::fs::fstat(fd).map(|stat| convert(&stat))
}

/// The metadata of a name in a directory; of a link, those of the link itself.
pub(super) fn stat_at(dir: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<Stat> {
    rustix::fs::statat(dir, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).map(|stat| convert(&stat))
}

#[allow(
    clippy::unnecessary_cast,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "the fields' types differ by platform"
)]
fn convert(stat: &rustix::fs::Stat) -> Stat {
    use rustix::fs::FileType;
    Stat {
        kind: match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => FileKind::File,
            FileType::Directory => FileKind::Directory,
            FileType::Symlink => FileKind::Symlink,
            _ => FileKind::Other,
        },
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        size: stat.st_size as u64,
        links: stat.st_nlink as u64,
        id: (stat.st_dev as u64, stat.st_ino as u64),
        times: FileTimes {
            accessed: stat.st_atime as i64,
            modified: stat.st_mtime as i64,
            changed: stat.st_ctime as i64,
            changed_nanos: stat.st_ctime_nsec as u32,
        },
    }
}
