//! How a machine becomes a node: a key, a join string, a certificate.
//!
//! The key is on disk before the server is asked, so a lost reply wastes nothing: the same key with the same join
//! string gets the same certificate again.

use holdfast_catalog::facts::Facts;
use holdfast_catalog::join::JoinString;
use holdfast_catalog::wire::{CatalogAnswer, CatalogRequest, Certificate, EnrollRequest, Refusal, path};
use rcgen::PublicKeyData as _;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Error, Identity};
use crate::fetch::Client;
use crate::keypair::{KeyPair, PrivateKey};
use crate::state::StateDir;
use crate::trust::{self, Pin, ServerTrust};

/// The codes with which a server refuses a node whose certificate it no longer knows.
const OVER: [&str; 3] = ["unknown-node", "revoked", "certificate-replaced"];

/// Whether a server says that this machine is no longer one of its nodes: only a new enrolment makes it one again.
pub(crate) fn is_over_by(refusal: &Refusal) -> bool {
    OVER.contains(&refusal.code.as_str())
}

/// The key of an enrolment that is not complete.
const PENDING: &str = "pending.json";

/// A key, and a request for a certificate for it.
pub(super) struct NewKey {
    key: PrivateKey,
    public: Vec<u8>,
    pub(super) csr: String,
}

impl NewKey {
    /// A new P-256 key.
    pub(super) fn new() -> Result<Self, Error> {
        Self::of(&rcgen::KeyPair::generate()?)
    }

    fn of(key: &rcgen::KeyPair) -> Result<Self, Error> {
        let mut params = rcgen::CertificateParams::default();
        // A node does not name itself: the server knows it by the token or the certificate.
        params.distinguished_name = rcgen::DistinguishedName::new();
        let csr = params.serialize_request(key)?.pem()?;
        Ok(Self { key: key.serialize_pem().into(), public: key.subject_public_key_info(), csr })
    }

