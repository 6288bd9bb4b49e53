//! Replaces a directory as a whole: a new one is made beside the old one, filled by others, then exchanged with it by
//! one rename.
//!
//! It is accessed through an open handle. A user who can write the directory around it may rename it and put a link in
//! its place, and gains nothing. What a killed run left is removed when that directory is next written to.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::RenameFlags;
use rustix::io::Errno;

use super::extended::Extended;
use super::machine::Machine;
use super::resolve::PathHandle;
use super::stat::{stat_at, stat_of};
use super::{Error, FileKind, Permissions, Result, StagedTree, System, replace, tree, way};

/// A directory that is not in its place yet.
pub(super) struct Staged<'a> {
    machine: &'a Machine,
    place: PathHandle,
    temporary: TemporaryTree,
    target: PathBuf,
    path: PathBuf,
    inside: Machine,
    /// What the old directory has besides its members.
    kept: Option<Extended>,
}

/// A temporary name, removed with everything in it on drop.
struct TemporaryTree {
    dir: OwnedFd,
    name: OsString,
}

impl TemporaryTree {
    fn remove(&self, shown: &Path) -> Result<()> {
        tree::remove(self.dir.as_fd(), &self.name, shown)
    }
}

impl Drop for TemporaryTree {
    fn drop(&mut self) {
        // After a commit the name is already gone; after a failure there is nobody to tell.
        let _ = self.remove(Path::new(&self.name));
    }
}

/// Makes an empty directory beside `path`.
pub(super) fn stage<'a>(
    machine: &'a Machine,
    path: &Path,
    access: Permissions,
    owner: Option<u32>,
) -> Result<Staged<'a>> {
    let place = machine.place_to_write(path)?;
    replace::sweep(machine, &place, path)?;
    let failed = |errno: Errno| {
        let hint = replace::space_left(&place.dir, &errno.into());
        Error::io("making a directory beside", path, errno).hint(|| hint)
    };
    let name = replace::temporary_name().map_err(|e| Error::io("making a directory beside", path, e))?;
    let dir = place.dir.try_clone().map_err(|e| Error::io("opening the directory of", path, e))?;
    let fd = tree::make_dir(place.dir.as_fd(), &name).map_err(failed)?;
    let temporary = TemporaryTree { dir, name };
    let access = replace::without_legacy(&fd, &place.dir, Permissions { mode: 0o700, ..access }, path)?;
    replace::give(&fd, access).map_err(failed)?;
    let kept = extended(&place, path, replace::owner(owner))?;
    if let Some(kept) = &kept {
        // Before it gets its mode, whose group bits may be the mask of a list.
        kept.give(&fd, 0o700, path)?;
    }
    let outer = way::by_handle(fd.as_fd());
    let inside = Machine::inside(fd, outer.clone());
    Ok(Staged { machine, place, temporary, target: path.to_owned(), path: outer, inside, kept })
}

/// What the present directory has besides its members and mode; nothing if it is taken from a user other than root.
/// `None` if there is none.
fn extended(place: &PathHandle, path: &Path, owner: u32) -> Result<Option<Extended>> {
    match stat_at(place.dir.as_fd(), &place.name) {
        Ok(old) if old.kind == FileKind::Directory && old.is_taken_by(owner) => {
            return Ok(Some(Extended::default()));
        }
        Ok(old) if old.kind == FileKind::Directory => {}
        _ => return Ok(None),
    }
    let failed = |errno| Error::io("looking into", path, errno);
    let old = tree::open_dir(place.dir.as_fd(), &place.name).map_err(failed)?;
    Extended::of(old, path).map(Some)
}

