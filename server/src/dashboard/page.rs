//! A view and its two renderings, the answers if there is no view, and the frame around every page.

use std::sync::Arc;

use actix_web::error::UrlencodedError;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use askama::Template;
use holdfast_catalog::harmless;
use jiff::SignedDuration;
use serde::Serialize;

use super::{assets, text};
use crate::store::user::UserRow;
use crate::{request, store};

/// The content of a page: rendered as HTML by its template, or as JSON directly.
pub trait View: Template + Serialize {
    /// The page's title.
    fn title(&self) -> String;
    /// The entry of the navigation that it belongs to.
    fn tab(&self) -> Tab;
}

/// The entries of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    Overview,
    Nodes,
    Commits,
    Audit,
    Account,
    Elsewhere,
}

/// How many seconds to wait if many ask at once.
const MOMENT: u64 = 5;

/// How many seconds to wait if the store fails and someone may have to repair it.
const WHILE: u64 = 30;

/// A time to wait, as people are told: in whole seconds, and from two minutes on in whole minutes; never less than what
/// is left.
fn rounded(wait: &SignedDuration) -> u64 {
    let seconds = u64::try_from(wait.as_millis()).unwrap_or_default().div_ceil(1000).max(1);
    if seconds < 120 { seconds } else { seconds.next_multiple_of(60) }
}

fn words(seconds: u64) -> String {
    match seconds {
        1 => "1 second".to_owned(),
        seconds if seconds < 120 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", seconds / 60),
    }
}

/// HTML for people, JSON for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageFormat {
    Html,
    Json,
}

impl PageFormat {
    /// The format of a request: JSON for everything below `/api`, and for other pages if the request asks for it.
    pub fn of(request: &HttpRequest) -> Self {
        let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let json = accept.is_some_and(|accept| accept.starts_with("application/json"));
        if json || request.path().starts_with("/api/") { Self::Json } else { Self::Html }
    }
}

/// Why there is no view.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It does not exist, or the caller may not see it; the answer is the same.
    #[error("there is nothing here")]
    NotFound,
    /// Nobody is logged in.
    #[error("log in first")]
    LoggedOut,
    /// The form was sent from another site.
    #[error("this form was not sent from a page of this server")]
    Foreign,
    /// The request is invalid.
    #[error("{0}")]
    Wrong(String),
    #[error("too many attempts; wait {}", words(rounded(.0)))]
    TooMany(SignedDuration),
    /// The server has too much to do at the moment.
    #[error("the server is busy; try again in {}", words(MOMENT))]
    Busy,
    /// The store failed; the error is in the log.
    #[error("the server cannot use its store at the moment; see its log; try again in {}", words(WHILE))]
    Store(#[source] store::Error),
    /// An internal error; the log has more.
    #[error("internal error; see the server's log")]
    Unforeseen,
    /// The request names a host that is not this server.
    #[error("this server does not have this name; an operator can add it to `names` in server.toml")]
    OtherHost,
}

/// Makes the words of an error begin like a sentence.
pub fn sentence(words: &str) -> String {
    let mut characters = words.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// Rewrites serde's error about an address for the person who typed it.
fn in_words(why: &str) -> String {
    let known = |rest: &str| rest.strip_prefix("one of ").unwrap_or(rest).to_owned();
    let unknown = |kind: &str| why.strip_prefix(kind)?.split_once("`, expected ");
    match (unknown("unknown field `"), unknown("unknown variant `")) {
        (Some((name, rest)), _) => format!("it has `{name}`, but can only have {}", known(rest)),
        (_, Some((word, rest))) => format!("`{word}` is not one of {}", known(rest)),
        _ if why.contains("invalid digit") || why.contains("number too") => {
            "a number is missing or too large".to_owned()
        }
        _ => why.to_owned(),
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Busy => Self::Busy,
            other => Self::Store(other),
        }
    }
}

