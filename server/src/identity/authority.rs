//! The certificate authority: a P-256 key that belongs to one thread and is used through a channel.
//!
//! It signs only two kinds of certificates, so no request can ask for a third. Its own certificate names the instance:
//! `holdfast://<instance>`.

use std::path::Path;
use std::sync::mpsc;

use data_encoding::HEXLOWER;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PublicKeyData as _, SanType, SerialNumber, SubjectPublicKeyInfo,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;
use x509_parser::prelude::{ASN1Time, FromDer as _, GeneralName, X509Certificate};

use super::token::{self, random};
use super::{BACKDATED, NodeUri};
use crate::clock::Clock;
use crate::store::certificate::NewCertificate;

mod disk; // the three files of the CA

const CA_LIFETIME: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);

/// The lifetime of the server's own certificate; it is renewed after half of that, and at each start.
pub const LEAF_LIFETIME: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Why the CA does not work.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// One of its files cannot be read or written.
    #[error("the CA's file {path}: {source}")]
    File { path: String, source: std::io::Error },
    /// One of its files has other content.
    #[error("the CA's file {0} is not what this program wrote: restore it from a backup")]
    Damaged(String),
    /// This file is missing, but others of the CA exist.
    #[error(
        "the CA's file {0} is missing: restore `ca/` from a backup; without it every machine must enrol again. Nothing \
         was changed"
    )]
    Missing(String),
    /// The certificate belongs to another key.
    #[error("the CA's files {0}/ca.pem and {0}/key.pem do not belong together: restore both from one backup")]
    Mismatch(String),
    /// A CA exists already.
    #[error("there is already a CA at {0}")]
    Present(String),
    #[error("the CA cannot sign: {0}")]
    Signing(String),
}

/// A handle to the CA.
pub struct Authority {
    orders: mpsc::SyncSender<(SigningOrder, SigningReply)>,
    certificate: CertificateDer<'static>,
    pem: String,
    instance: String,
    pin: [u8; 32],
    clock: Clock,
}

/// A request to sign something.
enum SigningOrder {
    Node { key: SubjectPublicKeyInfo, name: NodeUri, from: Timestamp, until: Timestamp },
    Server { key: SubjectPublicKeyInfo, names: Vec<SanType>, from: Timestamp, until: Timestamp },
}

type SigningReply = oneshot::Sender<Result<SignedCertificate, AuthorityError>>;

/// A signed certificate.
struct SignedCertificate {
    der: CertificateDer<'static>,
    pem: String,
    serial: String,
}

/// The server's certificate, with its key.
pub struct LeafCertificate {
    /// The certificate followed by that of the CA, in which a joining node finds the key that it pins.
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivatePkcs8KeyDer<'static>,
}

impl Authority {
    /// Whether a directory has a CA, or a part of one.
    pub fn is_at(directory: &Path) -> bool {
        disk::is_at(directory)
    }

    /// Makes a CA if there is none, whole or not at all, and opens it.
    ///
    /// # Errors
    /// Returns an error if files cannot be written, or if a part of a CA exists.
    pub fn make(directory: &Path) -> Result<(Self, token::TokenKey), AuthorityError> {
        if Self::is_at(directory) {
            return Err(AuthorityError::Present(directory.display().to_string()));
        }
        let key = KeyPair::generate().map_err(signing)?;
        disk::write(directory, &root(&key)?, &key.serialize_pem(), &random::<32>())?;
        Self::open(directory)
    }

    /// Opens the CA in a directory and starts its thread. Nothing is created: what is missing cannot be made again.
    ///
    /// # Errors
    /// Returns an error if a file is missing, cannot be read, is not a CA's, or belongs to another CA.
    pub fn open(directory: &Path) -> Result<(Self, token::TokenKey), AuthorityError> {
        let files = disk::read(directory)?;
        let authority = Self::start(files.certificate, files.key)
            .ok_or_else(|| disk::damaged(&directory.join(disk::CERTIFICATE)))??;
        let authority = authority.ok_or_else(|| AuthorityError::Mismatch(directory.display().to_string()))?;
        Ok((authority, token::TokenKey::new(files.token_key)))
    }

