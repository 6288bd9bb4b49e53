//! Tests of how polls are answered: from memory if nothing changed, compiled once if something did, and never with
//! anything about others.

use actix_web::HttpResponse;
use actix_web::test::TestRequest;
use holdfast_catalog::catalog::{Catalog, CatalogId};
use holdfast_catalog::log::LogFormat;

use super::super::fixture::{ACME, ControlFixture, WEB, asks};
use super::*;
use crate::logs::kept;
use crate::metrics::Side;

const WEB1: (&str, &str) = ("web1.acme.example", "alpinhost/acme");

/// The catalog with which a poll is answered.
async fn catalog(scene: &ControlFixture, caller: &Caller, facts: &str) -> Catalog {
    match scene.control.poll(caller, asks(facts, None)).await {
        Ok(CatalogAnswer::Catalog { catalog, .. }) => *catalog,
        other => panic!("{other:?}"),
    }
}

/// The commit in force, according to a poll whose answer is that nothing else changed.
async fn unchanged(scene: &ControlFixture, caller: &Caller, facts: &str, have: &CatalogId) -> CommitId {
    match scene.control.poll(caller, asks(facts, Some(have))).await {
        Ok(CatalogAnswer::Unchanged { commit, .. }) => commit,
        other => panic!("{other:?}"),
    }
}

