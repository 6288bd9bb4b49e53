//! A machine that is enrolled anew: what runs of the earlier node left is not drift, nothing is owed for it, and its
//! secrets stay hidden.

use super::*;
use crate::enforce::disown;

const SECRET: &str = "hunter22secret";

#[test]
fn what_an_earlier_node_left_is_no_drift_of_the_next_one() {
    let mut bench = Bench::directory();
    bench.file("/a", "x");
    bench.run(Mode::Enforce);
    std::fs::write(bench.state().join("owed.json"), r#"{"version":2,"owed":{}}"#).unwrap();
    std::fs::write(bench.state().join("unended"), "2026-11-29T03:00:00Z\n").unwrap();
    assert!(disown(bench.state()).unwrap());
    assert!(!bench.state().join("owed.json").exists() && !bench.state().join("unended").exists());
    assert!(!disown(bench.state()).unwrap(), "there is nothing left of it");
    std::fs::write(bench.dir().join("a"), "by hand").unwrap();
    let findings = bench.run(Mode::Enforce);
    assert_eq!((findings.counts.changed, findings.counts.corrective), (1, 0), "{:?}", findings.events);
    assert!(findings.notes.is_empty(), "{:?}", findings.notes);
    std::fs::write(bench.dir().join("a"), "by hand").unwrap();
    assert_eq!(bench.run(Mode::Enforce).counts.corrective, 1, "from then on drift is known");
}

#[test]
fn the_secrets_of_an_earlier_node_are_not_shown_to_the_next_one() {
    let secret = |text: &str| Value::from(Kind::Sensitive(Sensitive::text(text)));
    let line =
        |line: Value| [("path", "/app.conf".into()), ("line", line), ("match", "^password".into())].into();
    let old = format!("password={SECRET}");
    for is_line in [true, false] {
        let mut bench = Bench::directory();
        std::fs::write(bench.dir().join("app.conf"), "port=1\n").unwrap();
        match is_line {
            true => bench.add("file_line", "one", &line(secret(&old))),
            false => bench.add("file", "/app.conf", &[("content", secret(&old))].into()),
        };
        bench.run(Mode::Enforce);
        assert!(bench.read("app.conf").unwrap().contains(SECRET));
        disown(bench.state()).unwrap();
        bench.catalog.resources.clear();
        match is_line {
            true => bench.add("file_line", "another", &line("password=plain".into())),
            false => bench.add("file", "/app.conf", &[("content", "plain".into())].into()),
        };
        let told = format!("{:?}", bench.run(Mode::Enforce));
        assert!(!bench.read("app.conf").unwrap().contains(SECRET) && !told.contains(SECRET), "{told}");
    }
}
