//! Certificates: the first, the next, lost ones and stolen ones.

use std::time::Duration;

use holdfast_catalog::state::State;
use holdfast_catalog::wire::path;
use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};

use crate::admin::{Answer, Request};
use crate::identity::tls;
use crate::serve::fixture::{Fixture, NodeKey, client};
use crate::store::node::{NodeState, OnConflict};

/// The code of a refusal, or `granted`.
pub(super) fn code<T>(outcome: Result<T, (StatusCode, holdfast_catalog::wire::Refusal)>) -> String {
    match outcome {
        Ok(_) => "granted".to_owned(),
        Err((_, refusal)) => refusal.code,
    }
}

/// The actions in the audit log.
pub(super) async fn actions(fixture: &Fixture) -> Vec<String> {
    let newest = fixture.server.store.audit_before(i64::MAX, 100).await.unwrap();
    newest.into_iter().map(|row| row.action).collect()
}

#[actix_web::test]
async fn a17_a_join_string_makes_a_node_and_only_the_key_of_its_request_counts() {
    let fixture = Fixture::start().await;
    let (agent, _) = fixture.enrolled("web1.acme.example").await;
    assert_eq!(agent.certificate.certname.as_str(), "web1.acme.example");
    let certificate = agent.certificate.certificate.as_bytes();
    let (_, pem) = x509_parser::pem::parse_x509_pem(certificate).unwrap();
    let peer = tls::peer(&pem.contents.into(), String::new()).unwrap();
    assert_eq!((peer.name.certname.as_str(), peer.name.generation), ("web1.acme.example", 1));
    assert_eq!(agent.catalog().await.certname.as_str(), "web1.acme.example");
    let node = fixture.server.store.node("web1.acme.example".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((node.state, node.tenancy.to_string().as_str()), (NodeState::Enrolled, "alpinhost/acme"));
}

#[actix_web::test]
async fn the_server_shows_the_key_that_the_join_string_pins() {
    let fixture = Fixture::start().await;
    let join = fixture.invite("web1.acme.example").await;
    let authority = fixture.server.identity.authority();
    let (_, certificate) = x509_parser::parse_x509_certificate(authority.certificate()).unwrap();
    assert_eq!(join.pin()[..], Sha256::digest(certificate.public_key().raw)[..]);
    let stranger = tempfile::tempdir().unwrap();
    let (other, _) = crate::identity::Authority::make(stranger.path()).unwrap();
    let refused = client(other.certificate(), None).get(fixture.url("/")).send().await;
    assert!(refused.unwrap_err().is_connect(), "another CA is not trusted");
}

#[actix_web::test]
async fn e03_a_lost_reply_burns_nothing_and_another_key_is_refused_and_alarmed() {
    let fixture = Fixture::start().await;
    let (join, key) = (fixture.invite("web1.acme.example").await, NodeKey::new());
    let Ok(first) = fixture.enroll(&join, &key).await else { panic!() };
    let Ok(again) = fixture.enroll(&join, &key).await else { panic!() };
    assert_eq!(first.certificate.certificate, again.certificate.certificate);
    let Err((_, refusal)) = fixture.enroll(&join, &NodeKey::new()).await else { panic!() };
    assert_eq!(refusal.code, "token-used");
    // It is only known that the key differs: the machine may be the same one.
    for said in ["with another key", " UTC from 127.0.0.1;", "`holdfast node move web1.acme.example`"] {
        assert!(refusal.message.contains(said), "{}", refusal.message);
    }
    assert!(!refusal.message.contains("another machine"), "{}", refusal.message);
    assert!(actions(&fixture).await.contains(&"token-reuse-refused".to_owned()));
}

#[actix_web::test]
async fn a_revoked_node_does_not_get_its_first_certificate_again() {
    let fixture = Fixture::start().await;
    let (join, key) = (fixture.invite("web1.acme.example").await, NodeKey::new());
    assert!(fixture.enroll(&join, &key).await.is_ok());
    fixture.server.identity.revoke("web1.acme.example".parse().unwrap(), "test").await.unwrap();
    assert_eq!(code(fixture.enroll(&join, &key).await), "revoked");
    assert!(actions(&fixture).await.contains(&"revoked-node-refused".to_owned()));
}

#[actix_web::test]
async fn a18_of_keys_that_race_for_a_token_one_wins() {
    let fixture = Fixture::start().await;
    let join = fixture.invite("web1.acme.example").await;
    let keys: Vec<_> = (0..8).map(|_| NodeKey::new()).collect();
    let (mut granted, mut refused) = (0, 0);
    let race = keys.iter().map(|key| fixture.enroll(&join, key));
    for outcome in join_all(race).await {
        match code(outcome).as_str() {
            "granted" => granted += 1,
            other => {
                assert_eq!(other, "token-used");
                refused += 1;
            }
        }
    }
    assert_eq!((granted, refused), (1, 7));
}

/// Polls all futures together until each is ready.
async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, output) in &mut futures {
            if output.is_none()
                && let std::task::Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *output = Some(ready);
            }
        }
        if futures.iter().all(|(_, output)| output.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    futures.into_iter().filter_map(|(_, output)| output).collect()
}

