//! Errors in one tenant's files affect only that tenant, and are reported.

use reqwest::StatusCode;

use crate::serve::fixture::Fixture;
use crate::store::commit::CommitStatus;

const TOO_LARGE: usize = 9_000_000;

impl Fixture {
    /// The problems of the newest commit, as pages show them.
    async fn told(&self) -> Vec<String> {
        self.newest_commit().await.diagnostics.iter().map(ToString::to_string).collect()
    }
}

#[actix_web::test]
async fn a44_a_tenants_file_beyond_the_limit_stops_that_tenants_nodes_alone_and_is_told_with_its_path() {
    let fixture = Fixture::start().await;
    let (acme, _) = fixture.enrolled("web1.acme.example").await;
    let (other, _) = fixture.enrolled("mail1.other.example").await;
    let path = "hieradata/customers/acme.toml";
    assert_eq!(fixture.commit(path, &"x".repeat(TOO_LARGE)).await, CommitStatus::Good);
    let commit = fixture.server.control.in_force().unwrap().commit().to_owned();
    assert_eq!(other.catalog().await.commit, commit, "the others go on");
    let (status, refusal) = acme.poll("{}", None).await.unwrap_err();
    assert_eq!((status, &*refusal.code), (StatusCode::CONFLICT, "catalog-broken"));
    let told = fixture.told().await;
    assert!(told.iter().any(|told| told.contains(path) && told.contains("9000000 bytes")), "{told:?}");
    assert_eq!(fixture.commit(path, "").await, CommitStatus::Good);
    acme.catalog().await;
}

#[actix_web::test]
async fn much_of_a_tenant_stops_that_tenants_nodes_alone() {
    let fixture = Fixture::start().await;
    let (acme, _) = fixture.enrolled("web1.acme.example").await;
    let (other, _) = fixture.enrolled("mail1.other.example").await;
    let large = "#".repeat(TOO_LARGE * 2 / 3);
    for role in ["a", "b"] {
        fixture.put(&format!("hieradata/customers/acme/roles/{role}.toml"), &large);
    }
    assert_eq!(fixture.commit("hieradata/customers/acme.toml", &large).await, CommitStatus::Good);
    let in_force = fixture.server.control.in_force().unwrap();
    let kept: Vec<_> = in_force.checked().nodes.keys().map(ToString::to_string).collect();
    assert_eq!(kept, ["web1.acme.example"], "the person who pushes is told of the node");
    other.catalog().await;
    assert!(acme.poll("{}", None).await.is_err(), "nobody knows what it would be");
    let told = fixture.told().await;
    assert!(told.iter().any(|told| told.contains("18000000 bytes")), "{told:?}");
}

#[actix_web::test]
async fn a44_what_operators_have_too_much_of_is_a_broken_commit_that_says_so() {
    let fixture = Fixture::start().await;
    let (agent, _) = fixture.enrolled("web1.acme.example").await;
    let before = agent.catalog().await.commit;
    let path = "modules/profile/files/image";
    assert_eq!(fixture.commit(path, &"x".repeat(TOO_LARGE)).await, CommitStatus::Broken);
    assert_eq!(agent.catalog().await.commit, before);
    let told = fixture.told().await;
    assert!(told.len() == 1 && told[0].contains(path) && told[0].contains("9000000 bytes"), "{told:?}");
}
