//! What `status` reports about the last run: the one that was really the last, on this machine, whatever clocks say.

use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use holdfast_catalog::catalog::Policy;
use holdfast_catalog::log::LogFormat;

use super::damage::settled;
use super::*;
use crate::cli::kept;
use crate::doctor;

impl Scene {
    fn status(&self) -> String {
        crate::cli::status_of(&self.place).unwrap()
    }

    fn kept(&self) -> LastRunStatus {
        LastRunStatus::load(&self.state()).unwrap().unwrap()
    }

    fn doctor(&self, part: &str) -> String {
        let found = doctor::examine(&self.place).into_iter().filter(|finding| finding.part == part);
        found.map(|finding| finding.words + "\n").collect()
    }
}

#[test]
fn a_run_of_which_policy_lets_nothing_be_corrected_has_only_looked() {
    for (policy, state) in [(Policy::Audit, "pending"), (Policy::Off, "switched off")] {
        let scene = settled();
        let mut stopped = catalog(2, "new\n");
        stopped.resources[0].policy = policy;
        scene.serves(stopped);
        let report = scene.run().report;
        assert_eq!((report.mode, &*scene.greeting()), (Mode::Audit, "hello\n"), "{policy:?}");
        assert_eq!(scene.kept().runs_on.as_deref(), Some("c1"), "{policy:?}");
        let status = scene.status();
        assert!(status.contains("looked at    c2") && status.contains(", an audit"), "{status}");
        assert!(status.contains(&format!("state        {state}")), "{status}");
        scene.serves(catalog(3, "new\n"));
        assert_eq!((scene.run().report.mode, scene.kept().runs_on.as_deref()), (Mode::Enforce, Some("c3")));
    }
}

#[test]
fn a_run_that_did_not_end_is_told_by_its_mark_alone() {
    let scene = settled();
    let ahead = crate::clock::now() + jiff::SignedDuration::from_mins(65);
    LastRunStatus { started: ahead, ..scene.kept() }.store(&scene.state()).unwrap();
    let mark = scene.place.state_dir.join("memory/unended");
    std::fs::write(&mark, "2026-11-29T03:00:00.25Z\n").unwrap();
    let status = scene.status();
    let words =
        "failed: the last run, which began 2026-11-29T03:00:00Z, did not end: no report says what it changed";
    assert!(status.contains(words), "{status}");
    assert!(scene.doctor("last run").contains("the last one, which began 2026-11-29T03:00:00Z, did not end"));

    for damaged in ["", "yesterday", &"x".repeat(99)] {
        std::fs::write(&mark, damaged).unwrap();
        let status = scene.status();
        assert!(
            status.contains("failed: the last run did not end, and its start time is unknown"),
            "{status}"
        );
        assert!(scene.doctor("last run").contains("the last one did not end"), "{damaged}");
        let said = scene.run().report.error.unwrap();
        assert!(said.contains("an earlier run did not end"), "{said}");
        assert!(!mark.exists() && !scene.status().contains("failed: the last run"), "{damaged}");
    }
}

#[test]
fn no_clock_makes_drift_older_than_it_is_or_younger_than_now() {
    let scene = settled();
    let now = crate::clock::now();
    let apart = jiff::SignedDuration::from_hours(24 * 365);
    LastRunStatus { drifted: Some(now + apart), changed: None, ..scene.kept() }
        .store(&scene.state())
        .unwrap();
    let status = scene.status();
    assert!(status.contains("corrected at a time in the future (a clock was set back)"), "{status}");
    scene.run();
    assert!(scene.kept().drifted.unwrap() <= crate::clock::now());

    let mut report = scene.run().report;
    report.started = now - apart;
    report.counts.corrective = 1;
    let aside = StatusExtras { delivered: true, next_run: Duration::ZERO, interval: None, refused: None };
    let before = LastRunStatus { drifted: Some(now), ..scene.kept() };
    let next = LastRunStatus::of(&report, &before.certname.clone(), &aside, Some(before));
    assert_eq!(next.drifted, Some(now));
}

/// Counts the runs that are reported to begin.
struct Begun(Arc<AtomicUsize>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Begun {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let is_it = event.metadata().target() == at_hand::BEGINS;
        self.0.fetch_add(usize::from(is_it), Ordering::Relaxed);
    }
}

#[test]
fn a_run_is_not_said_to_begin_where_none_does() {
    use tracing_subscriber::layer::SubscriberExt as _;
    let count = Arc::new(AtomicUsize::new(0));
    let _listening =
        tracing::subscriber::set_default(tracing_subscriber::registry().with(Begun(count.clone())));
    let begun = || count.swap(0, Ordering::Relaxed);
    let scene = scene();
    let run = || once(&scene.place, Mode::Enforce, &Arc::default());
    assert!(run().is_err() && begun() == 0, "nobody has enrolled it");
    scene.enroll();
    let state = scene.state();
    let lock = state.lock().unwrap();
    assert!(run().is_err() && begun() == 0, "another run is in progress");
    drop(lock);
    scene.serves(catalog(1, "hello\n"));
    assert!(run().is_ok() && begun() == 1);
}

