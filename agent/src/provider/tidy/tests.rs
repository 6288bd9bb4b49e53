//! What is removed, and what stays.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::time::{Duration, SystemTime};

use holdfast_catalog::resource::TypedResource;
use holdfast_catalog::value::Value;

use super::*;
use crate::content;
use crate::provider::CatalogClaims;
use crate::provider::trial::{self, want};
use crate::system::double::Double;

const DAY: u64 = 86_400;

/// Sets the modification and access times of a path of the double to this many days ago.
fn age(double: &Double, path: &str, days: u64) {
    let at = SystemTime::now() - Duration::from_secs(days * DAY + 60);
    let times = std::fs::FileTimes::new().set_accessed(at).set_modified(at);
    File::open(double.root.path().join(path)).unwrap().set_times(times).unwrap();
}

fn put(double: &Double, path: &str, days: u64) {
    double.put(path, "text");
    age(double, path, days);
}

/// What is left below `spool` after a run, which must leave nothing to do.
fn left(double: &Double, attributes: &[(&str, Value)]) -> BTreeSet<String> {
    let want = want::<Tidy>("/spool", attributes);
    let applied = trial::correct(&Tidying, double, &want).unwrap();
    assert!(applied.failed.is_empty() && applied.said.is_empty(), "{applied:?}");
    assert_eq!(trial::changes(&Tidying, double, &want), []);
    let mut left = BTreeSet::new();
    let mut todo = vec![double.root.path().join("spool")];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let below = entry.path().strip_prefix(double.root.path().join("spool")).unwrap().to_owned();
            left.insert(below.to_string_lossy().into_owned());
            todo.extend(entry.file_type().unwrap().is_dir().then(|| entry.path()));
        }
    }
    left
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn spool() -> Double {
    let double = Double::new(|_| None);
    for (path, days) in [
        ("spool/new.log", 1),
        ("spool/old.log", 20),
        ("spool/old.txt", 20),
        ("spool/deep/old.log", 20),
        ("spool/deep/deeper/old.log", 20),
        ("spool/mixed/old.log", 20),
        ("spool/mixed/new.log", 1),
    ] {
        put(&double, path, days);
    }
    double
}

#[test]
fn old_files_of_the_directory_itself_go() {
    let double = spool();
    let want = want::<Tidy>("/spool", &[("age", "14d".into())]);
    let changes = trial::changes(&Tidying, &double, &want);
    let mut paths: Vec<_> = changes.iter().filter_map(|change| change.path.as_deref()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["old.log", "old.txt"]);
    assert!(changes.iter().all(|change| change.kind == ChangeKind::Moved), "never drift");
    assert_eq!(changes[0].note.as_deref(), Some("20 days old, 4 bytes"));
    let left = left(&double, &[("age", "14d".into())]);
    assert!(left.contains("new.log") && left.contains("deep/old.log") && !left.contains("old.txt"));
}

#[test]
fn names_and_depth_are_limits() {
    let log = ("matches", Value::from("*.log"));
    let all = [("age", Value::from("14d")), log.clone(), ("recurse", true.into())];
    let expected = ["new.log", "old.txt", "deep", "deep/deeper", "mixed", "mixed/new.log"];
    assert_eq!(left(&spool(), &all), set(&expected));
    let two = [("age", Value::from("14d")), log, ("recurse", 2.into())];
    assert_eq!(left(&spool(), &two), set(&[&expected[..], &["deep/deeper/old.log"]].concat()));
}

#[test]
fn directories_go_with_all_that_was_in_them() {
    let double = spool();
    std::fs::create_dir(double.root.path().join("spool/empty")).unwrap();
    std::fs::create_dir(double.root.path().join("spool/just-made")).unwrap();
    for dir in ["spool/deep/deeper", "spool/deep", "spool/mixed", "spool/empty"] {
        age(&double, dir, 20);
    }
    let all = [("age", Value::from("14d")), ("recurse", true.into()), ("remove_dirs", true.into())];
    assert_eq!(left(&double, &all), set(&["new.log", "mixed", "mixed/new.log", "just-made"]));
}

#[test]
fn size_and_age_must_both_hold() {
    let double = spool();
    double.put("spool/large-new", &"x".repeat(2048));
    double.put("spool/large-old", &"x".repeat(2048));
    age(&double, "spool/large-old", 20);
    let both = [("age", Value::from("14d")), ("size", "2K".into())];
    let gone = left(&double, &both);
    assert!(gone.contains("large-new") && gone.contains("old.log") && !gone.contains("large-old"));
    assert!(!left(&double, &[("size", 2048.into())]).contains("large-new"));
}

