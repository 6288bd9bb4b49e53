//! Bodies that are small when sent and large in memory, and requests that no other limit counts.

use std::io::{Read as _, Write as _};

use holdfast_catalog::wire::{MAX_REPORT, path};
use reqwest::StatusCode;

use crate::serve::fixture::{Agent, Fixture};

/// A compressed body of `size` bytes that is not JSON.
fn broken(size: usize) -> Vec<u8> {
    let mut plain = vec![b' '; size];
    plain.push(b'!');
    zstd::encode_all(&plain[..], 3).unwrap()
}

async fn send(agent: &Agent, route: &str, packed: Vec<u8>) -> StatusCode {
    let request = agent.post(route).header("content-encoding", "zstd").body(packed);
    request.send().await.unwrap().status()
}

#[actix_web::test]
async fn a28_what_is_no_body_is_paid_for_like_one() {
    let fixture = Fixture::start().await;
    let (agent, _) = fixture.enrolled("web1.acme.example").await;
    let (other, _) = fixture.enrolled("mail1.other.example").await;
    for (route, size) in [(path::REPORTS, MAX_REPORT - 1), (path::CATALOG, 4 << 20)] {
        assert_eq!(send(&agent, route, broken(size)).await, StatusCode::BAD_REQUEST, "{route}");
        assert_eq!(send(&agent, route, broken(0)).await, StatusCode::TOO_MANY_REQUESTS, "{route}");
    }
    // One that exceeds the limit was decompressed up to the limit.
    assert_eq!(send(&other, path::REPORTS, broken(64 << 20)).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(send(&other, path::REPORTS, broken(0)).await, StatusCode::TOO_MANY_REQUESTS);
    other.catalog().await;
}

#[actix_web::test]
async fn a28_a_second_large_body_of_the_same_node_is_told_to_wait() {
    let fixture = Fixture::start().await;
    let (agent, key) = fixture.enrolled("web1.acme.example").await;
    let (other, _) = fixture.enrolled("mail1.other.example").await;
    let large = || vec![b'{'; 100_000];
    // The server sends `100 Continue` a moment before its route has the body. If the second request is faster, the
    // first one has to wait, and another pair is tried.
    let begin = async || {
        let mut first = fixture.connect(Some((&agent.certificate, &key)), &[]);
        let begun = actix_web::web::block(move || {
            let head = format!("POST {} HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n", path::REPORTS);
            first.write_all(format!("{head}expect: 100-continue\r\n\r\n").as_bytes()).unwrap();
            let mut said = [0; 12];
            first.read_exact(&mut said).unwrap();
            assert_eq!(&said, b"HTTP/1.1 100");
            first
        });
        begun.await.unwrap()
    };
    let status = async |agent: &Agent| agent.post(path::REPORTS).body(large()).send().await.unwrap().status();
    let mut pairs = 0;
    let begun = loop {
        let first = begin().await;
        if status(&agent).await == StatusCode::TOO_MANY_REQUESTS {
            break first;
        }
        pairs += 1;
        assert!(pairs < 20, "two at once");
    };
    assert_eq!(status(&other).await, StatusCode::BAD_REQUEST, "another's is in nobody's way");
    drop(begun);
}

#[actix_web::test]
async fn a13_who_is_revoked_while_its_body_is_on_the_way_gets_no_catalog() {
    let fixture = Fixture::start().await;
    let (agent, key) = fixture.enrolled("web1.acme.example").await;
    let body = format!("{{\"agent\":\"1\",\"facts_hash\":\"{}\"}}", "0".repeat(64));
    let mut slow = fixture.connect(Some((&agent.certificate, &key)), &[]);
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n",
        path::CATALOG,
        body.len()
    );
    let begun = actix_web::web::block(move || {
        slow.write_all(format!("{head}expect: 100-continue\r\n\r\n").as_bytes()).unwrap();
        let mut said = [0; 12];
        slow.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"HTTP/1.1 100");
        slow
    });
    let mut slow = begun.await.unwrap();
    fixture.server.identity.revoke("web1.acme.example".parse().unwrap(), "test").await.unwrap();
    let answer = actix_web::web::block(move || {
        slow.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        slow.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = answer.await.unwrap();
    assert!(answer.contains("HTTP/1.1 403") && answer.contains("revoked"), "{answer}");
}

#[actix_web::test]
async fn a28_what_is_refused_to_a_certificate_is_counted_by_it() {
    let fixture = Fixture::start().await;
    let (agent, _) = fixture.enrolled("web1.acme.example").await;
    let (revoked, _) = fixture.enrolled("mail1.other.example").await;
    while agent.get("/v1/nothing").send().await.unwrap().status() == StatusCode::NOT_FOUND {}
    assert_eq!(agent.get("/v1/nothing").send().await.unwrap().status(), StatusCode::TOO_MANY_REQUESTS);
    fixture.server.identity.revoke("mail1.other.example".parse().unwrap(), "test").await.unwrap();
    let ask = async || revoked.post(path::CATALOG).body("{}").send().await.unwrap().status();
    let refused = loop {
        match ask().await {
            StatusCode::FORBIDDEN => {}
            other => break other,
        }
    };
    // On a busy machine, the allowance may have been refilled for a later one.
    assert_eq!(refused, StatusCode::TOO_MANY_REQUESTS);
}

#[actix_web::test]
async fn a27_the_port_of_nodes_speaks_no_protocol_whose_connections_outlast_their_answers() {
    let fixture = Fixture::start().await;
    let mut stranger = fixture.connect(None, &[b"h2", b"http/1.1"]);
    let said = actix_web::web::block(move || {
        stranger.write_all(b"GET /v1/x HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let protocol = stranger.conn.alpn_protocol().map(<[u8]>::to_vec);
        let mut said = Vec::new();
        // Until the connection ends, however the server ends it.
        let _ = stranger.read_to_end(&mut said);
        (protocol, said)
    });
    let (protocol, said) = said.await.unwrap();
    assert_eq!(protocol.as_deref(), Some(&b"http/1.1"[..]));
    assert!(said.starts_with(b"HTTP/1.1 404"), "{}", String::from_utf8_lossy(&said));
}
