//! What holds for every request, whatever it asks for.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::middleware::Next;
use holdfast_catalog::wire::path;

use super::caller;
use super::limits::{Kind, Who};
use super::refused::Refused;
use crate::identity::Peer;
use crate::network;

/// No route takes a query, so none is ignored; and strangers are counted, and keep no connection.
///
/// # Errors
/// Where a request has no place here.
pub async fn enter(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let is_stranger = request.request().conn_data::<Peer>().is_none();
    // Enrolment has an allowance of its own.
    if is_stranger && request.path() != path::ENROLL {
        let from = request.peer_addr().map(|address| network::of(address.ip()));
        caller::state_of(request.request())?.limits.take(Who::Network(from), Kind::Nothing)?;
    }
    if request.uri().query().is_some() {
        return Err(Refused::bad_request("bad-query", "no route takes query parameters").into());
    }
    let mut response = next.call(request).await?;
    if is_stranger {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}
