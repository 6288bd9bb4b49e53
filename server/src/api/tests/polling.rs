//! Polls, contents and reports of well-behaved nodes.

use holdfast_catalog::facts::Facts;
use holdfast_catalog::report::{Counts, Report};
use holdfast_catalog::wire::{CatalogAnswer, CatalogRequest, MAX_REPORT, ReportAnswer, path};
use reqwest::StatusCode;

use crate::control::StateChange;
use crate::diagnostic::Code;
use crate::fleet::InventoryView as _;
use crate::serve::fixture::{Fixture, read, report};
use crate::store::commit::CommitStatus;

#[actix_web::test]
async fn what_did_not_change_is_not_sent_and_the_live_commit_still_arrives() {
    let fixture = Fixture::start().await;
    let (agent, _) = fixture.enrolled("web1.acme.example").await;
    let catalog = agent.catalog().await;
    let have = Some(catalog.id.clone());
    let Ok(CatalogAnswer::Unchanged { commit, next_run, interval, .. }) =
        agent.poll("{}", have.clone()).await
    else {
        panic!("something changed")
    };
    assert_eq!(commit, catalog.commit);
    assert!((900..=2700).contains(&next_run) && interval == Some(1800), "{next_run}");
    fixture.commit("modules/profile/files/mail", "another text\n").await;
    let Ok(CatalogAnswer::Unchanged { commit, .. }) = agent.poll("{}", have).await else {
        panic!("the change is another node's")
    };
    assert_ne!(commit, catalog.commit);
}

#[actix_web::test]
async fn a_changed_file_is_a_new_catalog_and_the_old_content_stays_for_a_while() {
    let fixture = Fixture::start().await;
    let (agent, _) = fixture.enrolled("web1.acme.example").await;
    let (before, mut state_changes) = (agent.catalog().await, fixture.server.control.state_changes());
    fixture.commit("modules/profile/files/web", "new\n").await;
    let Ok(StateChange::CommitTaken { commit }) = state_changes.recv().await else { panic!() };
    let after = agent.catalog().await;
    assert_eq!(after.commit, commit);
    assert_ne!(after.id, before.id);
    for (catalog, text) in [(&before, "the web node's file\n"), (&after, "new\n")] {
        let hash = catalog.content_hashes().remove(0);
        let answer = agent.get(&format!("{}/{hash}", path::CONTENT)).send().await.unwrap();
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert_eq!(answer.text().await.unwrap(), text);
    }
}

#[actix_web::test]
async fn a_new_catalog_comes_with_the_run_that_was_reported_last() {
    let fixture = Fixture::start().await;
    let (agent, _) = fixture.enrolled("web1.acme.example").await;
    let reported = async || match agent.poll("{}", None).await {
        Ok(CatalogAnswer::Catalog { reported, .. }) => reported,
        other => panic!("{other:?}"),
    };
    assert_eq!(reported().await, None);
    let sent = agent.post(path::REPORTS).json(&report()).send().await.unwrap();
    assert!(sent.status().is_success());
    assert_eq!(reported().await, Some(report().run));
}

#[actix_web::test]
async fn a_broken_commit_leaves_the_last_good_one_in_force() {
    let fixture = Fixture::start().await;
    let (agent, _) = fixture.enrolled("web1.acme.example").await;
    let before = agent.catalog().await;
    let status =
        fixture.commit("modules/profile/manifests/web.toml", "doc = \"Web.\"\n[fiel.\"/x\"]\n").await;
    assert_eq!(status, CommitStatus::Broken);
    assert_eq!(agent.catalog().await, before);
    let newest = fixture.newest_commit().await;
    assert_eq!(newest.status, CommitStatus::Broken);
    let place = newest.diagnostics[0].origin.as_ref().unwrap();
    assert_eq!((&*place.file, place.line), ("modules/profile/manifests/web.toml", 2));
}

