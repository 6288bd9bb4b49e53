//! A server for tests: in this process, on loopback, with real mTLS, over a directory that tests write to.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use holdfast_catalog::catalog::CatalogId;
use holdfast_catalog::commit::CommitId;
use holdfast_catalog::facts::Facts;
use holdfast_catalog::join::JoinString;
use holdfast_catalog::report::{Counts, Mode, Report, Source};
use holdfast_catalog::wire::{self, CatalogAnswer, CatalogRequest, Refusal};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::Server;
use crate::admin::client::ClientError;
use crate::admin::{self, Answer, Request};
use crate::config::ServerConfig;
use crate::identity::{Invitation, tls};
use crate::repo::{Directory, Snapshot};
use crate::store::commit::{CommitRow, CommitStatus};
use crate::store::node::OnConflict;

/// The control repository at the start: two customers with one node each, and a file that only one of them uses.
const REPOSITORY: &[(&str, &str)] = &[
    ("inventory/alpinhost/acme.toml", "[\"web1.acme.example\"]\nrole = \"web\"\nstage = \"test\"\n"),
    ("inventory/alpinhost/other.toml", "[\"mail1.other.example\"]\nrole = \"mail\"\nstage = \"test\"\n"),
    ("modules/role/manifests/web.toml", "doc = \"Web.\"\ninclude = [\"profile::web\"]\n"),
    ("modules/role/manifests/mail.toml", "doc = \"Mail.\"\ninclude = [\"profile::mail\"]\n"),
    ("modules/profile/manifests/web.toml", "doc = \"Web.\"\n[file.\"/etc/motd\"]\nsource = \"web\"\n"),
    ("modules/profile/manifests/mail.toml", "doc = \"Mail.\"\n[file.\"/etc/motd\"]\nsource = \"mail\"\n"),
    ("modules/profile/files/web", "the web node's file\n"),
    ("modules/profile/files/mail", "the mail node's file\n"),
];

/// The report of a run that changed nothing.
pub fn report() -> Report {
    Report {
        run: uuid::Uuid::from_u128(7).into(),
        catalog: None,
        commit: Some("c1".into()),
        environment: None,
        mode: Mode::Enforce,
        source: Source::Server,
        started: jiff::Timestamp::now(),
        duration_ms: 5,
        phases: Default::default(),
        types: Default::default(),
        counts: Counts { total: 1, unchanged: 1, ..Counts::default() },
        events: Vec::new(),
        no_catalog: None,
        error: None,
        agent: "test".into(),
        volatile: Default::default(),
    }
}

/// A running server with its directories.
pub struct Fixture {
    directory: tempfile::TempDir,
    pub server: Server,
}

/// A node's key.
pub struct NodeKey(rcgen::KeyPair);

impl NodeKey {
    /// Makes a new key.
    pub fn new() -> Self {
        Self(rcgen::KeyPair::generate().unwrap())
    }

    /// A signing request with this key, which asks for more than it should.
    pub fn request(&self) -> String {
        let params = rcgen::CertificateParams::new(vec!["evil.example".to_owned()]).unwrap();
        params.serialize_request(&self.0).unwrap().pem().unwrap()
    }
}

/// A node with its certificate and a connection.
pub struct Agent {
    pub certificate: wire::Certificate,
    client: Client,
    base: String,
}

impl Server {
    /// The address that people connect to.
    pub(crate) fn dashboard_address(&self) -> SocketAddr {
        let (_, port) = self.dashboard_url().rsplit_once(':').unwrap();
        SocketAddr::new(self.nodes.ip(), port.parse().unwrap())
    }

    /// How many strangers and known clients are connected: to the port of nodes, and to that of people.
    pub(crate) fn connections(&self) -> [(usize, usize); 2] {
        [self.doors[0].count(), self.doors[1].count()]
    }
}

