//! Passwords: argon2id, with the same amount of work for a name that does not exist.

use std::sync::{Arc, LazyLock};

use actix_web::web;
use argon2::password_hash::{ParamsString, PasswordHash, Salt, SaltString};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

use super::page::Error;

/// The fewest characters of a password.
pub const MIN_LENGTH: usize = 12;

/// The most bytes of a password; more would only be work.
pub const MAX_LENGTH: usize = 256;

/// The length of a hash, in bytes.
const LENGTH: usize = Params::DEFAULT_OUTPUT_LEN;

/// A hash that is checked for a name that does not exist. No password matches it, since its password is not kept.
static NOBODYS: LazyLock<Option<String>> = LazyLock::new(|| {
    let mut password = [0; 32];
    getrandom::fill(&mut password).ok()?;
    hash_now(&password, &mut Vec::new()).ok()
});

/// Who has a password hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VisitorKind {
    /// A user who logged in before, from the same network.
    Known,
    /// Everyone else. However many there are, known users do not wait behind them.
    Stranger,
}

/// The most strangers who wait, which is a few seconds of work. The others are refused at once instead of waiting
/// behind a flood of guesses.
const MAX_STRANGERS_WAITING: usize = 64;

/// Hashes passwords, one at a time for each kind of asker, in memory that is reused: memory that a thousand threads
/// allocate once each would stay with the process.
#[derive(Debug)]
pub struct Hashing {
    known: Arc<Mutex<Memory>>,
    strangers: Arc<Mutex<Memory>>,
    waiting: Arc<Semaphore>,
}

impl Default for Hashing {
    fn default() -> Self {
        let waiting = Arc::new(Semaphore::new(MAX_STRANGERS_WAITING));
        Self { known: Arc::default(), strangers: Arc::default(), waiting }
    }
}

/// A place among those whose password is to be checked.
#[derive(Debug)]
pub struct QueuePlace {
    asker: VisitorKind,
    _one_of_few: Option<OwnedSemaphorePermit>,
}

impl QueuePlace {
    /// The place of a known user, who waits only for other known users.
    pub const KNOWN: Self = Self { asker: VisitorKind::Known, _one_of_few: None };
}

/// The memory for hashing, as large as the parameters of a hash require.
type Memory = Vec<Block>;

impl Hashing {
    /// Takes a place.
    ///
    /// # Errors
    /// Returns an error if too many strangers wait already.
    pub fn place(&self, asker: VisitorKind) -> Result<QueuePlace, Error> {
        let one_of_few = match asker {
            VisitorKind::Known => None,
            VisitorKind::Stranger => Some(self.waiting.clone().try_acquire_owned().map_err(|_| Error::Busy)?),
        };
        Ok(QueuePlace { asker, _one_of_few: one_of_few })
    }

    async fn turn(&self, asker: VisitorKind) -> OwnedMutexGuard<Memory> {
        let memory = match asker {
            VisitorKind::Known => &self.known,
            VisitorKind::Stranger => &self.strangers,
        };
        memory.clone().lock_owned().await
    }

    /// The hash of a password, as a PHC string.
    ///
    /// # Errors
    /// Returns an error if the system has no random bytes.
    pub async fn hash(&self, password: Zeroizing<String>) -> Result<String, Error> {
        let mut memory = self.turn(VisitorKind::Known).await;
        web::block(move || hash_now(password.as_bytes(), &mut memory)).await.map_err(|_| Error::Unforeseen)?
    }

    /// Whether a password matches a hash; if there is no hash, false after the same amount of work.
    ///
    /// # Errors
    /// Returns an error if the work could not be done.
    pub async fn fits(
        &self,
        place: QueuePlace,
        password: Zeroizing<String>,
        hash: Option<String>,
    ) -> Result<bool, Error> {
        let mut memory = self.turn(place.asker).await;
        let check = move || {
            let there = hash.is_some();
            let hash = hash.or_else(|| NOBODYS.clone()).ok_or(Error::Unforeseen)?;
            let parsed = PasswordHash::new(&hash).map_err(|_| Error::Unforeseen)?;
            Ok(fits_now(password.as_bytes(), &parsed, &mut memory).ok_or(Error::Unforeseen)? && there)
        };
        web::block(check).await.map_err(|_| Error::Unforeseen)?
    }
}

