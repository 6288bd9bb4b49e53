//! `POST /v1/reports`: what a run of the caller did. A report carries no name.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use holdfast_catalog::report::Report;
use holdfast_catalog::wire::{MAX_REPORT, ReportAnswer};

use super::body::Body;
use super::caller::AgentIdentity;
use super::limits::{Kind, Who};
use super::refused::Refused;
use super::{State, answer};

/// Stores the caller's report, once.
pub async fn report(
    request: HttpRequest,
    AgentIdentity(caller): AgentIdentity,
    state: Data<State>,
    payload: Payload,
) -> Result<HttpResponse, Refused> {
    let who = Who::Node(caller.node);
    state.limits.take(who.clone(), Kind::Report)?;
    let body = Body { state: state.clone(), who, kind: Kind::Report, limit: MAX_REPORT };
    let (report, _held) = body.read::<Report>(&request, payload).await?;
    let new = state.live.report(&caller, report).await?;
    answer::json(&request, &ReportAnswer { new })
}
