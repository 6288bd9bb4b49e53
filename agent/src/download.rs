//! Downloads for providers: one request, whose body is read as it arrives.
//!
//! Over https, the machine's own certificate authorities are trusted, from the one file in which its distribution keeps
//! them. Certificates alone do not make content trustworthy: the caller checks a hash. No proxy is read from the
//! environment. A few redirects are followed, never from https to http. Headers, which may be secret, are only sent to
//! the host that they were meant for.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use holdfast_catalog::resource::attribute::Secret;
use reqwest::{Response, Url, header};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::fetch;
use crate::system::{self, Inspect};

/// Where distributions keep the certificate authorities that they trust: Debian, RPM-based systems, SUSE.
const AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

/// How long connecting may take, and how long the other side may be silent.
const CONNECT: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_secs(60);

const MAX_REDIRECTS: usize = 5;

/// The most bytes of one file.
const MAX_BYTES: u64 = 16 * 1024 * 1024 * 1024;

/// A request for a file.
#[derive(Debug, Clone, Copy)]
pub struct Download<'a> {
    /// An http or https URL.
    pub url: &'a str,
    /// Headers for the URL's host.
    pub headers: &'a BTreeMap<String, Secret>,
    /// How long the whole transfer may take, if the run does not end earlier.
    pub timeout: Duration,
}

/// Why a file could not be downloaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The certificate authorities could not be read.
    #[error(transparent)]
    System(#[from] system::Error),
    /// The machine trusts no certificate authority.
    #[error(
        "{url} is not fetched: this machine trusts no certificate authority; install the package ca-certificates"
    )]
    NoAuthorities {
        /// The URL of the request.
        url: String,
    },
    /// The download failed.
    #[error("{url} could not be fetched: {reason}")]
    Failed {
        /// The URL of the request.
        url: String,
        reason: String,
    },
}

/// Requests a file. Returns when its body begins, which is then read as it arrives.
///
/// # Errors
/// Fails if the file does not exist, or its host cannot be reached or is not trusted.
pub fn open(request: Download<'_>, machine: &dyn Inspect) -> Result<impl Read + use<>, Error> {
    let failed = |reason: String| Error::Failed { url: request.url.to_owned(), reason };
    let url = Url::parse(request.url).map_err(|error| failed(error.to_string()))?;
    let client = client(&url, &authorities(&url, machine)?).map_err(failed)?;
    let headers = headers(request.headers).map_err(failed)?;
    let (sender, receiver) = sync_channel(8);
    let (name, timeout) = (request.url.to_owned(), machine.patience(request.timeout));
    let network = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failed(error.to_string()))?;
    std::thread::Builder::new()
        .name("download".to_owned())
        .spawn(move || network.block_on(fetch_to(&sender, &client, url, &headers, timeout)))
        .map_err(|error| failed(error.to_string()))?;
    match receiver.recv() {
        Ok(Ok(first)) => Ok(DownloadBody { url: name, receiver, piece: first, at: 0, ended: false }),
        Ok(Err(reason)) => Err(failed(reason)),
        Err(_) => Err(failed("the download ended without an answer".to_owned())),
    }
}

/// The certificate authorities of this machine; empty for a URL that needs none.
fn authorities(url: &Url, machine: &dyn Inspect) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    if url.scheme() != "https" {
        return Ok(store);
    }
    for path in AUTHORITIES {
        let Some(bytes) = machine.read(Path::new(path), 16 * 1024 * 1024)? else { continue };
        // A damaged one must not cost the others.
        store.add_parsable_certificates(CertificateDer::pem_slice_iter(&bytes).flatten());
        if !store.is_empty() {
            return Ok(store);
        }
    }
    Err(Error::NoAuthorities { url: url.to_string() })
}

fn client(url: &Url, authorities: &RootCertStore) -> Result<reqwest::Client, String> {
    let tls = ClientConfig::builder_with_provider(fetch::provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(authorities.clone())
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .https_only(url.scheme() == "https")
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("holdfast-agent/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .build()
        .map_err(|error| error.to_string())
}

fn headers(headers: &BTreeMap<String, Secret>) -> Result<header::HeaderMap, String> {
    let entry = |(name, value): (&String, &Secret)| {
        let wrong = || format!("the header `{}` cannot be sent", name.escape_debug());
        let key = header::HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        let mut value = header::HeaderValue::from_str(&value.expose()).map_err(|_| wrong())?;
        value.set_sensitive(true);
        Ok((key, value))
    };
    headers.iter().map(entry).collect()
}

type Chunk = Result<Vec<u8>, String>;

/// Sends the body piece by piece, until it ends, fails, or nobody reads any more.
async fn fetch_to(
    sender: &SyncSender<Chunk>,
    client: &reqwest::Client,
    url: Url,
    headers: &header::HeaderMap,
    timeout: Duration,
) {
    let work = async {
        let mut response = get(client, url, headers).await?;
        let mut length = response.content_length().unwrap_or(0);
        if length <= MAX_BYTES {
            length = 0;
            // An empty file has no pieces; this reports that it was answered.
            let _ = sender.send(Ok(Vec::new()));
        }
        while length <= MAX_BYTES {
            let Some(piece) = response.chunk().await.map_err(words)? else { return Ok(()) };
            length += piece.len() as u64;
            if !piece.is_empty() && sender.send(Ok(piece.to_vec())).is_err() {
                return Ok(());
            }
        }
        Err(format!("it is larger than {MAX_BYTES} bytes"))
    };
    let done = tokio::time::timeout(timeout, work).await;
    let done = done.unwrap_or_else(|_| Err(format!("it took longer than {} s", timeout.as_secs())));
    // An empty piece marks the end.
    let _ = sender.send(done.map(|()| Vec::new()));
}

/// Sends the request, and follows redirects.
async fn get(client: &reqwest::Client, asked: Url, headers: &header::HeaderMap) -> Result<Response, String> {
    let mut url = asked.clone();
    for _ in 0..=MAX_REDIRECTS {
        let mut request = client.get(url.clone());
        if url.origin() == asked.origin() {
            request = request.headers(headers.clone());
        }
        let response = request.send().await.map_err(words)?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let location = response.headers().get(header::LOCATION).filter(|_| status.is_redirection());
        let Some(location) = location else { return Err(format!("its host answers {status}")) };
        url = redirected(&url, location.to_str().unwrap_or_default())?;
    }
    Err(format!("its host redirects more than {MAX_REDIRECTS} times"))
}

/// The target of a redirect, if it is allowed.
fn redirected(from: &Url, location: &str) -> Result<Url, String> {
    let to = from
        .join(location)
        .map_err(|error| format!("its host redirects to something that is not a URL: {error}"))?;
    match (from.scheme(), to.scheme()) {
        (_, "https") | ("http", "http") => Ok(to),
        (_, scheme) => Err(format!("its host redirects from {} to {scheme}", from.scheme())),
    }
}

/// Why a request failed, down to the last cause. Without the URL, which may contain a signature.
fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// A body, read as it arrives.
struct DownloadBody {
    url: String,
    receiver: Receiver<Chunk>,
    piece: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Read for DownloadBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.len() && !self.ended {
            let failed = |reason| io::Error::other(format!("{} could not be fetched: {reason}", self.url));
            let next = self.receiver.recv().unwrap_or_else(|_| Err("the download ended early".to_owned()));
            self.piece = next.map_err(failed)?;
            self.at = 0;
            self.ended = self.piece.is_empty();
        }
        let length = buffer.len().min(self.piece.len() - self.at);
        buffer[..length].copy_from_slice(&self.piece[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests;
