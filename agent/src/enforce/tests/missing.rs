//! What a machine cannot have is a failure there; below another root it is not applicable.

use super::*;

#[test]
fn what_waits_for_something_that_does_not_apply_here_does_not_apply_either() {
    let mut bench = Bench::directory();
    let user = bench.add("user", "otto", &[("ensure", "present".into())].into());
    let file = bench.add("file", "/keys", &[("content", "k".into()), ("owner", "otto".into())].into());
    bench.edge(user, file, EdgeKind::Order);
    let package = bench.add("package", "nginx", &Value::from([]));
    let config = bench.file("/etc/nginx/nginx.conf", "x");
    bench.edge(package, config, EdgeKind::Order);
    // An audit foretells what the run will say.
    for mode in [Mode::Audit, Mode::Enforce] {
        let findings = bench.run(mode);
        event(&findings, "file[/etc/nginx/nginx.conf]", Status::NotApplicable);
        let reason = event(&findings, "file[/keys]", Status::NotApplicable).reason.clone().unwrap();
        assert!(reason.contains("user[otto] is not applicable here"), "{reason}");
        assert_eq!((findings.counts.failed, findings.counts.not_applicable), (0, 4), "{mode:?}");
    }
}

#[test]
fn a_real_error_does_not_hide_behind_what_is_not_applicable() {
    let mut bench = Bench::directory();
    let package = bench.add("package", "nginx", &Value::from([]));
    std::fs::create_dir_all(bench.dir().join("conf/full")).unwrap();
    let config = bench.file("/conf", "x");
    bench.edge(package, config, EdgeKind::Order);
    let long = bench.file(&format!("/{}", "x".repeat(300)), "x");
    bench.edge(package, long, EdgeKind::Order);
    let findings = bench.run(Mode::Enforce);
    assert_eq!((findings.counts.failed, findings.counts.not_applicable), (2, 1), "{:#?}", findings.events);
}

#[test]
fn what_a_machine_cannot_have_is_a_failure_there_and_holds_up_what_needs_it() {
    let mut bench = Bench::of(Double::new(|_| Some(said(""))));
    let package = bench.add("package", "nginx", &Value::from([]));
    let config = bench.file("/nginx.conf", "x");
    bench.edge(package, config, EdgeKind::Order);
    for mode in [Mode::Audit, Mode::Enforce] {
        let findings = bench.run(mode);
        let why = event(&findings, "package[nginx]", Status::Failed).reason.clone().unwrap();
        assert!(why.contains("/var/lib/dpkg/status"), "{why}");
        event(&findings, "file[/nginx.conf]", Status::Skipped);
        assert_eq!(findings.counts.not_applicable, 0);
    }
}

#[test]
fn no_type_calls_anything_not_applicable_on_a_machine() {
    let mut bench = Bench::of(Double::new(|_| None));
    let present: Value = [("ensure", "present".into())].into();
    bench.add("package", "nginx", &Value::from([]));
    bench.add("service", "nginx", &[("ensure", "running".into())].into());
    bench.add("alternatives", "editor", &[("path", "/usr/bin/vim".into())].into());
    bench.add("locale", "de_DE.UTF-8", &present);
    let repository =
        [("uris", vec!["http://deb.example".into()].into()), ("suites", vec!["./".into()].into())];
    bench.add("apt_repository", "example", &Value::from(repository));
    let findings = bench.run(Mode::Enforce);
    assert_eq!((findings.counts.not_applicable, findings.counts.unchanged), (0, 0), "{:#?}", findings.events);
}
