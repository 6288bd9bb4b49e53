//! What nodes may ask: the routes of protocol version 1. This is the only place with status codes.
//!
//! No request names a node. The caller is [`caller::AgentIdentity`], taken from the connection's certificate and
//! checked against the node's state at each request. What the caller reads and what the log says are two different
//! texts.

use std::sync::Arc;

use actix_web::middleware::from_fn;
use actix_web::web;
use holdfast_catalog::wire::path;

use crate::control::Control;
use crate::identity::Identity;

mod answer;
mod body;
mod caller;
mod catalog;
mod content;
mod enroll;
mod entry;
mod limits;
mod rejection;
mod reports;

#[cfg(test)]
mod tests;

pub use caller::remember_peer;
pub use limits::Limits;

/// What the routes need to answer requests.
pub struct ApiState {
    pub identity: Arc<Identity>,
    /// The commit in force.
    pub control: Arc<Control>,
    /// How much each node and each stranger may ask.
    pub limits: Limits,
}

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    let routes = web::scope("")
        .wrap(from_fn(entry::enter))
        .wrap(from_fn(entry::count))
        .service(web::resource(path::ENROLL).route(web::post().to(enroll::enroll)))
        .service(web::resource(path::RENEW).route(web::post().to(enroll::renew)))
        .service(web::resource(path::CATALOG).route(web::post().to(catalog::poll)))
        .service(web::resource(format!("{}/{{hash}}", path::CONTENT)).route(web::get().to(content::content)))
        .service(web::resource(path::REPORTS).route(web::post().to(reports::report)))
        .default_service(web::to(rejection::no_such_route));
    config.service(routes);
}
