//! Refusals: a status, a stable word, and a sentence for the person at the node. Everything else goes to the log.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError, http::header};
use holdfast_catalog::wire;

use crate::control::poll::PollError;
use crate::control::report::ReportError;
use crate::identity::{EnrollError, RefusalReason};
use crate::{request, store};

/// A refusal as an answer.
#[derive(Debug)]
pub struct Rejection {
    status: StatusCode,
    refusal: wire::Refusal,
    retry_after: Option<u64>,
}

impl Rejection {
    /// Makes a refusal.
    pub fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let refusal = wire::Refusal { code: code.to_owned(), message: message.into(), commit: None };
        Self { status, refusal, retry_after: None }
    }

    /// The request is malformed.
    pub fn bad_request(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// There is no such thing, or the caller may not know of it.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "there is no such thing here")
    }

    /// The caller must wait.
    pub fn too_many(retry_after: u64) -> Self {
        let message = format!("too many requests: wait {retry_after} s");
        let refused = Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", message);
        Self { retry_after: Some(retry_after), ..refused }
    }

    /// An error of the server itself, which is in the log.
    fn internal(error: &dyn fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        let message = match request::id() {
            Some(id) => format!("internal error: see the server's log for request {id}; try again later"),
            None => "internal error: see the server's log; try again later".to_owned(),
        };
        let refused = Self::new(StatusCode::SERVICE_UNAVAILABLE, "server-failed", message);
        Self { retry_after: Some(30), ..refused }
    }
}

/// The answer for everything that is not a route.
pub async fn no_such_route() -> Rejection {
    Rejection::not_found()
}

impl actix_web::Responder for Rejection {
    type Body = actix_web::body::BoxBody;
    fn respond_to(self, _: &actix_web::HttpRequest) -> HttpResponse {
        self.error_response()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.refusal.code, self.refusal.message)
    }
}

impl ResponseError for Rejection {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if self.status == StatusCode::FORBIDDEN {
            // A caller without rights does not keep its connection.
            response.force_close();
        }
        response.json(&self.refusal)
    }
}

impl From<store::Error> for Rejection {
    fn from(error: store::Error) -> Self {
        Self::internal(&error)
    }
}

impl From<RefusalReason> for Rejection {
    fn from(refusal: RefusalReason) -> Self {
        let code = match refusal {
            RefusalReason::Unknown => "unknown-node",
            RefusalReason::Revoked => "revoked",
            RefusalReason::Replaced => "certificate-replaced",
            RefusalReason::Expired => "certificate-expired",
        };
        Self::new(StatusCode::FORBIDDEN, code, refusal.to_string())
    }
}

impl From<EnrollError> for Rejection {
    fn from(error: EnrollError) -> Self {
        let (status, code) = match &error {
            EnrollError::Token => (StatusCode::FORBIDDEN, "token-invalid"),
            EnrollError::TokenUsed { .. } => (StatusCode::FORBIDDEN, "token-used"),
            EnrollError::Request(_) => (StatusCode::BAD_REQUEST, "bad-csr"),
            EnrollError::TooLate => (StatusCode::FORBIDDEN, "certificate-expired"),
            EnrollError::KeyUsedBefore => (StatusCode::BAD_REQUEST, "key-used"),
            EnrollError::TooOften => (StatusCode::TOO_MANY_REQUESTS, "too-many-certificates"),
            EnrollError::Refused(refusal) => return (*refusal).into(),
            EnrollError::Authority(_) | EnrollError::Store(_) => return Self::internal(&error),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<PollError> for Rejection {
    fn from(error: PollError) -> Self {
        let (status, code) = match &error {
            PollError::NothingInForce => (StatusCode::SERVICE_UNAVAILABLE, "nothing-in-force"),
            PollError::FactsDiffer => (StatusCode::BAD_REQUEST, "facts-differ"),
            PollError::NotInInventory { .. } => (StatusCode::CONFLICT, "not-in-inventory"),
            PollError::PlaceDisagrees { .. } => (StatusCode::CONFLICT, "place-disagrees"),
            PollError::Broken { .. } => (StatusCode::CONFLICT, "catalog-broken"),
            PollError::Panicked | PollError::Store(_) => return Self::internal(&error),
        };
        let mut refused = Self::new(status, code, error.to_string());
        refused.refusal.commit = error.commit().cloned();
        refused
    }
}

impl From<ReportError> for Rejection {
    fn from(error: ReportError) -> Self {
        match &error {
            ReportError::OverLimit(_) => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "report-too-large", error.to_string())
            }
            ReportError::Counts => Self::bad_request("report-counts", error.to_string()),
            ReportError::Store(_) => Self::internal(&error),
        }
    }
}