    /// Starts the thread. `None` if this is not a CA's certificate; `Ok(None)` if it belongs to another key.
    fn start(pem: String, key: KeyPair) -> Option<Result<Option<Self>, AuthorityError>> {
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
        let (_, parsed) = X509Certificate::from_der(&certificate).ok()?;
        let instance = uris(&parsed).next()?.strip_prefix("holdfast://")?.to_owned();
        let pin = Sha256::digest(parsed.public_key().raw).into();
        let fits = parsed.public_key().raw == key.subject_public_key_info();
        let at = |time: ASN1Time| Timestamp::from_second(time.timestamp()).ok();
        let clock = Clock { made: at(parsed.validity().not_before)?, ends: at(parsed.validity().not_after)? };
        drop(parsed);
        if !fits {
            return Some(Ok(None));
        }
        let issuer = Issuer::from_ca_cert_der(&certificate, key).ok()?;
        let (orders, queue) = mpsc::sync_channel::<(SigningOrder, SigningReply)>(256);
        let thread = std::thread::Builder::new().name("ca".to_owned()).spawn(move || {
            while let Ok((order, answer)) = queue.recv() {
                // The caller may have gone away in the meantime.
                let _ = answer.send(sign(order, &issuer));
            }
        });
        let started = thread.map_err(|error| AuthorityError::Signing(error.to_string()));
        Some(started.map(|_| Some(Self { orders, certificate, pem, instance, pin, clock })))
    }

    /// The CA's certificate in PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The CA's certificate in DER.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The SHA-256 of the CA's certificate in hex, for people to compare.
    pub fn fingerprint(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(&self.certificate))
    }

    /// The SHA-256 of its public key, which a join string pins.
    pub fn pin(&self) -> &[u8; 32] {
        &self.pin
    }

    /// The name of this installation: random, made with the CA.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// What the CA's certificate shows about the time.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Signs a node's certificate.
    ///
    /// # Errors
    /// Returns an error if the CA's thread has ended, or the key is unusable.
    pub async fn sign_node(
        &self,
        key: SubjectPublicKeyInfo,
        key_hash: Vec<u8>,
        name: NodeUri,
        until: Timestamp,
    ) -> Result<NewCertificate, AuthorityError> {
        let from = Timestamp::now() - BACKDATED;
        let signed = self.order(SigningOrder::Node { key, name, from, until }).await?;
        Ok(NewCertificate {
            serial: signed.serial,
            public_key: key_hash,
            not_before: from,
            not_after: until,
            pem: signed.pem,
        })
    }

    /// Makes a key for the server, and signs its certificate for these host names and addresses.
    ///
    /// # Errors
    /// Returns an error if a name is not a host name, or signing fails.
    pub async fn sign_server(&self, names: &[String]) -> Result<LeafCertificate, AuthorityError> {
        let key = KeyPair::generate().map_err(signing)?;
        let names = CertificateParams::new(names).map_err(signing)?.subject_alt_names;
        let now = Timestamp::now();
        let order = SigningOrder::Server {
            key: SubjectPublicKeyInfo::from_pem(&key.public_key_pem()).map_err(signing)?,
            names,
            from: now - BACKDATED,
            until: now + LEAF_LIFETIME,
        };
        let signed = self.order(order).await?;
        Ok(LeafCertificate {
            chain: vec![signed.der, self.certificate.clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()),
        })
    }

    async fn order(&self, order: SigningOrder) -> Result<SignedCertificate, AuthorityError> {
        let (answer, signed) = oneshot::channel();
        let gone = || AuthorityError::Signing("its thread is busy or has ended".to_owned());
        self.orders.try_send((order, answer)).map_err(|_| gone())?;
        signed.await.map_err(|_| gone())?
    }
}

fn sign(order: SigningOrder, issuer: &Issuer<'_, KeyPair>) -> Result<SignedCertificate, AuthorityError> {
    let (key, names, use_for, from, until) = match order {
        SigningOrder::Node { key, name, from, until } => {
            let name = name.to_string().try_into().map_err(signing)?;
            (key, vec![SanType::URI(name)], ExtendedKeyUsagePurpose::ClientAuth, from, until)
        }
        SigningOrder::Server { key, names, from, until } => {
            (key, names, ExtendedKeyUsagePurpose::ServerAuth, from, until)
        }
    };
    let serial = serial();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = names;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![use_for];
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    set_validity(&mut params, from, until)?;
    let certificate = params.signed_by(&key, issuer).map_err(signing)?;
    Ok(SignedCertificate {
        der: certificate.der().clone(),
        pem: certificate.pem(),
        serial: HEXLOWER.encode(&serial),
    })
}

/// The self-signed certificate of a new instance, in PEM.
fn root(key: &KeyPair) -> Result<String, AuthorityError> {
    let instance = HEXLOWER.encode(&random::<8>());
    let now = Timestamp::now();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("Holdfast {instance}"));
    params.subject_alt_names =
        vec![SanType::URI(format!("holdfast://{instance}").try_into().map_err(signing)?)];
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.serial_number = Some(SerialNumber::from_slice(&serial()));
    set_validity(&mut params, now - BACKDATED, now + CA_LIFETIME)?;
    Ok(params.self_signed(key).map_err(signing)?.pem())
}

/// A serial number of 126 random bits: the number is positive, and DER never shortens it.
fn serial() -> [u8; 16] {
    let mut serial = random::<16>();
    serial[0] = serial[0] & 0x7f | 0x40;
    serial
}

