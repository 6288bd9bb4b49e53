//! The memory on disk: whatever is there, a run continues and reports it.

use super::*;
use crate::stop::RunEnd;

/// A machine on which one file was enforced once.
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
        assert!(note.contains(name) && note.contains("set aside"), "{case}: {note}");
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
    // As a kill in the middle leaves it: other content was written, and the memory does not know it.
    std::fs::write(&mark, "2026-11-29T03:00:00Z\n").unwrap();
    std::fs::write(bench.dir().join("a"), "by the agent itself").unwrap();
    let findings = bench.run(Mode::Enforce);
    assert_eq!((findings.counts.changed, findings.counts.corrective), (1, 0));
    assert!(findings.notes[0].contains("began 2026-11-29T03:00:00Z, did not end"), "{:?}", findings.notes);
    assert!(!mark.exists() && bench.run(Mode::Enforce).notes.is_empty());
    std::fs::write(bench.dir().join("a"), "by hand").unwrap();
    assert_eq!(bench.run(Mode::Enforce).counts.corrective, 1, "drift is known again");
}

#[test]
fn a_run_that_did_not_end_is_said_once_and_looking_makes_drift_known_again() {
    let mut bench = enforced();
    bench.file("/b", "y");
    bench.run(Mode::Enforce);
    let mark = bench.state().join("unended");
    std::fs::write(&mark, "2026-11-29T03:00:00Z\n").unwrap();
    std::fs::write(bench.dir().join("b"), "half way").unwrap();
    let (first, second) = (bench.run(Mode::Audit), bench.run(Mode::Audit));
    assert!(first.notes[0].contains("began 2026-11-29T03:00:00Z, did not end"), "{:?}", first.notes);
    assert!(second.notes.is_empty() && !mark.exists(), "{:?}", second.notes);
    for findings in [first, second] {
        let doubtful = event(&findings, "file[/b]", Status::WouldChange);
        assert_eq!(doubtful.cause, Some(Cause::Intentional));
        let reason = doubtful.reason.as_deref().unwrap();
        assert!(
            reason.starts_with("possibly drift: the run that began 2026-11-29T03:00:00Z did not end"),
            "{reason}"
        );
    }
    // What was seen as wanted since then is drift if someone changes it, and so is the rest once it was corrected.
    std::fs::write(bench.dir().join("a"), "by hand").unwrap();
    let drift = bench.run(Mode::Audit);
    assert_eq!(event(&drift, "file[/a]", Status::WouldChange).cause, Some(Cause::Corrective));
    bench.run(Mode::Enforce);
    std::fs::write(bench.dir().join("b"), "by hand").unwrap();
    let drift = bench.run(Mode::Audit);
    let drifted = event(&drift, "file[/b]", Status::WouldChange);
    assert_eq!((drifted.cause, &drifted.reason), (Some(Cause::Corrective), &None));
}

/// What happens to a machine after someone changed a file.
#[derive(Debug, Clone, Copy)]
enum Then {
    /// A run begins and does not end.
    Killed,
    /// A run is told to stop before its first turn.
    Stopped,
    /// A run that only looks.
    Looked,
    /// A run that only looks, and cannot see the file.
    Blind,
}

/// A machine whose file was changed before these steps.
fn after(steps: &[Then]) -> Bench {
    let mut bench = enforced();
    std::fs::write(bench.dir().join("a"), "by whom?").unwrap();
    for (number, step) in steps.iter().enumerate() {
        match step {
            Then::Killed => {
                let began = format!("2026-11-29T0{number}:00:00Z\n");
                std::fs::write(bench.state().join("unended"), began).unwrap();
            }
            Then::Stopped => {
                bench.stop.store(true, Ordering::Relaxed);
                bench.run(Mode::Enforce);
                bench.stop.store(false, Ordering::Relaxed);
            }
            Then::Looked => drop(bench.run(Mode::Audit)),
            Then::Blind => {
                bench.set(0, "owner", "deploy");
                assert_eq!(bench.run(Mode::Audit).counts.failed, 1, "there is no such account");
                bench.catalog.resources[0].attributes.remove("owner");
            }
        }
    }
    bench
}

#[test]
fn whatever_follows_a_run_that_did_not_end_what_is_off_is_perhaps_drift_until_it_is_corrected() {
    use Then::{Blind, Killed, Looked, Stopped};
    let cases: [&[Then]; 10] = [
        &[Killed],
        &[Killed, Looked],
        &[Killed, Looked, Looked],
        &[Killed, Stopped],
        &[Killed, Stopped, Looked],
        &[Killed, Stopped, Stopped],
        &[Killed, Looked, Killed],
        &[Killed, Looked, Killed, Looked],
        &[Killed, Stopped, Killed, Looked],
        &[Killed, Blind],
    ];
    for steps in cases {
        for mode in [Mode::Audit, Mode::Enforce] {
            let mut bench = after(steps);
            let findings = bench.run(mode);
            let [off] = &findings.events[..] else { panic!("{steps:?}: {:#?}", findings.events) };
            assert_eq!(off.cause, Some(Cause::Intentional), "{steps:?}, {mode:?}");
            let reason = off.reason.as_deref().unwrap_or_default();
            assert!(
                reason.starts_with("possibly drift: the run that began 2026-11-29T0"),
                "{steps:?}: {reason}"
            );
            bench.run(Mode::Enforce);
            std::fs::write(bench.dir().join("a"), "by hand").unwrap();
            let drift = bench.run(Mode::Enforce);
            assert_eq!((drift.counts.corrective, &drift.events[0].reason), (1, &None), "{steps:?}");
        }
        let mut bench = after(steps);
        bench.set(0, "content", "another wish");
        let wish = bench.run(Mode::Enforce);
        assert_eq!(wish.events[0].reason, None, "{steps:?}: what is new was left by nobody");
    }
}

