//! A state that was restored from an older copy, and a wrong clock: what the server knows better.

use std::time::Duration;

use holdfast_catalog::run::RunId;

use super::*;

/// Copies the agent's whole state, as a backup does.
fn copied(from: &std::path::Path, to: &std::path::Path) {
    let ran = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(ran.success());
}

/// A run after which the state is restored to what it was before. Returns the run's id.
fn forgotten(scene: &Scene) -> RunId {
    let (state, copy) = (scene.place.state_dir.clone(), scene.root.path().join("copy"));
    copied(&state, &copy);
    let last = scene.run().report.run;
    std::fs::remove_dir_all(&state).unwrap();
    copied(&copy, &state);
    last
}

/// The report of a run that finds its state restored, and calls nothing drift. The report says so.
fn finds_it(scene: &Scene) -> Report {
    let report = scene.run().report;
    assert_eq!((report.counts.changed, report.counts.corrective), (1, 0));
    assert!(report.error.as_deref().unwrap().contains("restored from an older copy"), "{:?}", report.error);
    report
}

#[test]
fn what_later_runs_did_is_no_drift_to_a_state_that_was_put_back() {
    let scene = scene();
    scene.enroll();
    scene.serves(catalog(1, "one"));
    scene.run();
    scene.serves(catalog(2, "two"));
    let last = forgotten(&scene);
    scene.serves_and_knows(catalog(3, "one"), Some(last));
    let report = finds_it(&scene);

    scene.serves_and_knows(catalog(3, "one"), Some(report.run));
    std::fs::write(scene.root.path().join("greeting"), "by hand").unwrap();
    let report = scene.run().report;
    assert_eq!((report.counts.corrective, &report.error), (1, &None), "drift is known again");
}

#[test]
fn reports_that_the_server_lacks_or_lost_make_no_state_an_old_one() {
    let scene = scene();
    scene.enroll();
    scene.serves(catalog(1, "one"));
    let first = scene.run().report.run;
    scene.serves_and_knows(catalog(2, "two"), Some(first));
    scene.run();
    // The second never arrived, or the server was restored: it still knows only the first.
    scene.serves_and_knows(catalog(3, "two"), Some(first));
    std::fs::write(scene.root.path().join("greeting"), "by hand").unwrap();
    let report = scene.run().report;
    assert_eq!((report.counts.corrective, &report.error), (1, &None));
}

/// The id of a run this many days from now, by a clock that is ahead.
fn ahead(days: i64) -> RunId {
    let at = crate::clock::now() + jiff::SignedDuration::from_hours(24 * days);
    let seconds = u64::try_from(at.as_second()).unwrap();
    uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, 0)).into()
}

#[test]
fn a_state_that_was_put_back_is_told_though_the_clock_was_ahead_for_a_while() {
    let scene = scene();
    scene.enroll();
    scene.serves(catalog(1, "one"));
    scene.run();
    let future = ahead(365);
    memory::keep(&scene.state(), future, None);
    scene.serves_and_knows(catalog(2, "two"), Some(future));
    scene.run();
    scene.serves(catalog(3, "three"));
    let last = forgotten(&scene);
    scene.serves_and_knows(catalog(4, "two"), Some(last));
    finds_it(&scene);
}

#[test]
fn a_clock_that_was_ahead_and_is_right_again_makes_no_state_an_old_one() {
    let scene = scene();
    scene.enroll();
    scene.serves(catalog(1, "one"));
    scene.run();
    let future = ahead(365);
    memory::keep(&scene.state(), future, None);
    let mut reported = future;
    for (which, text) in [(2, "two"), (3, "three")] {
        scene.serves_and_knows(catalog(which, text), Some(reported));
        std::fs::write(scene.root.path().join("greeting"), "by hand").unwrap();
        let report = scene.run().report;
        assert_eq!(report.error, None);
        reported = report.run;
    }
    // A run that the server knows, and this state does not, is reported once, although its time is in the future.
    let unknown = ahead(400);
    for (which, is_said) in [(4, true), (5, false)] {
        scene.serves_and_knows(catalog(which, "four"), Some(unknown));
        assert_eq!(scene.run().report.error.is_some(), is_said, "{which}");
    }
}

/// A server whose clock is this many hours ahead of this machine's, and that has this catalog.
fn serves_at(scene: &Scene, hours: i64, catalog: Catalog) {
    scene.server.answers(move |request| match request.path.as_str() {
        path::CATALOG => {
            let answer = CatalogAnswer::Catalog {
                catalog: Box::new(catalog.clone()),
                next_run: 77,
                interval: None,
                reported: None,
            };
            let there = crate::clock::now() + jiff::SignedDuration::from_hours(hours);
            ScriptedAnswer::At(there, serde_json::to_string(&answer).unwrap())
        }
        _ => ScriptedAnswer::ok(&ReportAnswer { new: true }),
    });
}

#[test]
fn a_clock_that_is_far_from_the_server_s_is_told_in_the_report() {
    let scene = scene();
    scene.enroll();
    for (hours, words) in [(-1, "ahead of"), (48, "behind")] {
        serves_at(&scene, hours, catalog(1, "one"));
        let said = scene.run().report.error.unwrap_or_default();
        assert!(said.contains("the clock of this machine is") && said.contains(words), "{said}");
    }
}

#[test]
fn what_is_removed_for_its_age_is_old_by_the_server_s_clock_too() {
    let scene = scene();
    scene.enroll();
    let dir = scene.root.path().join("spool");
    std::fs::create_dir(&dir).unwrap();
    let day = Duration::from_secs(86_400);
    for (name, days) in [("new", 0), ("old", 60)] {
        let file = std::fs::File::create(dir.join(name)).unwrap();
        file.set_modified(std::time::SystemTime::now() - (20 + days) * day).unwrap();
    }
    let mut catalog = serde_json::to_value(catalog(1, "one")).unwrap();
    catalog["resources"][0]["reference"] = "tidy[/spool]".into();
    catalog["resources"][0]["attributes"] = serde_json::json!({ "age": "14d" });
    serves_at(&scene, -20 * 24, serde_json::from_value(catalog).unwrap());
    let report = scene.run().report;
    assert_eq!(report.counts.changed, 1, "{:?}", report.events);
    assert!(dir.join("new").exists() && !dir.join("old").exists());

    // The server is away, and nothing has set the clock in the meantime.
    scene.server.answers(|_| ScriptedAnswer::Lost);
    let report = scene.run().report;
    assert!(dir.join("new").exists(), "{:?}", report.events);
    let said = report.error.unwrap_or_default();
    assert!(said.contains("days ahead") && said.contains("since its last answer"), "{said}");
}
