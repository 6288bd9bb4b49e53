//! One-time secrets: made here, shown once, and kept as keyed hashes.

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::store::token::NewToken;

/// The key of the hashes. It is stored with the CA's key and not in the store, so a copy of the store cannot verify
/// anything.
#[derive(Clone)]
pub struct TokenKey(Zeroizing<[u8; 32]>);

impl TokenKey {
    /// A key from these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Derives a key for another purpose, such as a node's catalog ids.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        self.mac(purpose.as_bytes()).finalize().into_bytes().into()
    }

    /// The keyed hash of a token's secret.
    pub fn hash(&self, token: &str, secret: &str) -> Vec<u8> {
        self.of_token(token, secret).finalize().into_bytes().to_vec()
    }

    /// Whether a secret has this hash; the time does not depend on where they differ.
    pub fn verify(&self, token: &str, secret: &str, hash: &[u8]) -> bool {
        self.of_token(token, secret).verify_slice(hash).is_ok()
    }

    fn of_token(&self, token: &str, secret: &str) -> Hmac<Sha256> {
        // The id has a fixed alphabet without a colon, so different pairs give different texts.
        self.mac(format!("token:{token}:{secret}").as_bytes())
    }

    fn mac(&self, bytes: &[u8]) -> Hmac<Sha256> {
        let mut mac =
            <Hmac<Sha256> as hmac::Mac>::new_from_slice(&*self.0).expect("HMAC takes keys of any length");
        mac.update(bytes);
        mac
    }
}

/// A token that was not given out yet.
pub struct FreshToken {
    id: String,
    secret: Zeroizing<String>,
}

impl FreshToken {
    /// Makes a token with 40 random bits in its id and 128 in its secret.
    pub fn make() -> Self {
        let text = |bytes: &[u8]| BASE32_NOPAD.encode(bytes).to_ascii_lowercase();
        Self { id: text(&random::<5>()), secret: Zeroizing::new(text(&random::<16>())) }
    }

    /// Its id, which is public.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its secret.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// What the store keeps of it.
    pub fn to_store(&self, key: &TokenKey, expires_at: Timestamp) -> NewToken {
        NewToken { id: self.id.clone(), secret_mac: key.hash(&self.id, &self.secret), expires_at }
    }
}

/// Random bytes from the operating system.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