impl Error {
    /// The error for query parameters that the page does not know.
    pub fn not_understood(error: &actix_web::Error) -> Self {
        let error = error.to_string();
        let why = error.strip_prefix("Query deserialize error: ").unwrap_or(&error);
        Self::Wrong(format!("this address is not valid: {}", in_words(why)))
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::LoggedOut => StatusCode::UNAUTHORIZED,
            Self::Foreign => StatusCode::FORBIDDEN,
            Self::Wrong(_) => StatusCode::BAD_REQUEST,
            Self::OtherHost => StatusCode::MISDIRECTED_REQUEST,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unforeseen => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What happened, in two words.
    fn heading(&self) -> &'static str {
        match self {
            Self::NotFound => "Not found",
            Self::LoggedOut => "Not logged in",
            Self::Foreign => "Form refused",
            Self::Wrong(_) => "Not understood",
            Self::TooMany(_) => "Too many attempts",
            Self::Busy => "Server busy",
            Self::Store(_) => "Store unavailable",
            Self::Unforeseen => "Server error",
            Self::OtherHost => "Another server",
        }
    }

    /// What to do, beyond what the error itself mentions.
    fn next(&self) -> Option<&'static str> {
        match self {
            Self::NotFound => Some("It may have been removed, or you may not see it."),
            Self::Foreign => Some("Nothing was changed. Open the page again, and send the form from there."),
            Self::Busy | Self::Store(_) => Some("Machines keep their catalogs, and continue to apply them."),
            Self::Unforeseen => Some(
                "Try again; if it happens again, an operator can find the cause in the log of the server's unit.",
            ),
            Self::LoggedOut | Self::Wrong(_) | Self::TooMany(_) | Self::OtherHost => None,
        }
    }

    /// Whether another attempt may have a different result.
    fn may_pass(&self) -> bool {
        self.wait().is_some() || matches!(self, Self::Unforeseen)
    }

    /// How many seconds to wait, if another attempt may have a different result. The page mentions the same time.
    fn wait(&self) -> Option<u64> {
        match self {
            Self::TooMany(wait) => Some(rounded(wait)),
            Self::Busy => Some(MOMENT),
            Self::Store(_) => Some(WHILE),
            Self::NotFound
            | Self::LoggedOut
            | Self::Foreign
            | Self::Wrong(_)
            | Self::Unforeseen
            | Self::OtherHost => None,
        }
    }
}

/// An error, with the format in which it is answered.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct FormattedError {
    pub error: Error,
    /// The format of the answer.
    pub format: PageFormat,
    /// The requested page, to return to after logging in.
    pub wanted: String,
    /// The user who is logged in, if there is one.
    pub user: Option<Box<UserRow>>,
}

impl ResponseError for FormattedError {
    fn status_code(&self) -> StatusCode {
        self.error.status()
    }

    fn error_response(&self) -> HttpResponse {
        if let Error::Store(error) = &self.error {
            tracing::error!(%error, "cannot render a page");
        }
        let mut response = HttpResponse::build(self.error.status());
        if let Some(seconds) = self.error.wait() {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        match (&self.error, self.format) {
            (Error::LoggedOut, PageFormat::Html) => {
                let to = format!("/login?to={}", text::in_query(&self.wanted));
                HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish()
            }
            (error, PageFormat::Json) => {
                response.json(serde_json::json!({ "error": error.to_string(), "request": request::id() }))
            }
            (error, PageFormat::Html) => {
                let page = Apology {
                    status: error.status().as_u16(),
                    heading: error.heading(),
                    message: &sentence(&error.to_string()),
                    next: error.next(),
                    again: Some(&*self.wanted).filter(|wanted| error.may_pass() && !wanted.is_empty()),
                    request: request::id(),
                };
                let page = framed(&page, error.heading(), Tab::Elsewhere, self.user.as_deref());
                response.content_type("text/html; charset=utf-8").body(page)
            }
        }
    }
}

#[derive(Template)]
#[template(path = "apology.html")]
struct Apology<'a> {
    status: u16,
    heading: &'a str,
    message: &'a str,
    next: Option<&'a str>,
    /// The address of the page, if another attempt may have a different result.
    again: Option<&'a str>,
    /// The id of this request in the log.
    request: Option<Arc<str>>,
}

/// Whether the request comes from a browser, and not from a program that accepts any type.
pub fn is_browsers(request: &HttpRequest) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.split([',', ';']).any(|kind| kind.trim() == "text/html"))
}

