//! Reads bodies: JSON, optionally compressed with zstd. There are limits on the size before and after decompression, on
//! the depth, on the time, and on how many are processed at once.
//!
//! Small bodies are read at once. Of large ones, each caller may have one of each kind in work, from its first byte to
//! the answer, and only a few of all callers are decompressed at a time: a small body can take much memory. Bodies are
//! charged for by size as soon as that is known, before anything is made from them.

use std::borrow::Cow;
use std::io::Read as _;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::web::{Bytes, Data, Payload};
use actix_web::{HttpRequest, web};
use serde::de::DeserializeOwned;

use super::ApiState;
use super::caller::admitted;
use super::limits::{LargeBody, RequestKind, Requester};
use super::rejection::Rejection;

/// How long a body may take to arrive, and then to get its turn.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bodies larger than this, compressed or not, are decoded on a thread for blocking work.
const SMALL: usize = 32 * 1024;

/// A body costs another token for each of these many bytes, so that the amount is limited and not only the number of
/// requests.
const TOKEN: usize = 64 * 1024;

/// The largest zstd window, as a power of two: 8 MiB, whatever a frame asks for.
const WINDOW_LOG: u32 = 23;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Plain,
    Zstd,
}

/// How a body is read, and who is charged for it.
pub struct BodyReader {
    /// What the routes need.
    pub state: Data<ApiState>,
    pub who: Requester,
    /// What the request asks for.
    pub kind: RequestKind,
    /// The most bytes of the body, compressed or not.
    pub limit: usize,
}

impl BodyReader {
    /// Reads the body. The second value marks that a large body is in work; keep it as long as the first one.
    ///
    /// # Errors
    /// Returns what is wrong with the body, for the caller.
    pub async fn read<T: DeserializeOwned + Send + 'static>(
        self,
        request: &HttpRequest,
        payload: Payload,
    ) -> Result<(T, Option<LargeBody>), Rejection> {
        let encoding = encoding(request)?;
        let announced = announced(request);
        if announced.is_some_and(|length| length > self.limit) {
            return Err(too_large(self.limit));
        }
        let may_be_large = self.limit > SMALL && announced.is_none_or(|length| length > SMALL);
        let held = if may_be_large { Some(self.hold()?) } else { None };
        let late =
            || Rejection::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "the body took more than a minute");
        let collected = tokio::time::timeout(PATIENCE, collect(payload, self.limit)).await;
        let bytes = collected.map_err(|_| late())??;
        let is_node = matches!(self.who, Requester::Node(_));
        let read = match small(&bytes, encoding) {
            Some(plain) => (self.parse(&plain)?, held),
            None if self.limit <= SMALL => (self.decode(&bytes, encoding)?, held),
            None => self.read_large(bytes, encoding, held).await?,
        };
        if is_node {
            // It was admitted by the head of its request, and may have been revoked while it sent the rest.
            admitted(request).await?;
        }
        Ok(read)
    }

    async fn read_large<T: DeserializeOwned + Send + 'static>(
        self,
        bytes: Bytes,
        encoding: Encoding,
        held: Option<LargeBody>,
    ) -> Result<(T, Option<LargeBody>), Rejection> {
        let held = match held {
            Some(held) => held,
            None => self.hold()?,
        };
        let permit = self.state.limits.decoder(PATIENCE).await?;
        // If the server stops before the body had its turn, nothing is wrong with the body, and it should be sent again.
        let stopped = |_| {
            Rejection::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "server-stopping",
                "the server is stopping: try again later",
            )
        };
        // Both are kept until the work ends, even if the caller has gone away.
        let decode = move || {
            let value = contained(|| self.decode(&bytes, encoding));
            drop(permit);
            value.map(|value| (value, Some(held)))
        };
        web::block(decode).await.map_err(stopped)?
    }

    fn hold(&self) -> Result<LargeBody, Rejection> {
        self.state.limits.hold(self.who.clone(), self.kind)
    }

    fn decode<T: DeserializeOwned>(&self, bytes: &[u8], encoding: Encoding) -> Result<T, Rejection> {
        let plain = match encoding {
            Encoding::Plain => Cow::Borrowed(bytes),
            Encoding::Zstd => {
                let mut plain = Vec::new();
                let unpacked = decompress(bytes, self.limit, &mut plain);
                if let Err(refused) = unpacked {
                    // A body that cannot be decompressed has caused as much work.
                    self.pay(plain.len());
                    return Err(refused);
                }
                Cow::Owned(plain)
            }
        };
        self.parse(&plain)
    }

    fn parse<T: DeserializeOwned>(&self, plain: &[u8]) -> Result<T, Rejection> {
        self.pay(plain.len());
        parse(plain)
    }

    fn pay(&self, bytes: usize) {
        self.state.limits.charge(self.who.clone(), self.kind, bytes / TOKEN);
    }
}