#[actix_web::test]
async fn a19_a_token_that_is_late_wrong_or_replaced_is_worth_nothing() {
    let fixture = Fixture::start().await;
    let late = fixture.invite_as("web1.acme.example", OnConflict::Keep, Duration::ZERO).await;
    assert_eq!(code(fixture.enroll(&late, &NodeKey::new()).await), "token-invalid");
    let valid = fixture.invite("web1.acme.example").await;
    let with_secret = |secret: &str| {
        holdfast_catalog::join::JoinString::new(valid.server(), *valid.pin(), valid.token(), secret).unwrap()
    };
    let guessed = with_secret(&"a".repeat(26));
    assert_eq!(code(fixture.enroll(&guessed, &NodeKey::new()).await), "token-invalid");
    assert_eq!(code(fixture.enroll(&valid, &NodeKey::new()).await), "granted");
}

#[actix_web::test]
async fn a07_a_machine_made_again_ends_the_one_before() {
    let fixture = Fixture::start().await;
    let (first, _) = fixture.enrolled("web1.acme.example").await;
    first.catalog().await;
    let join = fixture.invite_as("web1.acme.example", OnConflict::Replace, Duration::from_secs(900)).await;
    assert_eq!(code(first.poll("{}", None).await), "unknown-node", "as soon as the next is invited");
    let Ok(second) = fixture.enroll(&join, &NodeKey::new()).await else { panic!() };
    second.catalog().await;
    assert_eq!(code(first.poll("{}", None).await), "unknown-node");
}

#[actix_web::test]
async fn a13_a_revoked_node_is_refused_on_the_connection_that_it_has() {
    let fixture = Fixture::start().await;
    let (agent, _) = fixture.enrolled("web1.acme.example").await;
    agent.catalog().await;
    fixture.server.identity.revoke("web1.acme.example".parse().unwrap(), "test").await.unwrap();
    assert_eq!(code(agent.poll("{}", None).await), "revoked");
    assert_eq!(code(agent.renew(&NodeKey::new()).await), "revoked");
    let answer = agent.post(path::REPORTS).body("{}").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(actions(&fixture).await.contains(&"revoked-node-refused".to_owned()));
    let fixture = fixture.restart().await;
    let log = actions(&fixture).await;
    assert!(log.contains(&"node-revoked".to_owned()), "{log:?}");
    assert_eq!(fixture.server.store.audit_checked(None).await.unwrap().broken_at, None);
}

#[actix_web::test]
async fn a20_the_first_use_of_a_new_certificate_ends_the_old_one() {
    let fixture = Fixture::start().await;
    let (old, _) = fixture.enrolled("web1.acme.example").await;
    let key = NodeKey::new();
    let Ok(certificate) = old.renew(&key).await else { panic!() };
    old.catalog().await;
    let Ok(again) = old.renew(&key).await else { panic!() };
    assert_eq!(again.certificate, certificate.certificate, "a lost reply");
    let new = fixture.agent(certificate, &key);
    new.catalog().await;
    assert_eq!(code(old.poll("{}", None).await), "certificate-replaced");
    assert_eq!(code(old.renew(&NodeKey::new()).await), "certificate-replaced");
    assert!(actions(&fixture).await.contains(&"replaced-certificate-refused".to_owned()));
    let state = async || match fixture
        .ask(Request::NodeShow { certname: "web1.acme.example".parse().unwrap() })
        .await
    {
        Ok(Answer::Node(detail)) => (detail.node.state, detail.node.reason),
        other => panic!("{other:?}"),
    };
    fixture.server.control.write_contacts().await;
    let (is, why) = state().await;
    assert!(
        is == State::KeptBack && why.contains("a replaced certificate of this node was presented"),
        "{is:?} {why}"
    );
    new.catalog().await;
    fixture.server.control.write_contacts().await;
    let (is, why) = state().await;
    assert!(is != State::KeptBack && !why.contains("replaced"), "{is:?} {why}");
    // If the old certificate is shown again, that is reported again.
    let der = CertificateDer::from_pem_slice(old.certificate.certificate.as_bytes()).unwrap();
    let peer = tls::peer(&der, "203.0.113.9".to_owned()).unwrap();
    let later = Timestamp::now() + SignedDuration::from_mins(5);
    assert!(fixture.server.identity.admit(&peer, later).await.is_err());
    let (is, why) = state().await;
    assert!(
        is == State::KeptBack && why.contains("a replaced certificate of this node was presented"),
        "{is:?} {why}"
    );
}

#[actix_web::test]
async fn a14_an_expired_certificate_renews_and_does_nothing_else() {
    let fixture = Fixture::with_lifetime(Duration::from_secs(1)).await;
    let (agent, _) = fixture.enrolled("web1.acme.example").await;
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while code(agent.poll("{}", None).await) != "certificate-expired" {
        assert!(std::time::Instant::now() < deadline, "it never expires");
    }
    let key = NodeKey::new();
    let Ok(certificate) = agent.renew(&key).await else { panic!() };
    assert_ne!(certificate.certificate, agent.certificate.certificate);
}

#[actix_web::test]
async fn e15_what_a_restart_must_not_change() {
    let fixture = Fixture::start().await;
    let (agent, key) = fixture.enrolled("web1.acme.example").await;
    let catalog = agent.catalog().await;
    let certificate = agent.certificate;
    let fixture = fixture.restart().await;
    let agent = fixture.agent(certificate, &key);
    let hash = catalog.content_hashes().remove(0);
    let content = agent.get(&format!("{}/{hash}", path::CONTENT)).send().await.unwrap();
    assert_eq!(content.text().await.unwrap(), "the web node's file\n", "before the first poll");
    assert_eq!(agent.catalog().await.id, catalog.id);
}
