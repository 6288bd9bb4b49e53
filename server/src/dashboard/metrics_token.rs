//! The token that opens `/metrics` to other machines. It is in a file of the server, and a scraper sends it as
//! `Authorization: Bearer`.

use actix_web::HttpRequest;
use actix_web::http::header;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// The fewest characters of a token, so that it cannot be guessed.
const MIN_LENGTH: usize = 16;

/// A token; only a hash of it is kept, so it cannot be shown.
#[derive(Clone)]
pub struct MetricsToken([u8; 32]);

impl MetricsToken {
    /// The token whose text is the whole content of a file; `None` if it is too short, or has characters that a header
    /// cannot have.
    pub fn parse(text: &str) -> Option<Self> {
        let token = text.trim();
        let is_one = token.len() >= MIN_LENGTH && token.bytes().all(|byte| byte.is_ascii_graphic());
        is_one.then(|| Self(tag(token).finalize().into_bytes().into()))
    }

    /// Whether a request has this token; `None` if it has none. The time does not depend on where they differ.
    pub fn is_shown_by(&self, request: &HttpRequest) -> Option<bool> {
        let shown = request.headers().get(header::AUTHORIZATION)?.to_str().unwrap_or_default();
        let (scheme, token) = shown.split_once(' ').unwrap_or((shown, ""));
        let is_bearer = scheme.eq_ignore_ascii_case("bearer");
        Some(is_bearer && tag(token.trim()).verify_slice(&self.0).is_ok())
    }
}

fn tag(token: &str) -> Hmac<Sha256> {
    let mut mac =
        <Hmac<Sha256> as hmac::Mac>::new_from_slice(token.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(b"metrics");
    mac
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    const TOKEN: &str = "a-token-of-24-characters";

    #[test]
    fn a_token_is_long_enough_and_fits_into_a_header() {
        for text in [TOKEN, &format!("{TOKEN}\n"), &format!("  {TOKEN}\r\n")] {
            assert!(MetricsToken::parse(text).is_some(), "{text:?}");
        }
        for text in ["", "\n", "only-15-letters", "two tokens of one file", "umlauts-äöü-äöü-äöü"] {
            assert!(MetricsToken::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn only_the_whole_token_is_the_token() {
        let token = MetricsToken::parse(&format!("{TOKEN}\n")).unwrap();
        let shown = |value: &str| {
            let request = TestRequest::get().insert_header(("authorization", value)).to_http_request();
            token.is_shown_by(&request)
        };
        assert_eq!(shown(&format!("Bearer {TOKEN}")), Some(true));
        assert_eq!(shown(&format!("bearer  {TOKEN}")), Some(true));
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            &TOKEN[1..],
            TOKEN,
            &format!("Basic {TOKEN}"),
            &format!("Bearer {TOKEN}x"),
        ] {
            assert_eq!(shown(wrong), Some(false), "{wrong}");
        }
        assert_eq!(shown(&format!("Bearer {}", &TOKEN[..23])), Some(false));
        assert_eq!(token.is_shown_by(&TestRequest::get().to_http_request()), None);
    }
}