#[test]
fn a_member_that_is_off_since_a_run_did_not_end_is_perhaps_drift_in_each_audit() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut bench = Bench::directory();
    let entries = vec![(Arc::from("x"), bench.contents.keep(b"x"))];
    let content =
        holdfast_catalog::resource::attribute::FileContent::tree_value(entries.into_iter().collect());
    let attributes = [
        ("ensure", "directory".into()),
        ("content", content),
        ("mode", "0750".into()),
        ("recurse", true.into()),
    ];
    bench.add("file", "/srv", &attributes.into());
    bench.run(Mode::Enforce);
    std::fs::write(bench.state().join("unended"), "2026-11-29T03:00:00Z\n").unwrap();
    let member = bench.dir().join("srv/x");
    std::fs::set_permissions(&member, std::fs::Permissions::from_mode(0o600)).unwrap();
    for audit in 0..3 {
        let findings = bench.run(Mode::Audit);
        let [off] = &findings.events[..] else { panic!("{audit}: {:#?}", findings.events) };
        let reason = off.reason.as_deref().unwrap_or_default();
        assert!(reason.contains("possibly drift"), "{audit}: {off:#?}");
    }
}

#[test]
fn a_memory_that_was_put_back_is_believed_no_more() {
    let mut bench = enforced();
    std::fs::write(bench.dir().join("a"), "as a later run left it").unwrap();
    for mode in [Mode::Audit, Mode::Enforce] {
        bench.is_put_back = mode == Mode::Audit;
        let findings = bench.run(mode);
        assert_eq!(findings.counts.corrective, 0);
        let notes = findings.notes.concat();
        assert_eq!(
            notes.contains("restored from an older copy"),
            bench.is_put_back,
            "it is said once: {notes}"
        );
        let reason = findings.events[0].reason.as_deref().unwrap();
        assert!(reason.starts_with("possibly drift: the agent's state was restored"), "{reason}");
    }
    std::fs::write(bench.dir().join("a"), "by hand").unwrap();
    assert_eq!(bench.run(Mode::Enforce).counts.corrective, 1, "drift is known again");
}

#[test]
fn that_a_run_changes_the_machine_stands_on_disk_while_it_does() {
    let mut bench = enforced();
    let (mark, seen) = (bench.state().join("unended"), Arc::new(Mutex::new(None)));
    let content = bench.contents.keep(b"y");
    bench.add("file", "/b", &[("content", content)].into());
    let (at, note) = (mark.clone(), seen.clone());
    bench.contents.on_open(move || *note.lock().unwrap() = std::fs::read_to_string(&at).ok());
    bench.run(Mode::Audit);
    assert!(!mark.exists());
    let before = jiff::Timestamp::now();
    bench.run(Mode::Enforce);
    let began: jiff::Timestamp = seen.lock().unwrap().as_deref().unwrap().trim().parse().unwrap();
    assert!(began > before && !mark.exists(), "a run of the same second is another: {began}");
}

#[test]
fn f22_what_was_not_begun_when_the_time_was_over_says_so() {
    for (machine, why) in [
        (
            Double::new(|_| None).until(RunEnd::long_ago()),
            "the run reached its time limit (run_timeout) before its turn",
        ),
        (Double::new(|_| None), "the run was told to stop before its turn"),
    ] {
        let mut bench = Bench::of(machine);
        bench.file("/a", "x");
        bench.stop.store(true, Ordering::Relaxed);
        let findings = bench.run(Mode::Enforce);
        let skipped = event(&findings, "file[/a]", Status::Skipped);
        assert_eq!(skipped.reason.as_deref(), Some(why));
    }
}

#[test]
fn what_a_run_was_at_that_was_killed_is_told_by_the_next_one() {
    let mut bench = Bench::live();
    let state = bench.state().to_owned();
    let made = bench.dir().join("made").display().to_string();
    let command = format!("cp {}/unended {made}", state.display());
    let attributes = [("command", Value::from(command.as_str())), ("creates", made.as_str().into())];
    bench.add("exec", "half", &Value::from(attributes));
    assert_eq!(bench.run(Mode::Enforce).counts.changed, 1);
    // As it was on disk while the command ran, and would be after a kill.
    let mark = bench.read("made").unwrap();
    assert!(mark.ends_with("\n[\"exec[half]\"]\n"), "{mark}");
    assert!(!state.join("unended").exists(), "a run that ended was interrupted at nothing");
    std::fs::write(state.join("unended"), &mark).unwrap();
    let findings = bench.run(Mode::Enforce);
    assert_eq!((findings.counts.unchanged, findings.events.len()), (1, 1), "{:?}", findings.events);
    let said = findings.events[0].reason.as_deref().unwrap();
    assert!(said.contains("was interrupted during this") && said.contains("check that everything is there"));
    assert!(bench.run(Mode::Enforce).events.is_empty(), "it is said once");
}
