//! Compresses answers for callers that accept it: pages are text, much of which repeats in each line.
//!
//! The length of compressed data reveals how much of it repeats, to anyone who can watch the connection and choose a
//! part of the page. So no page contains a secret that could be guessed: the session is only in its cookie, which is
//! not sent with requests from other sites, and forms are checked by their origin, not by a token.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, VARY,
};
use actix_web::middleware::Next;
use actix_web::web;
use zlib_rs::{DeflateConfig, ReturnCode, compress_bound, compress_slice};

/// Smaller answers are not compressed, since they fit into one packet anyway. In bytes.
const LEAST: usize = 1_024;

/// The compression level: a compromise of speed and size.
const LEVEL: i32 = 6;

/// A window of 32 KiB, and a gzip header.
const WINDOW: i32 = 15 + 16;

/// Compresses an answer if it is complete and is text; a stream, such as that of happenings, is passed on.
///
/// # Errors
/// The errors of the routes.
pub async fn pack(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let is_wanted = request.method() == Method::GET && takes_gzip(request.headers());
    let response = next.call(request).await?.map_into_boxed_body();
    if !is_text(response.headers()) {
        return Ok(response);
    }
    let (request, response) = response.into_parts();
    let (mut head, body) = response.into_parts();
    head.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    let body = match body.try_into_bytes() {
        // On another thread, since others wait for the one that answers.
        Ok(bytes) if is_wanted && bytes.len() >= LEAST => {
            match web::block(move || (gzip(&bytes), bytes)).await? {
                (Some(packed), _) => {
                    head.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                    BoxBody::new(packed)
                }
                (None, bytes) => BoxBody::new(bytes),
            }
        }
        Ok(bytes) => BoxBody::new(bytes),
        Err(body) => body,
    };
    Ok(ServiceResponse::new(request, head.set_body(body)))
}

fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind != "text/event-stream"
        && (kind.starts_with("text/") || ["application/json", "image/svg+xml"].contains(&kind))
}

/// Whether a request accepts gzip.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>);
        is_gzip && quality.is_ok_and(|quality| quality > 0.0)
    })
}

/// Compresses bytes; `None` if there is not enough memory.
fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    // The bound includes zlib's own header, which is shorter than that of gzip.
    let mut packed = vec![0; compress_bound(bytes.len()) + 32];
    let config = DeflateConfig { window_bits: WINDOW, ..DeflateConfig::new(LEVEL) };
    let (done, code) = compress_slice(&mut packed, bytes, config);
    let length = (code == ReturnCode::Ok).then_some(done.len())?;
    packed.truncate(length);
    Some(packed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderName;
    use zlib_rs::{InflateConfig, decompress_slice};

    fn headers(of: HeaderName, value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(of, HeaderValue::from_static(value));
        headers
    }

    #[test]
    fn what_is_packed_unpacks_to_the_same() {
        let text = "each line of a list has much of the others\n".repeat(2_000).into_bytes();
        let packed = gzip(&text).unwrap();
        assert!(packed.len() < text.len() / 20 && packed.starts_with(&[0x1f, 0x8b]));
        let mut out = vec![0; text.len()];
        let (unpacked, code) = decompress_slice(&mut out, &packed, InflateConfig { window_bits: WINDOW });
        assert_eq!((code, &*unpacked), (ReturnCode::Ok, &*text));
    }

    #[test]
    fn only_who_names_gzip_gets_it() {
        for yes in ["gzip", "deflate, gzip;q=0.5", "br, GZIP , zstd", "gzip; q=1"] {
            assert!(takes_gzip(&headers(ACCEPT_ENCODING, yes)), "{yes}");
        }
        for no in ["", "br", "gzip;q=0", "gzip;q=0.0", "x-gzip", "gzip;q=x"] {
            assert!(!takes_gzip(&headers(ACCEPT_ENCODING, no)), "{no}");
        }
    }

    #[test]
    fn text_is_compressed_and_a_stream_of_happenings_is_not() {
        for yes in ["text/html; charset=utf-8", "application/json", "image/svg+xml", "text/css"] {
            assert!(is_text(&headers(CONTENT_TYPE, yes)), "{yes}");
        }
        for no in ["text/event-stream", "image/png", ""] {
            assert!(!is_text(&headers(CONTENT_TYPE, no)), "{no}");
        }
    }
}
