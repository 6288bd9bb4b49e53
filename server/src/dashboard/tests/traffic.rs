//! How much is sent and to whom: small pages, and open pages that listen.

use std::pin::Pin;

use actix_web::FromRequest as _;
use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::http::Method;

use jiff::Timestamp;

use super::*;
use crate::store::user::UserScope;

#[actix_web::test]
async fn a_page_of_nodes_stays_small() {
    let seeded = empty();
    seeded.user("ana", "everything").await;
    let label = "a".repeat(60);
    for number in 0..120 {
        let name = format!("n{number}.{label}.{label}.{label}.example");
        seeded.added(&name, &format!("{label}/{label}")).await;
    }
    let page = see(&seeded, "ana", "/nodes").await.body;
    assert!(page.len() < 100_000, "{} bytes", page.len());
    assert!(page.contains("120 nodes") && page.contains("href=\"/nodes?page=2\""));
    assert_eq!(json(&seeded, "ana", "/nodes?page=3").await["nodes"].as_array().unwrap().len(), 40);
    assert_eq!(json(&seeded, "ana", "/nodes?page=4").await["first"], 81, "there are three pages");
    assert_eq!(see(&seeded, "ana", "/nodes?state=weird").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(see(&seeded, "ana", "/nodes?state=&role=&sort=silence").await.status, StatusCode::OK);
}

#[actix_web::test]
async fn readiness_never_waits_while_pages_are_drawn() {
    let seeded = seeded().await;
    let all = u32::try_from(seeded.state.drawing.available_permits()).unwrap();
    for path in ["/", "/nodes", "/commits", "/nodes/web1.acme.example", "/api/v1/overview"] {
        let held = seeded.state.drawing.acquire_many(all).await.unwrap();
        let mut page = std::pin::pin!(see(&seeded, "ana", path));
        tokio::select! {
            biased;
            _ = &mut page => panic!("{path} was drawn by the thread that answers"),
            ready = ask(&seeded, TestRequest::get().uri("/readyz")) => assert_eq!(ready.status, StatusCode::OK),
        }
        drop(held);
        assert_eq!(page.await.status, StatusCode::OK, "{path}");
    }
}

#[actix_web::test]
async fn no_view_is_arranged_by_the_thread_that_answers() {
    let seeded = seeded().await;
    let web1 = seeded.store.node("web1.acme.example".parse().unwrap()).await.unwrap().unwrap();
    let run = seeded.last_run(web1.id).await;
    let asked = asked(&seeded, "ana").await;
    seeded.state.drawing.close();
    let part = report_query::ReportQuery::default();
    assert!(matches!(overview::view(&asked).await, Err(page::Error::Busy)));
    assert!(matches!(nodes::view(&asked, filter::Filter::default()).await, Err(page::Error::Busy)));
    assert!(matches!(node::view(&asked, "web1.acme.example").await, Err(page::Error::Busy)));
    assert!(matches!(report::view(&asked, &run, part).await, Err(page::Error::Busy)));
    let of_node = report::view_of(&asked, "web1.acme.example", &run, part).await;
    assert!(matches!(of_node, Err(page::Error::Busy)));
    assert!(matches!(commits::view(&asked, commits::CommitsQuery::default()).await, Err(page::Error::Busy)));
    assert!(matches!(commits::view_one(&asked, &GOOD.into()).await, Err(page::Error::Busy)));
    let log = crate::dashboard::audit::view(&asked, Default::default()).await;
    assert!(matches!(log, Err(page::Error::Busy)));
}

/// A request of one of the seeded users.
async fn asked(seeded: &SeededStore, name: &str) -> page_request::PageRequest {
    assert_eq!(see(seeded, name, "/account").await.status, StatusCode::OK);
    let request = TestRequest::get()
        .app_data(seeded.state.clone())
        .insert_header(("cookie", format!("__Host-holdfast=p{name}")))
        .to_http_request();
    page_request::PageRequest::extract(&request).await.unwrap()
}

#[actix_web::test]
async fn f29_a_server_whose_clock_cannot_be_right_is_not_ready_and_says_what_the_clock_says() {
    let seeded = seeded().await;
    let day = SignedDuration::from_hours(24);
    for (made, word) in [(Timestamp::now() + day, "behind"), (Timestamp::now() - day * 9, "ahead")] {
        let clock = Clock { made, ends: made + day };
        let state = DashboardState::new(
            seeded.store.clone(),
            seeded.state.server_view.clone(),
            Duration::from_secs(60),
        )
        .by(clock);
        let app = init_service(App::new().app_data(web::Data::new(state)).configure(configure)).await;
        let answer = call_service(&app, TestRequest::get().uri("/readyz").to_request()).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        let body = read_body(answer).await;
        assert!(String::from_utf8_lossy(&body).contains(word), "{body:?}");
    }
}

#[actix_web::test]
async fn an_open_page_hears_of_its_own_nodes_alone() {
    let seeded = seeded().await;
    see(&seeded, "cleo", "/").await;
    let app = init_service(App::new().app_data(seeded.state.clone()).configure(configure)).await;
    let request = TestRequest::get().uri("/live").insert_header(("cookie", "__Host-holdfast=pcleo"));
    let mut body = Box::pin(call_service(&app, request.to_request()).await.into_body());
    let mut next = async || {
        let bytes = std::future::poll_fn(|context| body.as_mut().poll_next(context)).await;
        String::from_utf8(bytes.unwrap().unwrap_or_default().to_vec()).unwrap()
    };
    assert!(next().await.contains("hello"));
    let stored = |certname: &str, place: &str| StateChange::ReportStored {
        certname: certname.parse().unwrap(),
        tenancy: place.parse().unwrap(),
        report: 1,
    };
    seeded.state_changes.send(stored("web1.birch.example", "nordhost/birch")).unwrap();
    let nothing = tokio::time::timeout(Duration::from_millis(200), next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    seeded.state_changes.send(stored("web1.acme.example", "alpinhost/acme")).unwrap();
    assert!(next().await.starts_with("event: changed\n"));
}

/// An open page that receives messages.
type EventBody = Pin<Box<BoxBody>>;

/// The stream that an open page of a user receives.
async fn listening(seeded: &SeededStore, user: &str) -> EventBody {
    see(seeded, user, "/account").await;
    let app = init_service(App::new().app_data(seeded.state.clone()).configure(configure)).await;
    let cookie = format!("__Host-holdfast=p{user}");
    let request = TestRequest::get().uri("/live").insert_header(("cookie", cookie));
    let answer = call_service(&app, request.to_request()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    Box::pin(answer.into_body().boxed())
}

/// The next message; `None` if the connection has ended.
async fn message(page: &mut EventBody) -> Option<String> {
    let bytes = std::future::poll_fn(|context| page.as_mut().poll_next(context)).await?;
    Some(String::from_utf8(bytes.unwrap().to_vec()).unwrap())
}

#[actix_web::test]
async fn an_open_page_listens_and_the_oldest_of_too_many_gives_way() {
    let seeded = seeded().await;
    let mut other = listening(&seeded, "ben").await;
    let mut open = Vec::new();
    for _ in 0..23 {
        open.push(listening(&seeded, "cleo").await);
    }
    for (place, page) in open.iter_mut().enumerate() {
        assert_eq!(message(page).await.as_deref(), Some(": hello\n\n"));
        if place < 3 {
            assert_eq!(message(page).await.as_deref(), Some("event: gave-way\ndata:\n\n"));
            assert_eq!(message(page).await, None, "it holds no connection any more");
        }
    }
    assert_eq!(message(&mut other).await.as_deref(), Some(": hello\n\n"));
    let taken = StateChange::CommitTaken { commit: GOOD.into() };
    seeded.state_changes.send(taken).unwrap();
    for page in open.iter_mut().skip(3).chain([&mut other]) {
        assert_eq!(message(page).await.as_deref(), Some("event: changed\ndata:\n\n"), "others stay");
    }
    drop(open);
    let mut again: Vec<_> = Vec::new();
    for _ in 0..20 {
        again.push(listening(&seeded, "cleo").await);
    }
    message(&mut again[0]).await;
    let first = tokio::time::timeout(Duration::from_millis(50), message(&mut again[0])).await;
    assert!(first.is_err(), "places are given back: {first:?}");
}

#[actix_web::test]
async fn who_asks_at_the_same_time_shares_one_reading_that_began_after() {
    let seeded = seeded().await;
    let ask = || {
        let state = seeded.state.clone();
        actix_web::rt::spawn(async move { state.census.members(&UserScope::Everything).await.unwrap() })
    };
    let held = seeded.store.hold_readers_of_pages().await;
    let first = ask();
    while seeded.state.census.waiting(&UserScope::Everything) > 0 {
        tokio::task::yield_now().await;
    }
    let others: Vec<_> = (0..7).map(|_| ask()).collect();
    while seeded.state.census.waiting(&UserScope::Everything) < 7 {
        tokio::task::yield_now().await;
    }
    drop(held);
    let (first, mut others_read) = (first.await.unwrap(), Vec::new());
    for other in others {
        others_read.push(other.await.unwrap());
    }
    let shared = &others_read[0];
    assert!(!Arc::ptr_eq(&first, shared), "it began before they asked");
    assert!(others_read.iter().all(|read| Arc::ptr_eq(read, shared)), "one reading for all who waited");
    seeded.added("new9.birch.example", "nordhost/birch").await;
    let later = seeded.state.census.members(&UserScope::Everything).await.unwrap();
    assert_eq!(later.len(), shared.len() + 1, "nothing is kept");
}

#[actix_web::test]
async fn text_is_compressed_for_who_takes_it_and_happenings_are_not() {
    let seeded = seeded().await;
    see(&seeded, "ana", "/").await;
    let app = init_service(App::new().app_data(seeded.state.clone()).configure(configure)).await;
    for (path, is_packed) in
        [("/", true), ("/api/v1/nodes", true), ("/assets/style.css", true), ("/live", false)]
    {
        for takes in ["gzip", "identity"] {
            let request = TestRequest::get().uri(path).insert_header(("cookie", "__Host-holdfast=pana"));
            let answer =
                call_service(&app, request.insert_header(("accept-encoding", takes)).to_request()).await;
            let coding = answer.headers().get("content-encoding").is_some();
            assert_eq!(coding, is_packed && takes == "gzip", "{path} for {takes}");
            assert_eq!(answer.headers().get("vary").is_some(), is_packed, "{path}");
        }
    }
}

#[actix_web::test]
async fn head_is_answered_as_get_without_the_body() {
    let seeded = seeded().await;
    see(&seeded, "ana", "/").await;
    let app = init_service(App::new().app_data(seeded.state.clone()).configure(configure)).await;
    for path in
        ["/", "/api/v1/nodes", "/assets/style.css", "/readyz", "/live", "/nodes/unknown.example", "/none"]
    {
        let asked = |request: TestRequest| {
            call_service(
                &app,
                request.uri(path).insert_header(("cookie", "__Host-holdfast=pana")).to_request(),
            )
        };
        let (get, head) =
            (asked(TestRequest::get()).await, asked(TestRequest::default().method(Method::HEAD)).await);
        let content = |headers: &HeaderMap| headers.get("content-type").cloned();
        assert_eq!(
            (head.status(), content(head.headers())),
            (get.status(), content(get.headers())),
            "{path}"
        );
        assert_eq!(to_bytes(head.into_body()).await.unwrap().len(), 0, "{path}");
    }
}
