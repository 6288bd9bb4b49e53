//! `POST /v1/enroll` and `POST /v1/renew`: certificates.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use holdfast_catalog::wire::{EnrollRequest, RenewRequest};

use super::body::BodyReader;
use super::caller::PresentedCertificate;
use super::limits::{RequestKind, Requester};
use super::rejection::Rejection;
use super::{ApiState, answer};
use crate::control::StateChange;
use crate::network;

/// The largest request, in bytes; a signing request is small.
const MAX_BYTES: usize = 32 * 1024;

/// Enrols a node. This is the only route without a client certificate.
pub async fn enroll(
    request: HttpRequest,
    state: Data<ApiState>,
    payload: Payload,
) -> Result<HttpResponse, Rejection> {
    let address = request.peer_addr().map(|address| address.ip());
    let who = Requester::Network(address.map(network::of));
    state.limits.take(who.clone(), RequestKind::Enroll)?;
    let body = BodyReader { state: state.clone(), who, kind: RequestKind::Enroll, limit: MAX_BYTES };
    let (asked, _held) = body.read::<EnrollRequest>(&request, payload).await?;
    let from = address.map_or_else(String::new, |address| address.to_string());
    let granted = state.identity.enroll(asked, &from).await?;
    if let Some(node) = state.identity.node(&granted.certname) {
        tracing::info!(node = %granted.certname, from, "enrolled");
        state.control.tell(StateChange::NodeChanged { certname: node.certname, tenancy: node.tenancy });
    }
    answer::json(&request, &granted)
}

/// Issues the next certificate, requested with the present one, which may have expired a while ago.
pub async fn renew(
    request: HttpRequest,
    presented: PresentedCertificate,
    state: Data<ApiState>,
    payload: Payload,
) -> Result<HttpResponse, Rejection> {
    let who = Requester::Named(presented.0.name.certname.clone());
    state.limits.take(who.clone(), RequestKind::Renew)?;
    let body = BodyReader { state: state.clone(), who, kind: RequestKind::Renew, limit: MAX_BYTES };
    let (asked, _held) = body.read::<RenewRequest>(&request, payload).await?;
    answer::json(&request, &state.identity.renew(&presented.0, asked).await?)
}
