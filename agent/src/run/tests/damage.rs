//! The agent's own state, damaged in every way: nothing hangs, each damage is reported by every command that looks, and
//! the run after that finds everything in order.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use super::*;
use crate::doctor;

type Spoil = fn(&Path);

fn gone(path: &Path) {
    let _ = std::fs::remove_file(path);
    let _ = std::fs::remove_dir_all(path);
}

fn emptied(path: &Path) {
    std::fs::write(path, "").unwrap();
}

fn cut(path: &Path) {
    let whole = std::fs::read(path).unwrap_or_else(|_| b"{\"version\":".to_vec());
    std::fs::write(path, &whole[..whole.len() / 2]).unwrap();
}

fn garbage(path: &Path) {
    std::fs::write(path, b"\x1b[2J{]\xff").unwrap();
}

fn other(path: &Path) {
    std::fs::write(path, "{\"version\": 99, \"what\": []}\n").unwrap();
}

fn directory(path: &Path) {
    gone(path);
    std::fs::create_dir_all(path.join("inside")).unwrap();
}

fn file(path: &Path) {
    gone(path);
    std::fs::write(path, "x").unwrap();
}

fn fifo(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    gone(path);
    mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap();
}

fn link(path: &Path) {
    gone(path);
    symlink("/nowhere", path).unwrap();
}

fn open(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

const CONTENTS: [Spoil; 4] = [emptied, cut, garbage, other];
const KINDS: [Spoil; 3] = [directory, fifo, link];

/// What status, doctor and the run report about it; `""` if it counts as missing and nobody needs to know.
type Said = [&'static str; 3];

/// A file, what is reported if its content is damaged, and what if it is of another kind.
const FILES: [(&str, Said, Said); 13] = [
    ("status.json", ["status.json is damaged"; 3], ["status.json is", "status.json is", "status.json was"]),
    ("lock", [""; 3], ["/lock is", "/lock is", "/lock was"]),
    ("daemon", [""; 3], ["/daemon is", "/daemon is", "/daemon was"]),
    ("cache/key", ["", DAMAGED, DAMAGED], ["cache/key is", "cache/key is", "cache/key was"]),
    (
        "cache/catalog.sealed",
        ["", DAMAGED, DAMAGED],
        ["catalog.sealed is", "catalog.sealed is", "catalog.sealed was"],
    ),
    ("cache/confirmed.json", [""; 3], ["confirmed.json is", "confirmed.json is", "confirmed.json was"]),
    ("memory/left.key", ["left.key cannot", "left.key cannot", "left.key in"], KIND_OF_KEY),
    ("memory/left.json", ["left.json cannot", "left.json cannot", "left.json in"], KIND_OF_LEFT),
    ("memory/owed.json", ["owed.json cannot", "owed.json cannot", "owed.json in"], KIND_OF_OWED),
    ("memory/holds.json", ["holds.json cannot", "holds.json cannot", "holds.json in"], KIND_OF_HOLDS),
    ("memory/unended", ["unended cannot", "unended cannot", "an earlier run did not end"], KIND_OF_MARK),
    ("memory/newest", [""; 3], ["newest is", "newest is", "newest was"]),
    ("owner.json", ["owner.json"; 3], ["owner.json"; 3]),
];

const DAMAGED: &str = "cached catalog is damaged";
const KIND_OF_KEY: Said = ["left.key is", "left.key is", "left.key was"];
const KIND_OF_LEFT: Said = ["left.json is", "left.json is", "left.json was"];
const KIND_OF_OWED: Said = ["owed.json is", "owed.json is", "owed.json was"];

const KIND_OF_HOLDS: Said = ["holds.json is", "holds.json is", "holds.json was"];
const KIND_OF_MARK: Said = ["unended is", "unended is", "unended was"];

/// A machine that was enrolled and is in order.
pub(super) fn settled() -> Scene {
    let scene = scene();
    scene.enroll();
    scene.serves(catalog(1, "hello\n"));
    assert_eq!(scene.run().report.counts.changed, 1);
    scene
}

fn tried(scene: &Scene, name: &str, case: usize, said: Said) {
    let [by_status, by_doctor, by_run] = said;
    let place = scene.place.state_dir.join(name);
    let row = format!("{name}, {case}");
    let status = crate::cli::status_of(&scene.place).unwrap();
    assert!(status.contains(by_status) && !status.contains('\u{1b}'), "{row}: {status}");
    let found = doctor::examine(&scene.place);
    let words: Vec<_> = found.iter().map(|finding| &*finding.words).collect();
    assert!(words.iter().any(|words| words.contains(by_doctor)), "{row}: {words:#?}");
    std::fs::write(scene.root.path().join("greeting"), "by hand").unwrap();
    let done = scene.run();
    assert_eq!((done.report.counts.failed, &*scene.greeting()), (0, "hello\n"), "{row}");
    let note = done.report.error.unwrap_or_default();
    assert!(note.contains(by_run) && by_run.is_empty() == note.is_empty(), "{row}: {note}");
    let next = scene.run().report;
    assert_eq!((next.error, next.counts.unchanged), (None, 1), "{row}");
    assert!(place.symlink_metadata().map_or(true, |found| !found.is_symlink()), "{row}");
    let status = crate::cli::status_of(&scene.place).unwrap();
    assert!(!status.contains(".unreadable") && !status.contains("damaged"), "{row}: {status}");
}

#[test]
fn f20_damaged_files_of_the_state_are_told_by_status_doctor_and_the_run_which_has_them_again() {
    for (name, damaged, of_another_kind) in FILES {
        let scene = settled();
        let all = CONTENTS.iter().map(|spoil| (spoil, damaged));
        let all = all.chain(KINDS.iter().map(|spoil| (spoil, of_another_kind)));
        for (case, (spoil, said)) in all.enumerate() {
            spoil(&scene.place.state_dir.join(name));
            tried(&scene, name, case, said);
        }
    }
}

#[test]
fn f20_directories_of_the_state_that_are_something_else_or_open_are_put_right_and_said() {
    for name in ["cache", "content", "memory", "spool", "spool/failed"] {
        let scene = settled();
        for (case, spoil) in [file, fifo, link, open].into_iter().enumerate() {
            let place = scene.place.state_dir.join(name);
            spoil(&place);
            let (is, was): (String, String) = match case {
                3 => (format!("/{name} (mode 0755"), format!("/{name} was open to other users (mode 0755")),
                _ => (format!("/{name} is a"), format!("/{name} was a")),
            };
            tried(&scene, name, case, [is.leak(), is_of(&place, case), was.leak()]);
            assert_eq!(place.metadata().unwrap().permissions().mode() & 0o777, 0o700, "{name}, {case}");
        }
    }
}

/// What doctor reports about a directory.
fn is_of(place: &Path, case: usize) -> &'static str {
    let how = if case == 3 { " (mode 0755" } else { " is a" };
    format!("{}{how}", place.display()).leak()
}

/// Everything below a directory, with the content of files.
fn tree(at: &Path) -> std::collections::BTreeMap<std::path::PathBuf, Option<Vec<u8>>> {
    let mut all = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(at).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(tree(&path));
        }
        let bytes = std::fs::read(&path).ok();
        all.insert(path, bytes);
    }
    all
}