impl StagedTree for Staged<'_> {
    fn inside(&self) -> &dyn System {
        &self.inside
    }

    fn path(&self) -> &Path {
        &self.path
    }

    fn commit(self: Box<Self>, inner: &Path) -> Result<()> {
        let failed = |errno: Errno| Error::io("replacing", &self.target, errno).hint(|| in_use(errno));
        let from = if inner == Path::new("/") {
            let dir = self.temporary.dir.try_clone().map_err(|e| Error::io("replacing", &self.target, e))?;
            PathHandle { dir: dir.into(), name: self.temporary.name.clone() }
        } else {
            self.inside.place_to_write(inner)?
        };
        if stat_at(from.dir.as_fd(), &from.name).map_err(failed)?.kind != FileKind::Directory {
            return Err(failed(Errno::NOTDIR));
        }
        let open = tree::open_dir(from.dir.as_fd(), &from.name).map_err(failed)?;
        if let (Some(kept), true) = (&self.kept, inner != Path::new("/")) {
            kept.give(&open, stat_of(&open).map_err(failed)?.mode, &self.target)?;
        }
        rustix::fs::syncfs(&open).map_err(failed)?;
        exchange(&from, &self.place).map_err(failed)?;
        self.machine.changed(&self.place.dir, &self.target)?;
        self.temporary.remove(&self.target.with_file_name(&self.temporary.name))
    }
}

/// Puts `new` in the place of `old`, and `old`, if it exists, in the place of `new`.
fn exchange(new: &PathHandle, old: &PathHandle) -> rustix::io::Result<()> {
    let rename = |flags| rustix::fs::renameat_with(&new.dir, &new.name, &old.dir, &old.name, flags);
    match rename(RenameFlags::EXCHANGE) {
        Err(Errno::NOENT) => rename(RenameFlags::NOREPLACE),
        // Some file systems cannot exchange: for a moment, nothing is there.
        Err(Errno::INVAL | Errno::NOSYS) => one_by_one(new, old),
        done => done,
    }
}

fn one_by_one(new: &PathHandle, old: &PathHandle) -> rustix::io::Result<()> {
    let aside = replace::temporary_name().map_err(|_| Errno::IO)?;
    let rename =
        |from: &PathHandle, to: (&OwnedFd, &OsStr)| rustix::fs::renameat(&from.dir, &from.name, to.0, to.1);
    match rename(old, (&old.dir, &aside)) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno),
    }
    let moved = rename(new, (&old.dir, &old.name));
    // The old one goes to the new one's place, or back; if there was none, there is nothing to move.
    let back = if moved.is_ok() { (&new.dir, &*new.name) } else { (&old.dir, &*old.name) };
    match rustix::fs::renameat(&old.dir, &aside, back.0, back.1) {
        Ok(()) | Err(Errno::NOENT) => moved,
        Err(errno) => moved.and(Err(errno)),
    }
}

