//! Replaces a file as a whole: a new file is made beside the old one, finished and synced, then renamed over it.
//!
//! Owner, access control list, labels and mode have their final values before the name does. The temporary name cannot
//! be guessed, is in the same directory and is created exclusively. What a killed run left behind under such a name is
//! removed when its directory is next written to. If a rename cannot work (the file is a mount of its own, as in
//! containers), the content is written in place, and the caller is told.

use std::ffi::{OsStr, OsString};
use std::fs::{File, FileTimes};
use std::io::{self, Read, Seek as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use holdfast_catalog::count::counted;
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::explain::explained;
use super::extended::{Extended, remove_lists};
use super::machine::{Machine, READ};
use super::resolve::PathHandle;
use super::stat::{stat_at, stat_of};
use super::{Committed, Error, FileKind, Permissions, Result, Staged, Stat, tree, way};

const PREFIX: &str = ".holdfast-";

/// A complete new file that is not in its place yet.
pub(super) struct StagedFile<'a> {
    machine: &'a Machine,
    place: PathHandle,
    temporary: TemporaryFile,
    target: PathBuf,
    path: PathBuf,
    /// The open file: the name may have been taken over by another.
    file: File,
}

/// A temporary name, removed on drop.
struct TemporaryFile {
    dir: OwnedFd,
    name: OsString,
}

impl TemporaryFile {
    fn new(dir: BorrowedFd<'_>) -> io::Result<Self> {
        Ok(Self { dir: dir.try_clone_to_owned()?, name: temporary_name()? })
    }
}

/// A name that cannot be guessed, and that a later run removes.
pub(super) fn temporary_name() -> io::Result<OsString> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|e| io::Error::other(e.to_string()))?;
    Ok(format!("{PREFIX}{}", data_encoding::HEXLOWER.encode(&random)).into())
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // After a commit the name is already gone; after a failure there is nobody to tell.
        let _ = rustix::fs::unlinkat(&self.dir, &self.name, AtFlags::empty());
    }
}

/// Writes and syncs a new file beside `path`.
pub(super) fn stage<'a>(
    machine: &'a Machine,
    path: &Path,
    access: Permissions,
    content: &mut dyn Read,
) -> Result<StagedFile<'a>> {
    stage_at(machine, machine.place_to_write(path)?, path, access, &mut |file| {
        io::copy(content, file).map(drop)
    })
}

/// Writes and syncs a new file beside a place, with what `fill` writes into it.
fn stage_at<'a>(
    machine: &'a Machine,
    place: PathHandle,
    path: &Path,
    access: Permissions,
    fill: &mut dyn FnMut(&mut File) -> io::Result<()>,
) -> Result<StagedFile<'a>> {
    sweep(machine, &place, path)?;
    let failed = |source: io::Error| {
        let hint = space_left(&place.dir, &source);
        Error::io("writing", path, source).hint(|| hint)
    };
    let temporary = TemporaryFile::new(place.dir.as_fd()).map_err(failed)?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(&place.dir, &temporary.name, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|errno| failed(errno.into()))?;
    let mut file = File::from(fd);
    let access = without_legacy(&file, &place.dir, access, path)?;
    fill(&mut file).map_err(failed)?;
    give_owner(&file, access).map_err(|errno| failed(errno.into()))?;
    if let Some(kept) = extended(&place, path, owner(access.uid))? {
        kept.give(&file, access.mode, path)?;
    }
    rustix::fs::fchmod(&file, Mode::from_raw_mode(access.mode)).map_err(|errno| failed(errno.into()))?;
    rustix::fs::fsync(&file).map_err(|errno| failed(errno.into()))?;
    let outer = machine.outer(path).with_file_name(&temporary.name);
    Ok(StagedFile { machine, place, temporary, target: path.to_owned(), path: outer, file })
}

