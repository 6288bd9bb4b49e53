//! The size of pages if nodes and operators write as much as they may, and the pages of a long report.

use holdfast_catalog::facts::Facts;
use holdfast_catalog::origin::Origin;
use holdfast_catalog::report::{Cause, Event, MAX_EVENTS, Mode, Status};

use super::seed::event;
use super::*;
use crate::diagnostic::{Code, Diagnostic};
use crate::store::catalog::CompileErrorRow;
use crate::store::commit::{CommitRow, CommitStatus};
use crate::store::node::NodeId;

/// A text that takes the most room: each of its bytes becomes five.
fn much(bytes: usize) -> String {
    "<".repeat(bytes)
}

/// The page at an address, and all pages after it.
async fn all_of(seeded: &SeededStore, path: String) -> Vec<serde_json::Value> {
    let (mut pages, mut next) = (Vec::new(), Some(path));
    while let Some(path) = next {
        let page = json(seeded, "ana", &path).await;
        next = page["next"].as_str().map(str::to_owned);
        pages.push(page);
        assert!(pages.len() < 1_000, "pages end");
    }
    pages
}

fn diagnostic(number: u32) -> Diagnostic {
    let file = format!("hieradata/{}.toml", much(300)).as_str().into();
    let origin = Origin { file, start: 0, end: 1, line: number, column: 1, level: None };
    let mut wrong =
        Diagnostic::error(Code::UnknownKey, much(5_000), origin.clone()).label(much(900)).help(much(5_000));
    wrong.related = vec![(origin, much(2_000)); 9];
    wrong
}

/// A store in which everything is as long as possible.
async fn swollen() -> (SeededStore, NodeId) {
    let seeded = empty();
    seeded.user("ana", "everything").await;
    let label = "a".repeat(60);
    let name = |number: usize| format!("n{number}.{label}.{label}.{label}.example");
    for number in 0..90 {
        let place = format!("{number}{}/{number}{}", "r".repeat(60), "c".repeat(60));
        let node = seeded.enrolled(&name(number), &place).await;
        seeded.report(node, seeded.ago(number as i64 % 20), vec![swollen_event(0)], Mode::Enforce).await;
    }
    let node = seeded.store.node(name(0).parse().unwrap()).await.unwrap().unwrap().id;
    for number in 0..100 {
        seeded
            .report(node, seeded.ago(200 - number), vec![swollen_event(number as usize)], Mode::Enforce)
            .await;
    }
    let facts: serde_json::Map<String, serde_json::Value> =
        (0..2_000).map(|number| (format!("{number}{}", much(400)), much(1_000).into())).collect();
    let facts: Facts = serde_json::from_value(facts.into()).unwrap();
    seeded.store.put_facts(node, facts.hash(), &facts, seeded.now).await.unwrap();
    let diagnostics: Vec<_> = (1..30).map(diagnostic).collect();
    for number in 0..120 {
        let id = format!("{number:040x}");
        seeded.good_commit(&id, 1_000 - number).await;
        let commit = seeded.store.commit(id.into()).await.unwrap().remove(0);
        let wrong = CommitRow {
            subject: Some(much(9_000)),
            author: Some(much(9_000)),
            status: if number % 2 == 0 { CommitStatus::Good } else { CommitStatus::Broken },
            diagnostics: if number < 118 { Vec::new() } else { diagnostics.clone() },
            ..commit
        };
        seeded.store.put_commit(wrong).await.unwrap();
    }
    let (environment, commit) = ("main".to_owned(), GOOD.into());
    let error = CompileErrorRow { node, environment, commit, since: seeded.now, diagnostics };
    seeded.store.compile_failed(error).await.unwrap();
    (seeded, node)
}

fn swollen_event(number: usize) -> Event {
    let mut event = event("file[/srv/x]", Status::Failed, Cause::Corrective);
    let text = || Some(much(40_000));
    (event.reason, event.is, event.should, event.path) = (text(), text(), text(), text());
    event.diff = Some(if number.is_multiple_of(2) { "\n".repeat(30_000) } else { much(30_000) });
    event.sources = vec![event.sources[0].clone(); 200];
    event
}

