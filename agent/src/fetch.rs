//! The way to the server: one client with this node's certificate, bounded bodies, and errors that say whose fault it
//! is.
//!
//! It reads no proxy from the environment and follows no redirect: the server is the one that this machine enrolled
//! with.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use holdfast_catalog::wire::{MAX_BODY, Refusal, path};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::keypair::{KeyPair, Validity};
use crate::trust::{self, ServerTrust};

mod body;
mod clock;
#[cfg(test)]
pub(crate) mod double;
mod error;

pub use clock::{ClockReading, TimeSource};
pub use error::Error;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);

/// How long the server may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// How long a complete answer may take, including a second try: a server that sends a byte a minute is not waited for.
const ANSWER: Duration = Duration::from_secs(180);

/// The longest time that a run waits because the server asked it to.
const MAX_WAIT: Duration = Duration::from_secs(20);

/// The cryptography that TLS uses.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// A client of one server.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    server: String,
    /// The validity of the certificate that the client shows.
    own: Option<Validity>,
    answer: Duration,
    clocks: clock::Clocks,
    /// Whether the server has answered, and so accepts the certificate.
    is_taken: Arc<AtomicBool>,
}

impl Client {
    /// A client of `server` (`host:port`) that trusts what `trust` does and shows `key`, if it has one yet.
    ///
    /// # Errors
    /// Fails if the key or the certificate is damaged.
    pub fn new(server: &str, trust: ServerTrust, key: Option<&KeyPair>) -> Result<Self, Error> {
        let setup = |error: String| Error::Setup(error);
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| setup(error.to_string()))?
            .dangerous() // rustls's name for a verifier of our own, which checks more than the default one
            .with_custom_certificate_verifier(Arc::new(trust));
        let mut tls = match key {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let chain = trust::certificates(&pair.certificate).map_err(setup)?;
                let key = PrivateKeyDer::from_pem_slice(pair.key.pem().as_bytes());
                let key = key.map_err(|error| setup(format!("the private key is damaged: {error}")))?;
                builder.with_client_auth_cert(chain, key).map_err(|error| setup(error.to_string()))?
            }
        };
        tls.resumption = rustls::client::Resumption::disabled();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .build()
            .map_err(|error| setup(error.to_string()))?;
        let own = key.and_then(|pair| pair.validity().ok());
        Ok(Self {
            http,
            server: server.to_owned(),
            answer: ANSWER,
            own,
            clocks: clock::Clocks::default(),
            is_taken: Arc::default(),
        })
    }

    /// Posts `body` and reads the answer. A transport failure is tried once more: the server accepts every request
    /// twice.
    ///
    /// # Errors
    /// Fails if there is no usable answer.
    pub async fn post<A: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<A, Error> {
        tokio::time::timeout(self.answer, self.post_patiently(path, body)).await.unwrap_or_else(|_| {
            let reason = format!("it did not answer completely within {} s", self.answer.as_secs());
            Err(Error::Unreachable { server: self.server.clone(), reason })
        })
    }

    async fn post_patiently<A: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<A, Error> {
        let (bytes, encoding) = body::pack(body).map_err(Error::Setup)?;
        let send = || {
            let request = self.http.post(self.url(path)).header(CONTENT_TYPE, "application/json");
            let request = match encoding {
                Some(encoding) => request.header(CONTENT_ENCODING, encoding),
                None => request,
            };
            request.header("accept-encoding", "zstd").body(bytes.clone()).send()
        };
        let answer = self.twice(send).await?;
        let text = body::unpack(self.read(answer).await?, MAX_BODY).map_err(Error::Garbage)?;
        serde_json::from_slice(&text).map_err(|error| Error::Garbage(error.to_string()))
    }

    /// Requests a content, whose bytes arrive piece by piece.
    ///
    /// # Errors
    /// Fails if the server does not give it.
    pub async fn content(&self, sha256: &str) -> Result<Response, Error> {
        let url = self.url(&format!("{}/{sha256}", path::CONTENT));
        self.twice(|| self.http.get(url.as_str()).send()).await
    }

    /// Limits the time for an answer.
    #[cfg(test)]
    pub(crate) fn within(mut self, answer: Duration) -> Self {
        self.answer = answer;
        self
    }

    /// Marks the certificate as one that the server has just accepted.
    pub fn taken(self) -> Self {
        self.is_taken.store(true, Relaxed);
        self
    }

    /// The clocks of this machine and the server at the last answer.
    pub fn clocks(&self) -> Option<ClockReading> {
        self.clocks.reading()
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.server)
    }

    async fn twice<F>(&self, send: impl Fn() -> F) -> Result<Response, Error>
    where
        F: Future<Output = reqwest::Result<Response>>,
    {
        let first = match self.judge(send().await).await {
            Err(error) => error,
            good => return good,
        };
        match first.worth_another_try() {
            Some(wait) if wait <= MAX_WAIT => tokio::time::sleep(wait + jitter()).await,
            _ => return Err(first),
        }
        self.judge(send().await).await
    }

    async fn judge(&self, answer: reqwest::Result<Response>) -> Result<Response, Error> {
        let response = answer.map_err(|error| self.lost(&error))?;
        self.is_taken.store(true, Relaxed);
        self.clocks.note(response.headers());
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let text = match self.read(response).await {
            Ok(packed) => body::unpack(packed, 64 * 1024).unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        let Ok(refusal) = serde_json::from_slice::<Refusal>(&text) else {
            return Err(Error::Foreign { server: self.server.clone(), status: status.as_u16() });
        };
        Err(match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Error::Busy { message: refusal.message, wait: Duration::from_secs(wait.unwrap_or(1)) }
            }
            status if status.is_server_error() => Error::Broken { status: status.as_u16(), refusal },
            status => Error::Refused { status: status.as_u16(), refusal },
        })
    }

    fn lost(&self, error: &reqwest::Error) -> Error {
        Error::of_transport(&self.server, self.own, self.is_taken.load(Relaxed), error)
    }

    /// The whole body as it arrived, at most [`MAX_BODY`] bytes.
    async fn read(&self, mut response: Response) -> Result<body::CompressedBody, Error> {
        let encoding =
            response.headers().get(CONTENT_ENCODING).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.lost(&error))? {
            if bytes.len() + piece.len() > MAX_BODY {
                return Err(Error::Garbage(format!("it is larger than {MAX_BODY} bytes")));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(body::CompressedBody { bytes, encoding })
    }
}

/// A random delay of up to half a second, so nodes that failed together do not come back together.
fn jitter() -> Duration {
    let mut byte = [0; 1];
    let _ = getrandom::fill(&mut byte);
    Duration::from_millis(u64::from(byte[0]) * 2)
}
