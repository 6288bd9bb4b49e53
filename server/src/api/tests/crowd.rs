//! Many callers at once: what strangers take from each other, and never from nodes.

use std::net::{SocketAddr, TcpStream};

use holdfast_catalog::wire::path;
use reqwest::StatusCode;

use crate::network::files::{self, ConnectionShares};
use crate::network::limiter::ConnectionLimits;
use crate::serve::fixture::{Fixture, NodeKey};

const FEW: ConnectionLimits =
    ConnectionLimits { strangers: 40, strangers_by_network: 20, known: 40, known_by_owner: 10 };

async fn small() -> Fixture {
    files::raise();
    Fixture::with(|config| config.connections = Some(ConnectionShares { nodes: FEW, people: FEW })).await
}

/// Idle connections, as many as asked for.
async fn idle(to: SocketAddr, count: usize) -> Vec<TcpStream> {
    let connect = move || (0..count).map(|_| TcpStream::connect(to).unwrap()).collect();
    actix_web::web::block(connect).await.unwrap()
}

#[actix_web::test]
async fn a27_fifteen_hundred_idle_connections_stop_neither_polls_nor_enrolment_nor_readiness() {
    let fixture = small().await;
    let (agent, _) = fixture.enrolled("web1.acme.example").await;
    let nodes = idle(fixture.server.nodes_address(), 1500).await;
    let people = idle(fixture.server.dashboard_address(), 1500).await;
    agent.catalog().await;
    fixture.enrolled("mail1.other.example").await;
    let ready = format!("https://{}/readyz", fixture.server.dashboard_address());
    let ready = fixture.anonymous().get(ready).send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::OK);
    for (strangers, known) in fixture.server.connections() {
        assert!(strangers <= FEW.strangers && known <= FEW.known, "{strangers} {known}");
    }
    drop((nodes, people));
}

#[actix_web::test]
async fn a27_strangers_who_go_on_asking_keep_no_connection() {
    let fixture = small().await;
    let stranger = fixture.anonymous();
    for (route, status) in [("/v1/x", 404), (path::CATALOG, 401)] {
        let answer = stranger.post(fixture.url(route)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
        assert_eq!(answer.headers()["connection"], "close", "{route}");
    }
}

#[actix_web::test]
async fn e17_strangers_who_ask_too_much_wait_and_nodes_behind_the_same_address_do_not() {
    let fixture = Fixture::start().await;
    let (agent, key) = fixture.enrolled("web1.acme.example").await;
    let stranger = fixture.anonymous();
    let mut last = StatusCode::NOT_FOUND;
    for _ in 0..400 {
        last = stranger.get(fixture.url("/v1/x")).send().await.unwrap().status();
        if last == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    agent.catalog().await;
    // Enrolment has a count of its own, and renewal is counted by certificate.
    let join = fixture.invite("mail1.other.example").await;
    assert!(fixture.enroll(&join, &NodeKey::new()).await.is_ok());
    while fixture.anonymous_enrolment().await != StatusCode::TOO_MANY_REQUESTS {}
    assert!(agent.renew(&NodeKey::new()).await.is_ok(), "a flood of enrolments from the same address");
    drop(key);
}
