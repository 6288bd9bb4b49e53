//! Downloads from a loopback host that answers what a test wants.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use super::*;
use crate::fetch::double::{Ca, ScriptedAnswer, TestServer};
use crate::system::double::Double;

/// A host that gives these answers, one for each connection, and keeps the requests.
struct Host {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Host {
    fn new(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let kept = asked.clone();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    request.push(byte[0]);
                }
                kept.lock().unwrap().push(String::from_utf8(request).unwrap());
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

fn redirect(to: &str) -> String {
    answer("302 Found", &format!("location: {to}\r\n"), "")
}

fn get_with(url: &str, headers: &[(&str, &str)]) -> Result<String, String> {
    let headers = headers.iter().map(|(k, v)| ((*k).to_owned(), Secret::from(*v))).collect();
    let request = Download { url, headers: &headers, timeout: Duration::from_secs(20) };
    let mut body = open(request, &Double::new(|_| None)).map_err(|error| error.to_string())?;
    let mut text = String::new();
    body.read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok(text)
}

fn get(url: &str) -> Result<String, String> {
    get_with(url, &[])
}

#[test]
fn a_body_comes_whole_however_long_it_is() {
    let long = "0123456789".repeat(200_000);
    for body in ["", "short", &long] {
        let host = Host::new(vec![answer("200 OK", "", body)]);
        assert_eq!(get(&host.url).unwrap(), body);
    }
}

#[test]
fn what_is_not_there_is_said_with_the_status() {
    let host = Host::new(vec![answer("404 Not Found", "", "no such thing")]);
    let error = get(&format!("{}/app.tar", host.url)).unwrap_err();
    assert!(error.contains("/app.tar") && error.contains("404"), "{error}");
}

#[test]
fn a_body_that_ends_early_is_a_failure() {
    let short = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort".to_owned();
    let host = Host::new(vec![short]);
    assert!(get(&host.url).is_err());
}

#[test]
fn what_claims_to_be_too_large_is_not_begun() {
    let host = Host::new(vec![format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", MAX_BYTES + 1)]);
    assert!(get(&host.url).unwrap_err().contains("larger"));
}

#[test]
fn redirects_are_followed_and_headers_stay_with_their_host() {
    let other = Host::new(vec![answer("200 OK", "", "there")]);
    let host = Host::new(vec![redirect("/again"), redirect(&format!("{}/x", other.url))]);
    assert_eq!(get_with(&host.url, &[("Private-Token", "hunter2")]).unwrap(), "there");
    assert!(host.asked().iter().all(|request| request.contains("private-token: hunter2")));
    assert!(!other.asked()[0].contains("hunter2"), "{:?}", other.asked());
}

#[test]
fn redirects_end_and_never_leave_tls() {
    let host = Host::new((0..9).map(|_| redirect("/round")).collect());
    assert!(get(&host.url).unwrap_err().contains("more than 5 times"));
    let from = Url::parse("https://h/a/b").unwrap();
    assert_eq!(redirected(&from, "../c").unwrap().as_str(), "https://h/c");
    for bad in ["http://h/c", "file:///etc/shadow", "ftp://h/c"] {
        assert!(redirected(&from, bad).is_err(), "{bad}");
    }
    assert!(redirected(&Url::parse("http://h/").unwrap(), "file:///etc/shadow").is_err());
}

#[test]
fn without_authorities_nothing_is_asked_over_tls() {
    let error = get("https://127.0.0.1:1/").unwrap_err();
    assert!(error.contains("ca-certificates"), "{error}");
}

#[test]
fn over_tls_only_those_whom_the_machine_trusts_are_believed() {
    let server = TestServer::start(|_| ScriptedAnswer::Json(200, "there".to_owned()));
    let url = format!("https://{}/app.tar", server.address);
    let get = |authority: &str| {
        let machine = Double::new(|_| None);
        machine.put(AUTHORITIES[0], authority);
        let request = Download { url: &url, headers: &BTreeMap::new(), timeout: Duration::from_secs(20) };
        let mut text = String::new();
        open(request, &machine).map_err(|error| error.to_string())?.read_to_string(&mut text).unwrap();
        Ok::<_, String>(text)
    };
    assert_eq!(get(&server.ca.certificate.pem()).unwrap(), "there");
    let error = get(&Ca::new().certificate.pem()).unwrap_err();
    assert!(error.contains("certificate"), "{error}");
}

#[test]
fn authorities_are_the_machines_own() {
    let key = rcgen::KeyPair::generate().unwrap();
    let own = rcgen::CertificateParams::new(vec!["own.example".to_owned()]).unwrap();
    let own = own.self_signed(&key).unwrap().pem();
    let machine = Double::new(|_| None);
    machine.put(
        AUTHORITIES[0],
        &format!("# a comment\n{own}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    );
    let store = authorities(&Url::parse("https://h/").unwrap(), &machine).unwrap();
    assert_eq!(store.len(), 1);
}