impl Fixture {
    /// The newest commit that was judged, with its problems.
    pub async fn newest_commit(&self) -> CommitRow {
        let store = &self.server.store;
        let newest = store.commits("directory".into(), 0, 1).await.unwrap().remove(0).0;
        store.commit(newest.id).await.unwrap().remove(0)
    }

    /// Starts a server whose certificates last an hour.
    pub async fn start() -> Self {
        Self::with_lifetime(Duration::from_secs(3600)).await
    }

    /// Starts a server with another lifetime of certificates.
    pub async fn with_lifetime(lifetime: Duration) -> Self {
        Self::with(|config| config.certificate_lifetime = lifetime.as_secs()).await
    }

    /// Starts a server with another configuration.
    pub async fn with(change: impl FnOnce(&mut ServerConfig)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in REPOSITORY {
            write(&directory.path().join("repo"), path, text);
        }
        let mut config = config(directory.path(), Duration::from_secs(3600));
        change(&mut config);
        let server = Server::start(config).await.unwrap();
        Self { directory, server }
    }

    /// Stops the server; its directories are kept.
    pub async fn stopped(self) -> StoppedServer {
        let Self { directory, server } = self;
        server.stop().await;
        StoppedServer { directory }
    }

    /// Stops the server and starts it again.
    pub async fn restart(self) -> Self {
        let Self { directory, server } = self;
        server.stop().await;
        let server = Server::start(config(directory.path(), Duration::from_secs(3600))).await.unwrap();
        Self { directory, server }
    }

    /// Writes a file of the repository.
    pub fn put(&self, path: &str, text: &str) {
        write(&self.directory.path().join("repo"), path, text);
    }

    /// Writes a file of the repository, and takes the result, as after a push.
    pub async fn commit(&self, path: &str, text: &str) -> CommitStatus {
        let repository = self.directory.path().join("repo");
        write(&repository, path, text);
        let snapshot: Snapshot = Directory::new(repository).snapshot().unwrap();
        self.server.control.take(snapshot).await
    }

    /// Writes several files, and removes those without a text, as one commit. Returns its id, and what became of it.
    pub async fn commit_all(&self, files: &[(&str, Option<&str>)]) -> (CommitId, CommitStatus) {
        let repository = self.directory.path().join("repo");
        for (path, text) in files {
            match text {
                Some(text) => write(&repository, path, text),
                None => std::fs::remove_file(repository.join(path)).unwrap_or_default(),
            }
        }
        let snapshot: Snapshot = Directory::new(repository).snapshot().unwrap();
        (snapshot.commit().clone(), self.server.control.take(snapshot).await)
    }

    /// Restores files to their content at the start.
    pub async fn restore(&self, paths: &[&str]) -> (CommitId, CommitStatus) {
        let original =
            |path: &str| REPOSITORY.iter().find(|(other, _)| *other == path).map(|(_, text)| *text);
        let files: Vec<_> = paths.iter().map(|path| (*path, original(path))).collect();
        self.commit_all(&files).await
    }

    /// The verdict that the person who pushed a commit gets.
    pub async fn verdict(&self, commit: impl Into<String>) -> admin::CommitVerdict {
        match self.ask(Request::Poke { commit: Some(commit.into()) }).await {
            Ok(Answer::Judged(verdict)) => *verdict,
            other => panic!("not judged: {other:?}"),
        }
    }

    /// The repository's files as they are now.
    pub fn snapshot(&self) -> Snapshot {
        Directory::new(self.directory.path().join("repo")).snapshot().unwrap()
    }

    /// Adds a node, and returns its join string.
    pub async fn invite(&self, certname: &str) -> JoinString {
        self.invite_as(certname, OnConflict::Keep, Duration::from_secs(900)).await
    }

    /// Adds a node or its next generation, with a token of this lifetime.
    pub async fn invite_as(&self, certname: &str, present: OnConflict, lifetime: Duration) -> JoinString {
        let certname = certname.parse().unwrap();
        let tenancy = self.server.control.in_force().unwrap().tenancy(&certname).unwrap();
        let invited = self.server.identity.invite(certname, tenancy, present, lifetime, "test").await;
        let Ok(Invitation { join, .. }) = invited else { panic!("the node already exists") };
        join.parse().unwrap()
    }

