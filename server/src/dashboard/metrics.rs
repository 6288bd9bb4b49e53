//! For monitoring: numbers in Prometheus' text format, and whether the server is alive and ready.
//!
//! No label takes its value from facts or reports, and none names a tenant. Who may read: this machine itself, and
//! users who see everything.

use std::fmt::Write as _;

use actix_web::{HttpRequest, HttpResponse, web};
use holdfast_catalog::state::State as NodeState;
use jiff::{SignedDuration, Timestamp};

use super::State;
use super::page::{self, Error};
use super::session;
use crate::fleet::Member;
use crate::store::commit::Head;
use crate::store::user::Scope;

/// The numbers.
pub async fn show(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    match allowed(&request, &state).await {
        Ok(true) => {}
        Ok(false) => return page::nothing_here(request).await,
        Err(error) => return unavailable(&error),
    }
    match text(&state, Timestamp::now()).await {
        Ok(text) => HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text),
        Err(error) => unavailable(&error),
    }
}

async fn allowed(request: &HttpRequest, state: &State) -> Result<bool, Error> {
    if request.peer_addr().is_some_and(|address| address.ip().to_canonical().is_loopback()) {
        return Ok(true);
    }
    let Some(session) = session::session_of(request) else { return Ok(false) };
    let user = state.store.session_user(session.hash(), Timestamp::now()).await?;
    Ok(user.is_some_and(|user| user.scope == Scope::Everything))
}

fn unavailable(error: &Error) -> HttpResponse {
    HttpResponse::ServiceUnavailable().content_type("text/plain; charset=utf-8").body(format!("{error}\n"))
}

/// The numbers at a time.
///
/// # Errors
/// Where the store fails.
pub async fn text(state: &State, now: Timestamp) -> Result<String, Error> {
    let members = state.census.members(&Scope::Everything).await?;
    let head = state.store.head(state.estate.environment().to_owned()).await?;
    let unreadable = state.estate.unreadable().is_some();
    state.apart(move || of(&members, head, unreadable, now)).await
}

fn of(members: &[Member], head: Option<Head>, unreadable: bool, now: Timestamp) -> String {
    let mut out = String::new();
    family(&mut out, "holdfast_nodes", "Nodes by how they are.");
    for of in NodeState::ALL {
        let count = members.iter().filter(|member| member.state() == of).count();
        line(&mut out, &format!("holdfast_nodes{{state=\"{}\"}}", of.slug()), count);
    }
    let is_broken = head.as_ref().is_some_and(|head| head.broken.is_some());
    family(&mut out, "holdfast_commits_broken", "Whether the newest commit did not come into force.");
    line(&mut out, "holdfast_commits_broken", u8::from(is_broken));
    family(&mut out, "holdfast_repository_unreadable", "Whether the repository cannot be read.");
    line(&mut out, "holdfast_repository_unreadable", u8::from(unreadable));
    family(&mut out, "holdfast_commit_age_seconds", "Since the commit in force reached the server.");
    let commit = head.and_then(|head| head.in_force);
    seconds(&mut out, "holdfast_commit_age_seconds", commit.map(|commit| now.duration_since(commit.seen_at)));
    let in_service = || members.iter().filter(|member| member.is_in_service());
    family(&mut out, "holdfast_node_silence_seconds", "Since the node silent longest was heard.");
    let silence = |member: &Member| member.seen().map(|at| now.duration_since(at));
    seconds(&mut out, "holdfast_node_silence_seconds", in_service().filter_map(silence).max());
    family(&mut out, "holdfast_certificate_expiry_seconds", "Until the node's certificate that ends first.");
    let left = |member: &Member| member.certificate_until().map(|at| at.duration_since(now));
    seconds(&mut out, "holdfast_certificate_expiry_seconds", in_service().filter_map(left).min());
    out
}

fn family(out: &mut String, name: &str, help: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
}

fn line(out: &mut String, name: &str, value: impl std::fmt::Display) {
    let _ = writeln!(out, "{name} {value}");
}

fn seconds(out: &mut String, name: &str, value: Option<SignedDuration>) {
    if let Some(value) = value {
        line(out, name, value.as_secs());
    }
}

/// The process answers.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// Whether polls and reports can be served now: a line for programs, and a page where a browser asks.
pub async fn ready(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let readiness = state.readiness.look().await;
    if page::is_browsers(&request) {
        return page::readiness(readiness);
    }
    match readiness {
        Ok(()) => HttpResponse::Ok().body("ok\n"),
        Err(reason) => HttpResponse::ServiceUnavailable().body(format!("{reason}\n")),
    }
}
