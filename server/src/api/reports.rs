//! `POST /v1/reports`: what a run of the caller did. A report carries no name.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use holdfast_catalog::report::Report;
use holdfast_catalog::wire::{MAX_REPORT, ReportAnswer};

use super::body::BodyReader;
use super::caller::AgentIdentity;
use super::limits::{RequestKind, Requester};
use super::rejection::Rejection;
use super::{ApiState, answer};

/// Stores the caller's report, once.
pub async fn report(
    request: HttpRequest,
    AgentIdentity(caller): AgentIdentity,
    state: Data<ApiState>,
    payload: Payload,
) -> Result<HttpResponse, Rejection> {
    let who = Requester::Node(caller.node);
    state.limits.take(who.clone(), RequestKind::Report)?;
    let body = BodyReader { state: state.clone(), who, kind: RequestKind::Report, limit: MAX_REPORT };
    let (report, _held) = body.read::<Report>(&request, payload).await?;
    let new = state.control.report(&caller, report).await?;
    answer::json(&request, &ReportAnswer { new })
}
