//! No resource is blamed for undoing something unless that is known.

use super::last_look::answering;
use super::*;

/// A machine whose one command does this to its root.
fn command(act: impl Fn(&Path) + Send + Sync + 'static) -> Bench {
    let (bench, _) = answering(move |command, root| {
        (command == "act").then(|| {
            act(root);
            said("")
        })
    });
    bench
}

fn act(bench: &mut Bench, more: &[(&'static str, Value)]) -> u32 {
    let index = bench.add("exec", "act", &Value::from([]));
    more.iter().for_each(|(name, value)| bench.set(index, name, value.clone()));
    index
}

const MAY: &str = "changed back in this run; exec[act], which acted since, may have done it";

fn reasons(findings: &Findings, resource: &str) -> Vec<String> {
    let of_it = findings.events.iter().filter(|event| event.resource.to_string() == resource);
    of_it.filter_map(|event| event.reason.clone()).collect()
}

#[test]
fn who_works_elsewhere_in_a_purged_directory_did_not_put_a_file_there() {
    let mut bench = command(|root| std::fs::write(root.join("d/z"), "").unwrap());
    std::fs::create_dir(bench.root().join("d")).unwrap();
    bench.add("file", "/d", &[("ensure", "directory".into()), ("purge", true.into())].into());
    bench.add(
        "ini_setting",
        "x",
        &[("path", "/d/i".into()), ("key", "k".into()), ("value", "1".into())].into(),
    );
    act(&mut bench, &[("creates", "/d/z".into())]);
    let findings = bench.run(Mode::Enforce);
    assert_eq!(reasons(&findings, "file[/d]"), [format!("{MAY}; corrected again")]);
}

#[test]
fn a_command_is_a_suspect_beside_what_works_on_the_same_path() {
    let mut bench = command(|root| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(root.join("f"), std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(root.join("z"), "").unwrap();
    });
    bench.add("file", "/f", &[("mode", "0644".into())].into());
    bench.add("file_line", "a", &[("path", "/f".into()), ("line", "b".into())].into());
    act(&mut bench, &[("creates", "/z".into())]);
    let findings = bench.run(Mode::Enforce);
    let told = reasons(&findings, "file[/f]");
    assert_eq!(
        told,
        [
            "changed back in this run; file_line[a] or exec[act], which acted since, may have done it; corrected again"
        ]
    );
}

#[test]
fn what_is_in_a_directory_does_not_change_its_mode() {
    let mut bench = command(|root| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(root.join("d"), std::fs::Permissions::from_mode(0o700)).unwrap();
        std::fs::write(root.join("z"), "").unwrap();
    });
    bench.add("file", "/d", &[("ensure", "directory".into()), ("mode", "0755".into())].into());
    bench.file("/d/in", "x");
    act(&mut bench, &[("creates", "/z".into())]);
    let findings = bench.run(Mode::Enforce);
    assert_eq!(reasons(&findings, "file[/d]"), [format!("{MAY}; corrected again")]);
}

#[test]
fn nobody_has_undone_a_command_whose_guard_still_asks_for_it() {
    let mut bench = command(|root| std::fs::write(root.join("z"), "").unwrap());
    let first = bench.add("exec", "act", &[("creates", "/never".into())].into());
    let second = bench.add("exec", "again", &[("command", "act".into()), ("creates", "/z".into())].into());
    bench.edge(first, second, EdgeKind::Order);
    bench.file("/other", "x");
    let findings = bench.run(Mode::Enforce);
    let failed = event(&findings, "exec[act]", Status::Failed);
    assert_eq!(failed.reason.as_deref(), Some("it ran, but its guard still requires it"));
}

#[test]
fn what_a_tool_never_set_was_undone_by_nobody() {
    let double = Double::new(|_| Some(said("")));
    double.put("/etc/passwd", "otto:x:1:1:old:/:/bin/sh\n");
    let mut bench = Bench::of(double);
    let user = bench.add("user", "otto", &[("comment", "new".into())].into());
    for path in ["/a", "/b"] {
        let after = bench.file(path, "x");
        bench.edge(user, after, EdgeKind::Order);
    }
    let findings = bench.run(Mode::Enforce);
    let failed = event(&findings, "user[otto]", Status::Failed).reason.clone();
    assert_eq!(
        failed.as_deref(),
        Some("it was set, but the machine still has old"),
        "{:#?}",
        findings.events
    );
    let told = reasons(&findings, "user[otto]");
    assert!(
        !told.iter().any(|reason| reason.contains(" acted in this run") || reason.contains("undone")),
        "{told:?}"
    );
}

#[test]
fn a_command_that_ran_while_somebody_else_put_a_file_off_is_not_said_to_have_done_it() {
    // The command itself touches only what its guard looks for: anything else that happens is done by another process.
    let mut bench = command(|root| {
        std::fs::write(root.join("z"), "").unwrap();
        std::fs::write(root.join("f"), "of a process that is not part of this run").unwrap();
    });
    let file = bench.file("/f", "x");
    let act = act(&mut bench, &[("creates", "/z".into())]);
    bench.edge(file, act, EdgeKind::Order);
    let findings = bench.run(Mode::Enforce);
    assert_eq!(reasons(&findings, "file[/f]").last().unwrap(), &format!("{MAY}; corrected again"));
}

#[test]
fn a_mode_above_a_file_did_not_change_what_is_in_it() {
    let mut bench = Bench::directory();
    std::fs::create_dir(bench.dir().join("d")).unwrap();
    let file = bench.file("/d/f", "x");
    let other = bench.contents.keep(b"y");
    let slow = bench.add("file", "/slow", &[("content", other)].into());
    let directory =
        bench.add("file", "/d", &[("ensure", "directory".into()), ("mode", "0711".into())].into());
    bench.edge(file, directory, EdgeKind::Order);
    bench.edge(directory, slow, EdgeKind::Order);
    let root = bench.dir().to_owned();
    bench.contents.on_open(move || std::fs::write(root.join("d/f"), "somebody else").unwrap());
    let findings = bench.run(Mode::Enforce);
    let told = reasons(&findings, "file[/d/f]");
    let words = "changed back after file[/slow] and file[/d] acted in this run; corrected again";
    assert_eq!(told, [words], "{:#?}", findings.events);
}
