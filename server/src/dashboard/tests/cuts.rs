//! What a page leaves out is counted on it.

use holdfast_catalog::origin::Origin;
use holdfast_catalog::report::{Cause, Event, Mode, Status};

use super::seed::event;
use super::*;

#[actix_web::test]
async fn a_report_says_what_it_cuts() {
    let seeded = empty();
    seeded.user("ana", "everything").await;
    let node = seeded.enrolled("web1.acme.example", "alpinhost/acme").await;
    let mut long = event("file[/srv/x]", Status::Changed, Cause::Intentional);
    long.diff = Some(format!("+{}\n+more\n", "x".repeat(20_500)));
    long.sources = (1..=12).map(|line| Origin { line, ..long.sources[0].clone() }).collect();
    seeded.report(node, seeded.now, vec![long], Mode::Enforce).await;
    let report = seeded.last_run(node).await;
    let page = see(&seeded, "ana", &format!("/reports/{report}")).await.body;
    assert!(page.contains("x… (and 501 characters)\n</span>"), "the line says what is missing");
    assert!(page.contains("and 1 line more") && page.contains("and from 4 more places"), "{page}");
}

#[actix_web::test]
async fn a_node_says_which_runs_and_events_it_shows() {
    let seeded = empty();
    seeded.user("ana", "everything").await;
    let node = seeded.enrolled("web1.acme.example", "alpinhost/acme").await;
    let failed = |number: i64| event(&format!("file[/srv/{number}]"), Status::Failed, Cause::Intentional);
    for number in 0..3 {
        seeded.report(node, seeded.ago(9_000 - number), vec![failed(number)], Mode::Enforce).await;
    }
    let page = see(&seeded, "ana", "/nodes/web1.acme.example").await.body;
    assert!(page.contains("Runs <small>3</small>") && !page.contains("earlier"), "{page}");
    for number in 3..60 {
        seeded.report(node, seeded.ago(9_000 - number), vec![failed(number)], Mode::Enforce).await;
    }
    let page = see(&seeded, "ana", "/nodes/web1.acme.example").await.body;
    assert!(page.contains("Runs <small>60</small>"), "{page}");
    assert!(page.contains("and 20 earlier runs in the drawing above"), "{page}");
    assert!(page.contains("the newest 20 events; earlier ones are with their runs"), "{page}");
}

#[actix_web::test]
async fn a_node_with_just_as_much_as_its_page_shows_has_no_earlier() {
    let seeded = empty();
    seeded.user("ana", "everything").await;
    let node = seeded.enrolled("web1.acme.example", "alpinhost/acme").await;
    let mut expected = Vec::new();
    for number in 1..=91_i64 {
        let events = match number {
            1..=21 => vec![event("file[/srv/x]", Status::Changed, Cause::Corrective)],
            _ => Vec::new(),
        };
        seeded.report(node, seeded.ago(9_000 - number), events, Mode::Enforce).await;
        if [1, 20, 21, 90, 91].contains(&number) {
            let page = see(&seeded, "ana", "/nodes/web1.acme.example").await.body;
            let runs = if number == 1 { "1 run".to_owned() } else { format!("{} runs", number.min(90)) };
            assert!(page.contains(&format!("aria-label=\"{runs}, the oldest first\"")), "{page}");
            expected.push((number, page.contains("the newest 20 events"), page.contains("the newest 90<")));
        }
    }
    let none = (false, false);
    let words = [(1, none), (20, none), (21, (true, false)), (90, (true, false)), (91, (true, true))];
    assert_eq!(expected, words.map(|(number, (events, runs))| (number, events, runs)));
}

#[actix_web::test]
async fn a_report_says_how_long_took_what_it_does_not_name() {
    let seeded = empty();
    seeded.user("ana", "everything").await;
    let node = seeded.enrolled("web1.acme.example", "alpinhost/acme").await;
    let times = |many: u64| (1..=many).map(|number| (format!("t{number:02}"), 100 + number)).collect();
    for (many, said) in [
        (8, None),
        (9, Some(("<dt>1 phase more</dt><dd>102 ms at most</dd>", "<dt>1 type more</dt>"))),
        (33, Some(("<dt>25 phases more</dt><dd>126 ms at most</dd>", "<dt>25 types more</dt>"))),
    ] {
        let mut ran = seeded.ran(seeded.now, Vec::new(), Mode::Enforce);
        (ran.phases, ran.types) = (times(many), times(many));
        ran.counts.dropped = u32::try_from(many % 8).unwrap();
        let dropped = ran.counts.dropped;
        seeded.store.put_report(node, ran, seeded.now).await.unwrap();
        let report = seeded.last_run(node).await;
        let page = see(&seeded, "ana", &format!("/reports/{report}")).await.body;
        match said {
            Some((phases, types)) => assert!(page.contains(phases) && page.contains(types), "{page}"),
            None => assert!(!page.contains(" at most</dd>"), "{page}"),
        }
        assert_eq!(page.contains("1 event left out of the report"), dropped == 1, "{page}");
        assert!(!page.contains("1 events") && (dropped == 1 || !page.contains("left out")), "{page}");
    }
}

#[actix_web::test]
async fn a_commit_says_how_many_nodes_run_it() {
    let seeded = empty();
    seeded.user("ana", "everything").await;
    seeded.good_commit(GOOD, 60).await;
    for number in 0..23 {
        let node = seeded.enrolled(&format!("web{number}.acme.example"), "alpinhost/acme").await;
        let all_well: Vec<Event> = Vec::new();
        seeded.report(node, seeded.ago(30), all_well, Mode::Enforce).await;
    }
    let page = see(&seeded, "ana", &format!("/commits/{GOOD}")).await.body;
    assert!(page.contains("Runs it <small>23 nodes</small>") && page.contains("and 3 more"), "{page}");
}
