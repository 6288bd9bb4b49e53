//! Sessions: what a browser holds to be known again, and how long.

use actix_web::HttpRequest;
use actix_web::http::header;
use data_encoding::BASE64URL_NOPAD;
use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::page::Error;
use crate::store::session::TokenHash;

/// A session that nobody uses ends after this.
pub const IDLE: SignedDuration = SignedDuration::from_hours(2);

/// A session ends after this in any case.
pub const MOST: SignedDuration = SignedDuration::from_hours(12);

/// Bound to this host and to encrypted connections by its name.
const COOKIE: &str = "__Host-holdfast";

/// How a user came in; part of the token, so that nobody can change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CameBy {
    /// By a link that an operator gave out: the password may be forgotten.
    Link,
    Password,
}

/// What a browser holds to be known again.
#[derive(Clone)]
pub struct SessionToken(Zeroizing<String>);

impl SessionToken {
    /// A new one.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new(by: CameBy) -> Result<Self, Error> {
        let mark = if by == CameBy::Link { 'l' } else { 'p' };
        Ok(Self(Zeroizing::new(format!("{mark}{}", *random()?))))
    }

    /// What the store knows of it.
    pub fn hash(&self) -> TokenHash {
        hash_of(&self.0)
    }

    /// How the user came in.
    pub fn came_by(&self) -> CameBy {
        if self.0.starts_with('l') { CameBy::Link } else { CameBy::Password }
    }
}

fn random() -> Result<Zeroizing<String>, Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(|_| Error::Unforeseen)?;
    Ok(Zeroizing::new(BASE64URL_NOPAD.encode(&*bytes)))
}

/// What the store knows of a token.
pub fn hash_of(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

/// The token of the session that a request belongs to.
pub fn session_of(request: &HttpRequest) -> Option<SessionToken> {
    let headers = request.headers().get_all(header::COOKIE).filter_map(|value| value.to_str().ok());
    let mut cookies =
        headers.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, token) = cookies.find(|(name, _)| *name == COOKIE)?;
    Some(SessionToken(Zeroizing::new(token.to_owned())))
}

/// What tells the browser to keep a session, or to forget it.
pub struct SetCookie(pub(super) String);

impl SetCookie {
    /// No script sees it, and no request from elsewhere carries it.
    const RULES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

    /// To keep it.
    pub fn to(token: &SessionToken) -> Self {
        Self(format!("{COOKIE}={}; {}", *token.0, Self::RULES))
    }

    /// To forget it.
    pub fn away() -> Self {
        Self(format!("{COOKIE}=; Max-Age=0; {}", Self::RULES))
    }
}