    /// Enrols a node.
    pub async fn enroll(&self, join: &JoinString, key: &NodeKey) -> Result<Agent, (StatusCode, Refusal)> {
        let body = wire::EnrollRequest {
            token: join.token().to_owned(),
            secret: join.secret().to_owned(),
            csr: key.request(),
        };
        let answer = self.anonymous().post(self.url(wire::path::ENROLL)).json(&body).send().await.unwrap();
        Ok(self.agent(read(answer).await?, key))
    }

    /// The status of the answer to an invalid enrolment.
    pub async fn anonymous_enrolment(&self) -> StatusCode {
        self.anonymous().post(self.url(wire::path::ENROLL)).body("{}").send().await.unwrap().status()
    }

    /// A node that has just enrolled.
    pub async fn enrolled(&self, certname: &str) -> (Agent, NodeKey) {
        let key = NodeKey::new();
        let Ok(agent) = self.enroll(&self.invite(certname).await, &key).await else {
            panic!("{certname} was refused")
        };
        (agent, key)
    }

    /// An agent with a certificate, which makes its own connections.
    pub fn agent(&self, certificate: wire::Certificate, key: &NodeKey) -> Agent {
        let client = client(&self.trust(), Some(shown((&certificate, key))));
        Agent { certificate, client, base: self.url("") }
    }

    /// A client without a certificate.
    pub fn anonymous(&self) -> Client {
        client(&self.trust(), None)
    }

    /// A client without a certificate that uses only one version of TLS.
    pub fn anonymous_by(&self, version: &'static rustls::SupportedProtocolVersion) -> Client {
        client_by(version, &self.trust(), None)
    }

    /// A connection to the port of nodes, for requests that no well-behaved client makes.
    pub fn connect(
        &self,
        identity: Option<(&wire::Certificate, &NodeKey)>,
        protocols: &[&[u8]],
    ) -> rustls::StreamOwned<rustls::ClientConnection, std::net::TcpStream> {
        let mut config = config_by(&rustls::version::TLS13, &self.trust(), identity.map(shown));
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let address = self.server.nodes_address();
        let session = rustls::ClientConnection::new(Arc::new(config), address.ip().into()).unwrap();
        rustls::StreamOwned::new(session, std::net::TcpStream::connect(address).unwrap())
    }

    /// A URL of the server.
    pub fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.server.nodes_address())
    }

    /// Sends a request as an operator.
    pub async fn ask(&self, request: Request) -> Result<Answer, ClientError> {
        let data_dir = self.data_dir();
        actix_web::web::block(move || admin::client::ask(&data_dir, &request)).await.unwrap()
    }

    /// The data directory of the server.
    pub fn data_dir(&self) -> std::path::PathBuf {
        self.directory.path().join("data")
    }

    /// Another server with the same configuration.
    pub async fn second(&self) -> Result<Server, super::StartError> {
        Server::start(config(self.directory.path(), Duration::from_secs(3600))).await
    }

    fn trust(&self) -> CertificateDer<'static> {
        self.server.identity.authority().certificate().clone()
    }
}

impl Agent {
    /// A POST request with its certificate.
    pub fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.base))
    }

    /// A GET request with its certificate.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.base))
    }

    /// A poll with facts.
    pub async fn poll(
        &self,
        facts: &str,
        have: Option<CatalogId>,
    ) -> Result<CatalogAnswer, (StatusCode, Refusal)> {
        let facts: Facts = serde_json::from_str(facts).unwrap();
        let body =
            CatalogRequest { facts_hash: facts.hash(), facts: Some(facts), have, agent: "test".into() };
        read(self.post(wire::path::CATALOG).json(&body).send().await.unwrap()).await
    }

    /// The catalog that a poll without facts gets.
    pub async fn catalog(&self) -> holdfast_catalog::catalog::Catalog {
        match self.poll("{}", None).await {
            Ok(CatalogAnswer::Catalog { catalog, .. }) => *catalog,
            other => panic!("no catalog but {other:?}"),
        }
    }

    /// Requests the next certificate.
    pub async fn renew(&self, key: &NodeKey) -> Result<wire::Certificate, (StatusCode, Refusal)> {
        let body = wire::RenewRequest { csr: key.request() };
        read(self.post(wire::path::RENEW).json(&body).send().await.unwrap()).await
    }
}