#[test]
fn who_looks_changes_nothing_of_the_state() {
    let looks = |scene: &Scene| {
        let before = tree(&scene.place.state_dir);
        crate::cli::status_of(&scene.place).unwrap();
        assert!(!doctor::examine(&scene.place).is_empty());
        assert_eq!(tree(&scene.place.state_dir), before);
    };
    let scene = scene();
    scene.enroll();
    looks(&scene);
    let scene = settled();
    looks(&scene);
    // Then the name is taken from the cached catalog.
    for name in ["identity/identity.json", "cache/catalog.sealed"] {
        garbage(&scene.place.state_dir.join(name));
        looks(&scene);
    }
}

#[test]
fn f20_an_identity_of_another_kind_is_damaged_and_a_new_enrolment_is_its_cure() {
    let cases: [(&str, [Spoil; 3]); 2] =
        [("identity", [file, fifo, link]), ("identity/identity.json", [directory, fifo, link])];
    for (name, spoils) in cases {
        for spoil in spoils {
            let scene = settled();
            spoil(&scene.place.state_dir.join(name));
            let status = crate::cli::status_of(&scene.place).unwrap();
            for words in ["node         web1.acme.example", "is damaged", "`holdfast-agent enroll`"] {
                assert!(status.contains(words), "{name}: {words} in {status}");
            }
            let said = scene.run().report.error.unwrap();
            assert!(said.contains("is damaged") && said.contains("`holdfast-agent enroll`"), "{said}");
            scene.enroll();
            scene.serves(catalog(1, "hello\n"));
            assert_eq!(scene.run().report.error, None, "{name}");
        }
    }
}
