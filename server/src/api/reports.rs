//! `POST /v1/reports`: what the caller did. A report carries no name.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use holdfast_catalog::report::Report;
use holdfast_catalog::wire::{MAX_REPORT, ReportAnswer};

use super::caller::AgentIdentity;
use super::limits::{Kind, Who};
use super::refused::Refused;
use super::{State, answer, body};

/// A report costs another token for each so many bytes: what is stored is limited, not only how often.
const TOKEN: usize = 64 * 1024;

/// Stores the caller's report, once.
pub async fn report(
    request: HttpRequest,
    AgentIdentity(caller): AgentIdentity,
    state: Data<State>,
    payload: Payload,
) -> Result<HttpResponse, Refused> {
    state.limits.take(Who::Node(caller.node), Kind::Report)?;
    let (report, size): (Report, usize) = body::read_sized(&request, payload, MAX_REPORT).await?;
    state.limits.charge(Who::Node(caller.node), Kind::Report, size / TOKEN);
    let new = state.live.report(&caller, report).await?;
    answer::json(&request, &ReportAnswer { new })
}