#[actix_web::test]
async fn facts_are_asked_for_only_where_the_server_lacks_them() {
    let fixture = Fixture::start().await;
    let (agent, _) = fixture.enrolled("web1.acme.example").await;
    let facts: Facts = serde_json::from_str(r#"{"os":{"family":"debian"}}"#).unwrap();
    let mut asked =
        CatalogRequest { facts_hash: facts.hash(), facts: None, have: None, agent: "test".into() };
    let poll = async |asked: &CatalogRequest| {
        read::<CatalogAnswer>(agent.post(path::CATALOG).json(asked).send().await.unwrap()).await
    };
    assert!(matches!(poll(&asked).await, Ok(CatalogAnswer::FactsWanted)));
    asked.facts = Some(facts);
    assert!(matches!(poll(&asked).await, Ok(CatalogAnswer::Catalog { .. })));
    asked.facts = None;
    assert!(matches!(poll(&asked).await, Ok(CatalogAnswer::Catalog { .. })));
    asked.facts = Some(Facts::none());
    let Err((status, refusal)) = poll(&asked).await else { panic!("facts of another hash were taken") };
    assert_eq!((status, refusal.code.as_str()), (StatusCode::BAD_REQUEST, "facts-differ"));
}

#[actix_web::test]
async fn a58_a_report_sent_twice_counts_once_and_is_its_senders() {
    let fixture = Fixture::start().await;
    let (agent, _) = fixture.enrolled("web1.acme.example").await;
    let (other, _) = fixture.enrolled("mail1.other.example").await;
    let report = report();
    let packed = zstd::encode_all(&serde_json::to_vec(&report).unwrap()[..], 3).unwrap();
    let mut news = Vec::new();
    for sender in [&agent, &agent, &other] {
        let request = sender.post(path::REPORTS).header("content-encoding", "zstd").body(packed.clone());
        let answer: ReportAnswer = read(request.send().await.unwrap()).await.unwrap();
        news.push(answer.new);
    }
    assert_eq!(news, [true, false, true]);
    for certname in ["web1.acme.example", "mail1.other.example"] {
        let node = fixture.server.store.node(certname.parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(fixture.server.store.reports_of(node.id, 9).await.unwrap().len(), 1);
    }
}

#[actix_web::test]
async fn a28_a_large_report_is_stored_and_the_next_waits() {
    let fixture = Fixture::start().await;
    let (agent, _) = fixture.enrolled("web1.acme.example").await;
    let mut body = serde_json::to_vec(&report()).unwrap();
    body.resize(MAX_REPORT, b' ');
    let packed = zstd::encode_all(&body[..], 3).unwrap();
    let mut codes = Vec::new();
    for _ in 0..2 {
        let request = agent.post(path::REPORTS).header("content-encoding", "zstd").body(packed.clone());
        codes.push(request.send().await.unwrap().status());
    }
    assert_eq!(codes, [StatusCode::OK, StatusCode::TOO_MANY_REQUESTS]);
}

#[actix_web::test]
async fn a28_counts_that_contradict_each_other_are_not_taken() {
    let fixture = Fixture::start().await;
    let (agent, _) = fixture.enrolled("web1.acme.example").await;
    let sent = report().counts;
    for counts in [
        Counts { failed: u32::MAX, ..sent },
        Counts { total: u32::MAX, unchanged: u32::MAX, ..sent },
        Counts { corrective: 2, ..sent },
    ] {
        let request = agent.post(path::REPORTS).json(&Report { counts, ..report() });
        let refused = read::<ReportAnswer>(request.send().await.unwrap()).await;
        let Err((status, refusal)) = refused else { panic!("{counts:?} were taken") };
        assert_eq!((status, refusal.code.as_str()), (StatusCode::BAD_REQUEST, "report-counts"));
    }
}

#[actix_web::test]
async fn an_answer_is_compressed_for_those_who_take_it() {
    let fixture = Fixture::start().await;
    let (agent, _) = fixture.enrolled("web1.acme.example").await;
    let facts = Facts::none();
    let asked =
        CatalogRequest { facts_hash: facts.hash(), facts: Some(facts), have: None, agent: "test".into() };
    let request = agent.post(path::CATALOG).header("accept-encoding", "zstd").json(&asked);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "zstd");
    let plain = zstd::decode_all(&answer.bytes().await.unwrap()[..]).unwrap();
    assert!(matches!(serde_json::from_slice(&plain).unwrap(), CatalogAnswer::Catalog { .. }));
}

#[actix_web::test]
async fn a_node_whose_place_is_disputed_gets_no_catalog_until_it_is_moved() {
    let fixture = Fixture::start().await;
    let (agent, _) = fixture.enrolled("web1.acme.example").await;
    agent.catalog().await;
    let refused = async || match agent.poll("{}", None).await {
        Err((status, refusal)) => (status, refusal.code),
        Ok(answer) => panic!("{answer:?}"),
    };
    fixture.commit("inventory/alpinhost/acme.toml", "").await;
    assert_eq!(refused().await, (StatusCode::CONFLICT, "not-in-inventory".to_owned()));
    let moved = "[\"web1.acme.example\"]\nrole = \"mail\"\nstage = \"test\"\n";
    fixture.commit("inventory/alpinhost/third.toml", moved).await;
    assert_eq!(refused().await, (StatusCode::CONFLICT, "place-disagrees".to_owned()));
    let node = fixture.server.store.node("web1.acme.example".parse().unwrap()).await.unwrap().unwrap();
    let errors = fixture.server.store.compile_errors(node.id).await.unwrap();
    assert_eq!(errors[0].diagnostics[0].code, Code::PlaceDisagrees);
    // Anyone who may see acme's nodes sees this, and must not learn anything about the other customer.
    assert!(!format!("{:?}", errors[0].diagnostics).contains("third"), "{errors:?}");
    let (name, place) = ("web1.acme.example".parse().unwrap(), "alpinhost/acme".parse().unwrap());
    assert_eq!(fixture.server.control.function(&name, &place), None);
    let back = "[\"web1.acme.example\"]\nrole = \"web\"\nstage = \"test\"\n";
    fixture.commit("inventory/alpinhost/third.toml", "").await;
    fixture.commit("inventory/alpinhost/acme.toml", back).await;
    agent.catalog().await;
    assert!(fixture.server.store.compile_errors(node.id).await.unwrap().is_empty());
}

#[actix_web::test]
async fn f33_a_full_disk_keeps_no_change_from_a_node() {
    let fixture = Fixture::start().await;
    let (agent, _) = fixture.enrolled("web1.acme.example").await;
    let before = agent.catalog().await;
    fixture.server.store.refuse_writing().await;
    fixture.commit("modules/profile/files/web", "new\n").await;
    let after = agent.catalog().await;
    assert_ne!(after.id, before.id);
    let hash = after.content_hashes().remove(0);
    let content = agent.get(&format!("{}/{hash}", path::CONTENT)).send().await.unwrap();
    assert_eq!(content.text().await.unwrap(), "new\n");
}
