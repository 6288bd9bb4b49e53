//! What a run guarantees, whatever the types are.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use holdfast_catalog::catalog::Container;
use holdfast_catalog::graph::EdgeKind;
use holdfast_catalog::report::{Cause, Status};
use holdfast_catalog::resource::ResourceRef;
use holdfast_catalog::value::{Kind, Sensitive, Value};

use super::bench::Bench;
use super::*;
use crate::system::double::{Double, failed, said};

mod blame;
mod claims;
mod disowned;
mod drift;
mod held;
mod last_look;
mod missing;
mod random;
mod removal;
mod secrets;
mod state;

/// The one event of a resource with this status.
fn event<'f>(findings: &'f Findings, reference: &str, status: Status) -> &'f Event {
    let found: Vec<_> = findings
        .events
        .iter()
        .filter(|event| event.resource.to_string() == reference && event.status == status)
        .collect();
    let [event] = found[..] else { panic!("{reference} {status:?}: {:#?}", findings.events) };
    event
}

/// A machine that records its commands; they succeed, except for `failing`.
fn commands(failing: &'static [&'static str]) -> (Bench, Arc<Mutex<Vec<String>>>) {
    let ran = Arc::new(Mutex::new(Vec::new()));
    let note = ran.clone();
    let double = Double::new(move |invocation| {
        let text = invocation.command.to_string();
        let fails = failing.contains(&text.as_str());
        note.lock().unwrap().push(text);
        Some(if fails { failed(1, "it says no") } else { said("") })
    });
    (Bench::of(double), ran)
}

fn on_refresh() -> Value {
    [("refresh_only", true.into())].into()
}

#[test]
fn a_converged_machine_is_left_alone_and_counted() {
    let mut bench = Bench::directory();
    bench.file("/a", "1");
    bench.file("/b", "2");
    assert_eq!(bench.run(Mode::Enforce).counts.changed, 2);
    let findings = bench.run(Mode::Enforce);
    assert_eq!((findings.counts.total, findings.counts.unchanged), (2, 2));
    assert!(findings.events.is_empty());
}

#[test]
fn dependents_of_a_failure_are_skipped_by_name_and_others_go_on() {
    let mut bench = Bench::directory();
    let bad = bench.file("/missing/dir/a", "x");
    let middle = bench.file("/b", "x");
    let last = bench.file("/c", "x");
    bench.file("/d", "x");
    bench.edge(bad, middle, EdgeKind::Order);
    bench.edge(middle, last, EdgeKind::Order);
    let findings = bench.run(Mode::Enforce);
    assert!(
        event(&findings, "file[/missing/dir/a]", Status::Failed)
            .reason
            .as_ref()
            .unwrap()
            .contains("directory")
    );
    for skipped in ["file[/b]", "file[/c]"] {
        let reason = event(&findings, skipped, Status::Skipped).reason.clone();
        assert_eq!(reason.as_deref(), Some("file[/missing/dir/a] failed"));
    }
    assert_eq!(bench.read("d").as_deref(), Some("x"));
    let counts = findings.counts;
    assert_eq!((counts.failed, counts.skipped, counts.changed), (1, 2, 1));
}

#[test]
fn a_notified_command_runs_once_after_all_that_notify_it() {
    let (mut bench, ran) = commands(&[]);
    let exec = bench.add("exec", "reload it", &on_refresh());
    for path in ["/a", "/b"] {
        let file = bench.file(path, "x");
        bench.edge(file, exec, EdgeKind::Notify);
    }
    let findings = bench.run(Mode::Enforce);
    assert_eq!(*ran.lock().unwrap(), ["reload it"]);
    assert_eq!(findings.counts.refreshed, 1);
    assert!(event(&findings, "exec[reload it]", Status::Info).reason.as_ref().unwrap().contains("file[/"));
    assert!(bench.run(Mode::Enforce).events.is_empty(), "nothing changed, so nobody is notified");
    assert_eq!(ran.lock().unwrap().len(), 1);
}

#[test]
fn a_command_that_ran_in_its_turn_is_not_run_again() {
    let (mut bench, ran) = commands(&[]);
    let file = bench.file("/a", "x");
    let exec = bench.add("exec", "make", &[("creates", "/made".into())].into());
    bench.edge(file, exec, EdgeKind::Notify);
    bench.run(Mode::Enforce);
    assert_eq!(*ran.lock().unwrap(), ["make"]);
}

