//! Tests of pages over a seeded store: what they show, to whom, and what becomes of hostile texts.

use actix_web::App;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, HeaderMap, LOCATION, SET_COOKIE};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::control::StateChange;
use crate::store;

mod apart; // what users see of others
mod apologies; // answers without a view
mod audit; // the audit log
mod cuts; // what is left out is counted
mod metrics; // metrics for monitoring
mod seed;
mod sizes; // the size of pages
mod states; // the states of nodes
mod traffic; // how much is sent, and to whom
mod words; // the terms that pages use
use seed::{BROKEN, GOOD, OLDER, SeededStore, empty, entry, seeded};

struct PageAnswer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl PageAnswer {
    fn header(&self, name: actix_web::http::header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn ask(seeded: &SeededStore, request: TestRequest) -> PageAnswer {
    let app = init_service(App::new().app_data(seeded.state.clone()).configure(configure)).await;
    let response = call_service(&app, request.to_request()).await;
    let (status, mut headers) = (response.status(), response.headers().clone());
    // No two requests have the same id.
    let request = headers.remove(&crate::request::HEADER).next().unwrap().to_str().unwrap().to_owned();
    let body = String::from_utf8(read_body(response).await.to_vec()).unwrap().replace(&request, "REQUEST");
    PageAnswer { status, headers, body }
}

/// A page as one of the seeded users sees it.
async fn see(seeded: &SeededStore, name: &str, path: &str) -> PageAnswer {
    let token = format!("p{name}");
    let user = seeded.store.user(name.into()).await.unwrap().unwrap();
    let hash = Sha256::digest(token.as_bytes()).into();
    if seeded.store.session_user(hash, seeded.now).await.unwrap().is_none() {
        let until = seeded.now + SignedDuration::from_hours(1);
        seeded.store.add_session(user.id, hash, until, entry(seeded.now, "logged-in")).await.unwrap();
    }
    let cookie = format!("a=b; __Host-holdfast={token}");
    ask(seeded, TestRequest::get().uri(path).insert_header(("cookie", cookie))).await
}

async fn json(seeded: &SeededStore, name: &str, path: &str) -> serde_json::Value {
    let answer = see(seeded, name, &format!("/api/v1{path}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

/// A form that is sent from a page of the same server.
fn form(path: &str, fields: &[(&str, &str)]) -> TestRequest {
    TestRequest::post()
        .uri(path)
        .insert_header(("host", "holdfast.example:8443"))
        .insert_header(("origin", "https://holdfast.example:8443"))
        .set_form(fields)
}

/// All pages that show something from a store, including reports.
async fn all_pages(seeded: &SeededStore) -> Vec<String> {
    let mut pages: Vec<String> =
        ["/", "/nodes", "/nodes?q=%3Cscript%3E&commit=%22%3E%3Cscript%3E", "/commits"]
            .map(String::from)
            .into();
    pages.extend([GOOD, BROKEN].map(|id| format!("/commits/{id}")));
    for row in seeded.store.nodes().await.unwrap() {
        pages.push(format!("/nodes/{}", row.certname));
        if row.report.is_some() {
            pages.push(format!("/reports/{}", seeded.last_run(row.id).await));
        }
    }
    pages
}

#[actix_web::test]
async fn each_number_is_the_length_of_its_list() {
    let seeded = seeded().await;
    for user in ["ana", "ben", "cleo"] {
        let overview = json(&seeded, user, "/overview").await;
        let mut tallies: Vec<_> =
            overview["states"].as_array().unwrap().iter().map(|s| &s["tally"]).collect();
        let sum: u64 = tallies.iter().map(|tally| tally["count"].as_u64().unwrap()).sum();
        assert_eq!(sum, overview["nodes"].as_u64().unwrap(), "{user}");
        for line in overview["activity"].as_array().unwrap() {
            tallies.extend([&line["hour"], &line["day"]]);
        }
        tallies.push(&overview["environments"][0]["running"]);
        tallies.push(&overview["wanting"]);
        for tally in tallies {
            let list = json(&seeded, user, tally["href"].as_str().unwrap()).await;
            assert_eq!(list["count"], tally["count"], "{user}: {}", tally["href"]);
            assert_eq!(list["nodes"].as_array().unwrap().len() as u64, tally["count"].as_u64().unwrap());
        }
    }
}

#[actix_web::test]
async fn the_overview_says_what_is_in_force_and_what_is_broken_with_line_and_caret() {
    let seeded = seeded().await;
    let page = see(&seeded, "ana", "/").await.body;
    for expected in [
        "acme: more workers for the sale",
        "[unknown-key]",
        "hieradata/customers/acme.toml:2:1",
        "worker_proceses = …\n",
        "^^^^^^^^^^^^^^^ ",
        "not a parameter of `profile::nginx`",
        "did you mean `worker_processes`?",
        "href=\"/nodes?state=failed\"",
    ] {
        assert!(
            page.contains(&askama::filters::escape(expected, askama::filters::Text).unwrap().to_string()),
            "{expected}\n{page}"
        );
    }
}

#[actix_web::test]
async fn a_tenant_sees_what_is_wrong_with_its_node_and_no_line_of_operators_files() {
    let seeded = seeded().await;
    let faults = async |user: &str| {
        let node = json(&seeded, user, "/nodes/web2.birch.example").await;
        node["compile_errors"][0]["faults"][0].clone()
    };
    let (operators, tenants) = (faults("ana").await, faults("ben").await);
    assert_eq!(operators["place"], "hieradata/customers/acme.toml:2:1");
    assert!(operators["line"].is_object() && operators["help"].is_string());
    assert_eq!(tenants["message"], operators["message"]);
    assert_eq!(tenants["place"], "hieradata/customers/acme.toml");
    assert!(tenants["line"].is_null() && tenants["help"].is_null() && tenants["label"] == "", "{tenants}");
}

/// The headers in order, since they are kept in none.
fn sorted(headers: &HeaderMap) -> Vec<String> {
    let mut all: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
    all.sort();
    all
}

#[actix_web::test]
async fn another_tenants_object_is_a_404_like_one_that_is_not_there() {
    let seeded = seeded().await;
    let theirs = seeded.store.node("web1.acme.example".parse().unwrap()).await.unwrap().unwrap();
    let report = seeded.last_run(theirs.id).await;
    // No number from which users could tell how many reports others send.
    let page = see(&seeded, "cleo", "/nodes/web1.acme.example").await.body;
    let number = format!("/reports/{}", theirs.report.unwrap());
    assert!(page.contains(&format!("/reports/{report}")) && !page.contains(&format!("{number}\"")), "{page}");
    assert_eq!(see(&seeded, "cleo", &number).await.status, StatusCode::NOT_FOUND);
    assert_eq!(see(&seeded, "ana", "/nodes/web1.acme.example").await.status, StatusCode::OK);
    assert_eq!(see(&seeded, "cleo", &format!("/reports/{report}")).await.status, StatusCode::OK);
    for prefix in ["", "/api/v1"] {
        let nothing = see(&seeded, "ben", &format!("{prefix}/nodes/none.acme.example")).await;
        assert_eq!(nothing.status, StatusCode::NOT_FOUND);
        for path in [
            "/nodes/web1.acme.example".to_owned(),
            format!("/reports/{report}"),
            format!("/reports/{}", uuid::Uuid::nil()),
            "/reports/x".to_owned(),
            "/nodes/UPPER".to_owned(),
            "/commits/0000000000".to_owned(),
            "/nowhere".to_owned(),
        ] {
            let answer = see(&seeded, "ben", &format!("{prefix}{path}")).await;
            assert_eq!((answer.status, &answer.body), (nothing.status, &nothing.body), "{path}");
            assert_eq!(sorted(&answer.headers), sorted(&nothing.headers), "{path}");
        }
    }
}

#[actix_web::test]
async fn a08_what_a_report_says_is_not_read_for_whom_it_is_not() {
    let seeded = seeded().await;
    let theirs = seeded.store.node("web1.acme.example".parse().unwrap()).await.unwrap().unwrap();
    let report = seeded.last_run(theirs.id).await;
    seeded.store.spoil_report(theirs.report.unwrap()).await;
    for path in [format!("/reports/{report}"), format!("/api/v1/reports/{report}")] {
        assert_eq!(see(&seeded, "ben", &path).await.status, StatusCode::NOT_FOUND);
        assert!(see(&seeded, "cleo", &path).await.status.is_server_error(), "it was read");
    }
}

#[actix_web::test]
async fn no_page_of_a_tenant_names_another() {
    let seeded = seeded().await;
    for path in all_pages(&seeded).await {
        for (user, others) in
            [("ben", ["acme.example", "alpinhost", "Ana Ruiz"]), ("cleo", ["birch", "cedar", "nordhost"])]
        {
            for prefix in ["", "/api/v1"] {
                let path = if path == "/" && !prefix.is_empty() { "/overview" } else { &path };
                let path = format!("{prefix}{path}");
                let page = see(&seeded, user, &path).await.body;
                // Errors in the user's own data are shown in full, with the place in the data.
                if user == "ben" && path.contains("web2.birch") {
                    continue;
                }
                for other in others {
                    assert!(!page.contains(other), "{user} reads {other} at {path}");
                }
            }
        }
    }
}

#[actix_web::test]
async fn hostile_texts_are_text_everywhere() {
    let seeded = seeded().await;
    let mut seen = 0;
    for path in all_pages(&seeded).await {
        let page = see(&seeded, "ana", &path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        let scripts = page.body.matches("<script").count();
        assert_eq!(scripts, 1, "{path} holds {scripts} scripts");
        assert!(!page.body.contains('\u{1b}') && !page.body.contains('\u{202e}'), "{path}");
        assert!(!page.body.contains("\"onload"), "{path}");
        seen +=
            page.body.matches("alert(&#39;x&#39;)&#60;/script&#62;\\u{1b}[31m\\u{202e}&#34;onload").count();
    }
    assert!(seen >= 7, "the hostile text is shown {seen} times: it is hidden somewhere");
}

#[actix_web::test]
async fn drift_is_told_from_purpose_and_failures_come_first() {
    let seeded = seeded().await;
    let node = seeded.store.node("web1.birch.example".parse().unwrap()).await.unwrap().unwrap();
    let page = see(&seeded, "ben", &format!("/reports/{}", seeded.last_run(node.id).await)).await.body;
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("no {text} in {page}"));
    assert!(place("Unable to locate package") < place("worker_processes 8"));
    assert!(place("worker_processes 8") < place("which failed"));
    assert!(page.contains("drift: it was changed outside Holdfast since the last run in enforce mode"));
    assert!(page.contains("<span class=\"removed\">-worker_processes 1;"));
    assert!(page.contains("<span class=\"added\">+worker_processes 8;"));
    assert!(page.contains("modules/profile/nginx.toml:14:3"));
    assert!(page.contains("hieradata/customers/acme.toml:2:3 (customer)"));
}

#[actix_web::test]
async fn quiet_runs_are_one_line() {
    let seeded = seeded().await;
    let node = json(&seeded, "cleo", "/nodes/web1.acme.example").await;
    let runs = node["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 5);
    let quiet: u64 = runs.iter().map(|run| run["quiet_before"].as_u64().unwrap()).sum();
    assert_eq!(quiet, 35);
}

#[actix_web::test]
async fn nothing_is_shown_to_nobody() {
    let seeded = seeded().await;
    for path in all_pages(&seeded).await {
        let answer = ask(&seeded, TestRequest::get().uri(&path)).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::SEE_OTHER, ""), "{path}");
        assert!(answer.header(LOCATION).starts_with("/login?to=/"), "{path}");
        let request = TestRequest::get().uri(&path).insert_header(("accept", "application/json"));
        assert_eq!(ask(&seeded, request).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    for path in ["/live", "/account", "/api/openapi.json"] {
        assert_ne!(ask(&seeded, TestRequest::get().uri(path)).await.status, StatusCode::OK, "{path}");
    }
}

#[actix_web::test]
async fn a_login_link_serves_once_and_only_by_its_button() {
    let seeded = seeded().await;
    let user = seeded.store.user("ana".into()).await.unwrap().unwrap();
    let hash = Sha256::digest(b"secret-of-the-link").into();
    let until = seeded.now + SignedDuration::from_mins(30);
    seeded.store.add_login_link(user.id, hash, until, entry(seeded.now, "login-link-made")).await.unwrap();
    let path = "/login/secret-of-the-link";
    for _ in 0..3 {
        let preview = ask(&seeded, TestRequest::get().uri(path)).await;
        assert!(preview.body.contains("method=\"post\"") && preview.header(SET_COOKIE).is_empty());
    }
    let foreign = form(path, &[]).insert_header(("origin", "https://evil.example"));
    assert_eq!(ask(&seeded, foreign).await.status, StatusCode::FORBIDDEN);
    assert_eq!(ask(&seeded, TestRequest::post().uri(path)).await.status, StatusCode::FORBIDDEN);
    let entered = ask(&seeded, form(path, &[])).await;
    assert_eq!((entered.status, entered.header(LOCATION)), (StatusCode::SEE_OTHER, "/"));
    let cookie = entered.header(SET_COOKIE).to_owned();
    for rule in ["__Host-holdfast=", "; Secure", "; HttpOnly", "; SameSite=Strict", "; Path=/"] {
        assert!(cookie.contains(rule), "{cookie}");
    }
    assert_eq!(ask(&seeded, form(path, &[])).await.status, StatusCode::GONE);
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let inside = || TestRequest::get().uri("/").insert_header(("cookie", cookie.clone()));
    assert_eq!(ask(&seeded, inside()).await.status, StatusCode::OK);
    let out = form("/logout", &[]).insert_header(("cookie", cookie.clone()));
    assert_eq!(ask(&seeded, out).await.status, StatusCode::SEE_OTHER);
    assert_eq!(ask(&seeded, inside()).await.status, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn a_password_lets_in_and_a_wrong_one_says_the_same_as_an_unknown_name() {
    let seeded = seeded().await;
    see(&seeded, "ana", "/").await;
    let password = "correct horse battery";
    let set = form("/account", &[("new", password), ("again", password)])
        .insert_header(("cookie", "__Host-holdfast=pana"));
    let set = ask(&seeded, set).await;
    assert_eq!(set.status, StatusCode::SEE_OTHER, "{}", set.body);
    // All sessions from before ended, including the one that made the request.
    let old = TestRequest::get().uri("/").insert_header(("cookie", "__Host-holdfast=pana"));
    assert_eq!(ask(&seeded, old).await.header(LOCATION), "/login?to=/");
    let try_it = |name: &'static str, password: &'static str| {
        form("/login", &[("name", name), ("password", password), ("to", "/nodes")])
    };
    let right = ask(&seeded, try_it("ana", password)).await;
    assert_eq!((right.status, right.header(LOCATION)), (StatusCode::SEE_OTHER, "/nodes"));
    let wrong = ask(&seeded, try_it("ana", "wrong")).await;
    let unknown = ask(&seeded, try_it("nobody", "wrong")).await;
    let unset = ask(&seeded, try_it("ben", "")).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert_eq!((wrong.status, &wrong.body), (unknown.status, &unknown.body));
    assert_eq!((wrong.status, &wrong.body), (unset.status, &unset.body));
    for _ in 0..9 {
        ask(&seeded, try_it("ana", "wrong")).await;
    }
    let closed = ask(&seeded, try_it("ana", password)).await;
    assert_eq!(closed.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(closed.header(actix_web::http::header::RETRY_AFTER), "300");
    assert!(closed.body.contains("wait 5 minutes"), "{}", closed.body);
}

#[actix_web::test]
async fn one_who_logged_in_before_a_restart_is_known_after_it() {
    let seeded = seeded().await;
    let password = "correct horse battery";
    let hash = seeded.state.hashing.hash(password.to_owned().into()).await.unwrap();
    let ana = seeded.store.user("ana".into()).await.unwrap().unwrap();
    seeded.store.set_password(ana.id, hash, entry(seeded.now, "password-set")).await.unwrap();
    let came = ask(&seeded, form("/login", &[("name", "ana"), ("password", password)])).await;
    assert_eq!(came.status, StatusCode::SEE_OTHER, "{}", came.body);
    let again = DashboardState::new(seeded.store.clone(), seeded.server_view.clone(), Duration::from_secs(1));
    let again = again.recalling().await.unwrap();
    let address = std::net::Ipv4Addr::UNSPECIFIED.into();
    assert!(again.attempts.is_owners(address, "ana") && !again.attempts.is_owners(address, "ben"));
}

#[actix_web::test]
async fn a_session_ends_when_idle_and_in_any_case() {
    let seeded = seeded().await;
    let user = seeded.store.user("ana".into()).await.unwrap().unwrap();
    let (token, start) = ([7; 32], seeded.now);
    seeded.store.add_session(user.id, token, start + session::IDLE, entry(start, "logged-in")).await.unwrap();
    let mut now = start;
    while now < start + session::LIFETIME {
        assert!(seeded.store.session_user(token, now).await.unwrap().is_some(), "at {now}");
        seeded.store.extend_session(token, now, session::IDLE, session::LIFETIME).await.unwrap();
        now += SignedDuration::from_mins(100);
    }
    assert!(seeded.store.session_user(token, start + session::LIFETIME).await.unwrap().is_none());
    let token = [8; 32];
    seeded.store.add_session(user.id, token, start + session::IDLE, entry(start, "logged-in")).await.unwrap();
    let late = start + session::IDLE;
    seeded.store.extend_session(token, late, session::IDLE, session::LIFETIME).await.unwrap();
    assert!(seeded.store.session_user(token, late).await.unwrap().is_none(), "an ended session stays ended");
}

#[actix_web::test]
async fn pages_come_with_a_strict_policy_and_run_no_script_of_their_own() {
    let seeded = seeded().await;
    let page = see(&seeded, "ana", "/nodes/web1.acme.example").await;
    let policy = page.header(CONTENT_SECURITY_POLICY);
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(
        !page.body.contains(" style=") && !page.body.contains("<style") && !page.body.contains("javascript:")
    );
    assert!(page.headers.contains_key("strict-transport-security"));
}

#[actix_web::test]
async fn a09_an_empty_selection_is_not_everything() {
    let seeded = seeded().await;
    for query in ["customer=", "reseller=", "customer=acme&role="] {
        let answer = see(&seeded, "ana", &format!("/api/v1/nodes?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}: {}", answer.body);
        assert_eq!(see(&seeded, "ana", &format!("/nodes?{query}")).await.status, StatusCode::OK, "a form");
    }
}

#[actix_web::test]
async fn a55_metrics_are_not_for_strangers() {
    let seeded = seeded().await;
    let remote = || TestRequest::get().uri("/metrics").peer_addr("192.0.2.1:1".parse().unwrap());
    assert_eq!(ask(&seeded, remote()).await.status, StatusCode::NOT_FOUND);
    see(&seeded, "cleo", "/").await;
    let tenant = remote().insert_header(("cookie", "__Host-holdfast=pcleo"));
    assert_eq!(ask(&seeded, tenant).await.status, StatusCode::NOT_FOUND);
    // A listener for IPv4 and IPv6 sees this machine's IPv4 address like this.
    for here in ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        let local = TestRequest::get().uri("/metrics").peer_addr(here.parse().unwrap());
        assert_eq!(ask(&seeded, local).await.status, StatusCode::OK, "{here}");
    }
}

#[actix_web::test]
async fn ready_is_a_server_that_can_take_polls_and_reports_now() {
    let ready = async |seeded: &SeededStore| {
        let answer = ask(seeded, TestRequest::get().uri("/readyz")).await;
        (answer.status, answer.body)
    };
    assert_eq!(ready(&seeded().await).await, (StatusCode::OK, "ok\n".to_owned()));
    let (status, reason) = ready(&empty()).await;
    assert!(status == StatusCode::SERVICE_UNAVAILABLE && reason.contains("no good commit"), "{reason}");
    let full = seeded().await;
    see(&full, "ana", "/").await;
    full.store.refuse_writing().await;
    let (status, reason) = ready(&full).await;
    assert!(status == StatusCode::SERVICE_UNAVAILABLE && reason.contains("store"), "{reason}");
    assert_eq!(see(&full, "ana", "/").await.status, StatusCode::OK, "with a full disk pages are wanted most");
}

#[actix_web::test]
async fn nodes_and_readiness_never_wait_behind_pages() {
    let seeded = seeded().await;
    let held = seeded.store.hold_readers_of_pages().await;
    let mut page = std::pin::pin!(see(&seeded, "ana", "/"));
    let others = async {
        let ready = ask(&seeded, TestRequest::get().uri("/readyz")).await;
        let node = seeded.store.node("web1.acme.example".parse().unwrap()).await.unwrap();
        (ready.status, node.is_some())
    };
    tokio::select! {
        biased;
        _ = &mut page => panic!("the page was read without a reader"),
        others = others => assert_eq!(others, (StatusCode::OK, true)),
    }
    drop(held);
    assert_eq!(page.await.status, StatusCode::OK);
}

#[actix_web::test]
async fn the_description_of_the_api_is_true() {
    let seeded = seeded().await;
    let description = openapi::describe();
    let node = seeded.store.node("db1.acme.example".parse().unwrap()).await.unwrap().unwrap();
    let report = seeded.last_run(node.id).await;
    for (path, methods) in description["paths"].as_object().unwrap() {
        let concrete =
            path.replace("{node}", "db1.acme.example").replace("{report}", &report).replace("{commit}", GOOD);
        let answer = see(&seeded, "ana", &concrete).await;
        assert_eq!(answer.status, StatusCode::OK, "{concrete}");
        let answered: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        let schema = &methods["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
        let pointer = schema.as_str().unwrap().trim_start_matches('#');
        let properties = description.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"))["properties"]
            .as_object()
            .unwrap();
        let names = |map: &serde_json::Map<String, serde_json::Value>| {
            map.keys().cloned().collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(names(answered.as_object().unwrap()), names(properties), "{path}");
    }
}
