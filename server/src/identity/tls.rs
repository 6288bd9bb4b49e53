//! TLS: which certificates connections need. Nodes use only TLS 1.3. A client certificate is optional here, since
//! enrolment has none: the route decides whether it needs one. No session is resumed, so no ticket outlives a
//! revocation.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme,
};
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{ASN1Time, FromDer as _, X509Certificate};

use super::authority::{Authority, AuthorityError, LEAF_LIFETIME, LeafCertificate, uris};
use super::{Peer, RENEWAL_GRACE};
use crate::store::certificate::NewCertificate;

/// The cryptography provider; the only place that selects one.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// How often the server checks whether its certificate must be replaced: a clock that was wrong at the start is soon
/// corrected.
const LOOK: Duration = Duration::from_secs(60);

/// The server's certificate, which is replaced while connections are open.
pub struct ServerCertificate(ArcSwap<CertifiedKey>);

impl ServerCertificate {
    /// Issues the first certificate, for these names.
    ///
    /// # Errors
    /// Returns an error if the CA cannot sign it.
    pub async fn issue(authority: &Authority, names: &[String]) -> Result<Arc<Self>, AuthorityError> {
        Ok(Arc::new(Self(ArcSwap::from_pointee(certified(authority.sign_server(names).await?)?))))
    }

    /// Replaces the certificate after half its lifetime, or after the clock was changed, for ever.
    pub async fn keep_fresh(self: Arc<Self>, authority: Arc<super::Identity>, names: Vec<String>) {
        let mut issued = Timestamp::now();
        loop {
            tokio::time::sleep(LOOK).await;
            let now = Timestamp::now();
            if is_fresh(issued, now) {
                continue;
            }
            match authority.authority().sign_server(&names).await.and_then(certified) {
                Ok(fresh) => {
                    self.0.store(Arc::new(fresh));
                    issued = now;
                }
                Err(error) => tracing::error!(%error, "the server's certificate was not renewed"),
            }
        }
    }
}

/// Whether a certificate that was issued at a given time needs no successor yet. If that time is in the future, the
/// clock was ahead then.
fn is_fresh(issued: Timestamp, now: Timestamp) -> bool {
    let age = now.duration_since(issued);
    !age.is_negative() && age < LEAF_LIFETIME / 2
}

fn certified(leaf: LeafCertificate) -> Result<CertifiedKey, AuthorityError> {
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

/// The TLS configuration for nodes.
///
/// # Errors
/// Returns an error if the CA's certificate is unusable as a root.
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
    let verifier = NodeVerifier { chain: ArcSwap::from_pointee(chain), told: AtomicU64::new(0) };
    let verifier = Arc::new(verifier);
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(certificate);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The TLS configuration for browsers, which are not asked for a certificate.
///
/// # Errors
/// Returns an error if the provider does not have the protocol's versions.
pub fn for_people(certificate: Arc<ServerCertificate>) -> Result<ServerConfig, rustls::Error> {
    Ok(ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(certificate))
}

/// Checks that this CA signed a client certificate. One that expired recently passes: it may be renewed, and used for
/// nothing else. The roots can be replaced while connections are open.
struct NodeVerifier {
    chain: ArcSwap<Arc<dyn ClientCertVerifier>>,
    /// When it was last logged that a certificate is not valid now: strangers may send such certificates again and again.
    told: AtomicU64,
}

impl NodeVerifier {
    /// Logs that a certificate was refused because of the time on this machine's clock, once a minute.
    fn tell(&self, certificate: &CertificateDer<'_>, now: UnixTime) {
        if now.as_secs().abs_diff(self.told.load(Ordering::Relaxed)) < 60 {
            return;
        }
        self.told.store(now.as_secs(), Ordering::Relaxed);
        let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return };
        let at = |seconds: i64| Timestamp::from_second(seconds).unwrap_or_default();
        let (from, until) = (parsed.validity().not_before, parsed.validity().not_after);
        tracing::warn!(
            clock = %at(i64::try_from(now.as_secs()).unwrap_or(i64::MAX)),
            from = %at(from.timestamp()), until = %at(until.timestamp()),
            "refused a certificate that is not valid by this server's clock: if there are several, check the clock"
        );
    }
}

impl fmt::Debug for NodeVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeVerifier")
    }
}

impl ClientCertVerifier for NodeVerifier {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    // No hints, so that clients always send their certificate.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified =
            self.chain.load().verify_client_cert(end_entity, intermediates, within_grace(end_entity, now));
        if matches!(&verified, Err(rustls::Error::InvalidCertificate(error)) if is_of_the_time(error)) {
            self.tell(end_entity, now);
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.load().verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.load().verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.load().supported_verify_schemes()
    }
}

fn is_of_the_time(error: &CertificateError) -> bool {
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    matches!(error, Expired | NotValidYet | ExpiredContext { .. } | NotValidYetContext { .. })
}

/// The time at which a certificate is checked: for one that expired recently, its last valid second.
fn within_grace(certificate: &CertificateDer<'_>, now: UnixTime) -> UnixTime {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return now };
    let Ok(end) = u64::try_from(parsed.validity().not_after.timestamp()) else { return now };
    let late = now.as_secs().saturating_sub(end);
    if late > 0 && late <= RENEWAL_GRACE.unsigned_abs().as_secs() {
        UnixTime::since_unix_epoch(Duration::from_secs(end))
    } else {
        now
    }
}

/// Reads who a connection claims to be from its verified certificate; `None` if that is not a node's.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f29_a_certificate_of_a_clock_that_was_wrong_is_replaced_when_the_clock_is_set() {
        let now = Timestamp::constant(1_800_000_000, 0);
        assert!(is_fresh(now, now) && is_fresh(now, now + LEAF_LIFETIME / 3));
        assert!(!is_fresh(now, now + LEAF_LIFETIME / 2), "half its life has passed");
        assert!(!is_fresh(Timestamp::UNIX_EPOCH, now), "it was years behind");
        assert!(!is_fresh(now + LEAF_LIFETIME, now), "it was ahead");
    }
}
