//! A machine that becomes another node, and reports that only their own server may judge.

use super::*;

impl Scene {
    /// Enrols the machine as the command does, which ends what it was before.
    pub(super) fn enroll_whole(&self) {
        take_over(&self.state(), &self.enroll()).unwrap();
    }
}

/// The machine as another node: its identity is lost, and it is enrolled again.
fn enrolled_anew(scene: &Scene) {
    std::fs::remove_dir_all(scene.place.state_dir.join("identity")).unwrap();
    scene.enroll();
}

#[test]
fn what_a_machine_was_before_is_neither_delivered_nor_enforced_nor_told_as_the_next_node() {
    let scene = scene();
    scene.enroll();
    scene.serves(catalog(1, "hello\n"));
    scene.run();
    scene.server.answers(|_| ScriptedAnswer::Lost);
    std::fs::write(scene.root.path().join("greeting"), "a secret plan\n").unwrap();
    assert!(scene.run().delivery.waits.is_some());

    enrolled_anew(&scene);
    let enrolled = scene.reports().len();
    scene.server.answers(|_| ScriptedAnswer::Lost);
    std::fs::write(scene.root.path().join("greeting"), "other\n").unwrap();
    let alone = scene.run();
    assert!(alone.report.catalog.is_none() && scene.greeting() == "other\n", "{:?}", alone.report);
    assert!(!alone.report.error.unwrap().contains("earlier"), "that is not the business of the next one");
    assert_eq!((alone.aside.of_earlier_nodes, alone.aside.refused), (1, 0));

    let before = scene.reports().len();
    scene.serves(catalog(1, "hello\n"));
    let now = scene.run().report;
    assert_eq!((now.counts.changed, now.counts.corrective), (1, 0), "{:?}", now.events);
    let told = &scene.reports()[before..];
    assert_eq!(told.iter().map(|report| report.run).collect::<Vec<_>>(), [alone.report.run, now.run]);
    assert!(!format!("{:?}", &scene.reports()[enrolled..]).contains("secret plan"));
}

#[test]
fn the_next_node_s_server_hears_of_none_of_the_reports_that_the_earlier_one_lost() {
    let scene = scene();
    scene.enroll_whole();
    scene.server.answers(|_| ScriptedAnswer::Lost);
    let damaged = r#"{"owner": {"certname": "canary web1"}, "report": "canary"}"#;
    let damage =
        |name: &str| std::fs::write(scene.place.state_dir.join("spool").join(name), damaged).unwrap();
    drop(Spool::open(&scene.state()).unwrap());
    damage("n0000000001-a.json");
    let said = scene.run().report.error.unwrap();
    assert!(
        said.contains("1-a.json is damaged") && !said.contains("canary"),
        "whose it was is not known: {said}"
    );
    // A report that nobody has looked at yet, and a loss that no report mentions yet.
    damage("n0000000009-b.json");
    std::fs::write(scene.place.state_dir.join("spool/untold"), r#"{"count": 3, "why": ["canary"]}"#).unwrap();

    enrolled_anew(&scene);
    let before = scene.reports().len();
    scene.serves(catalog(1, "hello\n"));
    let done = scene.run();
    let told = format!("{:?}", &scene.reports()[before..]);
    assert!(!told.contains("not delivered") && !told.contains("canary"), "{told}");
    assert_eq!((done.report.error, done.aside.of_earlier_nodes, done.aside.refused), (None, 2, 1));
}

#[test]
fn what_is_no_server_is_not_reached_and_judges_no_report() {
    let scene = scene();
    scene.enroll();
    scene.server.answers(|_| ScriptedAnswer::Lost);
    let first = scene.run().report.run;
    for (status, text) in [(404, "<html>"), (400, ""), (413, "{}"), (421, r#"{"error":"x"}"#), (503, "busy")]
    {
        scene.server.answers(move |_| ScriptedAnswer::Json(status, text.into()));
        let done = scene.run();
        let waits = done.delivery.waits.unwrap();
        assert!(waits.contains(&format!("cannot be reached: what answers there ({status})")), "{waits}");
        assert!(done.delivery.refused.is_none() && !done.is_refused, "{status}");
        assert_eq!(done.aside, spool::AsideCounts::default(), "{status}");
    }
    let before = scene.reports().len();
    scene.serves(catalog(1, "hello\n"));
    assert_eq!(scene.run().delivery.delivered, 7);
    assert_eq!(scene.reports()[before].run, first, "they go in their order");
}

#[test]
fn the_server_is_told_of_reports_that_are_lost_once() {
    let scene = scene();
    scene.enroll_whole();
    scene.serves(catalog(1, "hello\n"));
    drop(Spool::open(&scene.state()).unwrap());
    for name in ["n0000000001-a.json", "n0000000002-b.json"] {
        std::fs::write(scene.place.state_dir.join("spool").join(name), "").unwrap();
    }
    let done = scene.run();
    let told = scene.reports().pop().unwrap().error.unwrap();
    assert!(told.contains("2 reports of earlier runs are not delivered"), "{told}");
    assert!(told.contains("1-a.json is damaged") && told.contains("2-b.json is damaged"), "{told}");
    assert_eq!(done.aside.refused, 2);
    let next = scene.run();
    assert_eq!(
        (next.report.error, next.aside.refused),
        (None, 2),
        "here they are told until they are cleared"
    );
}
