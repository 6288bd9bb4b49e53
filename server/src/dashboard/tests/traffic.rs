//! How much goes out and to whom: pages that stay small, and open pages that listen.

use super::*;

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
    assert_eq!(json(&seeded, "ana", "/nodes?page=3").await["nodes"].as_array().unwrap().len(), 20);
    assert_eq!(see(&seeded, "ana", "/nodes?state=weird").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(see(&seeded, "ana", "/nodes?state=&role=&sort=silence").await.status, StatusCode::OK);
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
    use actix_web::body::MessageBody as _;
    assert!(next().await.contains("hello"));
    let stored = |certname: &str, place: &str| Happening::ReportStored {
        certname: certname.parse().unwrap(),
        place: place.parse().unwrap(),
        report: 1,
    };
    seeded.happenings.send(stored("web1.birch.example", "nordhost/birch")).unwrap();
    let nothing = tokio::time::timeout(Duration::from_millis(200), next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    seeded.happenings.send(stored("web1.acme.example", "alpinhost/acme")).unwrap();
    assert!(next().await.starts_with("event: changed\n"));
}

#[actix_web::test]
async fn a_user_with_many_open_pages_keeps_nobody_else_from_listening() {
    let seeded = seeded().await;
    see(&seeded, "cleo", "/").await;
    see(&seeded, "ben", "/").await;
    let app = init_service(App::new().app_data(seeded.state.clone()).configure(configure)).await;
    let listen = async |user: &str| {
        let cookie = format!("__Host-holdfast=p{user}");
        let request = TestRequest::get().uri("/live").insert_header(("cookie", cookie));
        call_service(&app, request.to_request()).await
    };
    let mut open = Vec::new();
    for _ in 0..20 {
        open.push(listen("cleo").await);
        assert_eq!(open.last().unwrap().status(), StatusCode::OK);
    }
    assert_ne!(listen("cleo").await.status(), StatusCode::OK);
    assert_eq!(listen("ben").await.status(), StatusCode::OK);
    open.pop();
    assert_eq!(listen("cleo").await.status(), StatusCode::OK);
}
