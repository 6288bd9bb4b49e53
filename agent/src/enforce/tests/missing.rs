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
    // An audit predicts what the run will report.
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
        assert!(why.contains("no /usr/bin/apt-get"), "{why}");
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

#[test]
fn an_account_that_does_not_apply_here_excuses_only_what_is_its_own() {
    let mut bench = Bench::directory();
    let user = bench.add("user", "app", &[("ensure", "present".into())].into());
    let job: Value = [("command", "/bin/true".into()), ("schedule", "@daily".into())].into();
    let job = bench.add("cron", "job", &job);
    bench.edge(user, job, EdgeKind::Order);
    let line = bench.add("file_line", "z", &[("path", "/etc/none".into()), ("line", "A 1".into())].into());
    bench.edge(user, line, EdgeKind::Order);
    let home = bench.file("/home/app/.profile", "x");
    bench.edge(user, home, EdgeKind::Order);
    let other = bench.add("file_line", "y", &[("path", "/srv/apply".into()), ("line", "A 1".into())].into());
    bench.edge(user, other, EdgeKind::Order);
    for mode in [Mode::Audit, Mode::Enforce] {
        let findings = bench.run(mode);
        let why = |name: &str, status| event(&findings, name, status).reason.clone().unwrap();
        assert!(why("cron[job]", Status::Failed).contains("there is no /etc/cron.d"), "{mode:?}");
        for other in ["file_line[z]", "file_line[y]"] {
            assert!(!why(other, Status::Failed).contains("user[app]"), "{mode:?}");
        }
        assert!(why("file[/home/app/.profile]", Status::NotApplicable).contains("since user[app]"));
    }
}

#[test]
fn a_file_that_cannot_be_made_says_why_and_an_audit_foretells_it() {
    let mut bench = Bench::directory();
    std::fs::write(bench.dir().join("passwd"), "x").unwrap();
    bench.file("/passwd/x/y", "1");
    let off = bench.add("file", "/a", &[("ensure", "directory".into())].into());
    bench.file("/a/b", "1");
    bench.add("file", "/c", &[("ensure", "directory".into())].into());
    bench.file("/c/d", "1");
    bench.catalog.resources[off as usize].policy = Policy::Off;
    for mode in [Mode::Audit, Mode::Enforce] {
        let findings = bench.run(mode);
        let why = |name: &str| event(&findings, name, Status::Failed).reason.clone().unwrap();
        assert!(
            why("file[/passwd/x/y]").contains("/passwd is not a directory"),
            "{mode:?}: {}",
            why("file[/passwd/x/y]")
        );
        assert!(!why("file[/passwd/x/y]").contains("ensure = \"directory\""), "{mode:?}");
        let words = "file[/a], which makes it, is switched off by policy";
        assert!(why("file[/a/b]").contains(words), "{mode:?}: {}", why("file[/a/b]"));
        assert_eq!(findings.counts.failed, 2, "{mode:?}: {:#?}", findings.events);
    }
    assert_eq!(bench.read("c/d").as_deref(), Some("1"));
}

#[test]
fn an_audit_foretells_no_failure_where_what_comes_before_may_make_the_place() {
    let mut bench = Bench::of(Double::new(|_| Some(said(""))));
    // Whatever is missing, a run that writes creates it first.
    let brings = bench.file("/brings", "x");
    let held = bench.add("file", "/conf.d", &[("ensure", "directory".into())].into());
    bench.catalog.resources[held as usize].policy = Policy::Audit;
    let config = bench.file("/conf.d/s.conf", "x");
    let after = bench.file("/after", "x");
    for (from, to) in [(brings, held), (held, config), (config, after)] {
        bench.edge(from, to, EdgeKind::Order);
    }
    let findings = bench.run(Mode::Audit);
    let why = event(&findings, "file[/conf.d/s.conf]", Status::WouldChange).reason.clone().unwrap();
    assert!(why.starts_with("not known yet: its directory does not exist"), "{why}");
    event(&findings, "file[/after]", Status::WouldChange);
    assert_eq!(findings.counts.failed, 0);

    // Without that resource, it is known.
    bench.catalog.resources[brings as usize].policy = Policy::Audit;
    event(&bench.run(Mode::Audit), "file[/conf.d/s.conf]", Status::Failed);
}
