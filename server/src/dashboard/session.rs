//! Sessions: the token by which a browser is recognized, and how long it is valid.

use actix_web::HttpRequest;
use actix_web::http::header;
use data_encoding::BASE64URL_NOPAD;
use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::page::Error;
use crate::store::session::TokenHash;

/// An unused session ends after this time.
pub const IDLE: SignedDuration = SignedDuration::from_hours(2);

/// Every session ends after this time.
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(12);

/// The name of the cookie, whose prefix binds it to this host and to encrypted connections.
const COOKIE: &str = "__Host-holdfast";

/// How a user logged in. It is part of the token, so nobody can change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginMethod {
    /// With a link from an operator: the user may have forgotten the password.
    Link,
    Password,
}

/// The token by which a browser is recognized.
#[derive(Clone)]
pub struct SessionToken(Zeroizing<String>);

impl SessionToken {
    /// Makes a new token.
    ///
    /// # Errors
    /// Returns an error if the system has no random numbers.
    pub fn new(by: LoginMethod) -> Result<Self, Error> {
        let mark = if by == LoginMethod::Link { 'l' } else { 'p' };
        Ok(Self(Zeroizing::new(format!("{mark}{}", *random()?))))
    }

    /// The hash of the token, which is what the store has.
    pub fn hash(&self) -> TokenHash {
        hash_of(&self.0)
    }

    /// How the user logged in.
    pub fn came_by(&self) -> LoginMethod {
        if self.0.starts_with('l') { LoginMethod::Link } else { LoginMethod::Password }
    }
}

fn random() -> Result<Zeroizing<String>, Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(|_| Error::Unforeseen)?;
    Ok(Zeroizing::new(BASE64URL_NOPAD.encode(&*bytes)))
}

/// The hash of a token, which is what the store has.
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

/// A header that makes the browser keep a session, or forget it.
pub struct SetCookie(pub(super) String);

impl SetCookie {
    /// No script can read it, and no request from another site carries it.
    const RULES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

    /// Makes the browser keep the token.
    pub fn to(token: &SessionToken) -> Self {
        Self(format!("{COOKIE}={}; {}", *token.0, Self::RULES))
    }

    /// Makes the browser forget the token.
    pub fn away() -> Self {
        Self(format!("{COOKIE}=; Max-Age=0; {}", Self::RULES))
    }
}
