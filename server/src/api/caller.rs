//! Who asks: read from the connection's certificate once, and checked against the node's state for every request.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::{Extensions, Payload};
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest, web};
use jiff::Timestamp;

use super::ApiState;
use super::rejection::Rejection;
use crate::identity::{Caller, Peer, tls};
use crate::network::limiter::ConnectionSlot;
use crate::network::port::Connection;
use crate::request::is_of_node;

/// Keeps a connection's certificate for its requests. If it is not a node's, nothing is kept, and routes refuse the
/// request.
pub fn remember_peer(connection: &Connection, extensions: &mut Extensions) {
    let (stream, session) = connection.get_ref();
    extensions.insert(stream.slot().clone());
    let Some(certificate) = session.peer_certificates().and_then(|chain| chain.first()) else { return };
    let address =
        stream.socket().peer_addr().map_or_else(|_| String::new(), |address| address.ip().to_string());
    if let Some(peer) = tls::peer(certificate, address) {
        extensions.insert(peer);
    }
}

/// The node that asks, admitted for this request: a route that takes this cannot forget the check.
pub struct AgentIdentity(pub Caller);

impl FromRequest for AgentIdentity {
    type Error = Rejection;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Rejection>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        let slot = request.conn_data::<Arc<ConnectionSlot>>().cloned();
        let name = request.conn_data::<Peer>().map(|peer| peer.name.certname.clone());
        Box::pin(async move {
            name.iter().for_each(is_of_node);
            let caller = admitted(&request).await?;
            if let Some(slot) = slot {
                slot.belongs_to(caller.node.number());
            }
            Ok(Self(caller))
        })
    }
}

/// Checks the certificate of a request's connection against the current state of its node.
///
/// # Errors
/// Returns an error if there is no certificate, or if it is refused.
pub async fn admitted(request: &HttpRequest) -> Result<Caller, Rejection> {
    let (peer, state) = (peer_of(request)?, state_of(request)?);
    Ok(state.identity.admit(&peer, Timestamp::now()).await?)
}

/// The certificate of a connection, for renewal: it may have expired, and the renewal itself checks whether it is in force.
pub struct PresentedCertificate(pub Peer);

impl FromRequest for PresentedCertificate {
    type Error = Rejection;
    type Future = std::future::Ready<Result<Self, Rejection>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let peer = peer_of(request);
        peer.iter().for_each(|peer| is_of_node(&peer.name.certname));
        std::future::ready(peer.map(Self))
    }
}

/// The state, which every server of these routes has.
pub fn state_of(request: &HttpRequest) -> Result<web::Data<ApiState>, Rejection> {
    let missing =
        || Rejection::new(StatusCode::SERVICE_UNAVAILABLE, "server-failed", "the server is not ready");
    request.app_data::<web::Data<ApiState>>().cloned().ok_or_else(missing)
}

fn peer_of(request: &HttpRequest) -> Result<Peer, Rejection> {
    let missing = || {
        let message = "this needs a node's certificate: first enrol with `holdfast-agent enroll`";
        Rejection::new(StatusCode::UNAUTHORIZED, "certificate-needed", message)
    };
    request.conn_data::<Peer>().cloned().ok_or_else(missing)
}