impl Staged for StagedFile<'_> {
    fn path(&self) -> &Path {
        &self.path
    }

    fn is_closed(&self) -> bool {
        let is_ours = stat_of(&self.file).is_ok_and(|stat| way::is_ours(&stat) && stat.mode & 0o022 == 0);
        is_ours && way::leads_where_root_says(&self.path)
    }

    fn take_extension(&mut self) -> Result<()> {
        let Some(extension) = self.target.extension() else { return Ok(()) };
        let mut name = self.temporary.name.clone();
        name.push(".");
        name.push(extension);
        let dir = &self.place.dir;
        rustix::fs::renameat(dir, &self.temporary.name, dir, &name)
            .map_err(|errno| Error::io("renaming the new content of", &self.target, errno))?;
        self.path.set_file_name(&name);
        self.temporary.name = name;
        Ok(())
    }

    fn is_there(&self) -> bool {
        self.has_the_name(&self.temporary.name).is_ok()
    }

    fn commit(self: Box<Self>) -> Result<Committed> {
        explained(self.machine, self.put())
    }
}

impl StagedFile<'_> {
    fn put(&self) -> Result<Committed> {
        let PathHandle { dir, name } = &self.place;
        self.has_the_name(&self.temporary.name)?;
        let done = match rustix::fs::renameat(dir, &self.temporary.name, dir, name) {
            Ok(()) => Committed::Whole,
            Err(Errno::BUSY | Errno::XDEV) => {
                self.in_place().map_err(|e| Error::io("writing in place", &self.target, e))?;
                Committed::InPlace
            }
            Err(errno) => return Err(Error::io("replacing", &self.target, errno)),
        };
        self.machine.changed(dir, &self.target)?;
        if done == Committed::Whole {
            // A rename takes whatever has the name by then.
            self.has_the_name(name)?;
        }
        Ok(done)
    }

    /// Refuses a name under which someone else put another file.
    fn has_the_name(&self, name: &OsStr) -> Result<()> {
        let failed = |errno: Errno| Error::io("replacing", &self.target, errno);
        let own = stat_of(&self.file).map_err(failed)?.id;
        match stat_at(self.place.dir.as_fd(), name) {
            Ok(stat) if stat.id == own => Ok(()),
            Ok(_) | Err(Errno::NOENT) => Err(Error::Swapped(self.target.clone())),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// Copies the finished file into one that cannot be replaced.
    fn in_place(&self) -> io::Result<()> {
        let PathHandle { dir, name } = &self.place;
        only_name_of_a_file(stat_at(dir.as_fd(), name)?)?;
        let mut from = &self.file;
        from.rewind()?;
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let mut to = File::from(rustix::fs::openat(dir, name, flags, Mode::empty())?);
        // The name may have been given to another file since, so the open one is checked before it is emptied.
        let old = stat_of(&to)?;
        only_name_of_a_file(old)?;
        let wanted = stat_of(from)?;
        if old.is_taken_by(wanted.uid) {
            give(&to, Permissions { mode: 0o600, uid: Some(wanted.uid), gid: Some(wanted.gid) })?;
            remove_lists(to.as_fd())?;
        }
        to.set_len(0)?;
        io::copy(&mut from, &mut to)?;
        give(&to, Permissions { mode: wanted.mode, uid: Some(wanted.uid), gid: Some(wanted.gid) })?;
        to.sync_all()
    }
}

/// Replaces a file with a copy of it that has this owner and mode: who could open the old one, or has done so, has no
/// access to the new one by that. `stat` is what was seen at the place.
pub(super) fn with_copy(
    machine: &Machine,
    place: PathHandle,
    path: &Path,
    stat: Stat,
    access: Permissions,
) -> Result<()> {
    let failed = |errno: Errno| Error::io("copying", path, errno);
    let old = rustix::fs::openat(&place.dir, &place.name, READ, Mode::empty()).map_err(failed)?;
    if stat_of(&old).map_err(failed)?.id != stat.id {
        return Err(failed(Errno::STALE));
    }
    let mut old = File::from(old);
    let staged = stage_at(machine, place, path, access, &mut |new| {
        io::copy(&mut old, new)?;
        let times = old.metadata()?;
        new.set_times(FileTimes::new().set_accessed(times.accessed()?).set_modified(times.modified()?))
    })?;
    staged.put().map(|_| ())
}

/// Refuses to write in place unless it is a regular file without another hard link, which would change with it.
fn only_name_of_a_file(stat: Stat) -> io::Result<()> {
    match (stat.kind, stat.links) {
        (FileKind::File, 0 | 1) => Ok(()),
        (FileKind::File, links) => Err(io::Error::other(format!(
            "it has {links} hard links, which would all change; remove the others"
        ))),
        _ => Err(Errno::BUSY.into()),
    }
}

/// Makes a symbolic link, which replaces an existing file or link.
pub(super) fn symlink(machine: &Machine, path: &Path, target: &Path, access: Permissions) -> Result<()> {
    let place = machine.place_to_write(path)?;
    sweep(machine, &place, path)?;
    let failed = |source: io::Error| Error::io("linking", path, source);
    let temporary = TemporaryFile::new(place.dir.as_fd()).map_err(failed)?;
    let link = || -> rustix::io::Result<()> {
        rustix::fs::symlinkat(target, &place.dir, &temporary.name)?;
        let (uid, gid) = (access.uid.map(Uid::from_raw), access.gid.map(Gid::from_raw));
        if uid.is_some() || gid.is_some() {
            rustix::fs::chownat(&place.dir, &temporary.name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
        }
        rustix::fs::renameat(&place.dir, &temporary.name, &place.dir, &place.name)
    };
    link().map_err(|errno| failed(errno.into()))?;
    machine.changed(&place.dir, path)
}

/// Gives an open file its owner, then its mode: a change of owner would clear the set-id bits.
pub(super) fn give(fd: impl rustix::fd::AsFd, access: Permissions) -> rustix::io::Result<()> {
    give_owner(&fd, access)?;
    rustix::fs::fchmod(&fd, Mode::from_raw_mode(access.mode))
}

fn give_owner(fd: impl rustix::fd::AsFd, access: Permissions) -> rustix::io::Result<()> {
    let stat = stat_of(&fd)?;
    let uid = access.uid.filter(|uid| *uid != stat.uid).map(Uid::from_raw);
    let gid = access.gid.filter(|gid| *gid != stat.gid).map(Gid::from_raw);
    if uid.is_some() || gid.is_some() { rustix::fs::fchown(&fd, uid, gid) } else { Ok(()) }
}

/// Who owns what is made for this user.
pub(super) fn owner(uid: Option<u32>) -> u32 {
    uid.unwrap_or_else(|| rustix::process::geteuid().as_raw())
}

/// Removes from something new, which nobody but its owner can use yet, what its directory gave to it, if that belongs to
/// a user other than root and the new owner: a list of access rights, and a group. Returns its permissions.
pub(super) fn without_legacy(
    new: impl rustix::fd::AsFd,
    dir: &OwnedFd,
    access: Permissions,
    path: &Path,
) -> Result<Permissions> {
    let dir = stat_of(dir).map_err(|errno| Error::io("looking at the directory of", path, errno))?;
    if !dir.is_taken_by(owner(access.uid)) {
        return Ok(access);
    }
    Extended::default().give(new, access.mode, path)?;
    let own = rustix::process::getegid().as_raw();
    Ok(Permissions { gid: access.gid.or(Some(own)), ..access })
}

/// What the present file has besides its content, owner and mode; nothing if it is taken from a user other than root,
/// who may have noted anything about it. `None` if there is none, and a new one gets what its directory gives to new
/// files.
fn extended(place: &PathHandle, path: &Path, owner: u32) -> Result<Option<Extended>> {
    match stat_at(place.dir.as_fd(), &place.name) {
        Ok(old) if old.kind == FileKind::File && old.is_taken_by(owner) => {
            return Ok(Some(Extended::default()));
        }
        Ok(old) if old.kind == FileKind::File => {}
        _ => return Ok(None),
    }
    match rustix::fs::openat(&place.dir, &place.name, READ, Mode::empty()) {
        Ok(old) => Extended::of(old, path).map(Some),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(Error::io("reading the extended attributes of", path, errno)),
    }
}

/// Removes what a killed run left in this directory, once in a run.
pub(super) fn sweep(machine: &Machine, place: &PathHandle, path: &Path) -> Result<()> {
    let failed = |errno: Errno| Error::io("listing the directory of", path, errno);
    if !machine.first_time(stat_of(&place.dir).map_err(failed)?.id) {
        return Ok(());
    }
    let dir = tree::open_dir(place.dir.as_fd(), OsStr::new(".")).map_err(failed)?;
    for name in tree::names(&dir) {
        let name = name.map_err(failed)?;
        if is_temporary(&name) {
            let _ = tree::remove(dir.as_fd(), &name, path);
        }
    }
    Ok(())
}

/// Whether a name is one of this module's, perhaps with an extension.
fn is_temporary(name: &OsStr) -> bool {
    let Some(rest) = name.as_bytes().strip_prefix(PREFIX.as_bytes()) else { return false };
    let random = rest.split(|b| *b == b'.').next().unwrap_or_default();
    random.len() == 16 && random.iter().all(u8::is_ascii_hexdigit)
}

impl Machine {
    /// Renames what is at `path`, whatever it is, within its directory; what had that name before is lost.
    ///
    /// # Errors
    /// Fails if it is still there.
    pub fn put_aside(&self, path: &Path, name: &str) -> Result<()> {
        let place = self.place_to_write(path)?;
        tree::remove(place.dir.as_fd(), OsStr::new(name), path)?;
        rustix::fs::renameat(&place.dir, &place.name, &place.dir, name)
            .map_err(|errno| Error::io("setting aside", path, errno))?;
        self.changed(&place.dir, path)
    }
}

/// The free space, if the file system is full.
pub(super) fn space_left(dir: &OwnedFd, error: &io::Error) -> String {
    if error.raw_os_error() != Some(Errno::NOSPC.raw_os_error()) {
        return String::new();
    }
    match rustix::fs::fstatvfs(dir) {
        Ok(left) if left.f_favail == 0 && left.f_files > 0 => {
            "; the file system has no inodes left".to_owned()
        }
        Ok(left) => {
            let bytes = counted(left.f_bavail * left.f_frsize, "byte", "bytes");
            format!("; the file system has {bytes} left")
        }
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_another_put_in_place_of_the_new_content_is_told_and_stays_out() {
        let dir = tempfile::tempdir().unwrap();
        let machine = Machine::open(dir.path()).unwrap();
        std::fs::write(dir.path().join("a"), "old").unwrap();
        let access = Permissions { mode: 0o644, uid: None, gid: None };
        let stage = || Box::new(stage(&machine, Path::new("/a"), access, &mut &b"new"[..]).unwrap());
        let link = |name: &OsStr| std::os::unix::fs::symlink("elsewhere", dir.path().join(name)).unwrap();
        for swap in [true, false] {
            let staged = stage();
            let name = staged.temporary.name.clone();
            std::fs::rename(dir.path().join(&name), dir.path().join("kept")).unwrap();
            if swap {
                link(&name);
            }
            let error = staged.commit().unwrap_err();
            assert!(matches!(&error, Error::Swapped(path) if path == Path::new("/a")), "{error}");
            assert_eq!(std::fs::read_to_string(dir.path().join("a")).unwrap(), "old");
        }
        // What happens after the first check is found by the second.
        let staged = stage();
        assert!(staged.has_the_name(&staged.temporary.name).is_ok());
        assert!(staged.has_the_name("a".as_ref()).is_err());
    }

    #[test]
    fn a_new_file_can_be_called_by_the_extension_and_is_swept_by_that_name_too() {
        let dir = tempfile::tempdir().unwrap();
        let machine = Machine::open(dir.path()).unwrap();
        let access = Permissions { mode: 0o644, uid: None, gid: None };
        let stage = |path: &str| stage(&machine, Path::new(path), access, &mut &b"new"[..]).unwrap();
        let mut staged = stage("/a.tar.conf");
        staged.take_extension().unwrap();
        assert_eq!(staged.path().extension(), Some(OsStr::new("conf")));
        assert!(is_temporary(staged.path().file_name().unwrap()) && staged.path().exists());
        assert!(staged.is_there());
        std::fs::remove_file(staged.path()).unwrap();
        assert!(!staged.is_there());

        let mut staged = Box::new(stage("/b.conf"));
        staged.take_extension().unwrap();
        let path = staged.path().to_owned();
        let _ = staged.commit().unwrap();
        assert!(dir.path().join("b.conf").exists() && !path.exists());
        let mut dropped = stage("/none");
        dropped.take_extension().unwrap();
        assert_eq!(dropped.path().extension(), None);
        assert!(!is_temporary(OsStr::new(".holdfast-0123456789abcdeg.conf")));
    }

    #[test]
    fn a_new_file_is_closed_where_only_root_can_touch_it_or_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let machine = Machine::open(dir.path()).unwrap();
        let is_closed = |mode: u32, uid: Option<u32>| {
            let access = Permissions { mode, uid, gid: None };
            stage(&machine, Path::new("/a"), access, &mut &b"new"[..]).unwrap().is_closed()
        };
        assert!(is_closed(0o644, None));
        assert!(!is_closed(0o664, None) && !is_closed(0o646, None));
        if crate::skip::is_root() {
            assert!(!is_closed(0o644, Some(65534)));
        }
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(!is_closed(0o644, None));
    }

    #[test]
    fn in_place_only_a_regular_file_with_one_name_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let machine = Machine::open(dir.path()).unwrap();
        let (file, other, fifo) = (dir.path().join("a"), dir.path().join("b"), dir.path().join("fifo"));
        std::fs::write(&file, "old and longer").unwrap();
        std::fs::hard_link(&file, &other).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
            .unwrap();
        let access = Permissions { mode: 0o644, uid: None, gid: None };
        let stage = |path| stage(&machine, Path::new(path), access, &mut &b"new"[..]).unwrap();

        let refused = stage("/a").in_place().unwrap_err().to_string();
        assert!(refused.contains("2 hard links"), "{refused}");
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "old and longer");
        assert!(stage("/fifo").in_place().is_err());

        std::fs::remove_file(&other).unwrap();
        stage("/a").in_place().unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
    }

    #[test]
    fn what_is_taken_from_a_user_loses_its_list_also_if_it_is_written_in_place() {
        use crate::system::{acl_for, read_attribute, set_attribute};
        const ACL: &str = "system.posix_acl_access";
        if !crate::skip::is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let machine = Machine::open(dir.path()).unwrap();
        let file = dir.path().join("a");
        let access = Permissions { mode: 0o664, uid: Some(0), gid: None };
        for (owner, list) in [(65534, None), (0, Some(()))] {
            std::fs::write(&file, "old").unwrap();
            std::os::unix::fs::chown(&file, Some(owner), None).unwrap();
            set_attribute(&file, ACL, &acl_for(65534));
            stage(&machine, Path::new("/a"), access, &mut &b"new"[..]).unwrap().in_place().unwrap();
            assert_eq!(read_attribute(&file, ACL).map(|_| ()), list, "of {owner}");
            let meta = std::fs::metadata(&file).unwrap();
            let is = std::os::unix::fs::MetadataExt::uid(&meta);
            assert_eq!((is, meta.permissions().mode() & 0o7777), (0, 0o664));
            assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
        }
    }
}