/// Whether a password matches; `None` if the hash has a form that this program does not write.
fn fits_now(password: &[u8], hash: &PasswordHash<'_>, memory: &mut Memory) -> Option<bool> {
    let version = Version::try_from(hash.version?).ok()?;
    let argon = Argon2::new(Algorithm::try_from(hash.algorithm).ok()?, version, Params::try_from(hash).ok()?);
    let mut salt = [0; Salt::MAX_LENGTH];
    let salt = hash.salt?.decode_b64(&mut salt).ok()?;
    let expected = hash.hash?;
    let mut found = [0; LENGTH];
    let found = found.get_mut(..expected.len())?;
    compute(&argon, password, salt, found, memory)?;
    // The comparison takes constant time.
    Some(argon2::password_hash::Output::new(found).ok()? == expected)
}

fn hash_now(password: &[u8], memory: &mut Memory) -> Result<String, Error> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| Error::Unforeseen)?;
    phc(password, &salt, memory).ok_or(Error::Unforeseen)
}

fn phc(password: &[u8], salt: &[u8], memory: &mut Memory) -> Option<String> {
    let argon = Argon2::default();
    let mut hash = [0; LENGTH];
    compute(&argon, password, salt, &mut hash, memory)?;
    let salt = SaltString::encode_b64(salt).ok()?;
    let hash = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::default().into()),
        params: ParamsString::try_from(argon.params()).ok()?,
        salt: Some(salt.as_salt()),
        hash: Some(argon2::password_hash::Output::new(&hash).ok()?),
    };
    Some(hash.to_string())
}

fn compute(
    argon: &Argon2<'_>,
    password: &[u8],
    salt: &[u8],
    out: &mut [u8],
    memory: &mut Memory,
) -> Option<()> {
    memory.resize(argon.params().block_count(), Block::default());
    argon.hash_password_into_with_memory(password, salt, out, memory).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::{PasswordHasher as _, PasswordVerifier as _};

    /// The library's own functions for the same, which allocate memory each time.
    #[test]
    fn hashes_are_those_of_the_library() {
        let (password, salt) = (b"correct horse battery".as_slice(), [7; 16]);
        let mut memory = Memory::new();
        let ours = phc(password, &salt, &mut memory).unwrap();
        let salt = SaltString::encode_b64(&salt).unwrap();
        let theirs = Argon2::default().hash_password(password, &salt).unwrap();
        assert_eq!(ours, theirs.to_string());
        let parsed = PasswordHash::new(&ours).unwrap();
        assert!(Argon2::default().verify_password(password, &parsed).is_ok());
        for (other, fits) in [(password, true), (b"correct horse batterz".as_slice(), false), (b"", false)] {
            assert_eq!(fits_now(other, &parsed, &mut memory), Some(fits));
        }
    }

    /// The turn of strangers is taken and never given back, so strangers have to wait.
    #[actix_web::test]
    async fn known_users_never_wait_behind_strangers_and_few_of_those_wait() {
        let hashing = Hashing::default();
        let turn = hashing.turn(VisitorKind::Stranger).await;
        let strangers: Vec<_> =
            (0..MAX_STRANGERS_WAITING + 9).map(|_| hashing.place(VisitorKind::Stranger)).collect();
        assert_eq!(strangers.iter().filter(|place| matches!(place, Err(Error::Busy))).count(), 9);
        let known = async {
            let hash = hashing.hash("a new password".to_owned().into()).await.unwrap();
            let place = hashing.place(VisitorKind::Known).unwrap();
            hashing.fits(place, "a new password".to_owned().into(), Some(hash)).await
        };
        let patience = std::time::Duration::from_secs(60);
        assert!(tokio::time::timeout(patience, known).await.expect("it waits behind strangers").unwrap());
        drop((strangers, turn));
        let stranger =
            hashing.fits(hashing.place(VisitorKind::Stranger).unwrap(), String::new().into(), None);
        assert!(!tokio::time::timeout(patience, stranger).await.expect("there is room again").unwrap());
    }
}
