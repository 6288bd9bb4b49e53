//! How far a failure goes: a written edge passes it on, an implied one only to what needs it.

use super::*;

/// The state of a resource before the run.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Is {
    InSync,
    Off,
    /// Something that it needs is missing.
    Lacking,
}

/// A resource that fails, and one after it in this state.
fn after_a_failure(kind: EdgeKind, is: Is) -> (Bench, u32) {
    let mut bench = Bench::directory();
    let base = bench.file("/missing/dir/base", "x");
    let dependent = bench.file("/dependent", "x");
    match is {
        Is::InSync => std::fs::write(bench.dir().join("dependent"), "x").unwrap(),
        Is::Off => {}
        Is::Lacking => bench.set(dependent, "owner", "nobody-has-this-name"),
    }
    bench.edge(base, dependent, kind);
    (bench, dependent)
}

/// The status of the resource's one event; `None` if it is unchanged.
fn status(findings: &Findings, reference: &str) -> Option<Status> {
    let mut all = findings.events.iter().filter(|event| event.resource.to_string() == reference);
    let status = all.next().map(|event| event.status);
    assert!(all.next().is_none(), "{:#?}", findings.events);
    status
}

#[test]
fn a_failure_goes_as_far_as_the_edge_says() {
    use EdgeKind::{After, Need, Order, Provide};
    use Is::{InSync, Lacking, Off};
    use Status::{Changed, Failed, Skipped};
    for (kind, is, expected) in [
        (Order, InSync, Some(Skipped)),
        (Order, Off, Some(Skipped)),
        (Order, Lacking, Some(Skipped)),
        (After, InSync, None),
        (After, Off, Some(Changed)),
        (After, Lacking, Some(Failed)),
        (Provide, InSync, None),
        (Provide, Off, Some(Changed)),
        (Provide, Lacking, Some(Skipped)),
        (Need, InSync, None),
        (Need, Off, Some(Skipped)),
        (Need, Lacking, Some(Skipped)),
    ] {
        let (mut bench, _) = after_a_failure(kind, is);
        let findings = bench.run(Mode::Enforce);
        assert_eq!(status(&findings, "file[/dependent]"), expected, "{kind:?}, {is:?}");
        if expected == Some(Skipped) {
            let reason = event(&findings, "file[/dependent]", Skipped).reason.clone().unwrap();
            assert_eq!(reason, "file[/missing/dir/base] failed");
        }
        let counts = findings.counts;
        assert_eq!(counts.unchanged, u32::from(expected.is_none()), "{kind:?}, {is:?}");
        assert_eq!(bench.read("dependent").is_some(), is == InSync || expected == Some(Changed));
    }
}

#[test]
fn what_is_skipped_holds_up_in_turn_and_what_is_in_order_does_not() {
    for (is, last) in [(Is::Off, Status::Skipped), (Is::InSync, Status::Changed)] {
        let (mut bench, dependent) = after_a_failure(EdgeKind::Need, is);
        let written = bench.file("/written", "x");
        let implied = bench.file("/implied", "x");
        bench.edge(dependent, written, EdgeKind::Order);
        bench.edge(dependent, implied, EdgeKind::Need);
        let findings = bench.run(Mode::Enforce);
        for reference in ["file[/written]", "file[/implied]"] {
            assert_eq!(status(&findings, reference), Some(last), "{is:?}");
        }
        if last == Status::Skipped {
            let reason = event(&findings, "file[/written]", last).reason.clone();
            assert_eq!(reason.as_deref(), Some("file[/missing/dir/base] failed"), "the cause is named");
        }
    }
}

#[test]
fn what_is_only_looked_at_is_told_as_it_is() {
    let (mut bench, dependent) = after_a_failure(EdgeKind::Need, Is::Off);
    bench.catalog.resources[dependent as usize].policy = Policy::Audit;
    assert_eq!(status(&bench.run(Mode::Enforce), "file[/dependent]"), Some(Status::WouldChange));
}

#[test]
fn a_refresh_waits_for_what_it_needs_and_stays_owed() {
    let (mut bench, ran) = commands(&[]);
    let base = bench.file("/dir/base", "x");
    let notifier = bench.file("/notifier", "x");
    let exec = bench.add("exec", "restart", &on_refresh());
    bench.edge(base, exec, EdgeKind::Need);
    bench.edge(notifier, exec, EdgeKind::Notify);
    let findings = bench.run(Mode::Enforce);
    let reason = event(&findings, "exec[restart]", Status::Skipped).reason.clone();
    assert_eq!(reason.as_deref(), Some("file[/dir/base] failed; its refresh is still pending"));
    assert!(ran.lock().unwrap().is_empty());
    bench.set(base, "ensure", "absent");
    bench.catalog.resources[base as usize].attributes.remove("content");
    let findings = bench.run(Mode::Enforce);
    assert_eq!((findings.counts.failed, findings.counts.refreshed), (0, 1), "{:#?}", findings.events);
    assert_eq!(*ran.lock().unwrap(), ["restart"]);
}

#[test]
fn a_package_whose_pin_failed_is_not_taken_along_with_others() {
    let ran = Arc::new(Mutex::new(Vec::new()));
    let note = ran.clone();
    let double = Double::new(move |invocation| {
        note.lock().unwrap().push(invocation.command.to_string());
        Some(said(""))
    });
    double.put("/var/lib/dpkg/status", "");
    let mut bench = Bench::double(double);
    let pin = bench.file("/missing/dir/pin", "x");
    bench.add("package", "one", &Value::from([]));
    let pinned = bench.add("package", "pinned", &Value::from([]));
    bench.edge(pin, pinned, EdgeKind::Need);
    let findings = bench.run(Mode::Enforce);
    assert_eq!(status(&findings, "package[pinned]"), Some(Status::Skipped));
    let ran = ran.lock().unwrap().join("\n");
    assert!(ran.contains(" one") && !ran.contains("pinned"), "{ran}");
}

#[test]
fn nobody_is_told_to_manage_what_is_managed() {
    for (managed, told) in [(false, true), (true, false)] {
        let mut bench = Bench::directory();
        let attributes = [("content", "x".into()), ("owner", "zoe".into())];
        bench.add("file", "/a", &attributes.into());
        let line = [("path", "/b".into()), ("line", "x".into())];
        bench.add("file_line", "l", &line.into());
        if managed {
            for (type_name, title) in [("user", "zoe"), ("file", "/b")] {
                let index = bench.add(type_name, title, &Value::from([]));
                bench.catalog.resources[index as usize].policy = Policy::Off;
            }
            bench.set(3, "content", "x");
        }
        let findings = bench.run(Mode::Audit);
        for reference in ["file[/a]", "file_line[l]"] {
            let reason = event(&findings, reference, Status::Failed).reason.clone().unwrap();
            assert_eq!(reason.contains("manage"), told, "{reason}");
        }
    }
}
