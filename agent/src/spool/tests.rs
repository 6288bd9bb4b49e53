//! What waits, what is set aside, and what is lost.

use holdfast_catalog::certname::Certname;
use holdfast_catalog::report::{Counts, Mode, Source};

use super::aside::MAX_ASIDE;
use super::*;

fn spool() -> (tempfile::TempDir, Spool) {
    let parent = tempfile::tempdir().unwrap();
    let state = StateDir::open(&parent.path().join("agent")).unwrap();
    (parent, Spool::open(&state).unwrap())
}

fn owner(enrolment: u128) -> EnrolledNode {
    let certname = Certname::parse("web1.acme.example").unwrap();
    EnrolledNode { certname, uri: String::new(), enrolment: Some(uuid::Uuid::from_u128(enrolment)) }
}

fn report(run: uuid::Uuid) -> Report {
    Report {
        run: run.into(),
        catalog: None,
        commit: None,
        environment: None,
        mode: Mode::Enforce,
        source: Source::Cache,
        started: jiff::Timestamp::UNIX_EPOCH,
        duration_ms: 1,
        phases: [].into(),
        types: [].into(),
        counts: Counts::default(),
        events: Vec::new(),
        no_catalog: None,
        error: None,
        agent: "0".into(),
        volatile: [].into(),
    }
}

#[test]
fn reports_wait_in_the_order_of_runs_and_are_bounded() {
    let (_parent, spool) = spool();
    let ids: Vec<_> = (0..MAX_WAITING + 3).map(|_| uuid::Uuid::now_v7()).collect();
    for id in &ids {
        spool.waiting.replace(&format!("{id}.json"), b"{}").unwrap();
    }
    assert_eq!(shorten(&spool.waiting, MAX_WAITING).unwrap().len(), 3);
    let expected: Vec<_> = ids[3..].iter().map(|id| format!("{id}.json")).collect();
    assert_eq!(reports(&spool.waiting).unwrap(), expected);
    assert_eq!(spool.waiting().unwrap(), MAX_WAITING);
    assert_eq!(spool.losses(), None);
    spool.add(Some(&owner(1)), &report(uuid::Uuid::now_v7())).unwrap();
    assert!(spool.losses().unwrap().starts_with("1 report of an earlier run is not delivered"));
}

#[test]
fn a_run_whose_clock_was_ahead_is_told_before_the_next_one() {
    let (_parent, spool) = spool();
    spool.waiting.replace(&format!("{}.json", uuid::Uuid::now_v7()), b"{}").unwrap();
    let runs = [9, 3, 7].map(uuid::Uuid::from_u128);
    for run in runs {
        spool.add(Some(&owner(1)), &report(run)).unwrap();
    }
    let names = reports(&spool.waiting).unwrap();
    let told: Vec<_> = names[1..].iter().map(|name| name.split_once('-').unwrap().1.to_owned()).collect();
    assert_eq!(told, runs.map(|run| format!("{run}.json")));
}

#[test]
fn what_another_node_did_is_put_aside_and_told_to_no_server() {
    let (_parent, spool) = spool();
    spool.add(Some(&owner(1)), &report(uuid::Uuid::from_u128(1))).unwrap();
    // As an older agent stored it.
    spool.waiting.replace("0-old.json", &serde_json::to_vec(&report(uuid::Uuid::nil())).unwrap()).unwrap();
    let old = EnrolledNode { enrolment: None, ..owner(1) };
    assert!(matches!(spool.look_at("0-old.json", &old).unwrap(), SpoolFile::Report(_)));
    spool.add(Some(&owner(2)), &report(uuid::Uuid::from_u128(2))).unwrap();
    spool.sift(&owner(2)).unwrap();
    assert_eq!(spool.waiting().unwrap(), 1);
    assert_eq!(spool.aside().unwrap(), AsideCounts { refused: 0, of_earlier_nodes: 2, removed: 0 });
    assert_eq!(spool.losses(), None, "that is nothing to the one it belongs to now");
    assert_eq!(spool.retry().unwrap(), 0, "nor is it ever delivered");
    let listed = spool.list().unwrap();
    assert!(listed.iter().filter(|report| report.place == "earlier node").all(|report| report.why.is_some()));
}

