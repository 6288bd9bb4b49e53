//! `POST /v1/enroll` and `POST /v1/renew`: certificates.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use holdfast_catalog::wire::{EnrollRequest, RenewRequest};

use super::body::Body;
use super::caller::Presented;
use super::limits::{Kind, Who};
use super::refused::Refused;
use super::{State, answer};
use crate::live::Happening;
use crate::network;

/// The largest request, in bytes; a signing request is small.
const LIMIT: usize = 32 * 1024;

/// Enrols a node. This is the only route without a client certificate.
pub async fn enroll(
    request: HttpRequest,
    state: Data<State>,
    payload: Payload,
) -> Result<HttpResponse, Refused> {
    let address = request.peer_addr().map(|address| address.ip());
    let who = Who::Network(address.map(network::of));
    state.limits.take(who.clone(), Kind::Enroll)?;
    let body = Body { state: state.clone(), who, kind: Kind::Enroll, limit: LIMIT };
    let (asked, _held) = body.read::<EnrollRequest>(&request, payload).await?;
    let from = address.map_or_else(String::new, |address| address.to_string());
    let granted = state.identity.enroll(asked, &from).await?;
    if let Some(node) = state.identity.node(&granted.certname) {
        tracing::info!(node = %granted.certname, from, "enrolled");
        state.live.tell(Happening::NodeChanged { certname: node.certname, place: node.place });
    }
    answer::json(&request, &granted)
}

/// Issues the next certificate, requested with the present one, which may have expired a while ago.
pub async fn renew(
    request: HttpRequest,
    presented: Presented,
    state: Data<State>,
    payload: Payload,
) -> Result<HttpResponse, Refused> {
    let who = Who::Named(presented.0.name.certname.clone());
    state.limits.take(who.clone(), Kind::Renew)?;
    let body = Body { state: state.clone(), who, kind: Kind::Renew, limit: LIMIT };
    let (asked, _held) = body.read::<RenewRequest>(&request, payload).await?;
    answer::json(&request, &state.identity.renew(&presented.0, asked).await?)
}
