//! The operations that change the machine. Errors of the kernel are reported with their cause.

use std::io::Read;
use std::path::Path;
use std::sync::atomic::Ordering;

use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::{AtFlags, Mode};
use rustix::io::Errno;

use super::command::child;
use super::explain::{explained, of_a_new_file};
use super::machine::{Machine, READ};
use super::resolve::{HANDLE, Last, PathHandle};
use super::stat::{stat_at, stat_of};
use super::{
    Error, FileKind, Inspect as _, Invocation, Output, Permissions, Result, Staged, StagedTree, Stat, System,
    extended, replace, replace_tree, tree, way,
};

impl System for Machine {
    fn stage(
        &self,
        path: &Path,
        access: Permissions,
        content: &mut dyn Read,
    ) -> Result<Box<dyn Staged + '_>> {
        let staged = of_a_new_file(self, replace::stage(self, path, access, content));
        self.acted(staged.is_ok());
        staged.map(|staged| Box::new(staged) as Box<dyn Staged>)
    }

    fn stage_tree(
        &self,
        path: &Path,
        access: Permissions,
        owner: Option<u32>,
    ) -> Result<Box<dyn StagedTree + '_>> {
        let staged = of_a_new_file(self, replace_tree::stage(self, path, access, owner));
        self.acted(staged.is_ok());
        staged.map(|staged| Box::new(staged) as Box<dyn StagedTree>)
    }

    fn make_symlink(&self, path: &Path, target: &Path, access: Permissions) -> Result<()> {
        self.acted(true);
        explained(self, replace::symlink(self, path, target, access))
    }

    fn make_dir(&self, path: &Path, access: Permissions) -> Result<()> {
        self.acted(true);
        explained(self, make_dir(self, path, access))
    }

    fn set_mode(&self, path: &Path, mode: u32) -> Result<()> {
        self.acted(true);
        explained(self, set_mode(self, path, mode))
    }

    fn set_owner(&self, path: &Path, uid: Option<u32>, gid: Option<u32>, mode: Option<u32>) -> Result<()> {
        self.acted(true);
        explained(self, set_owner(self, path, (uid, gid), mode))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.acted(true);
        explained(self, remove(self, path))
    }

    fn remove_tree(&self, path: &Path) -> Result<()> {
        let Some(place) = self.place(path, Last::Keep)? else { return Ok(()) };
        self.enter_tree(path)?;
        self.acted(true);
        explained(self, tree::remove(place.dir.as_fd(), &place.name, path))?;
        self.changed(&place.dir, path)
    }

    fn run(&self, command: &Invocation) -> Result<Output> {
        self.only_live(command)?;
        self.enter_places_of(command)?;
        self.acted(true);
        let output = child::run(command, &*self.accounts()?, self.bounds());
        self.forget();
        output
    }

    fn acts(&self) -> u64 {
        self.acts.load(Ordering::Relaxed)
    }

    fn settle(&self) -> Result<()> {
        // What others did through this machine's services is also seen by the next look.
        self.forget();
        explained(self, self.sync_directories())
    }
}

impl Machine {
    /// Counts a change, or a possible one; if it is known that nothing changed, nothing is counted.
    fn acted(&self, may_have: bool) {
        self.acts.fetch_add(u64::from(may_have), Ordering::Relaxed);
    }
}

fn make_dir(machine: &Machine, path: &Path, access: Permissions) -> Result<()> {
    let failed = |errno: Errno| Error::io("making the directory", path, errno);
    let place = machine.place_to_write(path)?;
    let dir = tree::make_dir(place.dir.as_fd(), &place.name).map_err(failed)?;
    let access = replace::without_legacy(&dir, &place.dir, access, path)?;
    replace::give(&dir, access).map_err(failed)?;
    rustix::fs::fsync(&dir).map_err(failed)?;
    machine.changed(&place.dir, path)
}

