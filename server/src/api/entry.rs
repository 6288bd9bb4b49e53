//! What holds for every request, whatever it asks for.

use actix_web::ResponseError as _;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::middleware::Next;
use holdfast_catalog::wire::path;

use super::limits::{Kind, Who};
use super::refused::Refused;
use super::{State, caller};
use crate::identity::Peer;
use crate::measure::Side;
use crate::{network, request};

/// What a refusal costs the certificate that was shown, in tokens of [`Kind::Nothing`]: anyone who has no rights here has
/// nothing to ask again for.
fn cost(status: StatusCode) -> usize {
    match status {
        StatusCode::FORBIDDEN => 10,
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => 1,
        _ => 0,
    }
}

/// Counts requests, by their routes and what they came to, and gives each its id.
///
/// # Errors
/// Those of the routes.
pub async fn count(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let measures = caller::state_of(request.request())?.live.measures().clone();
    request::answered(Side::Nodes, Some(measures), next.call(request)).await
}

/// Whether a request may be answered by its route.
fn has_place(request: &ServiceRequest, state: &State, certificate: Option<&Who>) -> Result<(), Refused> {
    match certificate {
        Some(certificate) => state.limits.look(certificate.clone(), Kind::Nothing)?,
        // Enrolment has an allowance of its own.
        None if request.path() == path::ENROLL => {}
        None => {
            let from = request.peer_addr().map(|address| network::of(address.ip()));
            state.limits.take(Who::Network(from), Kind::Nothing)?;
        }
    }
    if request.uri().query().is_some() {
        if let Some(certificate) = certificate {
            state.limits.pay(certificate.clone(), Kind::Nothing, cost(StatusCode::BAD_REQUEST));
        }
        return Err(Refused::bad_request("bad-query", "no route takes query parameters"));
    }
    Ok(())
}

/// No route takes a query, so none is ignored; strangers are counted, and keep no connection; and of each certificate
/// what is refused is counted, since not everything that it asks for has a count of its own.
///
/// # Errors
/// Where a request has no place here.
pub async fn enter(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let state = caller::state_of(request.request())?;
    let shown = request.request().conn_data::<Peer>().map(|peer| peer.certificate.serial.clone());
    let certificate = shown.map(Who::Certificate);
    if let Err(refused) = has_place(&request, &state, certificate.as_ref()) {
        return Ok(request.into_response(refused.error_response()).map_into_right_body());
    }
    let mut response = next.call(request).await?.map_into_left_body();
    match certificate {
        // This one has its answer; the next waits.
        Some(certificate) => state.limits.pay(certificate, Kind::Nothing, cost(response.status())),
        None => response.response_mut().head_mut().set_connection_type(ConnectionType::Close),
    }
    Ok(response)
}