#[actix_web::test]
async fn each_page_is_small_whatever_nodes_and_operators_write() {
    let (seeded, node) = swollen().await;
    let node = seeded.store.node_by_id(node).await.unwrap().unwrap();
    let report = seeded.last_run(node.id).await;
    let paths = [
        "/".to_owned(),
        "/nodes".to_owned(),
        "/nodes?sort=state&page=2".to_owned(),
        format!("/nodes/{}", node.certname),
        format!("/reports/{report}"),
        "/commits".to_owned(),
        "/commits?page=2".to_owned(),
        format!("/commits/{GOOD}"),
        format!("/commits/{:040x}", 118),
        format!("/commits/{:040x}", 119),
        "/account".to_owned(),
    ];
    seeded.good_commit(GOOD, 2_000).await;
    for path in paths {
        let page = see(&seeded, "ana", &path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(page.body.len() < size::MAX_BYTES, "{path}: {} bytes", page.body.len());
        // In the API, a single event may be larger, since it is complete there.
        let whole = path.starts_with("/reports");
        let path = if path == "/" { "/overview" } else { &path };
        if !whole && path != "/account" {
            let answer = see(&seeded, "ana", &format!("/api/v1{path}")).await.body;
            assert!(answer.len() < size::MAX_BYTES, "{path}: {} bytes of JSON", answer.len());
        }
    }
    let long = format!("/nodes?q={}", "x".repeat(300));
    assert_eq!(see(&seeded, "ana", &long).await.status, StatusCode::BAD_REQUEST);
}

/// A report with as many events as possible, each with a diff.
async fn long_report(seeded: &SeededStore) -> String {
    seeded.user("ana", "everything").await;
    let node = seeded.enrolled("web1.acme.example", "alpinhost/acme").await;
    let events = (0..MAX_EVENTS).map(|number| {
        let (status, cause) = match number % 10 {
            0 => (Status::Failed, Cause::Intentional),
            1 => (Status::Changed, Cause::Corrective),
            _ => (Status::Changed, Cause::Intentional),
        };
        let diff = format!("-line {number}\n+line\n").repeat(1 + number % 40);
        Event { diff: Some(diff), ..event(&format!("file[/srv/{number}]"), status, cause) }
    });
    seeded.report(node, seeded.now, events.collect(), Mode::Enforce).await;
    seeded.last_run(node).await
}

#[actix_web::test]
async fn a_long_report_is_read_in_small_pages_and_nothing_is_left_out() {
    let seeded = empty();
    let report = long_report(&seeded).await;
    let positions = |pages: &[serde_json::Value]| {
        let groups = pages.iter().flat_map(|page| page["groups"].as_array().unwrap());
        let changes = groups.flat_map(|group| group["changes"].as_array().unwrap());
        let mut all: Vec<_> = changes.map(|change| change["position"].as_u64().unwrap()).collect();
        all.sort_unstable();
        all
    };
    let pages = all_of(&seeded, format!("/reports/{report}")).await;
    assert!(pages.len() > 20);
    assert_eq!(positions(&pages), (0..MAX_EVENTS as u64).collect::<Vec<_>>());
    let failed = all_of(&seeded, format!("/reports/{report}?only=failed")).await;
    assert!(failed.len() > 1, "the kind is kept from one page to the next");
    assert_eq!(positions(&failed), (0..MAX_EVENTS as u64).step_by(10).collect::<Vec<_>>());
    for number in [1, 2, 20, pages.len()] {
        let path = format!("/reports/{report}?page={number}");
        let page = see(&seeded, "ana", &path).await.body;
        let answer = see(&seeded, "ana", &format!("/api/v1{path}")).await.body;
        assert!(page.len() < size::MAX_BYTES && answer.len() < size::MAX_BYTES, "{path}");
    }
    // A link on the node's page leads to the event itself.
    let node = see(&seeded, "ana", "/nodes/web1.acme.example").await.body;
    let link = format!("/reports/{report}?event=5#event-5");
    assert!(node.contains(&link), "{node}");
    let page = see(&seeded, "ana", &format!("/reports/{report}?event=1999")).await.body;
    assert!(page.contains("id=\"event-1999\"") && page.contains("rel=\"prev\""));
    for wrong in ["only=nothing", "page=-1", "event=x", "pages=1"] {
        let answer = see(&seeded, "ana", &format!("/reports/{report}?{wrong}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}
