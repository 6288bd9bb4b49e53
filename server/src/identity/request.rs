//! Certificate signing requests, from which only the public key is read.

use rcgen::PublicKeyData as _;
use sha2::{Digest as _, Sha256};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer as _;

/// The largest request to read, in bytes.
const MAX_BYTES: usize = 16 * 1024;

/// Why a signing request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequest {
    /// It is not a signing request in PEM.
    #[error("not a certificate signing request: send PKCS #10 in PEM")]
    Unreadable,
    /// It is not signed by its own key.
    #[error("the certificate signing request is not signed by its own key")]
    Unproven,
    /// Its key is of another kind.
    #[error("the key is not an elliptic curve key on P-256")]
    WrongKey,
}

/// The public key of a request, whose sender has proved to have the private key.
pub struct RequestKey {
    pub info: rcgen::SubjectPublicKeyInfo,
    /// The SHA-256 of its DER encoding.
    pub hash: Vec<u8>,
}

/// Reads a request. Its subject, names and extensions are ignored, since the server decides them.
pub fn public_key(pem: &str) -> Result<RequestKey, InvalidRequest> {
    if pem.len() > MAX_BYTES {
        return Err(InvalidRequest::Unreadable);
    }
    let (_, pem) =
        x509_parser::pem::parse_x509_pem(pem.as_bytes()).map_err(|_| InvalidRequest::Unreadable)?;
    let (rest, request) =
        X509CertificationRequest::from_der(&pem.contents).map_err(|_| InvalidRequest::Unreadable)?;
    if !rest.is_empty() {
        return Err(InvalidRequest::Unreadable);
    }
    let der = request.certification_request_info.subject_pki.raw;
    let info = rcgen::SubjectPublicKeyInfo::from_der(der).map_err(|_| InvalidRequest::WrongKey)?;
    if info.algorithm() != &rcgen::PKCS_ECDSA_P256_SHA256 {
        return Err(InvalidRequest::WrongKey);
    }
    request.verify_signature().map_err(|_| InvalidRequest::Unproven)?;
    Ok(RequestKey { hash: Sha256::digest(der).to_vec(), info })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(algorithm: &'static rcgen::SignatureAlgorithm) -> String {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let params = rcgen::CertificateParams::new(vec!["evil.example".to_owned()]).unwrap();
        params.serialize_request(&key).unwrap().pem().unwrap()
    }

    #[test]
    fn a_proven_key_on_p256_is_taken() {
        assert!(public_key(&request(&rcgen::PKCS_ECDSA_P256_SHA256)).is_ok());
    }

    #[test]
    fn other_keys_and_bent_requests_are_refused() {
        let refused = |pem: &str| public_key(pem).err();
        assert_eq!(refused(&request(&rcgen::PKCS_ED25519)), Some(InvalidRequest::WrongKey));
        assert_eq!(refused("x"), Some(InvalidRequest::Unreadable));
        assert_eq!(refused(&"x".repeat(MAX_BYTES + 1)), Some(InvalidRequest::Unreadable));
        let pem = request(&rcgen::PKCS_ECDSA_P256_SHA256);
        let (_, parsed) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
        let mut der = parsed.contents;
        let last = der.len() - 1;
        der[last] ^= 1;
        let bent = format!(
            "-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n",
            data_encoding::BASE64.encode(&der)
        );
        assert!(matches!(refused(&bent), Some(InvalidRequest::Unproven | InvalidRequest::Unreadable)));
    }
}
