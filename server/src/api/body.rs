//! Bodies: JSON, perhaps compressed by zstd; limited in bytes before and after decompression, in depth and in time.

use std::borrow::Cow;
use std::io::Read as _;
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::web::{Bytes, Payload};
use actix_web::{HttpRequest, web};
use serde::de::DeserializeOwned;

use super::refused::Refused;

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// Plain bodies beyond, and all that are compressed, are decoded on a thread for blocking work: little can hold much.
const SMALL: usize = 32 * 1024;

/// The largest window of zstd, as a power of two: 8 MiB, whatever a frame asks for.
const WINDOW_LOG: u32 = 23;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Plain,
    Zstd,
}

/// Reads a body of at most `limit` bytes, compressed or not.
///
/// # Errors
/// What is wrong with it, for the caller.
pub async fn read<T: DeserializeOwned + Send + 'static>(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
) -> Result<T, Refused> {
    read_sized(request, payload, limit).await.map(|(value, _)| value)
}

/// The same, with its size after decompression.
///
/// # Errors
/// What is wrong with it, for the caller.
pub async fn read_sized<T: DeserializeOwned + Send + 'static>(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
) -> Result<(T, usize), Refused> {
    let encoding = encoding(request)?;
    let late = || Refused::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "the body took more than a minute");
    let bytes =
        tokio::time::timeout(PATIENCE, collect(request, payload, limit)).await.map_err(|_| late())??;
    if bytes.len() <= SMALL && encoding == Encoding::Plain {
        return decode(&bytes, encoding, limit);
    }
    let failed = |_| Refused::bad_request("bad-body", "the body cannot be decoded");
    web::block(move || decode(&bytes, encoding, limit)).await.map_err(failed)?
}

fn encoding(request: &HttpRequest) -> Result<Encoding, Refused> {
    match request.headers().get(header::CONTENT_ENCODING).map(|value| value.as_bytes()) {
        None | Some(b"identity") => Ok(Encoding::Plain),
        Some(b"zstd") => Ok(Encoding::Zstd),
        Some(_) => Err(Refused::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "bad-encoding",
            "a body is plain or compressed by zstd",
        )),
    }
}

async fn collect(request: &HttpRequest, payload: Payload, limit: usize) -> Result<Bytes, Refused> {
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced.and_then(|length| length.parse().ok()).is_some_and(|length: usize| length > limit) {
        return Err(too_large(limit));
    }
    let broken = |_| Refused::bad_request("bad-body", "the body broke off");
    payload.to_bytes_limited(limit).await.map_err(|_| too_large(limit))?.map_err(broken)
}

fn decode<T: DeserializeOwned>(
    bytes: &[u8],
    encoding: Encoding,
    limit: usize,
) -> Result<(T, usize), Refused> {
    let plain = match encoding {
        Encoding::Plain => Cow::Borrowed(bytes),
        Encoding::Zstd => Cow::Owned(decompress(bytes, limit)?),
    };
    Ok((parse(&plain)?, plain.len()))
}

fn decompress(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Refused> {
    let bad = |_| Refused::bad_request("bad-body", "the body is not zstd");
    let mut decoder = zstd::Decoder::with_buffer(bytes).map_err(bad)?;
    decoder.window_log_max(WINDOW_LOG).map_err(bad)?;
    let mut plain = Vec::new();
    decoder.take(limit as u64 + 1).read_to_end(&mut plain).map_err(bad)?;
    if plain.len() > limit { Err(too_large(limit)) } else { Ok(plain) }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(bytes).map_err(|error| {
        // The text may repeat what the caller wrote: to the caller alone, and not at length.
        let reason: String = error.to_string().chars().take(200).flat_map(char::escape_default).collect();
        Refused::bad_request("bad-body", format!("the body is not what this route takes: {reason}"))
    })
}

fn too_large(limit: usize) -> Refused {
    let message = format!("the body is larger than {limit} bytes");
    Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::ResponseError as _;

    fn status(outcome: Result<(serde_json::Value, usize), Refused>) -> u16 {
        outcome.map_or_else(|refused| refused.status_code().as_u16(), |_| 200)
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit_after_decompression() {
        let bomb = zstd::encode_all(&vec![b' '; 50_000_000][..], 3).unwrap();
        assert!(bomb.len() < 10_000);
        assert_eq!(status(decode(&bomb, Encoding::Zstd, 1_000_000)), 413);
        let fine = zstd::encode_all(&b"{\"a\":1}"[..], 3).unwrap();
        assert_eq!(status(decode(&fine, Encoding::Zstd, 1_000_000)), 200);
        assert_eq!(status(decode(b"{\"a\":1}", Encoding::Zstd, 1_000_000)), 400);
    }

    #[test]
    fn depth_is_limited() {
        let deep = "[".repeat(100_000);
        assert_eq!(status(decode(deep.as_bytes(), Encoding::Plain, 1_000_000)), 400);
    }
}
