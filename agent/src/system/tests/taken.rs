//! What is taken from a user other than root: nothing by which that user had access stays.

use std::io::Write as _;

use super::*;

const DEFAULT_ACL: &str = "system.posix_acl_default";

/// A root with a directory `bob` of a user, which has a list for new members; `None` if that cannot be made here.
fn with_bob(set_group_id: bool) -> Option<(tempfile::TempDir, Machine)> {
    if !am_root() {
        return None;
    }
    let (dir, machine) = root();
    let bob = dir.path().join("bob");
    std::fs::create_dir(&bob).unwrap();
    chown(&bob, NOBODY);
    if set_group_id {
        std::fs::set_permissions(&bob, PermissionsExt::from_mode(0o2755)).unwrap();
    }
    let flags = rustix::fs::XattrFlags::empty();
    if rustix::fs::setxattr(&bob, DEFAULT_ACL, &acl_for(NOBODY), flags).is_err() {
        crate::skip::leave_out("the file system has no access control lists");
        return None;
    }
    Some((dir, machine))
}

fn owned(uid: u32, mode: u32) -> Permissions {
    Permissions { mode, uid: Some(uid), gid: None }
}

fn lists(path: &Path) -> [Option<Vec<u8>>; 2] {
    [ACL, DEFAULT_ACL].map(|name| read_attribute(path, name))
}

fn ids(path: &Path) -> (u32, u32, u32) {
    let meta = std::fs::metadata(path).unwrap();
    (meta.uid(), meta.gid(), meta.mode() & 0o7777)
}

#[test]
fn the_directory_of_a_user_passes_nothing_on_to_what_is_made_for_another() {
    let Some((dir, machine)) = with_bob(true) else { return };
    let at = |name: &str| dir.path().join("bob").join(name);
    let staged = machine.stage(Path::new("/bob/new"), owned(0, 0o640), &mut &b"secret"[..]).unwrap();
    assert_eq!(read_attribute(staged.path(), ACL), None, "nor before it has its name");
    let _ = staged.commit().unwrap();
    assert_eq!((lists(&at("new")), ids(&at("new"))), ([None, None], (0, 0, 0o640)));
    machine.make_dir(Path::new("/bob/dir"), owned(0, 0o750)).unwrap();
    let staged = machine.stage_tree(Path::new("/bob/tree"), owned(0, 0o700), Some(0)).unwrap();
    std::fs::create_dir(staged.path().join("inner")).unwrap();
    std::fs::write(staged.path().join("inner/file"), "").unwrap();
    staged.commit(Path::new("/inner")).unwrap();
    for name in ["dir", "tree", "tree/file"] {
        assert_eq!(lists(&at(name)), [None, None], "{name}");
        assert_eq!(ids(&at(name)).1, 0, "{name}");
    }
    // What belongs to the user is like all new files there, and so is everything in a directory of root.
    write_durably(&machine, Path::new("/bob/own"), owned(NOBODY, 0o640), b"x").unwrap();
    assert!(lists(&at("own"))[0].is_some());
    assert_eq!(ids(&at("own")).1, NOBODY);
    chown(&dir.path().join("bob"), 0);
    write_durably(&machine, Path::new("/bob/root"), owned(0, 0o640), b"x").unwrap();
    assert!(lists(&at("root"))[0].is_some());
}