#[test]
fn what_a_command_says_at_length_is_cut() {
    let mut bench = Bench::of(Double::new(|_| Some(failed(1, &"ü".repeat(50_000)))));
    bench.add("exec", "shout", &[("creates", "/made".into())].into());
    let findings = bench.run(Mode::Enforce);
    let reason = event(&findings, "exec[shout]", Status::Failed).reason.clone().unwrap();
    assert!(reason.len() <= 2048 && reason.contains("exit code 1"), "{reason}");
    let (begin, rest) = reason.split_once("ü… (and ").unwrap();
    let whole = "`shout` failed with exit code 1: ".len() + 2 * 50_000;
    assert_eq!(rest, format!("{} bytes)", whole - begin.len() - "ü".len()));
}

#[test]
fn notifications_pass_through_containers_both_ways() {
    let (mut bench, ran) = commands(&[]);
    let file = bench.file("/a", "x");
    let exec = bench.add("exec", "inside", &on_refresh());
    bench.catalog.containers = ["from", "to"]
        .map(|name| Container { reference: ResourceRef::new("class", name), container: None })
        .into();
    let (from_begin, from_end) = bench.catalog.container_nodes(0);
    let (to_begin, to_end) = bench.catalog.container_nodes(1);
    bench.edge(from_begin, file, EdgeKind::Contain);
    bench.edge(file, from_end, EdgeKind::Contain);
    bench.edge(to_begin, exec, EdgeKind::Contain);
    bench.edge(exec, to_end, EdgeKind::Contain);
    bench.edge(from_end, to_begin, EdgeKind::Notify);
    bench.run(Mode::Enforce);
    assert_eq!(*ran.lock().unwrap(), ["inside"]);
}

#[test]
fn a_refresh_that_failed_stays_owed_until_it_works() {
    let calls = Arc::new(Mutex::new(0));
    let counter = calls.clone();
    let mut bench = Bench::of(Double::new(move |_| {
        *counter.lock().unwrap() += 1;
        Some(if *counter.lock().unwrap() == 1 { failed(1, "not now") } else { said("") })
    }));
    let file = bench.file("/a", "x");
    let exec = bench.add("exec", "restart", &on_refresh());
    bench.edge(file, exec, EdgeKind::Notify);
    let first = bench.run(Mode::Enforce);
    assert!(
        event(&first, "exec[restart]", Status::Failed).reason.as_ref().unwrap().contains("is still pending")
    );
    let second = bench.run(Mode::Enforce);
    let reason = event(&second, "exec[restart]", Status::Info).reason.clone().unwrap();
    assert!(reason.contains("file[/a] in an earlier run"), "{reason}");
    assert!(bench.run(Mode::Enforce).events.is_empty());
    assert_eq!(*calls.lock().unwrap(), 2);
}

#[test]
fn what_will_be_owed_is_on_disk_before_anything_changes() {
    let (mut bench, _ran) = commands(&[]);
    let content = bench.contents.keep(b"x");
    let file = bench.add("file", "/a", &[("content", content), ("show_diff", false.into())].into());
    let exec = bench.add("exec", "restart", &on_refresh());
    bench.edge(file, exec, EdgeKind::Notify);
    let owed = bench.state().join("owed.json");
    let seen = Arc::new(Mutex::new(String::new()));
    let (at_open, path) = (seen.clone(), owed.clone());
    bench
        .contents
        .on_open(move || *at_open.lock().unwrap() = std::fs::read_to_string(&path).unwrap_or_default());
    bench.run(Mode::Enforce);
    assert!(seen.lock().unwrap().contains("exec[restart]"), "{}", seen.lock().unwrap());
    assert!(!owed.exists(), "what was done is owed no more");
}

#[test]
fn a_refresh_only_comes_from_a_change_that_was_made() {
    let (mut bench, ran) = commands(&[]);
    let file = bench.file("/a", "x");
    let exec = bench.add("exec", "restart", &on_refresh());
    bench.edge(file, exec, EdgeKind::Notify);
    bench.catalog.resources[file as usize].policy = Policy::Audit;
    let findings = bench.run(Mode::Enforce);
    assert!(event(&findings, "exec[restart]", Status::Info).reason.as_ref().unwrap().starts_with("would be"));
    assert!(ran.lock().unwrap().is_empty());
}