/// The number of polls that got this answer.
fn count(scene: &ControlFixture, answer: &str) -> u64 {
    let mut text = String::new();
    prometheus_client::encoding::text::encode_registry(&mut text, scene.control.metrics().registry())
        .unwrap();
    let sample = format!("holdfast_polls_total{{answer=\"{answer}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&*sample)).unwrap().parse().unwrap()
}

#[actix_web::test]
async fn without_a_commit_in_force_there_is_nothing_to_be() {
    let scene = ControlFixture::new();
    let web = scene.caller(WEB1.0, WEB1.1).await;
    let refused = scene.control.poll(&web, asks("{}", None)).await;
    assert!(matches!(refused, Err(PollError::NothingInForce)));
    assert_eq!((count(&scene, "refused"), scene.control.last_contacts.of(web.node)), (1, None));
}

#[actix_web::test]
async fn facts_are_asked_for_until_the_server_has_those_of_the_hash() {
    let scene = ControlFixture::new();
    scene.take().await;
    let web = scene.caller(WEB1.0, WEB1.1).await;
    let full = asks(r#"{"cores":4}"#, None);
    let short = || CatalogRequest { facts: None, ..full.clone() };
    assert!(matches!(scene.control.poll(&web, short()).await, Ok(CatalogAnswer::FactsWanted)));
    assert!(matches!(scene.control.poll(&web, full.clone()).await, Ok(CatalogAnswer::Catalog { .. })));
    assert!(matches!(scene.control.poll(&web, short()).await, Ok(CatalogAnswer::Catalog { .. })));
    let other = CatalogRequest { facts: None, ..asks(r#"{"cores":8}"#, None) };
    assert!(matches!(scene.control.poll(&web, other).await, Ok(CatalogAnswer::FactsWanted)));
    let lies = CatalogRequest { facts: asks("{}", None).facts, ..full };
    assert!(matches!(scene.control.poll(&web, lies).await, Err(PollError::FactsDiffer)));
    let counts = ["facts-wanted", "catalog", "refused"].map(|answer| count(&scene, answer));
    assert_eq!(counts, [2, 2, 1]);
}

#[actix_web::test]
async fn who_has_the_catalog_is_answered_from_memory_and_of_the_commit_in_force() {
    let scene = ControlFixture::new();
    let (first, _) = scene.take().await;
    let web = scene.caller(WEB1.0, WEB1.1).await;
    let has = catalog(&scene, &web, "{}").await;
    assert_eq!((&*has.commit, has.certname.as_str()), (&*first, WEB1.0));
    let (commit, told) = (
        scene.without_store(unchanged(&scene, &web, "{}", &has.id)).await,
        scene.control.last_contacts.of(web.node),
    );
    assert!(commit == first && told.is_some(), "the store was not asked");

    // A commit about others changes the commit in the answer, but not the catalog.
    let (second, _) = scene.commit("modules/profile/files/mail", "another text\n").await;
    assert_eq!(unchanged(&scene, &web, "{}", &has.id).await, second);
    scene.commit(ACME, "[profile.web]\nport = 81\n").await;
    assert_ne!(catalog(&scene, &web, "{}").await.id, has.id);
    let answer = scene.control.poll(&web, asks("{}", Some(&has.id))).await;
    assert!(matches!(answer, Ok(CatalogAnswer::Catalog { .. })), "it has an old one");
}

#[actix_web::test]
async fn a_catalogs_id_is_of_one_generation_of_one_node_alone() {
    let scene = ControlFixture::new();
    scene.take().await;
    let web = scene.caller(WEB1.0, WEB1.1).await;
    let has = catalog(&scene, &web, "{}").await;
    assert_eq!(catalog(&scene, &web, "{}").await.id, has.id);
    let next = Caller { generation: web.generation + 1, ..web.clone() };
    assert_ne!(catalog(&scene, &next, "{}").await.id, has.id);
}

#[actix_web::test]
async fn a_machine_that_the_inventory_does_not_have_is_refused_and_the_store_says_why() {
    let scene = ControlFixture::new();
    let (commit, _) = scene.take().await;
    let gone = scene.caller("web9.acme.example", "alpinhost/acme").await;
    let mut state_changes = scene.control.state_changes();
    match scene.control.poll(&gone, asks("{}", None)).await {
        Err(PollError::NotInInventory { commit: of }) => assert_eq!(of, commit),
        other => panic!("{other:?}"),
    }
    let rows = scene.store.compile_errors(gone.node).await.unwrap();
    assert_eq!((rows.len(), &*rows[0].commit), (1, &*commit));
    let (certname, tenancy) = (gone.certname.clone(), gone.tenancy.clone());
    assert_eq!(state_changes.try_recv(), Ok(StateChange::CatalogChanged { certname, tenancy }));
}

#[actix_web::test]
async fn who_was_added_for_another_customer_is_refused_and_only_the_log_names_that_one() {
    let scene = ControlFixture::new();
    scene.take().await;
    let kept = kept(LogFormat::Text, "info");
    let taken = scene.caller(WEB1.0, "nordhost/birch").await;
    let refused = scene.control.poll(&taken, asks("{}", None)).await.unwrap_err();
    assert!(matches!(refused, PollError::PlaceDisagrees { .. }));
    let rows = scene.store.compile_errors(taken.node).await.unwrap();
    let shown = serde_json::to_string(&rows[0].diagnostics).unwrap();
    for told in [refused.to_string(), shown] {
        assert!(!told.contains("alpinhost") && !told.contains("acme.toml"), "{told}");
    }
    assert!(
        kept.text().contains("place disagrees node=web1.acme.example bound=nordhost/birch"),
        "{}",
        kept.text()
    );
}

#[actix_web::test]
async fn a_catalog_that_does_not_compile_is_its_own_nodes_and_what_is_logged_names_the_request() {
    let scene = ControlFixture::new();
    scene.take().await;
    let web = scene.caller(WEB1.0, WEB1.1).await;
    let mail = scene.caller("mail1.other.example", "alpinhost/other").await;
    let (commit, _) = scene.commit(ACME, "[profile.web]\nport = \"eighty\"\n").await;
    let kept = kept(LogFormat::Json, "info");
    let poll = async {
        let refused = scene.control.poll(&web, asks("{}", None)).await.unwrap_err();
        // The answer to the node reveals nothing of the repository.
        let words = format!(
            "this node's catalog does not compile at commit {commit} (1 error): its operator sees more"
        );
        assert_eq!(refused.to_string(), words);
        Ok(TestRequest::get().to_srv_response(HttpResponse::Conflict().finish()))
    };
    let answer = request::answered(Side::Nodes, None, poll).await.unwrap();
    let id = answer.headers().get(request::HEADER).unwrap().to_str().unwrap();
    let [line] = &kept.objects()[..] else { panic!("{}", kept.text()) };
    assert_eq!((&line["fields"]["message"], &line["fields"]["errors"]), (&"no catalog".into(), &1.into()));
    assert_eq!((&line["spans"][0]["id"], &line["spans"][0]["commit"]), (&id.into(), &(&*commit).into()));

    let rows = scene.store.compile_errors(web.node).await.unwrap();
    assert_eq!(&*rows[0].diagnostics[0].origin.as_ref().unwrap().file, ACME);
    catalog(&scene, &mail, "{}").await;
    assert!(scene.store.compile_errors(mail.node).await.unwrap().is_empty());
    assert_eq!((count(&scene, "broken"), count(&scene, "catalog")), (1, 1));
}

#[actix_web::test]
async fn what_a_node_may_fetch_is_of_its_own_catalogs() {
    let scene = ControlFixture::new();
    scene.take().await;
    let web = scene.caller(WEB1.0, WEB1.1).await;
    let mail = scene.caller("mail1.other.example", "alpinhost/other").await;
    let hash = catalog(&scene, &mail, "{}").await.content_hashes().remove(0);
    catalog(&scene, &web, "{}").await;
    let content = async |caller: &Caller| scene.control.content(caller, hash.clone()).await.unwrap();
    assert_eq!(content(&mail).await.as_deref(), Some(&b"the mail node's file\n"[..]));
    assert_eq!(content(&web).await, None, "there is no such thing for it");
    scene.control.forget(mail.node);
    assert!(content(&mail).await.is_some(), "the store knows it after a restart too");
}

#[actix_web::test]
async fn a_commit_that_does_not_come_into_force_changes_nothing_for_nodes() {
    let scene = ControlFixture::new();
    let (good, _) = scene.take().await;
    let web = scene.caller(WEB1.0, WEB1.1).await;
    let has = catalog(&scene, &web, "{}").await;
    scene.commit(WEB, "doc = \"Web.\"\n[fiel.\"/x\"]\n").await;
    assert_eq!(unchanged(&scene, &web, "{}", &has.id).await, good);
}
