//! Passwords: argon2id, with the same work for a name that does not exist.

use std::sync::LazyLock;

use actix_web::web;
use argon2::password_hash::{PasswordHash, SaltString};
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::page::Error;

/// The fewest characters of a password.
pub const SHORTEST: usize = 12;

/// The most bytes: the rest would only be work.
pub const LONGEST: usize = 256;

/// Checked in place of what is not there. No password fits: its text is forgotten.
static NOBODYS: LazyLock<Option<String>> = LazyLock::new(|| {
    let mut password = [0; 32];
    getrandom::fill(&mut password).ok()?;
    hash_now(&password).ok()
});

/// The hash of a password as a PHC string.
///
/// # Errors
/// Where the system gives no random bytes.
pub async fn hash(hashing: &Semaphore, password: Zeroizing<String>) -> Result<String, Error> {
    let _permit = hashing.acquire().await.map_err(|_| Error::Busy)?;
    web::block(move || hash_now(password.as_bytes())).await.map_err(|_| Error::Busy)?
}

/// Whether a password fits a hash; never where there is none, after the same work.
///
/// # Errors
/// Where the work could not be done.
pub async fn fits(
    hashing: &Semaphore,
    password: Zeroizing<String>,
    hash: Option<String>,
) -> Result<bool, Error> {
    let _permit = hashing.acquire().await.map_err(|_| Error::Busy)?;
    let check = move || {
        let there = hash.is_some();
        let hash = hash.or_else(|| NOBODYS.clone()).ok_or(Error::Busy)?;
        let parsed = PasswordHash::new(&hash).map_err(|_| Error::Busy)?;
        Ok(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok() && there)
    };
    web::block(check).await.map_err(|_| Error::Busy)?
}

fn hash_now(password: &[u8]) -> Result<String, Error> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| Error::Busy)?;
    let salt = SaltString::encode_b64(&salt).map_err(|_| Error::Busy)?;
    let hash = Argon2::default().hash_password(password, &salt).map_err(|_| Error::Busy)?;
    Ok(hash.to_string())
}
