//! Checks that apply to every request, whatever it asks for.

use actix_web::ResponseError as _;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::middleware::Next;
use holdfast_catalog::wire::path;

use super::limits::{RequestKind, Requester};
use super::rejection::Rejection;
use super::{ApiState, caller};
use crate::identity::Peer;
use crate::metrics::Side;
use crate::{network, request};

/// How many tokens of [`RequestKind::Nothing`] a refusal costs the certificate with which the request was made: a caller
/// without rights has no reason to ask again.
fn cost(status: StatusCode) -> usize {
    match status {
        StatusCode::FORBIDDEN => 10,
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => 1,
        _ => 0,
    }
}

/// Counts requests by route and status, and gives each its id.
///
/// # Errors
/// The errors of the routes.
pub async fn count(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let metrics = caller::state_of(request.request())?.control.metrics().clone();
    request::answered(Side::Nodes, Some(metrics), next.call(request)).await
}

/// Whether the route of a request may answer it.
fn has_place(
    request: &ServiceRequest,
    state: &ApiState,
    certificate: Option<&Requester>,
) -> Result<(), Rejection> {
    match certificate {
        Some(certificate) => state.limits.look(certificate.clone(), RequestKind::Nothing)?,
        // Enrolment has an allowance of its own.
        None if request.path() == path::ENROLL => {}
        None => {
            let from = request.peer_addr().map(|address| network::of(address.ip()));
            state.limits.take(Requester::Network(from), RequestKind::Nothing)?;
        }
    }
    if request.uri().query().is_some() {
        if let Some(certificate) = certificate {
            state.limits.pay(certificate.clone(), RequestKind::Nothing, cost(StatusCode::BAD_REQUEST));
        }
        return Err(Rejection::bad_request("bad-query", "no route takes query parameters"));
    }
    Ok(())
}

/// Admits a request. No route takes a query, so one with a query is refused. Strangers are counted, and their
/// connections are not kept open. For each certificate, refusals are counted, since not every kind of request has a
/// count of its own.
///
/// # Errors
/// Returns an error if the request is not admitted.
pub async fn enter(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let state = caller::state_of(request.request())?;
    let shown = request.request().conn_data::<Peer>().map(|peer| peer.certificate.serial.clone());
    let certificate = shown.map(Requester::Certificate);
    if let Err(refused) = has_place(&request, &state, certificate.as_ref()) {
        return Ok(request.into_response(refused.error_response()).map_into_right_body());
    }
    let mut response = next.call(request).await?.map_into_left_body();
    match certificate {
        // This request has its answer; the next one waits.
        Some(certificate) => state.limits.pay(certificate, RequestKind::Nothing, cost(response.status())),
        None => response.response_mut().head_mut().set_connection_type(ConnectionType::Close),
    }
    Ok(response)
}