#[test]
fn damaged_reports_are_all_counted_told_and_kept_until_they_are_cleared() {
    let (_parent, spool) = spool();
    for name in ["1.json", "2.json", "3.json", "4.json", "5.json"] {
        spool.waiting.replace(name, b"").unwrap();
    }
    spool.sift(&owner(1)).unwrap();
    let told = spool.losses().unwrap();
    assert!(told.starts_with("5 reports of earlier runs are not delivered"), "{told}");
    assert!(told.contains("1.json is damaged") && told.contains("2.json is damaged"), "{told}");
    spool.add(Some(&owner(1)), &report(uuid::Uuid::nil())).unwrap();
    assert_eq!(spool.losses(), None, "that report tells it");
    assert_eq!((spool.aside().unwrap().refused, spool.retry().unwrap()), (5, 0));
    let words = spool.aside().unwrap().words().unwrap();
    assert!(words.contains("5 reports were set aside") && words.contains("--clear"), "{words}");
    assert_eq!(spool.clear().unwrap(), 5);
    assert_eq!((spool.aside().unwrap().words(), spool.waiting().unwrap()), (None, 1));
    assert_eq!(spool.refused.names().unwrap(), [""; 0]);
}

#[test]
fn a_loss_is_told_until_a_report_that_tells_it_is_delivered() {
    let (_parent, spool) = spool();
    let add = |run| {
        spool.add(Some(&owner(1)), &report(uuid::Uuid::from_u128(run))).unwrap();
        reports(&spool.waiting).unwrap().pop().unwrap()
    };
    for name in ["1.json", "2.json"] {
        spool.waiting.replace(name, b"").unwrap();
    }
    spool.sift(&owner(1)).unwrap();
    let first = add(1);
    assert_eq!(spool.losses(), None, "the first tells them");
    spool.refuse(&first, "it is too large".into());
    let told = spool.losses().unwrap();
    assert!(told.starts_with("3 reports of earlier runs are not delivered"), "{told}");
    assert!(told.contains("1.json is damaged") && told.contains("it is too large"), "{told}");
    // The second one mentions all of that, and is pushed out.
    let second = add(2);
    for number in 2..=MAX_WAITING {
        std::fs::write(spool.waiting.path().join(format!("n{number:010}-x.json")), "{}").unwrap();
    }
    assert_eq!((spool.waiting().unwrap(), spool.losses()), (MAX_WAITING, None));
    add(3);
    assert!(spool.waiting.file(&second).unwrap().is_none());
    assert!(spool.losses().unwrap().starts_with("4 reports of earlier runs are not delivered"));
    let last = add(4);
    spool.is_told(&last);
    assert!(!spool.waiting.names().unwrap().iter().any(|name| name.ends_with(".told")));
}

#[test]
fn what_is_put_aside_is_bounded_and_how_many_went_is_said() {
    let (_parent, spool) = spool();
    for number in 0..MAX_ASIDE {
        std::fs::write(spool.refused.path().join(format!("{number:04}.json")), "{}").unwrap();
    }
    for name in ["1.json", "2.json"] {
        spool.waiting.replace(name, b"{}").unwrap();
        spool.refuse(name, "it is too large".into());
    }
    assert_eq!(spool.aside().unwrap(), AsideCounts { refused: MAX_ASIDE, of_earlier_nodes: 0, removed: 2 });
    assert_eq!(reports(&spool.refused).unwrap()[0], "0002.json");
    let words = spool.aside().unwrap().words().unwrap();
    assert!(
        words.contains("500 reports were set aside") && words.contains("2 older ones removed"),
        "{words}"
    );
    spool.clear().unwrap();
    assert_eq!(spool.aside().unwrap(), AsideCounts::default());
}

#[test]
fn what_was_refused_can_wait_again_in_its_place() {
    let (_parent, spool) = spool();
    for run in 1..=2 {
        spool.add(Some(&owner(1)), &report(uuid::Uuid::from_u128(run))).unwrap();
    }
    let names = reports(&spool.waiting).unwrap();
    spool.refuse(&names[0], "it is too large".into());
    assert_eq!(spool.list().unwrap()[1].why.as_deref(), Some("it is too large"));
    assert_eq!(spool.retry().unwrap(), 1);
    assert_eq!(reports(&spool.waiting).unwrap(), names);
    assert_eq!(spool.aside().unwrap(), AsideCounts::default());
}

#[test]
fn a_note_of_losses_that_is_damaged_still_tells_that_there_were_some() {
    let (_parent, spool) = spool();
    spool.waiting.replace("untold", b"{").unwrap();
    assert!(spool.losses().unwrap().starts_with("some reports"));
}