fn set_validity(
    params: &mut CertificateParams,
    from: Timestamp,
    until: Timestamp,
) -> Result<(), AuthorityError> {
    let second = |at: Timestamp| ASN1Time::from_timestamp(at.as_second()).map_err(signing);
    (params.not_before, params.not_after) = (second(from)?.to_datetime(), second(until)?.to_datetime());
    Ok(())
}

fn signing(error: impl std::fmt::Display) -> AuthorityError {
    AuthorityError::Signing(error.to_string())
}

/// The URIs among a certificate's names.
pub(super) fn uris<'a>(certificate: &'a X509Certificate<'_>) -> impl Iterator<Item = &'a str> {
    let names = certificate.subject_alternative_name().ok().flatten();
    names.into_iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    #[actix_web::test]
    async fn it_is_the_same_after_a_restart_and_its_key_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca");
        let (first, key) = Authority::make(&path).unwrap();
        let (again, same) = Authority::open(&path).unwrap();
        assert_eq!(
            (first.instance(), first.pin(), first.pem()),
            (again.instance(), again.pin(), again.pem())
        );
        assert_eq!(key.derive("x"), same.derive("x"));
        for entry in fs::read_dir(&path).unwrap() {
            let mode = entry.as_ref().unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{entry:?}");
        }
    }

    #[actix_web::test]
    async fn a_damaged_file_is_named_and_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        drop(Authority::make(directory.path()).unwrap());
        fs::write(directory.path().join("key.pem"), "nonsense").unwrap();
        let Err(error) = Authority::open(directory.path()) else { panic!("a damaged CA was opened") };
        assert!(error.to_string().contains("key.pem"), "{error}");
    }

    fn contents(directory: &Path) -> Vec<(std::ffi::OsString, Vec<u8>)> {
        let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
        let mut files: Vec<_> =
            files.map(|file| (file.file_name(), fs::read(file.path()).unwrap())).collect();
        files.sort();
        files
    }

    #[test]
    fn f35_a_missing_file_is_named_and_nothing_is_made_in_its_place() {
        for file in ["ca.pem", "key.pem", "token.key"] {
            let directory = tempfile::tempdir().unwrap();
            drop(Authority::make(directory.path()).unwrap());
            fs::remove_file(directory.path().join(file)).unwrap();
            let before = contents(directory.path());
            let error = Authority::open(directory.path()).err().unwrap().to_string();
            assert!(error.contains(file) && error.contains("backup"), "{error}");
            assert!(matches!(Authority::make(directory.path()), Err(AuthorityError::Present(_))));
            assert_eq!(contents(directory.path()), before);
        }
    }

    #[test]
    fn f35_a_certificate_of_another_key_is_refused() {
        let [one, two] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        drop(Authority::make(one.path()).unwrap());
        drop(Authority::make(two.path()).unwrap());
        fs::copy(two.path().join("ca.pem"), one.path().join("ca.pem")).unwrap();
        assert!(matches!(Authority::open(one.path()), Err(AuthorityError::Mismatch(_))));
    }

    #[test]
    fn a_ca_whose_making_was_interrupted_is_made_again() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("ca");
        fs::create_dir(parent.path().join("ca.new")).unwrap();
        fs::write(parent.path().join("ca.new/key.pem"), "half").unwrap();
        assert!(!Authority::is_at(&path));
        Authority::make(&path).unwrap();
        assert!(!parent.path().join("ca.new").exists());
    }

    #[actix_web::test]
    async fn a_node_is_its_uri_for_client_use_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (authority, _) = Authority::make(directory.path()).unwrap();
        let key = KeyPair::generate().unwrap();
        let key = SubjectPublicKeyInfo::from_pem(&key.public_key_pem()).unwrap();
        let name: NodeUri =
            format!("holdfast://{}/node/web1.acme.example?gen=1", authority.instance()).parse().unwrap();
        let until = Timestamp::now() + SignedDuration::from_hours(1);
        let signed = authority.sign_node(key, vec![0; 32], name.clone(), until).await.unwrap();
        let (_, pem) = x509_parser::pem::parse_x509_pem(signed.pem.as_bytes()).unwrap();
        let certificate = pem.parse_x509().unwrap();
        assert_eq!(certificate.subject().iter().count(), 0);
        assert_eq!(uris(&certificate).collect::<Vec<_>>(), [name.to_string()]);
        let usage = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && !usage.server_auth && !usage.any);
        assert!(!certificate.is_ca());
        assert_eq!(certificate.validity().not_after.timestamp(), until.as_second());
        assert!(certificate.validity().not_before.timestamp() <= Timestamp::now().as_second() - 600);
    }
}
