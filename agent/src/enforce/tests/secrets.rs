//! What was secret in an earlier run and is replaced by plain text: the machine still has it, and no report shows it.

use super::*;

const SECRET: &str = "hunter22secret";

fn secret(text: &str) -> Value {
    Kind::Sensitive(Sensitive::text(text)).into()
}

/// Enforces the first catalog, then audits and enforces the second. No report contains the secret, and the machine no
/// longer has it. The same holds if there were other catalogs in between.
fn replaced(first: impl Fn(&mut Bench), second: impl Fn(&mut Bench)) {
    for catalogs_between in [0, 2] {
        replaced_after(catalogs_between, &first, &second);
    }
}

fn replaced_after(catalogs_between: usize, first: impl Fn(&mut Bench), second: impl Fn(&mut Bench)) {
    let mut bench = Bench::directory();
    std::fs::write(bench.dir().join("app.conf"), "[main]\nport = 1\n").unwrap();
    first(&mut bench);
    let mut told = format!("{:?}", bench.run(Mode::Enforce));
    assert!(bench.read("app.conf").unwrap().contains(SECRET));
    for other in 0..catalogs_between {
        bench.catalog.resources.clear();
        bench.file(&format!("/other{other}"), "x");
        bench.run(Mode::Enforce);
    }
    bench.catalog.resources.clear();
    second(&mut bench);
    for mode in [Mode::Audit, Mode::Enforce] {
        let findings = bench.run(mode);
        assert_eq!(findings.counts.changed + findings.counts.would_change, 1, "{:#?}", findings.events);
        told.push_str(&format!("{findings:?}"));
    }
    assert!(!bench.read("app.conf").unwrap().contains(SECRET));
    assert!(!told.contains(SECRET), "{told}");
    assert!(bench.run(Mode::Enforce).events.is_empty());
}

fn file(content: Value) -> impl Fn(&mut Bench) {
    move |bench| {
        bench.add("file", "/app.conf", &[("content", content.clone())].into());
    }
}

fn line(title: &'static str, line: Value) -> impl Fn(&mut Bench) {
    move |bench| {
        let attributes =
            [("path", "/app.conf".into()), ("line", line.clone()), ("match", "^password".into())];
        bench.add("file_line", title, &attributes.into());
    }
}

fn setting(title: &'static str, value: Value) -> impl Fn(&mut Bench) {
    move |bench| {
        let attributes = [
            ("path", "/app.conf".into()),
            ("section", "main".into()),
            ("key", "password".into()),
            ("value", value.clone()),
        ];
        bench.add("ini_setting", title, &attributes.into());
    }
}

fn fragment(title: &'static str, content: Value) -> impl Fn(&mut Bench) {
    move |bench| {
        bench.add("file", "/app.conf", &[("fragments", true.into())].into());
        let part = [("target", "/app.conf".into()), ("content", content.clone())];
        bench.add("fragment", title, &part.into());
    }
}

#[test]
fn a_resource_is_named_whole_though_a_secret_has_a_part_of_its_name() {
    let mut bench = Bench::live();
    let title = bench.dir().join("cake.example.login").display().to_string();
    let content = secret(r#"{"remote":{"url":"https://v.example/","key":"hunter22secret"}}"#);
    let file = bench.add("file", &title, &[("content", content)].into());
    let told = [("command", "true".into()), ("refresh_only", true.into())];
    let exec = bench.add("exec", "reload", &told.into());
    bench.edge(file, exec, EdgeKind::Notify);
    let events = bench.run(Mode::Enforce).events;
    let reason = events.iter().find_map(|event| event.reason.as_deref()).unwrap();
    assert!(reason.ends_with(&format!("notified by file[{title}]")), "{reason}");
}

#[test]
fn what_replaces_a_secret_is_shown_and_the_secret_is_not() {
    let (old, new) = (format!("password={SECRET}"), "password=plain");
    replaced(file(secret(&old)), file(new.into()));
    replaced(line("one", secret(&old)), line("one", new.into()));
    replaced(line("one", secret(&old)), line("another title", new.into()));
    replaced(setting("one", secret(SECRET)), setting("one", "plain".into()));
    replaced(setting("one", secret(SECRET)), setting("another title", "plain".into()));
    replaced(fragment("one", secret(&old)), fragment("one", new.into()));
    replaced(fragment("one", secret(&old)), fragment("another title", new.into()));
}

#[test]
fn a_secret_is_not_shown_by_who_takes_its_file_over() {
    let old = format!("password={SECRET}");
    replaced(line("one", secret(&old)), file("plain\n".into()));
    replaced(setting("one", secret(SECRET)), file("plain\n".into()));
    replaced(file(secret(&format!("{old}\n"))), fragment("one", "plain\n".into()));
}

#[test]
fn a_secret_is_remembered_while_its_file_is_nobodys() {
    let mut bench = Bench::directory();
    file(secret(&format!("password={SECRET}\n")))(&mut bench);
    bench.run(Mode::Enforce);
    bench.catalog.resources.clear();
    bench.file("/other", "x");
    bench.run(Mode::Enforce);
    bench.file("/third", "x");
    bench.run(Mode::Enforce);
    bench.file("/app.conf", "plain\n");
    let told = format!("{:?}", bench.run(Mode::Enforce));
    assert!(!told.contains(SECRET), "{told}");
    bench.catalog.resources.pop();
    bench.file("/app.conf", "plainer\n");
    let findings = bench.run(Mode::Enforce);
    assert!(
        event(&findings, "file[/app.conf]", Status::Changed).diff.is_some(),
        "it is gone, so all is shown again"
    );
}

#[test]
fn beside_a_secret_that_stays_its_neighbours_are_shown() {
    let mut bench = Bench::directory();
    std::fs::write(bench.dir().join("app.conf"), "[main]\nport = 1\n").unwrap();
    setting("one", secret(SECRET))(&mut bench);
    let port = [
        ("path", "/app.conf".into()),
        ("section", "main".into()),
        ("key", "port".into()),
        ("value", "2".into()),
    ];
    bench.add("ini_setting", "port", &port.into());
    bench.run(Mode::Enforce);
    bench.set(1, "value", "3");
    let findings = bench.run(Mode::Enforce);
    assert_eq!(event(&findings, "ini_setting[port]", Status::Changed).is.as_deref(), Some("2"));
}
