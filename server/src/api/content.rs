//! `GET /v1/content/{sha256}`: static files that the caller's own last catalogs refer to.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Bytes, Data, Path};
use holdfast_catalog::hash::ContentHash;

use super::State;
use super::caller::AgentIdentity;
use super::limits::{Kind, Who};
use super::refused::Refused;

/// Answers with content. For another node's content, an unknown hash, and something that is not a hash, the answer is
/// the same.
pub async fn content(
    AgentIdentity(caller): AgentIdentity,
    state: Data<State>,
    hash: Path<String>,
) -> Result<HttpResponse, Refused> {
    state.limits.take(Who::Node(caller.node), Kind::Content)?;
    let hash = ContentHash::parse(&hash).ok_or_else(Refused::not_found)?;
    let bytes = state.live.content(&caller, hash).await?.ok_or_else(Refused::not_found)?;
    Ok(HttpResponse::Ok()
        .content_type("application/octet-stream")
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_DISPOSITION, "attachment"))
        .body(Bytes::from_owner(bytes)))
}
