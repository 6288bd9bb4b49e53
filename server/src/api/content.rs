//! `GET /v1/content/{sha256}`: static files that the caller's own last catalogs refer to.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Bytes, Data, Path};
use holdfast_catalog::hash::ContentHash;

use super::ApiState;
use super::caller::AgentIdentity;
use super::limits::{RequestKind, Requester};
use super::rejection::Rejection;

/// Answers with content. For another node's content, an unknown hash, and something that is not a hash, the answer is
/// the same.
pub async fn content(
    AgentIdentity(caller): AgentIdentity,
    state: Data<ApiState>,
    hash: Path<String>,
) -> Result<HttpResponse, Rejection> {
    state.limits.take(Requester::Node(caller.node), RequestKind::Content)?;
    let hash = ContentHash::parse(&hash).ok_or_else(Rejection::not_found)?;
    let bytes = state.control.content(&caller, hash).await?.ok_or_else(Rejection::not_found)?;
    Ok(HttpResponse::Ok()
        .content_type("application/octet-stream")
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_DISPOSITION, "attachment"))
        .body(Bytes::from_owner(bytes)))
}
