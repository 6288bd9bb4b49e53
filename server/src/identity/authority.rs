//! The certificate authority: one key on P-256, owned by one thread, reached through a channel.
//!
//! What it signs is of two kinds only, so that no request can ask for a third. Its certificate names the instance:
//! `holdfast://<instance>`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::mpsc;

use data_encoding::HEXLOWER;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType, SerialNumber, SubjectPublicKeyInfo,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;
use x509_parser::prelude::{ASN1Time, FromDer as _, GeneralName, X509Certificate};
use zeroize::Zeroizing;

use super::token::{self, random};
use super::{BACKDATED, NodeUri};
use crate::store::certificate::NewCertificate;

const CA_LIFETIME: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);

/// How long the server's own certificate is valid; it is made anew at half of that and at each start.
pub const LEAF_LIFETIME: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Why the CA does not work.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file of it cannot be read or written.
    #[error("the CA's file {path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file of it holds something else.
    #[error("the CA's file {0} is not what this program wrote: restore it from a backup")]
    Damaged(String),
    /// Signing failed.
    #[error("the CA cannot sign: {0}")]
    Signing(String),
}

/// A handle to the CA.
pub struct Authority {
    orders: mpsc::SyncSender<(Order, Answer)>,
    certificate: CertificateDer<'static>,
    pem: String,
    instance: String,
    pin: [u8; 32],
}

/// What the CA signs.
enum Order {
    /// A node's certificate.
    Node { key: SubjectPublicKeyInfo, name: NodeUri, from: Timestamp, until: Timestamp },
    /// The server's own.
    Server { key: SubjectPublicKeyInfo, names: Vec<SanType>, from: Timestamp, until: Timestamp },
}

type Answer = oneshot::Sender<Result<Signed, AuthorityError>>;

/// A signed certificate.
struct Signed {
    der: CertificateDer<'static>,
    pem: String,
    serial: String,
}

/// The server's certificate with its key.
pub struct Leaf {
    /// The certificate, and the CA's after it, so that a joining node finds the key that it pins.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its private key.
    pub key: PrivatePkcs8KeyDer<'static>,
}

impl Authority {
    /// Opens the CA of a directory, or makes one where there is none, and starts its thread.
    ///
    /// # Errors
    /// Where files cannot be read or written, or are not a CA's.
    pub fn open(directory: &Path) -> Result<(Self, token::Key), AuthorityError> {
        let (key_file, certificate_file) = (directory.join("key.pem"), directory.join("ca.pem"));
        make_private_directory(directory)?;
        if !certificate_file.exists() {
            let key = KeyPair::generate().map_err(signing)?;
            // The certificate comes last: where it stands, all of the CA stands.
            write_private(&key_file, key.serialize_pem().as_bytes())?;
            write_private(&directory.join("token.key"), &random::<32>())?;
            write_private(&certificate_file, root(&key)?.as_bytes())?;
        }
        let pem = read(&certificate_file)?;
        let pem = String::from_utf8(pem.to_vec()).map_err(|_| damaged(&certificate_file))?;
        let key = read(&key_file)?;
        let key = std::str::from_utf8(&key).ok().and_then(|key| KeyPair::from_pem(key).ok());
        let token_file = directory.join("token.key");
        let token_key = read(&token_file)?.as_slice().try_into().map_err(|_| damaged(&token_file))?;
        let authority = Self::start(pem, key.ok_or_else(|| damaged(&key_file))?)
            .ok_or_else(|| damaged(&certificate_file))??;
        Ok((authority, token::Key::new(token_key)))
    }

    fn start(pem: String, key: KeyPair) -> Option<Result<Self, AuthorityError>> {
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
        let (_, parsed) = X509Certificate::from_der(&certificate).ok()?;
        let instance = uris(&parsed).next()?.strip_prefix("holdfast://")?.to_owned();
        let pin = Sha256::digest(parsed.public_key().raw).into();
        drop(parsed);
        let issuer = Issuer::from_ca_cert_der(&certificate, key).ok()?;
        let (orders, queue) = mpsc::sync_channel::<(Order, Answer)>(256);
        let thread = std::thread::Builder::new().name("ca".to_owned()).spawn(move || {
            while let Ok((order, answer)) = queue.recv() {
                // Whoever asked may have gone away meanwhile.
                let _ = answer.send(sign(order, &issuer));
            }
        });
        let started = thread.map_err(|error| AuthorityError::Signing(error.to_string()));
        Some(started.map(|_| Self { orders, certificate, pem, instance, pin }))
    }

