//! Requests that a node should not make.

use std::time::Duration;

use holdfast_catalog::hash::ContentHash;
use holdfast_catalog::wire::path;
use reqwest::{Method, StatusCode};

use crate::serve::fixture::Fixture;

#[actix_web::test]
async fn a04_anothers_content_and_what_nobody_has_are_one_answer() {
    let fixture = Fixture::start().await;
    let (agent, _) = fixture.enrolled("web1.acme.example").await;
    let (other, _) = fixture.enrolled("mail1.other.example").await;
    agent.catalog().await;
    let foreign = other.catalog().await.content_hashes().remove(0);
    let random = ContentHash::of(b"content of no node");
    let mut answers = Vec::new();
    for hash in [foreign.as_str(), random.as_str(), "no-hash", "..%2f..%2fetc%2fpasswd"] {
        let answer = agent.get(&format!("{}/{hash}", path::CONTENT)).send().await.unwrap();
        let mut headers = answer.headers().clone();
        headers.remove("date");
        assert!(headers.remove("x-request-id").is_some_and(|id| id.len() == 16), "{hash}");
        answers.push((answer.status(), format!("{headers:?}"), answer.bytes().await.unwrap()));
    }
    assert_eq!(answers[0].0, StatusCode::NOT_FOUND);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let own = other.get(&format!("{}/{foreign}", path::CONTENT)).send().await.unwrap();
    assert_eq!(own.status(), StatusCode::OK);
    let asked_wrong = agent.get(&format!("{}/{foreign}?x=1", path::CONTENT)).send().await.unwrap();
    assert_eq!(asked_wrong.status(), StatusCode::BAD_REQUEST);
    assert!(
        asked_wrong.headers().contains_key("x-request-id"),
        "what no route was asked for has one as well"
    );
}

#[actix_web::test]
async fn a10_without_a_certificate_only_enrolment_answers() {
    let fixture = Fixture::start().await;
    let anonymous = fixture.anonymous();
    let content = format!("{}/{}", path::CONTENT, ContentHash::of(b"x"));
    for (method, route, expected) in [
        (Method::POST, path::CATALOG, 401),
        (Method::POST, path::REPORTS, 401),
        (Method::POST, path::RENEW, 401),
        (Method::GET, &*content, 401),
        (Method::POST, path::ENROLL, 400),
        (Method::GET, path::ENROLL, 405),
        (Method::DELETE, path::CATALOG, 405),
        (Method::GET, "/", 404),
        (Method::GET, "/v1", 404),
        (Method::POST, "/v1//catalog", 404),
        (Method::POST, "/V1/CATALOG", 404),
        (Method::POST, "/v1/catalog/", 404),
        (Method::POST, "/v1/catalog%2f..", 404),
        (Method::GET, "/v1/content/", 404),
    ] {
        let answer = anonymous.request(method.clone(), fixture.url(route)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), expected, "{method} {route}");
    }
}

#[actix_web::test]
async fn a23_what_is_not_tls_of_today_is_not_answered() {
    use std::io::{Read as _, Write as _};
    let fixture = Fixture::start().await;
    let older = fixture.anonymous_by(&rustls::version::TLS12).get(fixture.url("/v1/x")).send().await;
    assert!(older.is_err(), "TLS 1.2");
    let nodes = fixture.server.nodes_address();
    let plain = actix_web::web::block(move || {
        let mut stream = std::net::TcpStream::connect(nodes)?;
        stream.write_all(b"GET /v1/x HTTP/1.1\r\nHost: x\r\n\r\n")?;
        let mut said = Vec::new();
        stream.read_to_end(&mut said).map(|_| said)
    });
    let said = plain.await.unwrap().unwrap_or_default();
    assert!(!said.starts_with(b"HTTP"), "{said:?}");
}

#[actix_web::test]
async fn a01_who_asks_is_nobodys_to_say() {
    let fixture = Fixture::start().await;
    let (agent, _) = fixture.enrolled("web1.acme.example").await;
    let facts = holdfast_catalog::facts::Facts::none().hash();
    let body = format!(r#"{{"facts_hash":"{facts}","facts":{{}},"agent":"x"}}"#);
    let named = agent
        .post(path::CATALOG)
        .header("x-client-verify", "SUCCESS")
        .header("x-ssl-client-dn", "CN=mail1.other.example")
        .header("x-forwarded-for", "10.0.0.1")
        .body(body.clone());
    let text = named.send().await.unwrap().text().await.unwrap();
    assert!(text.contains(r#""certname":"web1.acme.example""#), "{text}");
    for query in ["certname=mail1.other.example", "x", ""] {
        let asked = agent.post(&format!("{}?{query}", path::CATALOG)).body(body.clone());
        assert_eq!(asked.send().await.unwrap().status(), StatusCode::BAD_REQUEST, "?{query}");
    }
    let other = body.replacen('{', r#"{"certname":"mail1.other.example","#, 1);
    let refused = agent.post(path::CATALOG).body(other).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn a24_bodies_are_limited_in_size_depth_and_form() {
    let fixture = Fixture::start().await;
    let (agent, _) = fixture.enrolled("web1.acme.example").await;
    let (other, _) = fixture.enrolled("mail1.other.example").await;
    let bomb = zstd::encode_all(&vec![b' '; 64 << 20][..], 3).unwrap();
    let deep = "[".repeat(100_000);
    let huge = vec![b' '; 5 << 20];
    for (encoding, body, expected) in [
        ("zstd", b"not zstd".to_vec(), 400),
        ("gzip", b"{}".to_vec(), 415),
        ("identity", deep.into_bytes(), 400),
        ("identity", huge, 413),
        ("identity", b"\xff\xfe".to_vec(), 400),
        ("identity", br#"{"facts_hash":"x","agent":"y","agent":"z"}"#.to_vec(), 400),
        ("identity", br#"{"facts_hash":"../../x","agent":"y"}"#.to_vec(), 400),
        // It is charged for its decompressed size, so the node has to wait afterwards.
        ("zstd", bomb, 413),
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        let request = agent.post(path::CATALOG).header("content-encoding", encoding).body(body);
        let status = request.send().await.unwrap().status().as_u16();
        assert_eq!(status, expected, "{encoding} {shown}");
    }
    other.catalog().await;
}

#[actix_web::test]
async fn a28_who_asks_too_often_waits() {
    let fixture = Fixture::start().await;
    let (agent, _) = fixture.enrolled("web1.acme.example").await;
    let (other, _) = fixture.enrolled("mail1.other.example").await;
    let refused = loop {
        let answer = agent.post(path::CATALOG).body("{}").send().await.unwrap();
        if answer.status() != StatusCode::BAD_REQUEST {
            break answer;
        }
    };
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    other.catalog().await;
}

#[actix_web::test]
async fn a28_a_node_that_waits_for_its_own_compile_takes_no_slot_from_others() {
    let fixture = Fixture::start().await;
    let (agent, _) = fixture.enrolled("web1.acme.example").await;
    let (other, _) = fixture.enrolled("mail1.other.example").await;
    let node = fixture.server.store.node("web1.acme.example".parse().unwrap()).await.unwrap().unwrap();
    let compiling = fixture.server.control.turn(node.id).lock_owned().await;
    let mut waiting = std::pin::pin!(agent.catalog());
    let waits = tokio::time::timeout(Duration::from_millis(300), &mut waiting).await;
    assert!(waits.is_err(), "two compiles for one node");
    other.catalog().await;
    drop(compiling);
    waiting.await;
}