fn set_mode(machine: &Machine, path: &Path, mode: u32) -> Result<()> {
    let failed = |errno: Errno| Error::io("setting the mode of", path, errno);
    let place = machine.place_to_write(path)?;
    let stat = stat_at(place.dir.as_fd(), &place.name).map_err(failed)?;
    refuse_planted_hard_link(&place, stat, path)?;
    match stat.kind {
        FileKind::Symlink => return Err(Error::NotAFile(path.to_owned())),
        FileKind::Other => {
            // A device or FIFO is not opened. The handle leads to this very one, whatever gets its name in the meantime.
            let handle =
                rustix::fs::openat(&place.dir, &place.name, HANDLE, Mode::empty()).map_err(failed)?;
            same_file(&handle, stat, path)?;
            let mode = Mode::from_raw_mode(mode);
            return rustix::fs::chmod(way::by_handle(handle.as_fd()), mode).map_err(failed);
        }
        FileKind::File | FileKind::Directory => {}
    }
    let fd = rustix::fs::openat(&place.dir, &place.name, READ, Mode::empty()).map_err(failed)?;
    same_file(&fd, stat, path)?;
    rustix::fs::fchmod(&fd, Mode::from_raw_mode(mode)).map_err(failed)?;
    rustix::fs::fsync(&fd).map_err(failed)
}

fn set_owner(
    machine: &Machine,
    path: &Path,
    (uid, gid): (Option<u32>, Option<u32>),
    mode: Option<u32>,
) -> Result<()> {
    let failed = |errno: Errno| Error::io("setting the owner of", path, errno);
    let place = machine.place_to_write(path)?;
    let fd = rustix::fs::openat(&place.dir, &place.name, HANDLE, Mode::empty()).map_err(failed)?;
    let stat = stat_of(&fd).map_err(failed)?;
    refuse_planted_hard_link(&place, stat, path)?;
    let is_taken = uid.is_some_and(|uid| stat.is_taken_by(uid));
    if is_taken && stat.kind == FileKind::File {
        let mode = mode.unwrap_or(without_set_id(stat.mode));
        let access = Permissions { mode, uid, gid: gid.or(Some(stat.gid)) };
        return replace::with_copy(machine, place, path, stat, access);
    }
    let (uid, gid) = (uid.map(rustix::fs::Uid::from_raw), gid.map(rustix::fs::Gid::from_raw));
    rustix::fs::chownat(&fd, "", uid, gid, AtFlags::EMPTY_PATH).map_err(failed)?;
    if is_taken && stat.kind != FileKind::Symlink {
        extended::remove_lists(fd.as_fd()).map_err(failed)?;
    }
    machine.changed(&place.dir, path)?;
    mode.map_or(Ok(()), |mode| set_mode(machine, path, mode))
}

/// The mode that the kernel leaves to a file with a change of owner. Without execution for the group, the second bit is
/// not that of a program.
fn without_set_id(mode: u32) -> u32 {
    let lost = if mode & 0o2010 == 0o2010 { 0o6000 } else { 0o4000 };
    mode & !lost
}

fn remove(machine: &Machine, path: &Path) -> Result<()> {
    let Some(place) = machine.place(path, Last::Keep)? else { return Ok(()) };
    let flags = match stat_at(place.dir.as_fd(), &place.name) {
        Ok(stat) if stat.kind == FileKind::Directory => AtFlags::REMOVEDIR,
        _ => AtFlags::empty(),
    };
    match rustix::fs::unlinkat(&place.dir, &place.name, flags) {
        Ok(()) => machine.changed(&place.dir, path),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
        Err(errno) => Err(Error::io("removing", path, errno)),
    }
}

/// Refuses a file with other hard links where others can create such names: it may be any file, and changing its owner
/// would give that file away.
fn refuse_planted_hard_link(place: &PathHandle, stat: Stat, path: &Path) -> Result<()> {
    if stat.kind == FileKind::Directory || stat.links < 2 {
        return Ok(());
    }
    let dir = stat_of(&place.dir).map_err(|errno| Error::io("looking at", path, errno))?;
    let ours = dir.uid == 0 || dir.uid == rustix::process::geteuid().as_raw();
    if ours && dir.mode & 0o022 == 0 {
        return Ok(());
    }
    Err(Error::PlantedHardLink { path: path.to_owned(), links: stat.links })
}

fn same_file(fd: &OwnedFd, stat: Stat, path: &Path) -> Result<()> {
    let now = stat_of(fd).map_err(|errno| Error::io("looking at", path, errno))?;
    if now.id == stat.id { Ok(()) } else { Err(Error::io("setting the mode of", path, Errno::STALE)) }
}