#[test]
fn links_and_what_the_catalog_names_stay() {
    let double = spool();
    put(&double, "elsewhere/old.log", 20);
    std::os::unix::fs::symlink("../elsewhere", double.root.path().join("spool/link")).unwrap();
    std::os::unix::fs::symlink("old.log", double.root.path().join("spool/name")).unwrap();
    double.pass(30 * 86_400);
    let all = [("age", Value::from("14d")), ("recurse", true.into()), ("remove_dirs", true.into())];
    assert_eq!(left(&double, &all), set(&["link", "name"]));
    assert!(double.root.path().join("elsewhere/old.log").exists());

    let double = spool();
    let attributes = [("content".into(), Value::from("text"))].into();
    let typed = [TypedResource::read("file", "/spool/deep/old.log", &attributes).unwrap().unwrap()];
    let named = CatalogClaims::new(&typed);
    let reading = Reading {
        machine: &double,
        content: &content::Nowhere,
        named: &named,
        state_dir: Path::new("/none"),
    };
    double.pass(30 * 86_400);
    let want = want("/spool", &all);
    let spared = Tidying.observe(&[&want], reading).unwrap();
    let Plan::Changes(changes) = Tidying.plan(&want, &spared, reading).unwrap() else { panic!("in sync") };
    let gone: Vec<_> = changes.iter().filter_map(|change| change.path.as_deref()).collect();
    assert!(gone.contains(&"deep/deeper") && !gone.contains(&"deep/old.log") && !gone.contains(&"deep"));
}

#[test]
fn each_time_of_a_file_can_say_how_old_it_is() {
    let double = Double::new(|_| None);
    double.put("spool/a", "x");
    let by = |by: &str| {
        let want = want::<Tidy>("/spool", &[("age", "14d".into()), ("by", by.into())]);
        trial::changes(&Tidying, &double, &want).len()
    };
    let file = || File::open(double.root.path().join("spool/a")).unwrap();
    let old = SystemTime::now() - Duration::from_secs(20 * DAY);
    file().set_times(std::fs::FileTimes::new().set_accessed(old)).unwrap();
    assert_eq!((by("mtime"), by("atime"), by("ctime")), (0, 1, 0));
    let times = std::fs::FileTimes::new().set_modified(old).set_accessed(SystemTime::now());
    file().set_times(times).unwrap();
    assert_eq!((by("mtime"), by("atime"), by("ctime")), (1, 0, 0));
    double.pass(15 * 86_400);
    assert_eq!(by("ctime"), 1);
    double.pass(-100 * 86_400);
    assert_eq!((by("mtime"), by("ctime")), (0, 0), "what is of the future is not old");
}

#[test]
fn what_changed_since_it_was_judged_stays() {
    let double = spool();
    let want = want::<Tidy>("/spool", &[("age", "14d".into())]);
    let changes = trial::changes(&Tidying, &double, &want);
    std::fs::write(double.root.path().join("spool/old.log"), "used again").unwrap();
    let applied = trial::writing(&double, |writing| Tidying.apply(&want, &changes, writing)).unwrap();
    assert!(double.root.path().join("spool/old.log").exists());
    assert!(!double.root.path().join("spool/old.txt").exists());
    assert_eq!((applied.failed.len(), applied.said.len()), (0, 1));
}

#[test]
fn a_huge_directory_is_tidied_run_by_run() {
    let double = spool();
    double.pass(30 * 86_400);
    let all = [("age", Value::from("14d")), ("recurse", true.into()), ("remove_dirs", true.into())];
    let want = want::<Tidy>("/spool", &all);
    let named = CatalogClaims::new(&[]);
    let reading = Reading {
        machine: &double,
        content: &content::Nowhere,
        named: &named,
        state_dir: Path::new("/none"),
    };
    let stat = Inspect::stat(&double, Path::new("/spool")).unwrap().unwrap();
    let changes = look::plan_at_most(3, &want, &stat, &Spared::default(), reading).unwrap();
    let files: Vec<_> = changes.iter().filter(|change| change.kind == ChangeKind::Moved).collect();
    assert!((3..6).contains(&files.len()), "{files:?}");
    assert!(changes.last().unwrap().note.as_deref().unwrap().contains("the next run"));
}

#[test]
fn a_name_that_is_not_utf_8_keeps_nothing() {
    let double = spool();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
    let place = double.root.path().join("spool").join(name);
    std::fs::create_dir(&place).unwrap();
    std::fs::write(place.join(name), "x").unwrap();
    std::fs::write(double.root.path().join("spool/deep").join(name), "x").unwrap();
    double.pass(30 * 86_400);
    let all = [("age", Value::from("14d")), ("recurse", true.into()), ("remove_dirs", true.into())];
    assert_eq!(left(&double, &all), set(&[]));
}