    /// The CA's certificate in PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The CA's certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// SHA-256 of the CA's certificate, in hex: what a person compares.
    pub fn fingerprint(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(&self.certificate))
    }

    /// SHA-256 of its public key: what a join string pins.
    pub fn pin(&self) -> &[u8; 32] {
        &self.pin
    }

    /// The name of this installation: random, made with the CA.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Signs a node's certificate.
    ///
    /// # Errors
    /// Where the CA's thread has ended or the key is unusable.
    pub async fn sign_node(
        &self,
        key: SubjectPublicKeyInfo,
        key_hash: Vec<u8>,
        name: NodeUri,
        until: Timestamp,
    ) -> Result<NewCertificate, AuthorityError> {
        let from = Timestamp::now() - BACKDATED;
        let signed = self.order(Order::Node { key, name, from, until }).await?;
        Ok(NewCertificate {
            serial: signed.serial,
            public_key: key_hash,
            not_before: from,
            not_after: until,
            pem: signed.pem,
        })
    }

    /// Makes a key for the server and signs its certificate for these host names and addresses.
    ///
    /// # Errors
    /// Where a name is no host name, or signing fails.
    pub async fn sign_server(&self, names: &[String]) -> Result<Leaf, AuthorityError> {
        let key = KeyPair::generate().map_err(signing)?;
        let names = CertificateParams::new(names).map_err(signing)?.subject_alt_names;
        let now = Timestamp::now();
        let order = Order::Server {
            key: SubjectPublicKeyInfo::from_pem(&key.public_key_pem()).map_err(signing)?,
            names,
            from: now - BACKDATED,
            until: now + LEAF_LIFETIME,
        };
        let signed = self.order(order).await?;
        Ok(Leaf {
            chain: vec![signed.der, self.certificate.clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()),
        })
    }

    async fn order(&self, order: Order) -> Result<Signed, AuthorityError> {
        let (answer, signed) = oneshot::channel();
        let gone = || AuthorityError::Signing("its thread is busy or has ended".to_owned());
        self.orders.try_send((order, answer)).map_err(|_| gone())?;
        signed.await.map_err(|_| gone())?
    }
}

fn sign(order: Order, issuer: &Issuer<'_, KeyPair>) -> Result<Signed, AuthorityError> {
    let (key, names, use_for, from, until) = match order {
        Order::Node { key, name, from, until } => {
            let name = name.to_string().try_into().map_err(signing)?;
            (key, vec![SanType::URI(name)], ExtendedKeyUsagePurpose::ClientAuth, from, until)
        }
        Order::Server { key, names, from, until } => {
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
    Ok(Signed { der: certificate.der().clone(), pem: certificate.pem(), serial: HEXLOWER.encode(&serial) })
}

/// A self-signed certificate of a new instance.
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

/// 127 random bits: positive, and never shortened by DER.
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

fn damaged(file: &Path) -> AuthorityError {
    AuthorityError::Damaged(file.display().to_string())
}

fn file_error(path: &Path) -> impl FnOnce(std::io::Error) -> AuthorityError {
    let path = path.display().to_string();
    move |source| AuthorityError::File { path, source }
}

fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, AuthorityError> {
    fs::read(file).map(Zeroizing::new).map_err(file_error(file))
}

fn make_private_directory(directory: &Path) -> Result<(), AuthorityError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(file_error(directory))
}

/// Writes a file that only its owner reads, whole and on disk, or not at all.
fn write_private(file: &Path, bytes: &[u8]) -> Result<(), AuthorityError> {
    let fresh = file.with_extension("new");
    let write = || {
        let mut open =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        open.write_all(bytes)?;
        open.sync_all()?;
        fs::rename(&fresh, file)?;
        fs::File::open(file.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(file_error(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[actix_web::test]
    async fn it_is_the_same_after_a_restart_and_its_key_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca");
        let (first, key) = Authority::open(&path).unwrap();
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
        drop(Authority::open(directory.path()).unwrap());
        fs::write(directory.path().join("key.pem"), "nonsense").unwrap();
        let Err(error) = Authority::open(directory.path()) else { panic!("a damaged CA was opened") };
        assert!(error.to_string().contains("key.pem"), "{error}");
    }

    #[actix_web::test]
    async fn a_node_is_its_uri_for_client_use_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (authority, _) = Authority::open(directory.path()).unwrap();
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
