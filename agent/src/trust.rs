//! Which server the agent trusts: one verifier, from the first connection on.
//!
//! The chain must end in a pinned CA key, *and* the name must be the requested one. There is no trust on first use:
//! with a wrong pin the handshake ends before anything is sent.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};

/// The SHA-256 of a CA's public key (its SubjectPublicKeyInfo).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pin(pub [u8; 32]);

impl std::fmt::Display for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Pin {
    /// The pin of a certificate's key.
    ///
    /// # Errors
    /// Fails if it is not a certificate.
    pub fn of(certificate: &[u8]) -> Result<Self, String> {
        let (_, parsed) =
            x509_parser::parse_x509_certificate(certificate).map_err(|error| error.to_string())?;
        Ok(Self(Sha256::digest(parsed.public_key().raw).into()))
    }
}

/// The server's chain does not end in the pinned CA: this is another server, or someone in between.
#[derive(Debug, thiserror::Error)]
#[error(
    "this is not the server that the join string names: the pin of its CA is {expected}, but the other side shows {}; nothing was sent to it",
    shown(.got)
)]
pub struct WrongPin {
    pub expected: String,
    /// The pins of the keys that the other side showed.
    pub got: Vec<Pin>,
}

fn shown(pins: &[Pin]) -> String {
    pins.iter().map(Pin::to_string).collect::<Vec<_>>().join(", ")
}

/// The verifier of the server.
#[derive(Debug)]
pub struct ServerTrust {
    pins: Vec<Pin>,
    roots: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerTrust {
    /// Trusts only a key, from a join string: the server shows the certificate for it.
    pub fn by_pin(pin: Pin, provider: Arc<CryptoProvider>) -> Self {
        Self { pins: vec![pin], roots: Vec::new(), provider }
    }

    /// Trusts certificates (PEM) that were received from a trusted server.
    ///
    /// # Errors
    /// Fails if there is none, or one is damaged.
    pub fn by_roots(roots: &str, provider: Arc<CryptoProvider>) -> Result<Self, String> {
        let roots = certificates(roots)?;
        let pins = roots.iter().map(|der| Pin::of(der)).collect::<Result<_, _>>()?;
        Ok(Self { pins, roots, provider })
    }

    /// The certificates of pinned keys: the known ones, and those in the chain.
    fn anchors(&self, chain: &[CertificateDer<'_>]) -> RootCertStore {
        let mut store = RootCertStore::empty();
        let pinned = |der: &&CertificateDer<'_>| Pin::of(der).is_ok_and(|pin| self.pins.contains(&pin));
        for der in self.roots.iter().chain(chain.iter().filter(pinned)) {
            // One that cannot be an anchor leaves the chain without one, which is an error below.
            let _ = store.add(der.clone().into_owned());
        }
        store
    }

    fn algorithms(&self) -> &WebPkiSupportedAlgorithms {
        &self.provider.signature_verification_algorithms
    }
}

impl ServerCertVerifier for ServerTrust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let other = |error: Arc<dyn std::error::Error + Send + Sync>| {
            rustls::Error::from(CertificateError::Other(OtherError(error)))
        };
        let anchors = self.anchors(intermediates);
        let wrong_pin = || {
            let shown = std::iter::once(end_entity).chain(intermediates);
            let got = shown.filter_map(|der| Pin::of(der).ok()).collect();
            let expected = self.pins.iter().map(Pin::to_string).collect::<Vec<_>>().join(" or ");
            other(Arc::new(WrongPin { expected, got }))
        };
        if anchors.is_empty() {
            return Err(wrong_pin());
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(anchors), self.provider.clone())
            .build()
            .map_err(|error| other(Arc::new(error)))?;
        match verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The anchor did not issue the leaf, whatever else is in the chain.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            )) => Err(wrong_pin()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, self.algorithms())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, self.algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms().supported_schemes()
    }
}

/// The certificates of a PEM text, at least one.
pub(crate) fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| format!("a certificate is damaged: {error}"))?;
    if all.is_empty() { Err("it does not contain a certificate".to_owned()) } else { Ok(all) }
}

/// The first certificate of a PEM text.
pub(super) fn one_certificate(pem: &str) -> Result<CertificateDer<'static>, String> {
    certificates(pem).map(|mut all| all.swap_remove(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    struct Ca {
        certificate: rcgen::Certificate,
        issuer: Issuer<'static, KeyPair>,
    }

    fn ca() -> Ca {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Ca { certificate, issuer: Issuer::new(params, key) }
    }

    fn leaf(ca: &Ca, name: &str) -> CertificateDer<'static> {
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.signed_by(&KeyPair::generate().unwrap(), &ca.issuer).unwrap().der().clone()
    }

    fn provider() -> Arc<CryptoProvider> {
        Arc::new(rustls::crypto::aws_lc_rs::default_provider())
    }

    fn verify(trust: &ServerTrust, leaf: &CertificateDer<'_>, chain: &[&Ca]) -> Result<(), String> {
        let chain: Vec<_> = chain.iter().map(|ca| ca.certificate.der().clone()).collect();
        let name = ServerName::try_from("holdfast.example").unwrap();
        let verified = trust.verify_server_cert(leaf, &chain, &name, &[], UnixTime::now());
        verified.map(drop).map_err(|error| error.to_string())
    }

    fn pin(ca: &Ca) -> Pin {
        Pin::of(ca.certificate.der()).unwrap()
    }

    #[test]
    fn the_pinned_key_and_the_name_are_both_needed() {
        let real = ca();
        let trust = ServerTrust::by_pin(pin(&real), provider());
        verify(&trust, &leaf(&real, "holdfast.example"), &[&real]).unwrap();
        let other_name = verify(&trust, &leaf(&real, "other.example"), &[&real]).unwrap_err();
        assert!(other_name.contains("other.example"), "{other_name}");
    }

    #[test]
    fn a_wrong_pin_shows_both_fingerprints() {
        let (real, false_one) = (ca(), ca());
        let trust = ServerTrust::by_pin(pin(&real), provider());
        let error = verify(&trust, &leaf(&false_one, "holdfast.example"), &[&false_one]).unwrap_err();
        for pin in [pin(&real), pin(&false_one)] {
            assert!(error.contains(&pin.to_string()), "{error}");
        }
    }

    #[test]
    fn showing_the_pinned_certificate_beside_a_foreign_leaf_is_not_enough() {
        let (real, false_one) = (ca(), ca());
        let trust = ServerTrust::by_pin(pin(&real), provider());
        let error = verify(&trust, &leaf(&false_one, "holdfast.example"), &[&real, &false_one]).unwrap_err();
        assert!(error.contains("WrongPin"), "{error}");
    }

    #[test]
    fn known_roots_need_not_be_sent() {
        let real = ca();
        let trust = ServerTrust::by_roots(&real.certificate.pem(), provider()).unwrap();
        verify(&trust, &leaf(&real, "holdfast.example"), &[]).unwrap();
        assert!(ServerTrust::by_roots("", provider()).is_err());
    }
}
