//! The memory on disk: whatever stands there, a run goes on and says so.

use super::*;

/// A machine where one file was enforced once.
fn enforced() -> Bench {
    let mut bench = Bench::directory();
    bench.file("/a", "x");
    bench.run(Mode::Enforce);
    bench
}

#[test]
fn what_cannot_be_read_is_put_aside_and_said_and_the_run_goes_on() {
    type Spoil = fn(&Path);
    let as_directory: Spoil = |path| {
        let _ = std::fs::remove_file(path);
        std::fs::create_dir_all(path.join("inside")).unwrap();
    };
    let as_garbage: Spoil = |path| {
        let header = std::fs::read_to_string(path).unwrap_or_default();
        let header = header.lines().next().unwrap_or_default();
        std::fs::write(path, format!("{header}\n{{ broken")).unwrap();
    };
    let as_long: Spoil = |path| std::fs::write(path, [b'k'; 500]).unwrap();
    let as_short: Spoil = |path| std::fs::write(path, b"short").unwrap();
    let cases = [
        ("left.key", as_long),
        ("left.key", as_short),
        ("left.key", as_directory),
        ("left.json", as_garbage),
        ("left.json", as_long),
        ("left.json", as_directory),
        ("owed.json", as_garbage),
        ("owed.json", as_directory),
    ];
    for (case, (name, spoil)) in cases.into_iter().enumerate() {
        let mut bench = enforced();
        spoil(&bench.state().join(name));
        std::fs::write(bench.dir().join("a"), "by hand").unwrap();
        let findings = bench.run(Mode::Enforce);
        assert_eq!(bench.read("a").as_deref(), Some("x"), "{case}: {name}");
        let note = findings.notes.join("; ");
        assert!(note.contains(name) && note.contains("put aside"), "{case}: {note}");
        assert!(bench.state().join(format!("{name}.unreadable")).exists(), "{case}: {name}");
        let again = bench.run(Mode::Enforce);
        assert!(again.events.is_empty() && again.notes.is_empty(), "{case}: {:?}", again.notes);
        std::fs::write(bench.dir().join("a"), "by hand").unwrap();
        let drift = bench.run(Mode::Enforce);
        assert_eq!(drift.counts.corrective, 1, "{case}: {name}: drift is known again");
    }
}

#[test]
fn a_run_that_only_looks_leaves_the_memory_as_it_is() {
    let mut bench = enforced();
    let left = bench.state().join("left.json");
    let before = std::fs::read(&left).unwrap();
    bench.file("/b", "new");
    std::fs::write(bench.dir().join("a"), "by hand").unwrap();
    bench.run(Mode::Audit);
    assert_eq!(std::fs::read(&left).unwrap(), before);
}

#[test]
fn a_run_that_did_not_end_is_said_and_what_an_earlier_one_left_is_believed_no_more() {
    let mut bench = enforced();
    let mark = bench.state().join("unended");
    assert!(!mark.exists(), "the run ended");
    // As a kill in the middle leaves it: another content was written, and nothing was remembered of that.
    std::fs::write(&mark, "2026-11-29T03:00:00Z\n").unwrap();
    std::fs::write(bench.dir().join("a"), "by the agent itself").unwrap();
    let findings = bench.run(Mode::Enforce);
    assert_eq!((findings.counts.changed, findings.counts.corrective), (1, 0));
    assert!(findings.notes[0].contains("begun 2026-11-29T03:00:00Z, did not end"), "{:?}", findings.notes);
    assert!(!mark.exists() && bench.run(Mode::Enforce).notes.is_empty());
    std::fs::write(bench.dir().join("a"), "by hand").unwrap();
    assert_eq!(bench.run(Mode::Enforce).counts.corrective, 1, "drift is known again");
}

#[test]
fn that_a_run_changes_the_machine_stands_on_disk_while_it_does() {
    let mut bench = enforced();
    let (mark, seen) = (bench.state().join("unended"), Arc::new(Mutex::new(false)));
    let content = bench.contents.keep(b"y");
    bench.add("file", "/b", &[("content", content)].into());
    let (at, note) = (mark.clone(), seen.clone());
    bench.contents.on_open(move || *note.lock().unwrap() = at.exists());
    bench.run(Mode::Audit);
    assert!(!mark.exists());
    bench.run(Mode::Enforce);
    assert!(*seen.lock().unwrap() && !mark.exists());
}