#[test]
fn a_replaced_file_keeps_no_list_and_no_note_of_another_user() {
    let Some((dir, machine)) = with_bob(false) else { return };
    let path = dir.path().join("a");
    for (old, new, keeps) in [(NOBODY, 0, false), (NOBODY, 1, false), (NOBODY, NOBODY, true), (0, 1, true)] {
        std::fs::write(&path, "old").unwrap();
        chown(&path, old);
        set_attribute(&path, ACL, &acl_for(NOBODY));
        set_attribute(&path, "user.note", b"theirs");
        write_durably(&machine, Path::new("/a"), owned(new, 0o664), b"new").unwrap();
        assert_eq!(lists(&path)[0].is_some(), keeps, "{old} to {new}");
        assert_eq!(read_attribute(&path, "user.note").is_some(), keeps, "{old} to {new}");
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_file_that_gets_another_owner_is_not_written_by_who_had_it_open() {
    let Some((dir, machine)) = with_bob(false) else { return };
    let (path, name) = (dir.path().join("a"), Path::new("/a"));
    let modified = std::time::SystemTime::now() - Duration::from_secs(100_000);
    for (old, new, is_made_anew) in [(NOBODY, 0, true), (NOBODY, 1, true), (0, NOBODY, false)] {
        std::fs::write(&path, "content").unwrap();
        chown(&path, old);
        set_attribute(&path, ACL, &acl_for(NOBODY));
        let mut open = File::options().read(true).write(true).open(&path).unwrap();
        open.set_modified(modified).unwrap();
        machine.set_owner(name, Some(new), None, Some(0o640)).unwrap();
        assert_eq!(ids(&path), (new, old, 0o640), "the group is not changed");
        assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), modified);
        open.write_all(b"evil...").unwrap();
        let content = std::fs::read_to_string(&path).unwrap();
        assert_eq!(content == "content", is_made_anew, "{old} to {new}: {content}");
        assert_eq!(lists(&path)[0].is_none(), is_made_anew, "{old} to {new}");
        std::fs::remove_file(&path).unwrap();
    }
    // A group alone takes nothing from anybody.
    std::fs::write(&path, "content").unwrap();
    chown(&path, NOBODY);
    let before = std::fs::metadata(&path).unwrap().ino();
    machine.set_owner(name, None, Some(1), None).unwrap();
    machine.set_owner(name, Some(NOBODY), Some(2), None).unwrap();
    assert_eq!((std::fs::metadata(&path).unwrap().ino(), ids(&path).1), (before, 2));
    let names = machine.list(Path::new("/")).unwrap();
    assert_eq!(names, ["a", "bob"], "nothing is left behind");
}

#[test]
fn a_directory_and_a_fifo_lose_their_lists_with_their_owner() {
    let Some((dir, machine)) = with_bob(false) else { return };
    let bob = dir.path().join("bob");
    set_attribute(&bob, ACL, &acl_for(NOBODY));
    machine.set_owner(Path::new("/bob"), Some(NOBODY), Some(0), None).unwrap();
    assert!(lists(&bob).iter().all(Option::is_some), "the owner stays");
    machine.set_owner(Path::new("/bob"), Some(0), None, Some(0o770)).unwrap();
    assert_eq!((lists(&bob), ids(&bob)), ([None, None], (0, 0, 0o770)));
    set_attribute(&bob, ACL, &acl_for(NOBODY));
    machine.set_owner(Path::new("/bob"), Some(NOBODY), None, None).unwrap();
    assert!(lists(&bob)[0].is_some(), "root's own list is kept");

    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .unwrap();
    chown(&fifo, NOBODY);
    set_attribute(&fifo, ACL, &acl_for(NOBODY));
    machine.set_owner(Path::new("/fifo"), Some(0), None, Some(0o640)).unwrap();
    assert_eq!((lists(&fifo), ids(&fifo)), ([None, None], (0, NOBODY, 0o640)));
}

#[test]
fn a_directory_that_is_replaced_keeps_no_list_of_another_user() {
    let Some((dir, machine)) = with_bob(false) else { return };
    for (owner, keeps) in [(0, false), (1, false), (NOBODY, true)] {
        let app = dir.path().join("app");
        std::fs::create_dir(&app).unwrap();
        chown(&app, NOBODY);
        [ACL, DEFAULT_ACL].iter().for_each(|name| set_attribute(&app, name, &acl_for(NOBODY)));
        // It belongs to root while it is filled.
        let staged = machine.stage_tree(Path::new("/app"), access(0o700), Some(owner)).unwrap();
        std::fs::write(staged.path().join("file"), "").unwrap();
        assert_eq!(read_attribute(&staged.path().join("file"), ACL).is_some(), keeps, "{owner}");
        staged.commit(Path::new("/")).unwrap();
        assert!(lists(&app).iter().all(|list| list.is_some() == keeps), "{owner}");
        machine.remove_tree(Path::new("/app")).unwrap();
    }
}
