//! A server for tests: real TLS, the real types of the protocol, and answers that the test decides.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use holdfast_catalog::certname::Certname;
use holdfast_catalog::join::JoinString;
use holdfast_catalog::wire::{Certificate, EnrollRequest};
use rcgen::{BasicConstraints, CertificateParams, CertificateSigningRequestParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use serde::de::DeserializeOwned;

use super::provider;
use crate::trust::Pin;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct ReceivedRequest {
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
    pub(crate) with_certificate: bool,
}

impl ReceivedRequest {
    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// How the server answers a request.
pub(crate) enum ScriptedAnswer {
    /// With a status and JSON.
    Json(u16, String),
    /// With JSON, and with this time in its `Date` header.
    At(jiff::Timestamp, String),
    /// It takes the request and closes the connection: the reply is lost.
    Lost,
    /// It takes the request, and does not answer for as long as the test lasts.
    Silent,
}

impl ScriptedAnswer {
    pub(crate) fn ok(body: &impl serde::Serialize) -> Self {
        Self::Json(200, serde_json::to_string(body).unwrap())
    }
}

type AnswerScript = Box<dyn FnMut(&ReceivedRequest) -> ScriptedAnswer + Send>;

/// A certificate authority.
pub(crate) struct Ca {
    pub(crate) certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn pin(&self) -> Pin {
        Pin::of(self.certificate.der()).unwrap()
    }

    /// The answer to an enrolment or a renewal. The certificate is valid longer than any test.
    pub(crate) fn sign(&self, csr: &str, certname: &str) -> Certificate {
        let mut csr = CertificateSigningRequestParams::from_pem(csr).unwrap();
        csr.params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        csr.params.not_after = rcgen::date_time_ymd(4000, 1, 1);
        Certificate {
            certificate: csr.signed_by(&self.issuer).unwrap().pem(),
            roots: self.certificate.pem(),
            certname: Certname::parse(certname).unwrap(),
        }
    }
}

/// A server on loopback that lives as long as the test.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) ca: Arc<Ca>,
    seen: Arc<Mutex<Vec<ReceivedRequest>>>,
    script: Arc<Mutex<AnswerScript>>,
}

impl TestServer {
    pub(crate) fn start(script: impl FnMut(&ReceivedRequest) -> ScriptedAnswer + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let ca = Arc::new(Ca::new());
        let server = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            script: Arc::new(Mutex::new(Box::new(script))),
            ca,
        };
        let (tls, seen, script) = (server.tls(), server.seen.clone(), server.script.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that hangs up is part of the tests.
                let _ = serve(stream, tls.clone(), &seen, &script);
            }
        });
        server
    }

    fn tls(&self) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![Ipv4Addr::LOCALHOST.to_string()]).unwrap();
        let leaf = params.signed_by(&key, &self.ca.issuer).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.certificate.der().clone()).unwrap();
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .allow_unauthenticated()
            .build()
            .unwrap();
        let chain = vec![leaf.der().clone(), self.ca.certificate.der().clone()];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(chain, key);
        Arc::new(config.unwrap())
    }

    /// Answers this way from now on.
    pub(crate) fn answers(&self, script: impl FnMut(&ReceivedRequest) -> ScriptedAnswer + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    /// Calls `act` at each request, before it is answered.
    pub(crate) fn meanwhile(&self, mut act: impl FnMut() + Send + 'static) {
        let mut script = self.script.lock().unwrap();
        let mut before = std::mem::replace(&mut *script, Box::new(|_| ScriptedAnswer::Lost));
        *script = Box::new(move |seen| {
            act();
            before(seen)
        });
    }

    /// The requests for a path so far.
    pub(crate) fn asked(&self, path: &str) -> Vec<ReceivedRequest> {
        self.seen.lock().unwrap().iter().filter(|seen| seen.path == path).cloned().collect()
    }

    pub(crate) fn join(&self) -> JoinString {
        self.join_with(self.ca.pin())
    }

    pub(crate) fn join_with(&self, pin: Pin) -> JoinString {
        JoinString::new(&self.address.to_string(), pin.0, "token1", "secret1").unwrap()
    }

    /// Signs any request to be enrolled as `web1.acme.example`.
    pub(crate) fn enrolled(&self, request: &ReceivedRequest) -> ScriptedAnswer {
        ScriptedAnswer::ok(&self.ca.sign(&request.json::<EnrollRequest>().csr, "web1.acme.example"))
    }
}

fn serve(
    stream: TcpStream,
    tls: Arc<ServerConfig>,
    seen: &Mutex<Vec<ReceivedRequest>>,
    script: &Mutex<AnswerScript>,
) -> std::io::Result<()> {
    let connection = ServerConnection::new(tls).map_err(std::io::Error::other)?;
    let mut reader = BufReader::new(StreamOwned::new(connection, stream));
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut length, mut packed) = (0, false);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let header = header.trim().to_ascii_lowercase();
        match header.split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse().unwrap(),
            Some(("content-encoding", value)) => packed = value.trim() == "zstd",
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = if packed { zstd::stream::decode_all(&*body)? } else { body };
    let with_certificate = reader.get_ref().conn.peer_certificates().is_some();
    let request = ReceivedRequest { path, body, with_certificate };
    let answer = (script.lock().unwrap())(&request);
    seen.lock().unwrap().push(request);
    match answer {
        ScriptedAnswer::Json(status, json) => answered(reader.into_inner(), &format!("{status} x"), &json)?,
        ScriptedAnswer::At(time, json) => {
            let date = time.strftime("%a, %d %b %Y %H:%M:%S GMT");
            answered(reader.into_inner(), &format!("200 x\r\ndate: {date}"), &json)?;
        }
        ScriptedAnswer::Lost => {}
        ScriptedAnswer::Silent => std::mem::forget(reader),
    }
    Ok(())
}

fn answered(
    mut stream: StreamOwned<ServerConnection, TcpStream>,
    head: &str,
    json: &str,
) -> std::io::Result<()> {
    let length = json.len();
    let all = format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{json}");
    stream.write_all(all.as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()
}