/// Shows whether the server can serve nodes, as a page.
pub fn readiness(readiness: Result<(), String>) -> HttpResponse {
    let (status, heading, message, next) = match &readiness {
        Ok(()) => (StatusCode::OK, "Ready", "Polls and reports are served".to_owned(), None),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, "Not ready", sentence(why), NOT_READY),
    };
    let again = readiness.is_err().then_some("/readyz");
    let page =
        Apology { status: status.as_u16(), heading, message: &message, next, again, request: request::id() };
    let page = framed(&page, heading, Tab::Elsewhere, None);
    let mut response = HttpResponse::build(status);
    if readiness.is_err() {
        response.insert_header((header::RETRY_AFTER, WHILE));
    }
    response.content_type("text/html; charset=utf-8").body(page)
}

/// What to do about a server that is not ready.
const NOT_READY: Option<&str> = Some(
    "Machines keep their catalogs. An operator sees more with `holdfast check` and in the log of the server's unit.",
);

/// The answer to a form that does not have the fields of this server's pages.
pub fn form_not_understood(_: UrlencodedError, request: &HttpRequest) -> actix_web::Error {
    let error = Error::Wrong("this form lacks a field, or is larger than any form of this server".to_owned());
    FormattedError { error, format: PageFormat::of(request), wanted: String::new(), user: None }.into()
}

/// The answer for every address that does not exist.
pub async fn nothing_here(request: HttpRequest) -> HttpResponse {
    let (format, wanted) = (PageFormat::of(&request), String::new());
    FormattedError { error: Error::NotFound, format, wanted, user: None }.error_response()
}

/// Renders a view in a format.
pub fn draw(view: &impl View, format: PageFormat, user: &UserRow) -> String {
    match format {
        // Views consist of texts and numbers, and all keys are texts, so this cannot fail. They are also read with
        // `curl` on terminals, and contain texts from nodes.
        PageFormat::Json => match serde_json::to_string(view) {
            Ok(text) => harmless::json(&text).into_owned(),
            Err(error) => error.to_string(),
        },
        PageFormat::Html => framed(view, &view.title(), view.tab(), Some(user)),
    }
}

/// Makes an answer from what was rendered.
pub fn of_format(format: PageFormat, text: String) -> HttpResponse {
    match format {
        PageFormat::Json => HttpResponse::Ok().content_type("application/json").body(text),
        PageFormat::Html => html(text),
    }
}

/// Makes an answer from a page.
pub fn html(page: String) -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page)
}

#[derive(Template)]
#[template(path = "frame.html")]
struct PageFrame<'a> {
    title: &'a str,
    tab: Tab,
    user: Option<&'a UserRow>,
    version: &'a str,
    body: &'a str,
}

/// The content of a page in the frame that all pages share.
pub fn framed(content: &impl Template, title: &str, tab: Tab, user: Option<&UserRow>) -> String {
    let drawn = content
        .render()
        .and_then(|body| PageFrame { title, tab, user, version: assets::version(), body: &body }.render());
    // Templates fail only if a `Display` does, and none of ours does.
    drawn.unwrap_or_else(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_is_to_wait_reads_what_the_browser_is_told() {
        let wait = |millis: i64| Error::TooMany(SignedDuration::from_millis(millis));
        let store = Error::Store(store::Error::Closed);
        for (error, seconds, words) in [
            (wait(-1), "1", "wait 1 second"),
            (wait(1_001), "2", "wait 2 seconds"),
            (wait(119_000), "119", "wait 119 seconds"),
            (wait(121_000), "180", "wait 3 minutes"),
            (Error::Busy, "5", "try again in 5 seconds"),
            (store, "30", "try again in 30 seconds"),
        ] {
            assert!(error.to_string().ends_with(words), "{error}");
            let answer =
                FormattedError { error, format: PageFormat::Html, wanted: String::new(), user: None }
                    .error_response();
            assert_eq!(answer.headers().get(header::RETRY_AFTER).unwrap(), seconds);
        }
        let gone = FormattedError {
            error: Error::NotFound,
            format: PageFormat::Html,
            wanted: String::new(),
            user: None,
        };
        assert!(gone.error_response().headers().get(header::RETRY_AFTER).is_none());
    }
}
