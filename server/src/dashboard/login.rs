//! Logging in and out: one-time links, passwords, sessions.
//!
//! A link is used up by a button, not by opening it: programs that preview links must not use it up. Cookies are sent
//! only with requests from our own pages, and forms are accepted only from them.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};
use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::DashboardState;
use super::page::{self, Error, FormattedError, PageFormat, Tab};
use super::page_request::PageRequest;
use super::password::{self, VisitorKind};
use super::session::{IDLE, LoginMethod, SessionToken, SetCookie, hash_of, session_of};
use crate::store::audit::NewAuditEntry;
use crate::store::user::UserRow;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginForm<'a> {
    to: &'a str,
    message: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct LinkConfirmation<'a> {
    token: &'a str,
}

/// The page to open after logging in.
#[derive(Deserialize)]
pub struct Destination {
    #[serde(default)]
    to: String,
}

/// The fields of the form: name and password.
#[derive(Deserialize)]
pub struct Credentials {
    name: String,
    password: String,
    #[serde(default)]
    to: String,
}

/// Shows the form.
pub async fn form(to: web::Query<Destination>) -> HttpResponse {
    let form = LoginForm { to: &to.to, message: None };
    page::html(page::framed(&form, "Log in", Tab::Elsewhere, None))
}

/// Logs in with name and password.
pub async fn by_password(
    request: HttpRequest,
    state: web::Data<DashboardState>,
    form: web::Form<Credentials>,
) -> HttpResponse {
    let Credentials { name, password, to } = form.into_inner();
    match check(&request, &state, &name, password.into()).await {
        Ok(Some(user)) => enter(&request, &state, &user, LoginMethod::Password, &to).await,
        Ok(None) => {
            let form = LoginForm { to: &to, message: Some("The name or the password is wrong.") };
            let page = page::framed(&form, "Log in", Tab::Elsewhere, None);
            HttpResponse::Unauthorized().content_type("text/html; charset=utf-8").body(page)
        }
        Err(error) => refuse(error),
    }
}

async fn check(
    request: &HttpRequest,
    state: &DashboardState,
    name: &str,
    password: Zeroizing<String>,
) -> Result<Option<UserRow>, Error> {
    from_our_page(request)?;
    let asker = match state.attempts.is_owners(address(request), name) {
        true => VisitorKind::Known,
        false => VisitorKind::Stranger,
    };
    // Taken first: an attempt whose password is not checked must not be counted.
    let place = state.hashing.place(asker)?;
    count_attempt(request, state, name)?;
    if password.len() > password::MAX_LENGTH {
        return Ok(None);
    }
    let user = state.store.user(name.to_owned()).await?;
    let hash = user.as_ref().and_then(|user| user.password.clone());
    if state.hashing.fits(place, password, hash).await? {
        state.attempts.came_in(address(request), name, Timestamp::now());
        return Ok(user);
    }
    let object = if user.is_some() { name } else { "an unknown name" };
    let address = address(request).to_string();
    state.store.audit(NewAuditEntry::new(Timestamp::now(), &address, "login-refused", object)).await?;
    Ok(None)
}

/// Counts an attempt on a name's password.
///
/// # Errors
/// Returns an error if there were too many.
pub fn count_attempt(request: &HttpRequest, state: &DashboardState, name: &str) -> Result<(), Error> {
    state.attempts.count(address(request), name, Timestamp::now()).map_err(Error::TooMany)
}

/// Shows what a link opens: a page with a button.
pub async fn confirm(token: web::Path<String>) -> HttpResponse {
    page::html(page::framed(&LinkConfirmation { token: &token }, "Log in", Tab::Elsewhere, None))
}

