//! A run judges the actual state: at each turn the state at that time, and at its end everything.

use super::*;
use crate::system::Output;

/// A command, and what it does to the root of its machine.
type Act = (&'static str, fn(&Path));

/// A machine on which these commands do these things.
fn acting(acts: &'static [Act]) -> (Bench, Arc<Mutex<Vec<String>>>) {
    answering(|text, root| {
        let act = acts.iter().find(|(command, _)| *command == text);
        act.map(|(_, act)| {
            act(root);
            said("")
        })
    })
}

/// A machine that records its commands and answers each through `answer`, which is given the command and the root.
pub(super) fn answering(
    answer: impl Fn(&str, &Path) -> Option<Output> + Send + Sync + 'static,
) -> (Bench, Arc<Mutex<Vec<String>>>) {
    let ran = Arc::new(Mutex::new(Vec::new()));
    let (note, root) = (ran.clone(), Arc::new(Mutex::new(PathBuf::new())));
    let at = root.clone();
    let double = Double::new(move |invocation| {
        let text = invocation.command.to_string();
        note.lock().unwrap().push(text.clone());
        answer(&text, &at.lock().unwrap())
    });
    double.root.path().clone_into(&mut root.lock().unwrap());
    (Bench::double(double), ran)
}

fn times(ran: &Mutex<Vec<String>>, command: &str) -> usize {
    ran.lock().unwrap().iter().filter(|text| *text == command).count()
}

fn remove_a(root: &Path) {
    let _ = std::fs::remove_file(root.join("a"));
    std::fs::write(root.join("done"), "").unwrap();
}

fn nothing(_: &Path) {}

fn exec(bench: &mut Bench, command: &str, attributes: &[(&'static str, Value)]) -> u32 {
    let index = bench.add("exec", command, &Value::from([]));
    attributes.iter().for_each(|(name, value)| bench.set(index, name, value.clone()));
    index
}

#[test]
fn what_a_command_undid_is_put_right_in_the_same_run_wherever_it_stands() {
    for (exec_first, pass) in [
        (true, "changed back in this run; exec[rm], which acted since, may have done it"),
        (false, "changed back in this run; exec[rm], which acted since, may have done it; corrected again"),
    ] {
        let (mut bench, ran) = acting(&[("rm", remove_a)]);
        if !exec_first {
            bench.file("/a", "x");
            bench.run(Mode::Enforce);
        }
        exec(&mut bench, "rm", &[("creates", "/done".into())]);
        if exec_first {
            bench.file("/a", "x");
            std::fs::write(bench.root().join("a"), "x").unwrap();
        }
        let findings = bench.run(Mode::Enforce);
        let undone = event(&findings, "file[/a]", Status::Changed);
        assert_eq!((undone.reason.as_deref(), undone.cause), (Some(pass), Some(Cause::Intentional)));
        assert_eq!((findings.counts.changed, findings.counts.failed), (2, 0));
        assert_eq!(std::fs::read_to_string(bench.root().join("a")).unwrap(), "x");
        assert!(bench.run(Mode::Enforce).events.is_empty());
        assert_eq!(times(&ran, "rm"), 1);
    }
}

#[test]
fn two_resources_that_undo_each_other_fail_in_every_run_and_name_each_other() {
    let mut bench = Bench::directory();
    bench.file("/a", "x\n");
    bench.add("file_line", "more", &[("path", "/a".into()), ("line", "more".into())].into());
    for run in 0..4 {
        let findings = bench.run(Mode::Enforce);
        assert_eq!(findings.counts.failed, 1, "{run}: {:#?}", findings.events);
        let failed = findings.events.iter().find(|event| event.status == Status::Failed).unwrap();
        let reason = failed.reason.as_deref().unwrap();
        let other = if failed.resource.type_name.as_ref() == "file" { "file_line[more]" } else { "file[/a]" };
        assert_eq!(reason, format!("undone by {other} in this run"), "{run}");
        assert_eq!(findings.counts.corrective, 0, "{run}: nobody else touched it");
    }
}

#[test]
fn among_many_that_acted_the_one_on_the_same_path_is_named() {
    let mut bench = Bench::directory();
    bench.file("/a", "x\n");
    for n in 0..20 {
        bench.file(&format!("/other{n}"), "x");
    }
    bench.add("file_line", "more", &[("path", "/a".into()), ("line", "more".into())].into());
    let findings = bench.run(Mode::Enforce);
    assert_eq!((findings.counts.failed, findings.counts.changed), (1, 21));
    let failed = findings.events.iter().find(|event| event.status == Status::Failed).unwrap();
    assert!(failed.reason.as_deref().unwrap().starts_with("undone by file"), "{failed:?}");
}

#[test]
fn who_works_on_something_else_is_not_called_the_one_who_undid_it() {
    let mut bench = Bench::directory();
    let a = bench.file("/a", "x");
    let content = bench.contents.keep(b"y");
    let b = bench.add("file", "/b", &[("content", content)].into());
    bench.edge(a, b, EdgeKind::Order);
    let root = bench.dir().to_owned();
    bench.contents.on_open(move || drop(std::fs::remove_file(root.join("a"))));
    let findings = bench.run(Mode::Enforce);
    let reasons = findings.events.iter().filter_map(|event| event.reason.as_deref()).collect::<Vec<_>>();
    assert_eq!(reasons, ["changed back after file[/b] acted in this run; corrected again"]);
}

#[test]
fn who_failed_before_it_touched_anything_has_undone_nothing() {
    let mut bench = Bench::directory();
    let a = bench.file("/a", "x");
    // Its content is not available.
    let content = bench::TestContents::default().keep(b"y");
    let b = bench.add("file", "/b", &[("content", content)].into());
    bench.edge(a, b, EdgeKind::Order);
    let root = bench.dir().to_owned();
    bench.contents.on_open(move || drop(std::fs::remove_file(root.join("a"))));
    let findings = bench.run(Mode::Enforce);
    event(&findings, "file[/b]", Status::Failed);
    let reasons = findings.events.iter().filter(|event| event.resource.to_string() == "file[/a]");
    let reasons: Vec<_> = reasons.filter_map(|event| event.reason.as_deref()).collect();
    assert_eq!(reasons, ["what was set in this run did not last; corrected again"]);
}

#[test]
fn a_command_whose_guard_still_asks_for_it_has_failed_and_ran_once() {
    let (mut bench, ran) = acting(&[("make", nothing)]);
    let file = bench.file("/a", "x");
    let make = exec(&mut bench, "make", &[("creates", "/made".into())]);
    bench.edge(file, make, EdgeKind::Notify);
    let findings = bench.run(Mode::Enforce);
    let failed = event(&findings, "exec[make]", Status::Failed);
    assert_eq!(failed.reason.as_deref(), Some("it ran, but its guard still requires it"));
    assert_eq!((findings.counts.failed, findings.counts.changed, times(&ran, "make")), (1, 1, 1));
}

#[test]
fn what_a_tool_only_says_it_set_has_failed() {
    let double = Double::new(|_| Some(said("")));
    double.put("/etc/passwd", "otto:x:1:1:old:/:/bin/sh\n");
    let mut bench = Bench::of(double);
    bench.add("user", "otto", &[("comment", "new".into())].into());
    for _ in 0..2 {
        let findings = bench.run(Mode::Enforce);
        let failed = event(&findings, "user[otto]", Status::Failed);
        assert_eq!(failed.reason.as_deref(), Some("it was set, but the machine still has old"));
        assert_eq!((findings.counts.failed, findings.counts.unchanged), (1, 0));
    }
}

#[test]
fn what_is_done_at_every_run_is_done_once_in_it() {
    let (mut bench, ran) = acting(&[("tick", nothing), ("rm", remove_a)]);
    bench.file("/a", "x");
    exec(&mut bench, "tick", &[("always", true.into())]);
    bench.add("notify", "hello", &Value::from([]));
    exec(&mut bench, "rm", &[("creates", "/done".into())]);
    let findings = bench.run(Mode::Enforce);
    assert_eq!((findings.counts.changed, findings.counts.unchanged), (2, 2), "{:#?}", findings.events);
    event(&findings, "notify[hello]", Status::Info);
    event(&findings, "exec[tick]", Status::Info);
    assert_eq!(times(&ran, "tick"), 1);
}

#[test]
fn a_second_correction_notifies_and_nobody_is_refreshed_twice_in_a_run() {
    let (mut bench, ran) = acting(&[("reload", nothing), ("rm", remove_a)]);
    let file = bench.file("/a", "x");
    let reload = exec(&mut bench, "reload", &[("refresh_only", true.into())]);
    let rm = exec(&mut bench, "rm", &[("creates", "/done".into())]);
    bench.edge(file, reload, EdgeKind::Notify);
    bench.edge(reload, rm, EdgeKind::Order);
    let findings = bench.run(Mode::Enforce);
    assert_eq!((findings.counts.failed, findings.counts.refreshed, times(&ran, "reload")), (0, 1, 1));
    let said = findings.events.iter().filter_map(|event| event.reason.as_deref());
    assert!(said.into_iter().any(|reason| reason.contains("left to the next run")), "{:#?}", findings.events);
    let next = bench.run(Mode::Enforce);
    let reason = event(&next, "exec[reload]", Status::Info).reason.clone().unwrap();
    assert!(reason.contains("file[/a] in an earlier run"), "{reason}");
    assert!(bench.run(Mode::Enforce).events.is_empty());
    assert_eq!(times(&ran, "reload"), 2);
}

#[test]
fn a_refresh_that_only_the_second_correction_asks_for_is_done_in_the_same_run() {
    let (mut bench, ran) = acting(&[("reload", nothing), ("rm", remove_a)]);
    std::fs::write(bench.root().join("a"), "x").unwrap();
    let file = bench.file("/a", "x");
    let reload = exec(&mut bench, "reload", &[("refresh_only", true.into())]);
    bench.edge(file, reload, EdgeKind::Notify);
    exec(&mut bench, "rm", &[("creates", "/done".into())]);
    let findings = bench.run(Mode::Enforce);
    assert_eq!((findings.counts.changed, findings.counts.refreshed, times(&ran, "reload")), (2, 1, 1));
    assert!(bench.run(Mode::Enforce).events.is_empty());
}

#[test]
fn what_is_only_watched_is_told_as_it_is_at_the_end() {
    let (mut bench, _) = acting(&[("rm", remove_a)]);
    std::fs::write(bench.root().join("a"), "x").unwrap();
    let watched = bench.file("/a", "x");
    let coming = bench.file("/done", "");
    for index in [watched, coming] {
        bench.catalog.resources[index as usize].policy = Policy::Audit;
    }
    exec(&mut bench, "rm", &[("creates", "/done".into())]);
    let findings = bench.run(Mode::Enforce);
    event(&findings, "file[/a]", Status::WouldChange);
    assert_eq!((findings.counts.would_change, findings.counts.unchanged), (1, 1), "{:#?}", findings.events);
}

#[test]
fn a_converged_run_looks_once_and_a_change_costs_one_more_look() {
    const FILES: usize = 1_000;
    for off in [0, FILES / 2, FILES - 1] {
        let double = Double::new(|_| None);
        let looks = double.looks();
        let root = double.root.path().to_owned();
        let mut bench = Bench::of(double);
        for n in 0..FILES {
            bench.file(&format!("/f{n}"), "x");
        }
        bench.run(Mode::Enforce);
        let count = |bench: &mut Bench| {
            let before = looks.load(Ordering::Relaxed);
            let findings = bench.run(Mode::Enforce);
            (looks.load(Ordering::Relaxed) - before, findings.counts.changed)
        };
        let (converged, _) = count(&mut bench);
        std::fs::write(root.join(format!("f{off}")), "drift").unwrap();
        let (one_change, changed) = count(&mut bench);
        assert_eq!(changed, 1);
        assert!(one_change <= converged * 2 + 5, "{off}: {one_change} looks beside {converged}");
        assert!(one_change >= converged * 2 - 1, "{off}: all were looked at after the change: {one_change}");
    }
}

#[test]
fn a_guard_is_asked_once_by_a_converged_run() {
    let (mut bench, ran) = acting(&[("test", nothing)]);
    exec(&mut bench, "make", &[("unless", "test".into())]);
    assert_eq!(bench.run(Mode::Enforce).counts.unchanged, 1);
    assert_eq!(times(&ran, "test"), 1);
}

/// An account that is half made: the account exists, and its home directory does not.
fn half_made(root: &Path) {
    std::fs::write(root.join("etc/passwd"), "otto:x:1:1::/home/otto:/bin/sh\n").unwrap();
}

#[test]
fn what_failed_half_way_is_told_once_by_who_corrects_whatever_came_between() {
    for (is_audited, is_watched) in [(false, false), (true, false), (false, true), (true, true)] {
        let (mut bench, _) = answering(|command, root| {
            if command.starts_with("getent") {
                return Some(said(""));
            }
            half_made(root);
            Some(failed(12, "cannot create directory /home/otto"))
        });
        std::fs::create_dir(bench.root().join("etc")).unwrap();
        std::fs::write(bench.root().join("etc/passwd"), "").unwrap();
        let user = bench.add("user", "otto", &Value::from([]));
        event(&bench.run(Mode::Enforce), "user[otto]", Status::Failed);
        if is_audited {
            std::fs::write(bench.state().join("unended"), "2026-11-29T03:00:00Z\n").unwrap();
            event(&bench.run(Mode::Audit), "user[otto]", Status::Info);
        }
        if is_watched {
            bench.catalog.resources[user as usize].policy = Policy::Audit;
        }
        event(&bench.run(Mode::Enforce), "user[otto]", Status::Info);
        let next = bench.run(Mode::Enforce);
        assert!(next.events.is_empty(), "{is_audited}, {is_watched}: it is said once: {:#?}", next.events);
    }
}

#[test]
fn who_would_have_been_notified_by_what_failed_half_way_is_refreshed_by_the_next_run() {
    let (mut bench, ran) = answering(|command, root| {
        if command == "reload" || command.starts_with("getent") {
            return Some(said(""));
        }
        half_made(root);
        Some(failed(12, "cannot create directory /home/otto"))
    });
    std::fs::create_dir(bench.root().join("etc")).unwrap();
    std::fs::write(bench.root().join("etc/passwd"), "").unwrap();
    let user = bench.add("user", "otto", &Value::from([]));
    let reload = exec(&mut bench, "reload", &[("refresh_only", true.into())]);
    bench.edge(user, reload, EdgeKind::Notify);
    let findings = bench.run(Mode::Enforce);
    event(&findings, "user[otto]", Status::Failed);
    event(&findings, "exec[reload]", Status::Skipped);
    let next = bench.run(Mode::Enforce);
    let told = event(&next, "user[otto]", Status::Info).reason.clone().unwrap();
    assert!(
        told.contains("an earlier run failed at this") && told.contains("cannot create directory"),
        "{told}"
    );
    assert_eq!(times(&ran, "reload"), 1);
    assert!(bench.run(Mode::Enforce).events.is_empty(), "it is said once");
}
