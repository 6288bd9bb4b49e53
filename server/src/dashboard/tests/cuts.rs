//! What a page does not show of what there is: it says how much that is.

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
    let report = seeded.store.node_by_id(node).await.unwrap().unwrap().report.unwrap();
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
    assert!(page.contains("<small>the newest 3</small>") && !page.contains("earlier"), "{page}");
    for number in 3..60 {
        seeded.report(node, seeded.ago(9_000 - number), vec![failed(number)], Mode::Enforce).await;
    }
    let page = see(&seeded, "ana", "/nodes/web1.acme.example").await.body;
    assert!(page.contains("<small>the newest 60</small>"), "{page}");
    assert!(page.contains("and 20 earlier runs in the drawing above"), "{page}");
    assert!(page.contains("the newest 20 events; earlier ones stand with their runs"), "{page}");
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
