//! A server that was restored from a backup: which nodes it takes back, and which not.

use std::path::Path;

use holdfast_catalog::wire::Certificate;

use super::enrolment::{actions, code};
use crate::serve::fixture::{Fixture, NodeKey, StoppedServer};
use crate::store::node::OnConflict;

const NODE: &str = "web1.acme.example";

/// The store as it was an hour ago.
struct Backup(Vec<u8>);

impl Backup {
    async fn of(fixture: Fixture) -> (Fixture, Self) {
        let file = fixture.data_dir().join("server.db");
        let stopped = fixture.stopped().await;
        let bytes = std::fs::read(file).unwrap();
        (stopped.again().await, Self(bytes))
    }

    async fn restore(&self, fixture: Fixture) -> Fixture {
        let data = fixture.data_dir();
        let stopped: StoppedServer = fixture.stopped().await;
        let _none = std::fs::remove_file(data.join("server.db-wal"));
        std::fs::write(data.join("server.db"), &self.0).unwrap();
        age(&data.join("server.db"));
        stopped.again().await
    }
}

/// Makes all times in a store an hour older.
fn age(file: &Path) {
    let connection = rusqlite::Connection::open(file).unwrap();
    connection
        .execute_batch(
            "UPDATE certificate SET not_before = not_before - 3600000; UPDATE node SET added_at = added_at - 3600000",
        )
        .unwrap();
}

async fn renewed(fixture: &Fixture, certificate: Certificate, key: &NodeKey) -> (Certificate, NodeKey) {
    let next = NodeKey::new();
    let Ok(renewed) = fixture.agent(certificate, key).renew(&next).await else { panic!("not renewed") };
    fixture.agent(renewed.clone(), &next).catalog().await;
    (renewed, next)
}

#[actix_web::test]
async fn f36_a_node_that_renewed_after_the_backup_is_taken_back_and_its_clone_is_not() {
    let fixture = Fixture::start().await;
    let (agent, key) = fixture.enrolled(NODE).await;
    agent.catalog().await;
    let old = agent.certificate;
    let (fixture, backup) = Backup::of(fixture).await;
    let (certificate, next) = renewed(&fixture, old.clone(), &key).await;
    let fixture = backup.restore(fixture).await;
    fixture.agent(certificate.clone(), &next).catalog().await;
    let clone = fixture.agent(old, &key);
    assert_eq!(code(clone.poll("{}", None).await), "certificate-replaced");
    assert_eq!(code(clone.renew(&NodeKey::new()).await), "certificate-replaced");
    let log = actions(&fixture).await;
    for action in ["certificate-taken-back", "replaced-certificate-refused"] {
        assert!(log.iter().any(|logged| logged == action), "{action}: {log:?}");
    }
    let fixture = fixture.restart().await;
    renewed(&fixture, certificate, &next).await;
}

#[actix_web::test]
async fn f36_a_node_that_enrolled_or_only_renews_after_the_backup_is_taken_back() {
    let fixture = Fixture::start().await;
    let (join, key) = (fixture.invite(NODE).await, NodeKey::new());
    let (fixture, backup) = Backup::of(fixture).await;
    let Ok(agent) = fixture.enroll(&join, &key).await else { panic!("refused") };
    let certificate = agent.certificate;
    let fixture = backup.restore(fixture).await;
    let next = NodeKey::new();
    assert!(fixture.agent(certificate, &key).renew(&next).await.is_ok());
    assert_eq!(code(fixture.enroll(&join, &NodeKey::new()).await), "token-invalid");
}

#[actix_web::test]
async fn f36_who_was_revoked_moved_or_has_an_older_certificate_is_not_taken_back() {
    let fixture = Fixture::start().await;
    let (agent, key) = fixture.enrolled(NODE).await;
    agent.catalog().await;
    let first = agent.certificate;
    let (fixture, backup) = Backup::of(fixture).await;
    let (second, second_key) = renewed(&fixture, first.clone(), &key).await;
    // The clone is first and renews. The store then has a newer certificate, and a person must deal with the lost one.
    let fixture = backup.restore(fixture).await;
    renewed(&fixture, first.clone(), &key).await;
    let lost = fixture.agent(second.clone(), &second_key);
    assert_eq!(code(lost.poll("{}", None).await), "certificate-replaced");
    // Revoked before it polls.
    let fixture = backup.restore(fixture).await;
    fixture.server.identity.revoke(NODE.parse().unwrap(), "test").await.unwrap();
    assert_eq!(code(fixture.agent(second.clone(), &second_key).poll("{}", None).await), "revoked");
    // Moved before it polls.
    let fixture = backup.restore(fixture).await;
    fixture.invite_as(NODE, OnConflict::Replace, std::time::Duration::from_secs(900)).await;
    assert_eq!(code(fixture.agent(second, &second_key).poll("{}", None).await), "unknown-node");
}

#[actix_web::test]
async fn f36_a_generation_of_the_lost_history_is_not_the_one_that_was_added_since() {
    let fixture = Fixture::start().await;
    let (agent, _) = fixture.enrolled(NODE).await;
    agent.catalog().await;
    let (fixture, backup) = Backup::of(fixture).await;
    let join = fixture.invite_as(NODE, OnConflict::Replace, std::time::Duration::from_secs(900)).await;
    let key = NodeKey::new();
    let Ok(moved) = fixture.enroll(&join, &key).await else { panic!("refused") };
    let certificate = moved.certificate;
    let fixture = backup.restore(fixture).await;
    // An hour later another machine becomes generation 2.
    fixture.invite_as(NODE, OnConflict::Replace, std::time::Duration::from_secs(900)).await;
    let data = fixture.data_dir();
    let stopped = fixture.stopped().await;
    let connection = rusqlite::Connection::open(data.join("server.db")).unwrap();
    connection.execute_batch("UPDATE node SET added_at = added_at + 3600000 WHERE generation = 2").unwrap();
    drop(connection);
    let fixture = stopped.again().await;
    assert_eq!(code(fixture.agent(certificate, &key).poll("{}", None).await), "unknown-node");
}