#[test]
fn drift_is_told_from_new_wishes() {
    let mut bench = Bench::directory();
    let file = bench.add("file", "/a", &[("content", "1".into()), ("mode", "0644".into())].into());
    let cause = |bench: &mut Bench, mode| {
        let findings = bench.run(mode);
        let corrected = mode == Mode::Enforce && findings.events[0].cause == Some(Cause::Corrective);
        assert_eq!(findings.counts.corrective, u32::from(corrected));
        findings.events.iter().map(|event| event.cause.unwrap()).collect::<Vec<_>>()
    };
    let path = bench.dir().join("a");
    assert_eq!(cause(&mut bench, Mode::Enforce), [Cause::Intentional], "the first time nothing is known");
    std::fs::write(&path, "by hand").unwrap();
    assert_eq!(cause(&mut bench, Mode::Audit), [Cause::Corrective]);
    assert_eq!(cause(&mut bench, Mode::Audit), [Cause::Corrective], "an audit forgets nothing");
    assert_eq!(cause(&mut bench, Mode::Enforce), [Cause::Corrective]);
    bench.set(file, "content", "2");
    assert_eq!(cause(&mut bench, Mode::Audit), [Cause::Intentional]);
    assert_eq!(cause(&mut bench, Mode::Enforce), [Cause::Intentional]);
    std::fs::write(&path, "by hand").unwrap();
    bench.set(file, "content", "3");
    assert_eq!(
        cause(&mut bench, Mode::Enforce),
        [Cause::Intentional],
        "a new wish is not drift, whatever was there"
    );
}

#[test]
fn drift_of_a_secret_is_told_without_keeping_it() {
    let mut bench = Bench::directory();
    let secret = |text: &str| Value::from(Kind::Sensitive(Sensitive::text(text)));
    let file = bench.add("file", "/a", &[("content", secret("hunter2-first"))].into());
    bench.run(Mode::Enforce);
    std::fs::write(bench.dir().join("a"), "by hand").unwrap();
    let drift = bench.run(Mode::Enforce);
    let corrected = event(&drift, "file[/a]", Status::Changed);
    assert_eq!((corrected.cause, corrected.diff.as_ref()), (Some(Cause::Corrective), None));
    assert_eq!(
        (corrected.is.as_deref(), corrected.should.as_deref()),
        (Some("[sensitive]"), Some("[sensitive]"))
    );
    bench.set(file, "content", secret("hunter2-second"));
    let wish = bench.run(Mode::Enforce);
    assert_eq!(event(&wish, "file[/a]", Status::Changed).cause, Some(Cause::Intentional));
    let state = std::fs::read_dir(bench.state()).unwrap();
    for entry in state.map(|entry| entry.unwrap().path()) {
        let bytes = std::fs::read(&entry).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"), "{}", entry.display());
    }
}

#[test]
fn what_a_command_says_loses_the_secrets_of_its_resource() {
    let mut bench = Bench::of(Double::new(|_| Some(failed(1, "bad password hunter2!"))));
    let environment: Value = [("PASSWORD", Kind::Sensitive(Sensitive::text("hunter2")).into())].into();
    bench.add("exec", "use it", &[("environment", environment), ("creates", "/made".into())].into());
    let findings = bench.run(Mode::Enforce);
    let reason = event(&findings, "exec[use it]", Status::Failed).reason.clone().unwrap();
    assert!(reason.contains("bad password [sensitive]!") && !reason.contains("hunter2"), "{reason}");
}

#[test]
fn what_a_command_says_loses_the_secrets_of_other_resources() {
    let mut bench =
        Bench::of(Double::new(|_| Some(failed(1, "app.conf: bad line 3: password=hunter22secret, port ab"))));
    let secret = |text: &str| Value::from(Kind::Sensitive(Sensitive::text(text)));
    bench.add("file", "/app.conf", &[("content", secret("hunter2"))].into());
    bench.add("file", "/app.key", &[("content", secret("hunter22secret"))].into());
    bench.add("file", "/short", &[("content", secret("ab"))].into());
    bench.add("exec", "check it", &[("creates", "/made".into())].into());
    let findings = bench.run(Mode::Enforce);
    let reason = event(&findings, "exec[check it]", Status::Failed).reason.clone().unwrap();
    assert!(reason.contains("password=[sensitive], port ab"), "{reason}");
}

#[test]
fn policies_and_the_mode_only_lower() {
    let mut bench = Bench::directory();
    for (path, policy) in [("/off", Policy::Off), ("/audit", Policy::Audit), ("/enforce", Policy::Enforce)] {
        let file = bench.file(path, "x");
        bench.catalog.resources[file as usize].policy = policy;
    }
    let counts = bench.run(Mode::Audit).counts;
    assert_eq!((counts.off, counts.would_change, counts.changed), (1, 2, 0));
    let counts = bench.run(Mode::Enforce).counts;
    assert_eq!((counts.off, counts.would_change, counts.changed), (1, 1, 1));
    assert_eq!(
        (bench.read("off"), bench.read("audit"), bench.read("enforce")),
        (None, None, Some("x".into()))
    );
}