/// The directories that a stopped server left.
pub struct StoppedServer {
    directory: tempfile::TempDir,
}

impl StoppedServer {
    /// Starts a server on them.
    pub async fn start(&self) -> Result<Server, super::StartError> {
        Server::start(config(self.directory.path(), Duration::from_secs(3600))).await
    }

    /// Starts a server on them, as a fixture.
    pub async fn again(self) -> Fixture {
        let server = self.start().await.unwrap();
        Fixture { directory: self.directory, server }
    }
}

/// A client that trusts one CA.
pub fn client(
    trust: &CertificateDer<'static>,
    identity: Option<(Vec<CertificateDer<'static>>, PrivatePkcs8KeyDer<'static>)>,
) -> Client {
    client_by(&rustls::version::TLS13, trust, identity)
}

/// A certificate and its key in the form that TLS uses.
fn shown(
    (certificate, key): (&wire::Certificate, &NodeKey),
) -> (Vec<CertificateDer<'static>>, PrivatePkcs8KeyDer<'static>) {
    let chain = vec![CertificateDer::from_pem_slice(certificate.certificate.as_bytes()).unwrap()];
    (chain, PrivatePkcs8KeyDer::from(key.0.serialize_der()))
}

fn client_by(
    version: &'static rustls::SupportedProtocolVersion,
    trust: &CertificateDer<'static>,
    identity: Option<(Vec<CertificateDer<'static>>, PrivatePkcs8KeyDer<'static>)>,
) -> Client {
    let config = config_by(version, trust, identity);
    Client::builder().tls_backend_preconfigured(config).timeout(Duration::from_secs(20)).build().unwrap()
}

fn config_by(
    version: &'static rustls::SupportedProtocolVersion,
    trust: &CertificateDer<'static>,
    identity: Option<(Vec<CertificateDer<'static>>, PrivatePkcs8KeyDer<'static>)>,
) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trust.clone()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(Arc::new(roots));
    match identity {
        Some((chain, key)) => config.with_client_auth_cert(chain, key.into()).unwrap(),
        None => config.with_no_client_auth(),
    }
}

/// The value of an answer, or the refusal.
pub async fn read<T: serde::de::DeserializeOwned>(answer: Response) -> Result<T, (StatusCode, Refusal)> {
    let status = answer.status();
    let body = answer.bytes().await.unwrap();
    if status.is_success() {
        return Ok(serde_json::from_slice(&body).unwrap());
    }
    Err((status, serde_json::from_slice(&body).unwrap()))
}

fn config(directory: &Path, certificate_lifetime: Duration) -> ServerConfig {
    ServerConfig {
        repo: directory.join("repo").display().to_string(),
        data_dir: directory.join("data"),
        listen: ([127, 0, 0, 1], 0).into(),
        dashboard: ([127, 0, 0, 1], 0).into(),
        certificate_lifetime: certificate_lifetime.as_secs(),
        workers: 1,
        ..ServerConfig::default()
    }
}

fn write(repository: &Path, path: &str, text: &str) {
    let file = repository.join(path);
    let folder = file.parent().unwrap();
    std::fs::create_dir_all(folder).unwrap();
    // Atomically: the server follows the directory, and half a file may be a valid one.
    std::fs::write(folder.join(".new"), text).unwrap();
    std::fs::rename(folder.join(".new"), file).unwrap();
}
