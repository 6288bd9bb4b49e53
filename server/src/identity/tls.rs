//! What connections must show. TLS 1.3 alone; a client certificate is optional here, since enrolment comes without
//! one: whether a route needs one is for the route. No session is resumed, so that no ticket outlives a revocation.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme};
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{ASN1Time, FromDer as _, X509Certificate};

use super::authority::{Authority, AuthorityError, LEAF_LIFETIME, Leaf, uris};
use super::{Peer, RENEWAL_GRACE};
use crate::store::certificate::NewCertificate;

/// The one place that says which cryptography is used.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The server's certificate, replaced while connections live.
pub struct ServerCertificate(ArcSwap<CertifiedKey>);

impl ServerCertificate {
    /// The first one, for these names.
    ///
    /// # Errors
    /// Where the CA cannot sign it.
    pub async fn issue(authority: &Authority, names: &[String]) -> Result<Arc<Self>, AuthorityError> {
        Ok(Arc::new(Self(ArcSwap::from_pointee(certified(authority.sign_server(names).await?)?))))
    }

    /// Replaces it at half its life, for ever.
    pub async fn keep_fresh(self: Arc<Self>, authority: Arc<super::Identity>, names: Vec<String>) {
        let pause = LEAF_LIFETIME.unsigned_abs() / 2;
        loop {
            tokio::time::sleep(pause).await;
            match authority.authority().sign_server(&names).await.and_then(certified) {
                Ok(fresh) => self.0.store(Arc::new(fresh)),
                Err(error) => tracing::error!(%error, "the server's certificate was not renewed"),
            }
        }
    }
}

fn certified(leaf: Leaf) -> Result<CertifiedKey, AuthorityError> {
    let key = PrivateKeyDer::from(leaf.key);
    CertifiedKey::from_der(leaf.chain, key, &provider())
        .map_err(|error| AuthorityError::Signing(error.to_string()))
}

impl fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerCertificate")
    }
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// TLS for nodes.
///
/// # Errors
/// Where the CA's certificate is unusable as a root.
pub fn for_nodes(
    authority: &Authority,
    certificate: Arc<ServerCertificate>,
) -> Result<ServerConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate().clone())?;
    let chain = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .allow_unauthenticated()
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    let verifier = Arc::new(NodeVerifier(ArcSwap::from_pointee(chain)));
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(certificate);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// TLS for browsers: no client certificate is asked for.
///
/// # Errors
/// Where the provider does not have the protocol's versions.
pub fn for_people(certificate: Arc<ServerCertificate>) -> Result<ServerConfig, rustls::Error> {
    Ok(ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(certificate))
}

/// Checks that this CA signed a certificate for clients. One that expired lately passes: it may ask for its successor,
/// and for nothing else. The roots can be replaced while connections live.
struct NodeVerifier(ArcSwap<Arc<dyn ClientCertVerifier>>);

impl fmt::Debug for NodeVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeVerifier")
    }
}

impl ClientCertVerifier for NodeVerifier {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    // No hints: clients then always offer the certificate that they have.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.0.load().verify_client_cert(end_entity, intermediates, within_grace(end_entity, now))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.load().verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.load().verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.load().supported_verify_schemes()
    }
}

/// The time at which a certificate is judged: for one that expired lately, its last valid second.
fn within_grace(certificate: &CertificateDer<'_>, now: UnixTime) -> UnixTime {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return now };
    let Ok(end) = u64::try_from(parsed.validity().not_after.timestamp()) else { return now };
    let late = now.as_secs().saturating_sub(end);
    if late > 0 && late <= RENEWAL_GRACE.unsigned_abs().as_secs() {
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(end))
    } else {
        now
    }
}

/// Reads who a connection claims to be from its verified certificate; none where that is no node's.
pub fn peer(certificate: &CertificateDer<'_>, address: String) -> Option<Peer> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let mut names = uris(&parsed);
    let name = names.next()?.parse().ok()?;
    if names.next().is_some() {
        return None;
    }
    let at = |time: ASN1Time| Timestamp::from_second(time.timestamp()).ok();
    let certificate = NewCertificate {
        serial: data_encoding::HEXLOWER.encode(parsed.raw_serial()),
        public_key: Sha256::digest(parsed.public_key().raw).to_vec(),
        not_before: at(parsed.validity().not_before)?,
        not_after: at(parsed.validity().not_after)?,
        pem: pem(certificate),
    };
    Some(Peer { name, certificate, address })
}

/// A certificate in PEM.
fn pem(certificate: &CertificateDer<'_>) -> String {
    let base64 = data_encoding::BASE64.encode(certificate);
    let lines = base64.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let lines: String = lines.map(|line| format!("{line}\n")).collect();
    format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
}
