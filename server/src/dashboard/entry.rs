//! Checks that apply to every request to the pages: the request must name this server, and callers who are not logged
//! in are counted.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::{self, MessageBody};
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::Next;
use actix_web::{HttpRequest, ResponseError as _, web};
use jiff::SignedDuration;

use super::DashboardState;
use super::page::PageFormat;
use super::page::{Error, FormattedError};
use crate::metrics::Side;
use crate::network::limiter::ConnectionSlot;
use crate::network::port::Connection;
use crate::network::rate_limit::{Buckets, RateLimit};
use crate::{network, request};

/// How much the people of one network may ask before they are logged in; a page takes three requests.
const STRANGERS: RateLimit = RateLimit { rate: 50.0, burst: 500.0 };

/// The requests of strangers, by network.
pub type Strangers = Buckets<IpAddr>;

/// Keeps a connection's place for its requests.
pub fn remember_place(connection: &Connection, extensions: &mut Extensions) {
    extensions.insert(connection.get_ref().0.slot().clone());
}

/// Counts requests by route and status, and gives each its id.
///
/// # Errors
/// The errors of the routes.
pub async fn count(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let metrics = request.app_data::<web::Data<DashboardState>>().map(|state| state.server_view.metrics());
    request::answered(Side::People, metrics, next.call(request)).await
}

/// Answers HEAD as GET, without the body (RFC 9110, 9.3.2), which is not even begun: that of the live page never ends.
///
/// # Errors
/// Those of the routes.
pub async fn head(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let is_head = request.method() == Method::HEAD;
    if is_head {
        request.head_mut().method = Method::GET;
    }
    let answer = next.call(request).await?;
    if is_head {
        return Ok(answer.map_body(|_, _| body::None::new()).map_into_right_body());
    }
    Ok(answer.map_into_left_body())
}

/// Lets a request in, or says why not: where it asks for another server, or strangers of its network ask too much.
///
/// # Errors
/// The errors of the routes.
pub async fn enter(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let Err(error) = check(request.request()) else {
        return next.call(request).await.map(ServiceResponse::map_into_left_body);
    };
    let (format, wanted) = (PageFormat::of(request.request()), String::new());
    let refusal = FormattedError { error, format, wanted, user: None }.error_response();
    Ok(request.into_response(refusal).map_into_right_body())
}

fn check(request: &HttpRequest) -> Result<(), Error> {
    let Some(state) = request.app_data::<web::Data<DashboardState>>() else { return Ok(()) };
    if !state.names.is_empty() && !asked_host(request).is_some_and(|host| is_ours(host, &state.names)) {
        return Err(Error::OtherHost);
    }
    if PageFormat::of(request) == PageFormat::Json
        && let Some(name) = left_empty(request.query_string())
    {
        return Err(Error::Wrong(format!("`{name}` is empty, which selects nothing; omit it to select all")));
    }
    let slot = request.conn_data::<Arc<ConnectionSlot>>();
    if let (Some(slot), Some(from)) = (slot, request.peer_addr())
        && slot.is_strangers()
    {
        let taken = state.strangers.take(network::of(from.ip()), STRANGERS, Instant::now());
        return taken.map_err(|seconds| {
            Error::TooMany(SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX)))
        });
    }
    Ok(())
}

/// The name of a parameter without a value. Forms send empty ones for fields that a person left blank; a program that
/// sends one has lost what it meant.
fn left_empty(query: &str) -> Option<String> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (name, _) = pairs.find(|(_, value)| value.is_empty() || value.bytes().all(|byte| byte == b'+'))?;
    Some(name.chars().take(40).flat_map(char::escape_default).collect())
}

/// The host that a request names.
fn asked_host(request: &HttpRequest) -> Option<&str> {
    let named = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    named.or_else(|| request.uri().authority().map(|authority| authority.as_str()))
}

/// Whether a host is this server: one of its names, or an address, to which no other site can make its own name refer.
fn is_ours(host: &str, names: &[String]) -> bool {
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    };
    let bare = without_port.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok() || names.iter().any(|name| name.eq_ignore_ascii_case(bare))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a09_a_selection_that_is_empty_is_refused_where_programs_ask() {
        for empty in ["customer=", "customer", "q=x&customer=&page=1", "customer=+"] {
            assert_eq!(left_empty(empty).as_deref(), Some("customer"), "{empty}");
        }
        for full in ["", "customer=acme", "q=a%20b&page=2"] {
            assert_eq!(left_empty(full), None, "{full}");
        }
    }

    #[test]
    fn a_host_is_ours_by_name_or_by_address_alone() {
        let names = ["holdfast.example".to_owned(), "localhost".to_owned()];
        for ours in [
            "holdfast.example",
            "Holdfast.Example:8443",
            "localhost:1",
            "192.0.2.1:8443",
            "[2001:db8::1]:8443",
            "[::1]",
        ] {
            assert!(is_ours(ours, &names), "{ours}");
        }
        for foreign in
            ["", "evil.example", "evil.example:8443", "holdfast.example.evil.example", "x@localhost"]
        {
            assert!(!is_ours(foreign, &names), "{foreign}");
        }
    }
}
