//! A request's id: in the header of its answer, in every log line about it, and on error pages.
//!
//! The server makes it, and never reads one: an id from a client or a proxy is untrusted text, and could be that of
//! another request. A proxy that wants the id for its own log finds it in the answer.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use actix_web::dev::ServiceResponse;
use actix_web::http::header::{HeaderName, HeaderValue};
use data_encoding::HEXLOWER;
use tracing::field::{Empty, display};
use tracing::{Instrument as _, Span};

use crate::metrics::{Metrics, Side};

/// The header of answers that contains it.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    static CURRENT: CurrentRequest;
}

/// The request that is being answered.
#[derive(Clone)]
struct CurrentRequest {
    id: Arc<str>,
    span: Span,
}

/// Answers a request: counts it, and gives it an id.
///
/// # Errors
/// The errors of the routes.
pub async fn answered<B>(
    side: Side,
    metrics: Option<Arc<Metrics>>,
    answer: impl Future<Output = Result<ServiceResponse<B>, actix_web::Error>>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let (began, id) = (Instant::now(), new_id());
    // At the highest level, so that the lines of a request name it whatever the filter is.
    let span =
        tracing::error_span!("request", %id, port = %side.word(), node = Empty, user = Empty, commit = Empty);
    let request = CurrentRequest { id: id.clone(), span: span.clone() };
    let mut answer = CURRENT.scope(request, answer.instrument(span.clone())).await;
    let (route, status) = match &mut answer {
        Ok(answer) => {
            answer.headers_mut().insert(HEADER, value(&id));
            (answer.request().match_pattern(), answer.status())
        }
        Err(error) => (None, error.as_response_error().status_code()),
    };
    let took = began.elapsed();
    let _within = span.enter();
    tracing::debug!(route = route.as_deref().unwrap_or("none"), status = status.as_u16(), ?took, "answered");
    if let Some(metrics) = metrics {
        metrics.answered(side, route, status.as_u16(), took);
    }
    answer
}

/// Random, so that nobody can tell from it how many requests others send.
fn new_id() -> Arc<str> {
    let mut bytes = [0; 8];
    // Without random numbers the id is not unique, but the request is answered.
    let _ = getrandom::fill(&mut bytes);
    HEXLOWER.encode(&bytes).into()
}

fn value(id: &str) -> HeaderValue {
    HeaderValue::from_str(id).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The id of the request that is being answered; `None` elsewhere.
pub fn id() -> Option<Arc<str>> {
    CURRENT.try_with(|request| request.id.clone()).ok()
}

/// Adds to the log lines of this request, from now on, the node that it comes from or is about.
pub fn is_of_node(name: impl fmt::Display) {
    record("node", name);
}

/// Adds to the log lines of this request, from now on, the user who asks.
pub fn is_of_user(name: impl fmt::Display) {
    record("user", name);
}

/// Adds to the log lines of this request, from now on, the commit that it is answered from or is about.
pub fn is_of_commit(id: impl fmt::Display) {
    record("commit", id);
}

fn record(field: &str, value: impl fmt::Display) {
    // There is no request if a test calls this without a server.
    let _ = CURRENT.try_with(|request| {
        request.span.record(field, display(value));
    });
}

#[cfg(test)]
mod tests {
    use actix_web::HttpResponse;
    use actix_web::test::TestRequest;
    use holdfast_catalog::log::LogFormat;

    use super::*;
    use crate::logs::kept;

    async fn ask(doing: impl FnOnce()) -> String {
        let answer = answered(Side::Nodes, None, async {
            doing();
            Ok(TestRequest::get().to_srv_response(HttpResponse::Ok().finish()))
        });
        let answer = answer.await.unwrap();
        answer.headers().get(HEADER).unwrap().to_str().unwrap().to_owned()
    }

    #[actix_web::test]
    async fn what_is_logged_of_a_request_names_it_its_node_and_its_commit() {
        let kept = kept(LogFormat::Json, "warn");
        let first = ask(|| {
            is_of_node("web1.acme.example");
            is_of_commit("c0ffee");
            tracing::warn!("no catalog");
        });
        let first = first.await;
        let second = ask(|| assert_eq!(id().unwrap().len(), 16)).await;
        assert!(first.len() == 16 && first != second);
        let [line] = &kept.objects()[..] else { panic!("{}", kept.text()) };
        let span = serde_json::json!({
            "name": "request", "id": first, "port": "nodes", "node": "web1.acme.example", "commit": "c0ffee",
        });
        assert_eq!((&line["fields"]["message"], &line["spans"]), (&"no catalog".into(), &vec![span].into()));
        assert_eq!(id(), None, "outside of a request there is none");
    }

    #[actix_web::test]
    async fn an_answer_is_a_line_where_that_is_asked_for() {
        let kept = kept(LogFormat::Text, "debug");
        let id = ask(|| ()).await;
        let text = kept.text();
        assert!(text.contains(&format!("request{{id={id} port=nodes}}: ")), "{text}");
        assert!(text.contains("answered route=\"none\" status=200 took="), "{text}");
    }

    #[actix_web::test]
    async fn all_of_one_machines_requests_can_be_asked_for() {
        let kept = kept(LogFormat::Text, "info,[request{node=web1.acme.example}]=debug");
        ask(|| is_of_node("web2.acme.example")).await;
        assert_eq!(kept.text(), "");
        let id = ask(|| is_of_node("web1.acme.example")).await;
        assert!(
            kept.text().contains(&format!("request{{id={id} port=nodes node=web1.acme.example}}: ")),
            "{}",
            kept.text()
        );
    }
}