#[test]
fn what_is_not_known_yet_is_pending_only_if_something_before_it_will_change() {
    let mut bench = Bench::directory();
    let before = bench.file("/before", "x");
    let owned = bench.add("file", "/owned", &[("owner", "deploy".into())].into());
    let alone = bench.run(Mode::Audit);
    assert!(event(&alone, "file[/owned]", Status::Failed).reason.as_ref().unwrap().contains("`deploy`"));
    bench.edge(before, owned, EdgeKind::Order);
    let after = bench.run(Mode::Audit);
    assert!(
        event(&after, "file[/owned]", Status::WouldChange).reason.as_ref().unwrap().contains("not known yet")
    );
}

#[test]
fn what_comes_after_a_change_is_looked_at_again() {
    let mut bench = Bench::directory();
    std::os::unix::fs::symlink("real", bench.dir().join("dir")).unwrap();
    std::fs::create_dir(bench.dir().join("real")).unwrap();
    std::fs::create_dir(bench.dir().join("other")).unwrap();
    std::fs::write(bench.dir().join("real/a"), "x").unwrap();
    let link = bench.add("file", "/dir", &[("target", "other".into())].into());
    let inside = bench.file("/dir/a", "x");
    bench.edge(link, inside, EdgeKind::Order);
    let findings = bench.run(Mode::Enforce);
    assert_eq!(findings.counts.changed, 2, "in sync at first, and missing once the link was corrected");
    assert_eq!(bench.read("other/a").as_deref(), Some("x"));
}

#[test]
fn a_panic_of_a_provider_fails_its_resource_alone() {
    let mut bench = Bench::directory();
    let content = bench.contents.keep(b"x");
    bench.contents.on_open(|| panic!("boom"));
    bench.add("file", "/a", &[("content", content), ("show_diff", false.into())].into());
    bench.file("/b", "x");
    let findings = bench.run(Mode::Enforce);
    assert!(event(&findings, "file[/a]", Status::Failed).reason.as_ref().unwrap().contains("boom"));
    assert_eq!((bench.read("a"), bench.read("b").as_deref()), (None, Some("x")));
}

#[test]
fn an_interrupted_run_skips_what_is_left() {
    let mut bench = Bench::directory();
    bench.file("/a", "x");
    bench.stop.store(true, Ordering::Relaxed);
    let findings = bench.run(Mode::Enforce);
    assert!(event(&findings, "file[/a]", Status::Skipped).reason.as_ref().unwrap().contains("told to stop"));
    assert_eq!(bench.read("a"), None);
}

#[test]
fn state_that_others_can_write_is_refused() {
    let bench = Bench::directory();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o770);
    std::fs::set_permissions(bench.state(), open).unwrap();
    let result = RunMemory::open(bench.state(), &bench.catalog.id, false);
    assert!(matches!(result, Err(Error::OpenState { mode: 0o770, .. })));
}

#[test]
fn messages_are_said_every_time_and_are_no_drift() {
    let mut bench = Bench::directory();
    bench.add("notify", "hello", &Value::from([("message", "good day".into())]));
    for _ in 0..2 {
        let findings = bench.run(Mode::Enforce);
        assert_eq!(event(&findings, "notify[hello]", Status::Info).reason.as_deref(), Some("good day"));
        assert_eq!(findings.counts.unchanged, 1);
    }
}

#[test]
fn commands_that_always_run_are_a_class_of_their_own() {
    let (mut bench, ran) = commands(&[]);
    bench.add("exec", "tick", &[("always", true.into())].into());
    let findings = bench.run(Mode::Enforce);
    assert_eq!((findings.counts.changed, findings.counts.unchanged), (0, 1));
    assert_eq!(event(&findings, "exec[tick]", Status::Info).cause, None);
    bench.run(Mode::Audit);
    assert_eq!(*ran.lock().unwrap(), ["tick"]);
}

#[test]
fn many_files_are_checked_in_parallel_and_all_are_found() {
    let mut bench = Bench::directory();
    for index in 0..500 {
        bench.file(&format!("/f{index}"), &index.to_string());
    }
    bench.run(Mode::Enforce);
    for index in [0, 250, 499] {
        std::fs::write(bench.dir().join(format!("f{index}")), "drift").unwrap();
    }
    let findings = bench.run(Mode::Enforce);
    let off: Vec<_> = findings.events.iter().map(|event| event.resource.title.to_string()).collect();
    assert_eq!(off, ["/f0", "/f250", "/f499"]);
}