/// Logs in with a link, which is used up.
pub async fn by_link(
    request: HttpRequest,
    state: web::Data<DashboardState>,
    token: web::Path<String>,
) -> HttpResponse {
    let now = Timestamp::now();
    let used = async {
        from_our_page(&request)?;
        state.attempts.count_link(address(&request), now).map_err(Error::TooMany)?;
        Ok::<_, Error>(state.store.use_login_link(hash_of(&token), now).await?)
    };
    match used.await {
        Ok(Some(user)) => enter(&request, &state, &user, LoginMethod::Link, "/").await,
        Ok(None) => {
            let message =
                "This link has been used or has expired; ask for a new one, or log in with a password.";
            let form = LoginForm { to: "/", message: Some(message) };
            HttpResponse::Gone().content_type("text/html; charset=utf-8").body(page::framed(
                &form,
                "Log in",
                Tab::Elsewhere,
                None,
            ))
        }
        Err(error) => refuse(error),
    }
}

/// Starts a new session, and leads to a page of this server.
async fn enter(
    request: &HttpRequest,
    state: &DashboardState,
    user: &UserRow,
    by: LoginMethod,
    to: &str,
) -> HttpResponse {
    match new_session(request, state, user, by).await {
        Ok(cookie) => see_other(our_page(to), cookie),
        Err(error) => refuse(error),
    }
}

/// Starts a session of a user; the previous one of the browser ends.
///
/// # Errors
/// Returns an error if the store fails.
pub async fn new_session(
    request: &HttpRequest,
    state: &DashboardState,
    user: &UserRow,
    by: LoginMethod,
) -> Result<SetCookie, Error> {
    let now = Timestamp::now();
    if let Some(old) = session_of(request) {
        state.store.end_session(old.hash()).await?;
    }
    let token = SessionToken::new(by)?;
    let entry = NewAuditEntry::new(now, &user.name, "logged-in", &address(request).to_string());
    state.store.add_session(user.id, token.hash(), now + IDLE, entry).await?;
    Ok(SetCookie::to(&token))
}

/// Logs out: ends the session.
pub async fn logout(request: HttpRequest, asked: PageRequest) -> HttpResponse {
    let ended = async {
        from_our_page(&request)?;
        Ok::<_, Error>(asked.state.store.end_session(asked.session.hash()).await?)
    };
    match ended.await {
        Ok(()) => see_other("/login", SetCookie::away()),
        Err(error) => refuse(error),
    }
}

/// Redirects to another page, with a cookie.
pub fn see_other(to: &str, cookie: SetCookie) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, to))
        .insert_header((header::SET_COOKIE, cookie.0))
        .finish()
}

fn refuse(error: Error) -> HttpResponse {
    FormattedError { error, format: PageFormat::Html, wanted: String::new(), user: None }.error_response()
}

/// The path, if it belongs to this server and no browser would take it for another; otherwise `/`.
fn our_page(to: &str) -> &str {
    let plain = to.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if plain && to.starts_with('/') && !to.starts_with("//") && !to.starts_with("/log") { to } else { "/" }
}

fn address(request: &HttpRequest) -> std::net::IpAddr {
    request.peer_addr().map_or(std::net::Ipv4Addr::UNSPECIFIED.into(), |address| address.ip())
}

/// Checks that a form comes from a page of this server.
///
/// # Errors
/// Returns an error if the browser names another origin, or none.
pub fn from_our_page(request: &HttpRequest) -> Result<(), Error> {
    let value = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let host = value("host").or_else(|| request.uri().authority().map(|host| host.as_str()));
    let ours = match (value("origin"), host) {
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, theirs)| theirs == host),
        (Some(_), None) => false,
        (None, _) => value("sec-fetch-site") == Some("same-origin"),
    };
    if ours { Ok(()) } else { Err(Error::Foreign) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_server() {
        for ours in ["/", "/nodes?state=failed", "/reports/1"] {
            assert_eq!(our_page(ours), ours);
        }
        for foreign in
            ["", "https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example", "/login"]
        {
            assert_eq!(our_page(foreign), "/", "{foreign}");
        }
    }
}
