//! Answers without a view: each has the frame, shows what happened and what to do, and reveals nothing.

use holdfast_catalog::log;

use super::page::{Error, FormattedError, PageFormat};
use super::*;
use crate::logs::kept;

/// Whether a page has the frame that all pages share.
fn is_framed(page: &str) -> bool {
    ["<!doctype html>", "<header class=\"top\">", "<main id=\"main\"", "/assets/style.css?"]
        .iter()
        .all(|part| page.contains(part))
}

async fn page_of(error: Error) -> (StatusCode, String) {
    let wanted = "/nodes?state=failed".to_owned();
    let answer = actix_web::ResponseError::error_response(&FormattedError {
        error,
        format: PageFormat::Html,
        wanted,
        user: None,
    });
    let status = answer.status();
    let body = actix_web::body::to_bytes(answer.into_body()).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[actix_web::test]
async fn each_is_framed_and_says_what_happened_and_what_to_do() {
    let inside = rusqlite::Error::InvalidPath("/var/lib/holdfast/server.db".into());
    let wrong = "`page` is not a number".to_owned();
    for (error, status, heading, says, does_again) in [
        (Error::NotFound, 404, "Not found", "There is nothing here.", false),
        (Error::Foreign, 403, "Form refused", "Open the page again, and send the form from there.", false),
        (Error::Wrong(wrong), 400, "Not understood", "`page` is not a number.", false),
        (Error::TooMany(SignedDuration::from_secs(9)), 429, "Too many attempts", "wait 9 seconds.", true),
        (Error::Busy, 503, "Server busy", "try again in 5 seconds.", true),
        (Error::Store(inside.into()), 503, "Store unavailable", "see its log; try again in 30", true),
        (Error::Unforeseen, 500, "Server error", "an operator can find the cause in the log", true),
        (Error::OtherHost, 421, "Another server", "an operator can add it to `names`", false),
    ] {
        let (found, page) = page_of(error).await;
        let again = page.contains("<a href=\"/nodes?state&#61;failed\">Try again</a>")
            || page.contains("<a href=\"/nodes?state=failed\">Try again</a>");
        assert_eq!((found.as_u16(), again), (status, does_again), "{page}");
        let title = format!("<title>{heading} · Holdfast</title>");
        let heading = format!("<h1>{heading} <small>{status}</small></h1>");
        for part in [&*title, &*heading, says, "<a href=\"/\">Go to the overview</a>"] {
            assert!(is_framed(&page) && page.contains(part), "no {part} in {page}");
        }
        assert!(!page.contains("/var/lib") && !page.contains("server.db"), "{page}");
    }
}

#[actix_web::test]
async fn an_error_says_what_the_log_calls_its_request_and_a_page_does_not() {
    let seeded = seeded().await;
    let page = see(&seeded, "ana", "/nodes/none.acme.example").await;
    assert!(page.body.contains("<p class=\"meta\">Request <code>REQUEST</code></p>"), "{}", page.body);
    let answer = see(&seeded, "ana", "/api/v1/nodes/none.acme.example").await;
    assert_eq!(answer.body, r#"{"error":"there is nothing here","request":"REQUEST"}"#);
    for path in ["/", "/api/v1/overview"] {
        assert!(!see(&seeded, "ana", path).await.body.contains("REQUEST"), "{path}");
    }
}

#[actix_web::test]
async fn what_is_logged_of_a_request_names_who_asks_and_for_which_node() {
    let seeded = seeded().await;
    let theirs = seeded.store.node("web1.acme.example".parse().unwrap()).await.unwrap().unwrap();
    seeded.store.spoil_report(theirs.report.unwrap()).await;
    let report = format!("/reports/{}", seeded.last_run(theirs.id).await);
    let kept = kept(log::LogFormat::Json, "error");
    assert!(see(&seeded, "cleo", &report).await.status.is_server_error());
    let [line] = &kept.objects()[..] else { panic!("{}", kept.text()) };
    let span = &line["spans"][0];
    assert_eq!(line["fields"]["message"], "cannot render a page");
    assert_eq!((&span["user"], &span["node"]), (&"cleo".into(), &"web1.acme.example".into()), "{line}");
}

#[actix_web::test]
async fn an_id_of_a_client_is_not_taken_over() {
    let seeded = empty();
    let theirs = "0123456789abcdef";
    let kept = kept(log::LogFormat::Text, "debug");
    let app = init_service(App::new().app_data(seeded.state.clone()).configure(configure)).await;
    let request = TestRequest::get().uri("/nothing").insert_header(("x-request-id", theirs));
    let answer = call_service(&app, request.to_request()).await;
    let id = answer.headers().get(crate::request::HEADER).unwrap().to_str().unwrap();
    assert!(id != theirs && kept.text().contains(id) && !kept.text().contains(theirs), "{}", kept.text());
}

#[actix_web::test]
async fn a_form_of_another_site_or_with_a_field_too_few_is_refused_on_a_page() {
    let seeded = empty();
    let foreign = TestRequest::post()
        .uri("/login")
        .insert_header(("host", "holdfast.example:8443"))
        .insert_header(("origin", "https://evil.example"))
        .set_form([("name", "ana"), ("password", "x"), ("to", "/")]);
    let answer = ask(&seeded, foreign).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(is_framed(&answer.body) && answer.body.contains("Form refused"), "{}", answer.body);
    seeded.user("ana", "everything").await;
    see(&seeded, "ana", "/").await;
    let cookie = ("cookie", "__Host-holdfast=pana".to_owned());
    let answer = ask(&seeded, form("/account", &[("new", "x")]).insert_header(cookie)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(is_framed(&answer.body) && answer.body.contains("lacks a field"), "{}", answer.body);
}

#[actix_web::test]
async fn a_page_that_has_a_defect_is_an_error_of_the_server_and_not_called_busy() {
    let seeded = empty();
    let defect: fn() = || panic!("a secret of the inside");
    let drawn = seeded.state.apart(defect).await;
    let Err(error) = drawn else { panic!("nothing was drawn") };
    let (status, page) = page_of(error).await;
    assert!(status == StatusCode::INTERNAL_SERVER_ERROR && !page.contains("secret"), "{page}");
}

#[actix_web::test]
async fn a_server_that_is_not_ready_says_why_to_programs_on_a_line_and_to_people_on_a_page() {
    let seeded = empty();
    let line = ask(&seeded, TestRequest::get().uri("/readyz").insert_header(("accept", "*/*"))).await;
    assert_eq!(line.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(line.body, "no good commit is in force: nodes get no catalog until there is one\n");
    let browser = ("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
    let page = ask(&seeded, TestRequest::get().uri("/readyz").insert_header(browser)).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    for part in ["Not ready <small>503</small>", "No good commit is in force", "holdfast check", "Try again"]
    {
        assert!(is_framed(&page.body) && page.body.contains(part), "{}", page.body);
    }
    let seeded = super::seeded().await;
    let page = ask(&seeded, TestRequest::get().uri("/readyz").insert_header(browser)).await;
    assert!(page.status == StatusCode::OK && page.body.contains("Ready <small>200</small>"), "{}", page.body);
}
