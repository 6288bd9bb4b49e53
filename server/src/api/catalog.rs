//! `POST /v1/catalog`: the poll.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use holdfast_catalog::facts;
use holdfast_catalog::hash::ContentHash;
use holdfast_catalog::wire::CatalogRequest;

use super::body::BodyReader;
use super::caller::AgentIdentity;
use super::limits::{RequestKind, Requester};
use super::rejection::Rejection;
use super::{ApiState, answer};

/// The largest request, in bytes: facts and a little more.
const MAX_BYTES: usize = facts::MAX_BYTES + 4 * 1024;

/// The longest version of an agent, in bytes.
const MAX_VERSION: usize = 128;

/// Answers a poll.
pub async fn poll(
    request: HttpRequest,
    AgentIdentity(caller): AgentIdentity,
    state: Data<ApiState>,
    payload: Payload,
) -> Result<HttpResponse, Rejection> {
    let who = Requester::Node(caller.node);
    state.limits.take(who.clone(), RequestKind::Poll)?;
    let body = BodyReader { state: state.clone(), who, kind: RequestKind::Poll, limit: MAX_BYTES };
    let (asked, _held) = body.read::<CatalogRequest>(&request, payload).await?;
    if ContentHash::parse(&asked.facts_hash).is_none() || asked.agent.len() > MAX_VERSION {
        return Err(Rejection::bad_request("bad-body", "`facts_hash` is SHA-256 in lower-case hex"));
    }
    answer::json(&request, &state.control.poll(&caller, asked).await?)
}
