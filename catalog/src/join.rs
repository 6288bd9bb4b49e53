//! The join string: everything that a new node needs to know, in one piece of text without spaces.
//!
//! `hj1.<host>:<port>.<pin>.<token id>.<secret><check>`: the pin is the SHA-256 of the CA's public key (base64url), and
//! the last four characters detect typing errors. It is secret until it is used.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

const VERSION: &str = "hj1";
const CHECK: usize = 4;

/// A parsed join string.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinString {
    server: String,
    pin: [u8; 32],
    token: String,
    secret: Zeroizing<String>,
}

/// Why a text is not a join string. The error never repeats the text, which may contain a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJoin {
    /// It has another form.
    #[error("this is not a join string: it begins with `{VERSION}.` and has no spaces; copy it whole")]
    Shape,
    /// A character is missing or wrong.
    #[error("the join string has a typing error: its check characters do not match; copy it again")]
    Check,
    /// The server's address is not valid.
    #[error("the join string does not name a server as host:port; make it again with `holdfast node add`")]
    Server,
}

impl JoinString {
    /// Makes a join string.
    ///
    /// # Errors
    /// Fails if `server` is not a `host:port`, or the token's parts are not lower-case letters and digits.
    pub fn new(server: &str, pin: [u8; 32], token: &str, secret: &str) -> Result<Self, InvalidJoin> {
        let plain = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        if !plain(token) || !plain(secret) {
            return Err(InvalidJoin::Shape);
        }
        if !is_authority(server) {
            return Err(InvalidJoin::Server);
        }
        let secret = Zeroizing::new(secret.to_owned());
        Ok(Self { server: server.to_owned(), pin, token: token.to_owned(), secret })
    }

    /// The server's `host:port`.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// SHA-256 of the CA's subject public key info.
    pub fn pin(&self) -> &[u8; 32] {
        &self.pin
    }

    /// The token's public part.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The token's secret.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The complete text, for the node.
    pub fn reveal(&self) -> Zeroizing<String> {
        let pin = BASE64URL_NOPAD.encode(&self.pin);
        let body = format!("{VERSION}.{}.{pin}.{}.{}", self.server, self.token, *self.secret);
        let check = check(&body);
        Zeroizing::new(body + &check)
    }
}

impl FromStr for JoinString {
    type Err = InvalidJoin;

    fn from_str(text: &str) -> Result<Self, InvalidJoin> {
        let text = text.trim();
        let rest =
            text.strip_prefix(VERSION).and_then(|rest| rest.strip_prefix('.')).ok_or(InvalidJoin::Shape)?;
        let end = text.len().checked_sub(CHECK).filter(|end| text.is_char_boundary(*end));
        let (body, given) = text.split_at(end.ok_or(InvalidJoin::Shape)?);
        if check(body) != given {
            return Err(InvalidJoin::Check);
        }
        // The host may contain dots; what follows it does not.
        let mut parts = rest[..rest.len() - CHECK].rsplitn(4, '.');
        let mut part = || parts.next().ok_or(InvalidJoin::Shape);
        let (secret, token, pin, server) = (part()?, part()?, part()?, part()?);
        let pin = BASE64URL_NOPAD.decode(pin.as_bytes()).map_err(|_| InvalidJoin::Shape)?;
        Self::new(server, pin.try_into().map_err(|_| InvalidJoin::Shape)?, token, secret)
    }
}

/// Shows it without the secret, for logs.
impl fmt::Debug for JoinString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinString({}, token {})", self.server, self.token)
    }
}

fn check(body: &str) -> String {
    let mut check = BASE32_NOPAD.encode(&Sha256::digest(body)).to_ascii_lowercase();
    check.truncate(CHECK);
    check
}

/// Whether a text is `name:port`, `1.2.3.4:port` or `[v6]:port`, in the characters that such names have.
fn is_authority(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-'),
    };
    host && port.parse::<u16>().is_ok_and(|port| port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(server: &str) -> JoinString {
        JoinString::new(server, [7; 32], "abcd2345", "aaaabbbbccccdddd").unwrap()
    }

    #[test]
    fn it_survives_being_copied() {
        for server in ["cfg.example:8140", "127.0.0.1:8140", "[::1]:8140"] {
            let text = join(server).reveal();
            assert_eq!(format!(" {}\n", *text).parse::<JoinString>().unwrap(), join(server), "{}", *text);
        }
    }

    #[test]
    fn a_slip_is_noticed() {
        let text = join("cfg.example:8140").reveal();
        assert_eq!(text.replacen("cfg", "cgf", 1).parse::<JoinString>(), Err(InvalidJoin::Check));
        assert_eq!(text[..text.len() - 1].parse::<JoinString>(), Err(InvalidJoin::Check));
        for other in ["", "hj1", "hj1.", "hj1.é", "hj2.x", "a b"] {
            assert!(other.parse::<JoinString>().is_err(), "{other:?}");
        }
    }

    #[test]
    fn only_an_address_is_a_server() {
        for bad in
            ["cfg.example", "cfg:0", "cfg:65536", ":8140", "a/b:1", "user@host:1", "[::1:8140", "a b:1"]
        {
            let made = JoinString::new(bad, [7; 32], "abcd2345", "aaaabbbb");
            assert_eq!(made, Err(InvalidJoin::Server), "{bad}");
        }
    }

    #[test]
    fn its_secret_stays_out_of_logs() {
        let shown = format!("{:?}", join("cfg.example:8140"));
        assert!(shown.contains("abcd2345") && !shown.contains("aaaabbbb"), "{shown}");
    }
}
