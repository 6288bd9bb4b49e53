//! Members of a directory that must not be passed over, whatever their names are and whatever they are.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, chown};

use rustix::fs::FileType;

use super::*;

/// A path whose last part ends with a byte that is not UTF-8.
fn odd(bench: &Bench, path: &str) -> std::path::PathBuf {
    bench.dir().join(OsStr::from_bytes(&[path.as_bytes(), b"\xff"].concat()))
}

fn bits(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn recursive(bench: &mut Bench, more: &[(&str, Value)]) {
    let all = [("ensure", Value::from("directory")), ("recurse", true.into())];
    bench.add("file", "/t", &attributes(&[&all[..], more].concat()));
}

/// A directory with members whose names are not UTF-8, and one whose name only looks like the one that is shown.
fn with_odd_names(bench: &Bench) {
    std::fs::create_dir_all(odd(bench, "t/d")).unwrap();
    for path in [odd(bench, "t/x"), odd(bench, "t/d").join("in"), bench.dir().join(r"t/x\xff")] {
        std::fs::write(path, "x").unwrap();
    }
}

#[test]
fn a_name_that_is_not_utf_8_keeps_nothing_from_being_corrected() {
    let mut bench = Bench::directory();
    with_odd_names(&bench);
    let (x, inside) = (odd(&bench, "t/x"), odd(&bench, "t/d").join("in"));
    for path in [&x, &inside] {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o4777)).unwrap();
    }
    let is_root = crate::skip::is_root();
    let mut sides = vec![("mode", Value::from("0644"))];
    if is_root {
        sides.push(("owner", "1".into()));
    }
    recursive(&mut bench, &sides);
    let told = told(&bench.run(Mode::Enforce).events);
    for line in [r"x\xff mode Changed", r"d\xff/in mode Changed"] {
        assert!(told.iter().any(|told| told == line), "{told:?}");
    }
    assert_eq!((bits(&x), bits(&inside)), (0o644, 0o644));
    if is_root {
        for path in [&x, &odd(&bench, "t/d"), &inside, &bench.dir().join(r"t/x\xff")] {
            assert_eq!(std::fs::metadata(path).unwrap().uid(), 1, "{}", path.display());
        }
    }
    assert_eq!(bench.run(Mode::Enforce).events, []);
}

#[test]
fn a_purge_removes_what_has_a_name_that_is_not_utf_8() {
    let mut bench = Bench::directory();
    with_odd_names(&bench);
    let purge = [("ensure", "directory".into()), ("purge", true.into()), ("force", true.into())];
    bench.add("file", "/t", &purge.into());
    bench.file(r"/t/x\xff", "x");
    assert_eq!(told(&bench.run(Mode::Enforce).events), [r"d\xff purge Changed", r"x\xff purge Changed"]);
    let left = std::fs::read_dir(bench.dir().join("t")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(left.collect::<Vec<_>>(), [OsStr::new(r"x\xff")], "what the catalog has only looks like it");
    assert_eq!(bench.run(Mode::Enforce).events, []);
}

#[test]
fn what_is_to_be_ignored_may_have_any_name() {
    let mut bench = Bench::directory();
    with_odd_names(&bench);
    recursive(&mut bench, &[("mode", "0600".into()), ("ignore", vec![Value::from("d*")].into())]);
    let inside = odd(&bench, "t/d").join("in");
    let before = bits(&inside);
    bench.run(Mode::Enforce);
    assert_eq!((bits(&odd(&bench, "t/x")), bits(&inside)), (0o600, before));
}

#[test]
fn what_others_say_of_all_below_a_directory_holds_for_such_names_too() {
    let mut bench = Bench::directory();
    std::fs::create_dir_all(bench.dir().join("t/own")).unwrap();
    std::fs::write(odd(&bench, "t/own/x"), "").unwrap();
    recursive(&mut bench, &[("mode", "0644".into())]);
    let own = [("ensure", "directory".into()), ("recurse", true.into()), ("mode", "0600".into())];
    bench.add("file", "/t/own", &own.into());
    bench.run(Mode::Enforce);
    assert_eq!(bits(&odd(&bench, "t/own/x")), 0o600);
    assert_eq!(bench.run(Mode::Enforce).events, [], "neither undoes the other");
}

#[test]
fn fifos_sockets_and_devices_have_owner_group_and_mode_too() {
    let mut bench = Bench::directory();
    std::fs::create_dir(bench.dir().join("t")).unwrap();
    let (fifo, socket, device) = ("t/fifo", "t/socket", "t/device");
    let make = |name: &str, kind, device| {
        let all = rustix::fs::Mode::from_raw_mode(0o777);
        rustix::fs::mknodat(rustix::fs::CWD, bench.dir().join(name), kind, all, device)
    };
    let mut all = vec![fifo, socket];
    make(fifo, FileType::Fifo, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(bench.dir().join(socket)).unwrap();
    let is_root = crate::skip::is_root();
    match make(device, FileType::CharacterDevice, rustix::fs::makedev(1, 3)) {
        Ok(()) => all.push(device),
        Err(errno) => crate::skip::leave_out(&format!("no device can be made here: {errno}")),
    }
    let places: Vec<_> = all.iter().map(|name| bench.dir().join(name)).collect();
    for path in &places {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o777)).unwrap();
        if is_root {
            chown(path, Some(65534), Some(65534)).unwrap();
        }
    }
    let mut sides = vec![("mode", Value::from("0640"))];
    if is_root {
        sides.extend([("owner", Value::from("0")), ("group", "1".into())]);
    }
    recursive(&mut bench, &sides);
    let findings = bench.run(Mode::Enforce);
    assert_eq!(findings.counts.failed, 0, "{:?}", findings.events);
    for path in &places {
        let meta = std::fs::symlink_metadata(path).unwrap();
        assert_eq!(meta.mode() & 0o7777, 0o640, "{}", path.display());
        assert!(!is_root || (meta.uid(), meta.gid()) == (0, 1), "{}", path.display());
    }
    assert_eq!(bench.run(Mode::Enforce).events, []);
}
