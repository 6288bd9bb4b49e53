//! `POST /v1/catalog`: the poll.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use holdfast_catalog::facts;
use holdfast_catalog::hash::ContentHash;
use holdfast_catalog::wire::CatalogRequest;

use super::body::Body;
use super::caller::AgentIdentity;
use super::limits::{Kind, Who};
use super::refused::Refused;
use super::{State, answer};

/// The largest request, in bytes: facts and a little more.
const LIMIT: usize = facts::MAX_BYTES + 4 * 1024;

/// The longest version of an agent, in bytes.
const MAX_VERSION: usize = 128;

/// Answers a poll.
pub async fn poll(
    request: HttpRequest,
    AgentIdentity(caller): AgentIdentity,
    state: Data<State>,
    payload: Payload,
) -> Result<HttpResponse, Refused> {
    let who = Who::Node(caller.node);
    state.limits.take(who.clone(), Kind::Poll)?;
    let body = Body { state: state.clone(), who, kind: Kind::Poll, limit: LIMIT };
    let (asked, _held) = body.read::<CatalogRequest>(&request, payload).await?;
    if ContentHash::parse(&asked.facts_hash).is_none() || asked.agent.len() > MAX_VERSION {
        return Err(Refused::bad_request("bad-body", "`facts_hash` is SHA-256 in lower-case hex"));
    }
    answer::json(&request, &state.live.poll(&caller, asked).await?)
}