#[test]
fn what_is_logged_says_in_which_run_on_which_commit_and_at_which_resource() {
    let scene = scene();
    scene.enroll();
    scene.serves(catalog(1, "hello\n"));
    let kept = kept(LogFormat::Json, Some("holdfast_agent=debug"));
    let report = scene.run().report;
    let lines = kept.objects();
    let line = |is_it: &dyn Fn(&serde_json::Value) -> bool| {
        lines.iter().find(|line| is_it(line)).unwrap_or_else(|| panic!("{}", kept.text()))
    };
    let run = serde_json::json!({
        "name": "run", "run": report.run, "node": "web1.acme.example", "commit": "c1",
    });
    let event = line(&|line| line["target"] == enforce::EVENTS);
    assert_eq!((&event["level"], &event["spans"]), (&"INFO".into(), &vec![run.clone()].into()));
    assert!(event["fields"]["message"].as_str().unwrap().starts_with("file[/greeting]: changed"), "{event}");
    let applied = line(&|line| line["fields"]["message"] == "applied");
    let resource = serde_json::json!({ "name": "resource", "resource": "file[/greeting]" });
    assert_eq!(applied["spans"], serde_json::json!([run, resource]));
    let begins = line(&|line| line["fields"]["message"] == "a run begins");
    assert_eq!(
        (&begins["spans"][0]["node"], &begins["spans"][0]["commit"]),
        (&"web1.acme.example".into(), &serde_json::Value::Null)
    );
}

#[test]
fn the_status_of_another_machine_is_not_told_as_ones_own() {
    let scene = settled();
    let other = Certname::parse("web2.acme.example").unwrap();
    let drifted = Some(crate::clock::now());
    LastRunStatus { certname: other, runs_on: Some("c9".into()), drifted, ..scene.kept() }
        .store(&scene.state())
        .unwrap();
    let status = scene.status();
    assert!(status.contains("it is of web2.acme.example") && !status.contains("c9"), "{status}");
    assert!(scene.doctor("last run").contains("it is of web2.acme.example"));
    let said = scene.run().report.error.unwrap();
    assert!(said.contains("status.json is of another machine") && !said.contains("web2"), "{said}");
    assert_eq!((scene.kept().drifted, scene.run().report.error), (None, None));
}

#[test]
fn a_catalog_that_is_given_by_hand_is_the_last_run_and_moves_none_of_the_daemons() {
    let scene = settled();
    let before = scene.kept();
    let by_hand = |name: &str, content: &str| {
        let mut given = catalog(7, content);
        given.certname = Certname::parse(name).unwrap();
        let file = scene.root.path().join("bundle.json");
        std::fs::write(&file, serde_json::to_vec(&given).unwrap()).unwrap();
        let given = GivenCatalog::read(&file).unwrap();
        apply(&scene.place, &scene.state(), &given, Mode::Enforce, &Arc::default()).unwrap()
    };
    let report = by_hand("web1.acme.example", "by hand\n");
    assert_eq!((report.counts.changed, report.error), (1, None));
    let status = scene.status();
    assert!(status.contains("by the catalog of a file"), "{status}");
    assert!(status.contains("runs on      c7") && status.contains("1 changed"), "{status}");
    let kept = scene.kept();
    assert_eq!(
        (kept.next_run, kept.missed, kept.heard, kept.interval_seconds),
        (before.next_run, 0, before.heard, before.interval_seconds)
    );
    let said = by_hand("web2.acme.example", "of another\n").error.unwrap();
    assert!(said.contains("this machine is web1.acme.example, but the catalog"), "{said}");
}

#[test]
fn a_damaged_owner_costs_neither_catalog_nor_memory_where_they_are_this_nodes() {
    let scene = settled();
    let owner = scene.place.state_dir.join("owner.json");
    let whole = std::fs::read(&owner).unwrap();
    std::fs::write(&owner, "").unwrap();
    assert!(scene.status().contains("owner.json is damaged"), "{}", scene.status());
    assert!(scene.doctor("state").contains("owner.json is damaged"));
    std::fs::write(scene.root.path().join("greeting"), "by hand").unwrap();
    scene.server.answers(|_| ScriptedAnswer::Lost);
    let report = scene.run().report;
    assert_eq!((report.counts.corrective, &*scene.greeting()), (1, "hello\n"), "{:?}", report.events);
    assert!(report.error.unwrap().contains("the cached catalog is for this node"));
    assert_eq!(std::fs::read(&owner).unwrap(), whole);

    std::fs::write(&owner, "").unwrap();
    std::fs::remove_dir_all(scene.place.state_dir.join("cache")).unwrap();
    let said = scene.run().report.error.unwrap();
    assert!(said.contains("the memory of earlier runs is cleared"), "{said}");

    let text = String::from_utf8(whole).unwrap().replace("web1", "web2");
    std::fs::write(&owner, text).unwrap();
    assert!(scene.status().contains("from another enrolment, of web2.acme.example"), "{}", scene.status());
}

#[test]
fn a_machine_that_the_server_refuses_is_promised_neither_a_catalog_nor_that_its_reports_go() {
    let scene = scene();
    scene.enroll();
    let refuses = |code: &str| {
        let refusal = Refusal { code: code.into(), message: "no".into(), commit: None };
        scene.server.answers(move |_| ScriptedAnswer::Json(403, serde_json::to_string(&refusal).unwrap()));
    };
    refuses("catalog-broken");
    scene.run();
    assert!(
        scene.doctor("cache").contains("no catalog yet; the server does not give one"),
        "{}",
        scene.doctor("cache")
    );
    assert!(scene.doctor("reports").contains("the next run that reaches it delivers them"));
    for over in ["unknown-node", "revoked"] {
        refuses(over);
        scene.run();
        for told in [scene.doctor("reports"), scene.status()] {
            assert!(told.contains("set aside once it is enrolled again"), "{over}: {told}");
            assert!(!told.contains("delivers them") && !told.contains("to be delivered"), "{told}");
        }
        assert!(scene.doctor("cache").contains("the server does not give one"));
    }
    scene.server.answers(|_| ScriptedAnswer::Lost);
    assert!(scene.doctor("cache").contains("the next run that reaches the server"));
    scene.serves(catalog(1, "hello\n"));
    assert!(scene.doctor("cache").contains("the next run gets one"));
}
