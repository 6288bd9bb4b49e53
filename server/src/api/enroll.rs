//! `POST /v1/enroll` and `POST /v1/renew`: certificates.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use holdfast_catalog::wire::{EnrollRequest, RenewRequest};

use super::caller::Presented;
use super::limits::{Kind, Who};
use super::refused::Refused;
use super::{State, answer, body};
use crate::live::Happening;
use crate::network;

/// A signing request is small.
const LIMIT: usize = 32 * 1024;

/// The one route without a client certificate.
pub async fn enroll(
    request: HttpRequest,
    state: Data<State>,
    payload: Payload,
) -> Result<HttpResponse, Refused> {
    let address = request.peer_addr().map(|address| address.ip());
    state.limits.take(Who::Network(address.map(network::of)), Kind::Enroll)?;
    let asked: EnrollRequest = body::read(&request, payload, LIMIT).await?;
    let from = address.map_or_else(String::new, |address| address.to_string());
    let granted = state.identity.enroll(asked, &from).await?;
    if let Some(node) = state.identity.node(&granted.certname) {
        tracing::info!(node = %granted.certname, from, "enrolled");
        state.live.tell(Happening::NodeChanged { certname: node.certname, place: node.place });
    }
    answer::json(&request, &granted)
}

/// The next certificate, asked for with the present one, which may have expired a while ago.
pub async fn renew(
    request: HttpRequest,
    presented: Presented,
    state: Data<State>,
    payload: Payload,
) -> Result<HttpResponse, Refused> {
    state.limits.take(Who::Named(presented.0.name.certname.clone()), Kind::Renew)?;
    let asked: RenewRequest = body::read(&request, payload, LIMIT).await?;
    answer::json(&request, &state.identity.renew(&presented.0, asked).await?)
}