fn in_use(errno: Errno) -> String {
    match errno {
        Errno::BUSY | Errno::XDEV => "; something is mounted there: unmount it first".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::system::Inspect as _;

    const OPEN: Permissions = Permissions { mode: 0o755, uid: None, gid: None };

    fn root() -> (tempfile::TempDir, Machine) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("srv/app")).unwrap();
        std::fs::write(dir.path().join("srv/app/old"), "old").unwrap();
        let machine = Machine::open(dir.path()).unwrap();
        (dir, machine)
    }

    #[test]
    fn a_replaced_directory_keeps_its_access_control_list() {
        use crate::system::{acl_for, read_attribute, set_attribute};
        const LISTS: [&str; 2] = ["system.posix_acl_access", "system.posix_acl_default"];
        if !crate::skip::is_root() {
            return;
        }
        for inner in ["/", "/deep"] {
            let (dir, machine) = root();
            let app = dir.path().join("srv/app");
            let lists = || LISTS.map(|name| read_attribute(&app, name));
            LISTS.iter().for_each(|name| set_attribute(&app, name, &acl_for(65534)));
            let before = lists();
            let mode = || std::fs::metadata(&app).unwrap().permissions().mode() & 0o777;
            let kept = mode();
            assert_eq!(kept, 0o660, "the mask shows as the group's right");
            let staged = stage(&machine, Path::new("/srv/app"), OPEN, None).unwrap();
            if inner == "/deep" {
                staged.inside().make_dir(Path::new(inner), OPEN).unwrap();
            }
            staged.inside().set_mode(Path::new(inner), kept).unwrap();
            Box::new(staged).commit(Path::new(inner)).unwrap();
            assert_eq!((lists(), mode()), (before, kept), "{inner}");
        }
        // A directory without a list inherits none from the directory around it.
        let (dir, machine) = root();
        set_attribute(&dir.path().join("srv"), LISTS[1], &acl_for(65534));
        let staged = stage(&machine, Path::new("/srv/app"), OPEN, None).unwrap();
        staged.inside().set_mode(Path::new("/"), 0o770).unwrap();
        Box::new(staged).commit(Path::new("/")).unwrap();
        assert_eq!(LISTS.map(|name| read_attribute(&dir.path().join("srv/app"), name)), [None, None]);
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_directory_is_replaced_whole_and_the_old_one_is_gone() {
        let (dir, machine) = root();
        let staged = machine.stage_tree(Path::new("/srv/app"), OPEN, None).unwrap();
        assert_eq!(std::fs::metadata(staged.path()).unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::write(staged.path().join("new"), "new").unwrap();
        assert_eq!(names(&dir.path().join("srv/app")), ["old"]);
        staged.commit(Path::new("/")).unwrap();
        assert_eq!(names(&dir.path().join("srv/app")), ["new"]);
        assert_eq!(names(&dir.path().join("srv")), ["app"]);
    }

    #[test]
    fn a_part_of_it_can_take_the_place_and_the_rest_is_dropped() {
        let (dir, machine) = root();
        for target in ["app", "other"] {
            let staged = machine.stage_tree(&Path::new("/srv").join(target), OPEN, None).unwrap();
            std::fs::create_dir_all(staged.path().join("app-1.0/bin")).unwrap();
            std::fs::write(staged.path().join("README"), "").unwrap();
            staged.commit(Path::new("/app-1.0")).unwrap();
            assert_eq!(names(&dir.path().join("srv").join(target)), ["bin"]);
        }
        assert_eq!(names(&dir.path().join("srv")), ["app", "other"]);
    }

    #[test]
    fn dropped_or_killed_it_leaves_no_trace() {
        let (dir, machine) = root();
        let left = dir.path().join("srv/.holdfast-0123456789abcdef/deep");
        std::fs::create_dir_all(&left).unwrap();
        let staged = machine.stage_tree(Path::new("/srv/app"), OPEN, None).unwrap();
        std::fs::create_dir(staged.path().join("x")).unwrap();
        drop(staged);
        assert_eq!(names(&dir.path().join("srv")), ["app"]);
        assert_eq!(names(&dir.path().join("srv/app")), ["old"]);
    }

    #[test]
    fn a_link_in_its_place_leads_nobody_astray() {
        let (dir, machine) = root();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        let staged = machine.stage_tree(Path::new("/srv/app"), OPEN, None).unwrap();
        let temporary = names(&dir.path().join("srv")).into_iter().find(|n| n.starts_with('.')).unwrap();
        let temporary = dir.path().join("srv").join(temporary);
        std::fs::rename(&temporary, dir.path().join("srv/moved")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("etc"), &temporary).unwrap();
        std::fs::write(staged.path().join("x"), "").unwrap();
        staged.inside().make_dir(Path::new("/y"), OPEN).unwrap();
        assert!(staged.commit(Path::new("/")).is_err(), "what is there is no directory");
        assert!(names(&dir.path().join("etc")).is_empty());
        assert_eq!(names(&dir.path().join("srv/moved")), ["x", "y"]);
    }

    #[test]
    fn where_nothing_can_be_exchanged_it_takes_two_steps() {
        let (dir, machine) = root();
        std::fs::create_dir(dir.path().join("srv/new")).unwrap();
        let place = |name: &str| machine.place_to_write(&Path::new("/srv").join(name)).unwrap();
        one_by_one(&place("new"), &place("app")).unwrap();
        assert_eq!(names(&dir.path().join("srv/new")), ["old"]);
        assert!(one_by_one(&place("missing"), &place("new")).is_err());
        assert_eq!(names(&dir.path().join("srv")), ["app", "new"]);
        assert_eq!(machine.list(Path::new("/srv/new")).unwrap(), ["old"], "the old one is back");
    }
}
