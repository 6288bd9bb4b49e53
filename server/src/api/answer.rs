//! Answers: JSON, compressed if the caller accepts zstd and it is worthwhile.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::rejection::Rejection;
use crate::store;

/// Answers smaller than this, in bytes, are not compressed.
const WORTH_IT: usize = 512;

/// Makes an answer with a value as JSON.
///
/// # Errors
/// Returns an error if the value cannot be encoded.
pub fn json<T: Serialize>(request: &HttpRequest, value: &T) -> Result<HttpResponse, Rejection> {
    let failed = |error: std::io::Error| Rejection::from(store::Error::Database(Box::new(error)));
    let plain = serde_json::to_vec(value).map_err(|error| failed(error.into()))?;
    let mut response = HttpResponse::Ok();
    response.content_type("application/json");
    if plain.len() < WORTH_IT || !takes_zstd(request) {
        return Ok(response.body(plain));
    }
    let packed = zstd::encode_all(&plain[..], 3).map_err(failed)?;
    Ok(response.insert_header((header::CONTENT_ENCODING, "zstd")).body(packed))
}

fn takes_zstd(request: &HttpRequest) -> bool {
    let accepted = request.headers().get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|list| list.split(',').any(|coding| coding.trim() == "zstd"))
}