#[test]
fn what_somebody_made_too_deep_stays_and_stops_nothing() {
    for (name, levels) in [("d", 250), (&*"d".repeat(250), 30)] {
        let double = spool();
        let top = double.root.path().join("spool");
        let open = |at: BorrowedFd<'_>, name: &Path| {
            rustix::fs::openat(at, name, rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty()).unwrap()
        };
        let mut at = open(rustix::fs::CWD, &top);
        for _ in 0..levels {
            rustix::fs::mkdirat(&at, name, rustix::fs::Mode::RWXU).unwrap();
            at = open(at.as_fd(), Path::new(name));
        }
        double.pass(30 * 86_400);
        let all = [("age", Value::from("14d")), ("recurse", true.into()), ("remove_dirs", true.into())];
        let want = want::<Tidy>("/spool", &all);
        let applied = trial::correct(&Tidying, &double, &want).unwrap();
        assert!(applied.failed.is_empty(), "{:?}", applied.failed);
        let Plan::InSync(notes) = trial::plan(&Tidying, &double, &want).unwrap() else { panic!("{name}") };
        assert!(notes[0].note.as_deref().unwrap().starts_with("1 path stays"), "{notes:?}");
        assert_eq!(std::fs::read_dir(top).unwrap().count(), 1);
    }
}

#[test]
fn no_directory_is_nothing_to_do_and_a_file_is_refused() {
    let double = Double::new(|_| None);
    let want = want::<Tidy>("/spool", &[("age", "14d".into())]);
    assert_eq!(trial::plan(&Tidying, &double, &want).unwrap(), Plan::IN_SYNC);
    double.put("spool", "x");
    assert!(trial::plan(&Tidying, &double, &want).unwrap_err().to_string().contains("not a directory"));
}

#[test]
fn the_releases_of_a_deployment_stay() {
    use holdfast_catalog::resource::Deployment;
    let double = Double::new(|_| None);
    for path in ["shop/releases/.1.finished", "shop/releases/1/app", "shop/shared/log/x"] {
        put(&double, path, 40);
    }
    let deployment = [
        ("version", Value::from("1")),
        ("source", "/srv/a.tar".into()),
        ("sha256", "ab".repeat(32).as_str().into()),
    ];
    let all = [TypedResource::Deployment(want::<Deployment>("/shop", &deployment))];
    let named = CatalogClaims::new(&all);
    let reading = Reading {
        machine: &double,
        content: &content::Nowhere,
        named: &named,
        state_dir: double.root.path(),
    };
    for (directory, goes) in
        [("/shop", 0), ("/shop/releases", 0), ("/shop/releases/1", 0), ("/shop/shared", 1)]
    {
        let want = want::<Tidy>(directory, &[("age", "30d".into()), ("recurse", true.into())]);
        let seen = Tidying.observe(&[&want], reading).unwrap();
        let (Plan::Changes(changes) | Plan::InSync(changes)) = Tidying.plan(&want, &seen, reading).unwrap()
        else {
            panic!("{directory}")
        };
        assert_eq!(
            changes.iter().filter(|change| change.kind != ChangeKind::Note).count(),
            goes,
            "{directory}: {changes:?}"
        );
        assert_eq!(changes.len(), 1, "{directory}: {changes:?}");
    }
}

#[test]
fn a_clock_that_is_ahead_of_the_server_s_makes_nothing_old() {
    let double = spool().with_clock(ClockTrust::Ahead(Duration::from_secs(40 * DAY)));
    put(&double, "spool/today.log", 0);
    double.pass(i64::try_from(40 * DAY).unwrap());
    let want = want::<Tidy>("/spool", &[("age", "14d".into())]);
    let changes = trial::changes(&Tidying, &double, &want);
    let gone: BTreeSet<_> = changes.iter().filter_map(|change| change.path.as_deref()).collect();
    assert_eq!(gone, ["old.log", "old.txt"].into());
    let said = changes.last().unwrap().note.clone().unwrap();
    assert!(said.contains("by the server's clock") && said.contains("40 days ahead"), "{said}");
    trial::correct(&Tidying, &double, &want).unwrap();
    assert!(double.root.path().join("spool/today.log").exists());
    // What one clock found old is judged by the same clock again before it is removed.
    assert_eq!(today(&double), double.now() - i64::try_from(40 * DAY).unwrap());
}

#[test]
fn by_a_clock_that_is_in_doubt_nothing_is_old_and_what_is_large_still_goes() {
    let double = spool().with_clock(ClockTrust::InDoubt);
    let want_old = want::<Tidy>("/spool", &[("age", "14d".into())]);
    let Plan::InSync(changes) = trial::plan(&Tidying, &double, &want_old).unwrap() else { panic!() };
    let said: Vec<_> = changes.iter().map(|change| (change.kind, change.note.clone().unwrap())).collect();
    let [(ChangeKind::Note, said)] = &said[..] else { panic!("{said:?}") };
    assert!(said.contains("the clock of this machine is in doubt"), "{said}");
    let want_large = want::<Tidy>("/spool", &[("size", 1.into())]);
    assert_eq!(trial::changes(&Tidying, &double, &want_large).len(), 3);
}