/// The decoded value. A body that makes the decoder panic is refused, since its sender would otherwise send it again
/// and again.
fn contained<T>(decode: impl FnOnce() -> Result<T, Rejection>) -> Result<T, Rejection> {
    let unreadable = |_| Err(Rejection::bad_request("bad-body", "the body cannot be read"));
    std::panic::catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(unreadable)
}

/// The content of a body that is small both as it arrived and after decompression; `None` for all others, and if it
/// cannot be decompressed.
fn small(bytes: &Bytes, encoding: Encoding) -> Option<Cow<'_, [u8]>> {
    if bytes.len() > SMALL {
        return None;
    }
    if encoding == Encoding::Plain {
        return Some(Cow::Borrowed(bytes));
    }
    let mut plain = Vec::new();
    decompress(bytes, SMALL, &mut plain).ok().map(|()| Cow::Owned(plain))
}

/// The length of the body according to the request's head.
fn announced(request: &HttpRequest) -> Option<usize> {
    let length = request.headers().get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

fn encoding(request: &HttpRequest) -> Result<Encoding, Rejection> {
    match request.headers().get(header::CONTENT_ENCODING).map(|value| value.as_bytes()) {
        None | Some(b"identity") => Ok(Encoding::Plain),
        Some(b"zstd") => Ok(Encoding::Zstd),
        Some(_) => Err(Rejection::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "bad-encoding",
            "a body is plain or compressed with zstd",
        )),
    }
}

async fn collect(payload: Payload, limit: usize) -> Result<Bytes, Rejection> {
    let broken = |_| Rejection::bad_request("bad-body", "the body is incomplete");
    payload.to_bytes_limited(limit).await.map_err(|_| too_large(limit))?.map_err(broken)
}

/// Decompresses at most `limit` bytes into `plain`, and stops at the first byte beyond that.
fn decompress(bytes: &[u8], limit: usize, plain: &mut Vec<u8>) -> Result<(), Rejection> {
    let bad = |_| Rejection::bad_request("bad-body", "the body is not zstd");
    let mut decoder = zstd::Decoder::with_buffer(bytes).map_err(bad)?;
    decoder.window_log_max(WINDOW_LOG).map_err(bad)?;
    decoder.take(limit as u64 + 1).read_to_end(plain).map_err(bad)?;
    if plain.len() > limit { Err(too_large(limit)) } else { Ok(()) }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Rejection> {
    serde_json::from_slice(bytes).map_err(|error| {
        // The text may repeat what the caller wrote, so it is shown only to the caller, and shortened.
        let reason: String = error.to_string().chars().take(200).flat_map(char::escape_default).collect();
        Rejection::bad_request("bad-body", format!("the body is not what this route takes: {reason}"))
    })
}

fn too_large(limit: usize) -> Rejection {
    let message = format!("the body is larger than {limit} bytes");
    Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    use actix_web::ResponseError as _;

    #[test]
    fn what_makes_decoding_panic_is_refused_and_not_asked_for_again() {
        let refused = contained::<()>(|| panic!("a fault of ours")).unwrap_err();
        assert_eq!(refused.status_code(), StatusCode::BAD_REQUEST);
        assert_eq!(contained(|| Ok(1)).unwrap(), 1);
    }

    fn unpacked(bytes: &[u8], limit: usize) -> u16 {
        let outcome = decompress(bytes, limit, &mut Vec::new());
        outcome.map_or_else(|refused| refused.status_code().as_u16(), |()| 200)
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit_after_decompression() {
        let bomb = zstd::encode_all(&vec![b' '; 50_000_000][..], 3).unwrap();
        assert!(bomb.len() < 10_000);
        let mut plain = Vec::new();
        assert!(decompress(&bomb, 1_000_000, &mut plain).is_err());
        assert_eq!(plain.len(), 1_000_001);
        assert_eq!(unpacked(&bomb, 1_000_000), 413);
        assert_eq!(unpacked(&zstd::encode_all(&b"{\"a\":1}"[..], 3).unwrap(), 1_000_000), 200);
        assert_eq!(unpacked(b"{\"a\":1}", 1_000_000), 400);
    }

    #[test]
    fn what_is_small_on_the_line_and_large_in_memory_is_not_small() {
        let packed = |size| Bytes::from(zstd::encode_all(&vec![b' '; size][..], 3).unwrap());
        assert_eq!(small(&packed(SMALL), Encoding::Zstd).map(|plain| plain.len()), Some(SMALL));
        assert!(small(&packed(SMALL + 1), Encoding::Zstd).is_none());
        assert!(small(&Bytes::from(vec![b' '; SMALL + 1]), Encoding::Plain).is_none());
    }

    #[test]
    fn depth_is_limited() {
        let deep = "[".repeat(100_000);
        assert!(parse::<serde_json::Value>(deep.as_bytes()).is_err());
    }
}