    /// The pair of this key and its certificate.
    pub(super) fn with(self, certificate: String) -> KeyPair {
        KeyPair { key: self.key, certificate }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pending {
    token: String,
    key: PrivateKey,
}

/// The key for this token: the one of an earlier try, or a new one that is on disk when this returns.
fn key_for(token: &str, dir: &StateDir) -> Result<NewKey, Error> {
    let earlier = match dir.read(PENDING, 64 * 1024) {
        Err(error) if error.is_shortage() => return Err(error.into()),
        // What is not a file contains no key.
        Err(_) => dir.discard(PENDING).map(|()| None)?,
        read => read?.map(Zeroizing::new),
    };
    let earlier = earlier.and_then(|bytes| serde_json::from_slice::<Pending>(&bytes).ok());
    if let Some(pending) = earlier.filter(|pending| pending.token == token)
        && let Ok(key) = rcgen::KeyPair::from_pem(pending.key.pem())
    {
        return NewKey::of(&key);
    }
    let made = NewKey::new()?;
    let pending = Pending { token: token.to_owned(), key: made.key.clone() };
    dir.replace(PENDING, &Zeroizing::new(serde_json::to_vec(&pending).unwrap_or_default()))?;
    Ok(made)
}

/// What happens to an existing identity of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExisting {
    /// It is kept, unless its own server says that it is over: moved, removed, revoked or replaced.
    Keep,
    /// It is set aside, whatever it is.
    Replace,
}

/// Enrols this machine. An identity that is over is set aside only once the new one is there.
///
/// # Errors
/// Fails if the machine is enrolled already, or if the server is not the pinned one, cannot be reached, or refuses. The
/// same join string can be tried again.
pub async fn enroll(join: &JoinString, state: &StateDir, earlier: OnExisting) -> Result<Identity, Error> {
    Identity::make_room(state);
    let dir = state.below("identity")?;
    let is_enrolled = match Identity::load(state) {
        Err(Error::NotEnrolled) => false,
        _ if earlier == OnExisting::Replace => true,
        Ok(identity) => is_over(&identity).await.map(|()| true)?,
        // A damaged identity cannot be used any more.
        Err(Error::Damaged { .. }) => true,
        Err(error) => return Err(error),
    };
    let made = key_for(join.token(), &dir)?;
    let pin = Pin(*join.pin());
    let client = Client::new(join.server(), ServerTrust::by_pin(pin, crate::fetch::provider()), None)?;
    let request = EnrollRequest {
        token: join.token().to_owned(),
        secret: join.secret().to_owned(),
        csr: made.csr.clone(),
    };
    let answer: Certificate = client.post(path::ENROLL, &request).await?;
    check_answer(&answer, &made)?;
    let roots = trust::certificates(&answer.roots).map_err(Error::Answer)?;
    if !roots.iter().any(|der| Pin::of(der).is_ok_and(|found| found == pin)) {
        return Err(Error::Answer(format!("the pinned CA {pin} is not among its roots")));
    }
    let identity = Identity {
        certname: answer.certname,
        server: join.server().to_owned(),
        roots: answer.roots,
        enrolment: Some(uuid::Uuid::now_v7()),
        current: made.with(answer.certificate),
        previous: None,
        note: None,
        version: super::VERSION,
        others: std::collections::BTreeMap::new(),
    };
    if is_enrolled {
        Identity::put_aside(state)?;
    }
    identity.store(state)?;
    dir.remove(PENDING)?;
    Ok(identity)
}

/// Asks the server of an identity whether that is over. It is not, if the server still knows it or cannot say.
async fn is_over(identity: &Identity) -> Result<(), Error> {
    let keeps = |why: String| Err(Error::Enrolled(identity.certname.clone(), why));
    let request = CatalogRequest {
        facts_hash: Facts::none().hash(),
        facts: None,
        have: None,
        agent: crate::VERSION.to_owned(),
    };
    let asked = match identity.client(None) {
        Ok(client) => client.post::<CatalogAnswer>(path::CATALOG, &request).await,
        Err(error) => return keeps(format!("cannot be asked: {error}")),
    };
    match asked {
        Err(crate::fetch::Error::Refused { refusal, .. }) if is_over_by(&refusal) => Ok(()),
        Ok(_) => keeps("knows it".to_owned()),
        Err(error) => keeps(format!("does not confirm that this enrolment has ended: {error}")),
    }
}

/// Checks that a certificate is for the key that requested it, and that its roots can be read.
pub(super) fn check_answer(answer: &Certificate, made: &NewKey) -> Result<(), Error> {
    let der = trust::one_certificate(&answer.certificate).map_err(Error::Answer)?;
    let (_, parsed) =
        x509_parser::parse_x509_certificate(&der).map_err(|error| Error::Answer(error.to_string()))?;
    if parsed.public_key().raw != made.public {
        return Err(Error::Answer("the certificate is for another key".to_owned()));
    }
    trust::certificates(&answer.roots).map_err(Error::Answer).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir() -> (tempfile::TempDir, StateDir) {
        let parent = tempfile::tempdir().unwrap();
        let state = StateDir::open(&parent.path().join("identity")).unwrap();
        (parent, state)
    }

    #[test]
    fn another_try_has_the_same_key_and_another_token_another_key() {
        let (_parent, dir) = dir();
        let first = key_for("token1", &dir).unwrap();
        assert_eq!(key_for("token1", &dir).unwrap().public, first.public);
        assert_ne!(key_for("token2", &dir).unwrap().public, first.public);
    }

    #[test]
    fn a_torn_key_file_is_no_dead_end() {
        let (_parent, dir) = dir();
        dir.replace(PENDING, b"{\"token\":\"token1\",\"key\":\"-----BEGIN").unwrap();
        assert!(key_for("token1", &dir).is_ok());
    }

    #[test]
    fn a_request_names_nobody_and_proves_the_key() {
        use x509_parser::prelude::{FromDer as _, X509CertificationRequest};
        let made = NewKey::new().unwrap();
        let (_, pem) = x509_parser::pem::parse_x509_pem(made.csr.as_bytes()).unwrap();
        let (_, csr) = X509CertificationRequest::from_der(&pem.contents).unwrap();
        assert_eq!(csr.certification_request_info.subject.iter().count(), 0);
        csr.verify_signature().unwrap();
    }

    #[test]
    fn a_certificate_for_another_key_is_refused() {
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = rcgen::CertificateParams::default().self_signed(&key).unwrap().pem();
        let certname = holdfast_catalog::certname::Certname::parse("web1.acme.example").unwrap();
        let answer = Certificate { certificate: pem.clone(), roots: pem, certname };
        assert!(check_answer(&answer, &NewKey::of(&key).unwrap()).is_ok());
        assert!(check_answer(&answer, &NewKey::new().unwrap()).is_err());
    }
}
