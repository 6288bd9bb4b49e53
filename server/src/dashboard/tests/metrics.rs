//! Metrics: in the right format, with bounded labels, and with the right numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::*;
use crate::metrics::{PollResult, ReportResult, Side};

/// The samples, by name and labels; checks that every line has the right format.
fn read(text: &str) -> BTreeMap<String, f64> {
    let (mut types, mut samples) = (BTreeMap::new(), BTreeMap::new());
    assert!(text.ends_with("# EOF\n"), "{text}");
    for line in text.lines() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["#", "HELP" | "UNIT", _, ..] | ["#", "EOF"] => {}
            ["#", "TYPE", name, sort] => {
                assert!(types.insert(name.to_owned(), sort).is_none(), "{name} twice");
            }
            [ref sample @ .., value] => {
                let sample = sample.join(" ");
                let name = sample.split('{').next().unwrap();
                let family = types
                    .keys()
                    .filter(|family| name.starts_with(family.as_str()))
                    .max_by_key(|family| family.len());
                let family = family.unwrap_or_else(|| panic!("no type of {name}"));
                let end = &name[family.len()..];
                let ends: &[&str] = match types[family] {
                    "counter" => &["_total"],
                    "histogram" => &["_bucket", "_sum", "_count"],
                    "info" => &["_info"],
                    _ => &[""],
                };
                assert!(ends.contains(&end), "{line}");
                let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
                assert!(samples.insert(sample, value).is_none(), "{line} twice");
            }
            _ => panic!("{line}"),
        }
    }
    samples
}

/// The answer of `/metrics` to a caller at an address, with these headers.
async fn asked_by(seeded: &SeededStore, address: &str, headers: &[(&str, &str)]) -> PageAnswer {
    let request = TestRequest::get().uri("/metrics").peer_addr(address.parse().unwrap());
    ask(seeded, headers.iter().fold(request, |request, header| request.insert_header(*header))).await
}

#[actix_web::test]
async fn numbers_are_for_this_machine_for_the_token_and_for_users_who_see_everything() {
    const TOKEN: &str = "a-token-of-24-characters";
    let elsewhere = "192.0.2.7:1";
    let shown = format!("Bearer {TOKEN}");
    let mut seeded = seeded().await;
    for user in ["ana", "ben", "cleo"] {
        see(&seeded, user, "/").await;
    }
    let closed = asked_by(&seeded, elsewhere, &[("authorization", &shown)]).await;
    assert_eq!(closed.status, StatusCode::NOT_FOUND, "no token is set: there is nothing to show one for");
    let state =
        DashboardState::new(seeded.store.clone(), seeded.server_view.clone(), Duration::from_secs(1800));
    seeded.state = web::Data::new(state.monitored_by(MetricsToken::parse(TOKEN)));

    for local in ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        assert_eq!(asked_by(&seeded, local, &[]).await.status, StatusCode::OK, "{local}");
        for by in ["forwarded", "x-forwarded-for", "x-real-ip", "via"] {
            let handed_on = asked_by(&seeded, local, &[(by, "192.0.2.7")]).await;
            assert_eq!(handed_on.status, StatusCode::NOT_FOUND, "{local}, handed on: {by}");
        }
    }
    let proxied = [("x-forwarded-for", "192.0.2.7"), ("authorization", &*shown)];
    for (address, headers) in [(elsewhere, &proxied[1..]), ("127.0.0.1:1", &proxied)] {
        let answer = asked_by(&seeded, address, headers).await;
        assert!(
            answer.status == StatusCode::OK && answer.body.contains("holdfast_nodes{"),
            "{}",
            answer.body
        );
    }
    for wrong in ["Bearer another-token-of-24-chars", "Bearer ", "Basic YTpi", TOKEN] {
        let answer = asked_by(&seeded, elsewhere, &[("authorization", wrong)]).await;
        let asks_for = answer.header(actix_web::http::header::WWW_AUTHENTICATE);
        assert_eq!(
            (answer.status, asks_for),
            (StatusCode::UNAUTHORIZED, "Bearer realm=\"metrics\""),
            "{wrong}"
        );
        assert!(!answer.body.contains("holdfast_"), "{}", answer.body);
    }
    // They count machines of all tenants, so a user of a single tenant may not read them.
    for (user, status) in
        [("ana", StatusCode::OK), ("ben", StatusCode::NOT_FOUND), ("cleo", StatusCode::NOT_FOUND)]
    {
        let cookie = format!("__Host-holdfast=p{user}");
        assert_eq!(asked_by(&seeded, elsewhere, &[("cookie", &cookie)]).await.status, status, "{user}");
    }
    assert_eq!(asked_by(&seeded, elsewhere, &[]).await.status, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn numbers_are_in_the_format_of_monitoring_and_count_what_was_done() {
    let seeded = seeded().await;
    for _ in 0..3 {
        see(&seeded, "ana", "/nodes/web1.acme.example").await;
    }
    see(&seeded, "ana", "/nosuch").await;
    let metrics = ServerView::metrics(&*seeded.server_view);
    metrics.polled(PollResult::Unchanged);
    metrics.reported(ReportResult::Stored);
    metrics.compiled(Duration::from_millis(3));
    metrics.answered(Side::Nodes, Some("/v1/catalog".to_owned()), 200, Duration::from_millis(2));
    let local = TestRequest::get().uri("/metrics").peer_addr("[::1]:1".parse().unwrap());
    let answer = ask(&seeded, local).await;
    assert!(answer.header(actix_web::http::header::CONTENT_TYPE).starts_with("application/openmetrics-text"));
    let samples = read(&answer.body);
    let requests = |port: &str, route: &str, status: u16| {
        format!("holdfast_http_requests_total{{port=\"{port}\",route=\"{route}\",status=\"{status}\"}}")
    };
    for (sample, value) in [
        (requests("dashboard", "/nodes/{node}", 200), 3.0),
        (requests("dashboard", "none", 404), 1.0),
        (requests("nodes", "/v1/catalog", 200), 1.0),
        ("holdfast_polls_total{answer=\"unchanged\"}".to_owned(), 1.0),
        ("holdfast_polls_total{answer=\"broken\"}".to_owned(), 0.0),
        ("holdfast_reports_total{outcome=\"stored\"}".to_owned(), 1.0),
        ("holdfast_compile_duration_seconds_count".to_owned(), 1.0),
        ("holdfast_repository_looks_total{outcome=\"failed\"}".to_owned(), 2.0),
        ("holdfast_repository_read_timestamp_seconds".to_owned(), 0.0),
        (format!("holdfast_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")), 1.0),
    ] {
        assert_eq!(samples.get(&sample), Some(&value), "{sample} in {samples:#?}");
    }
    let buckets =
        samples.keys().filter(|sample| sample.starts_with("holdfast_compile_duration_seconds_bucket"));
    assert_eq!(buckets.count(), 12);
    for gauge in [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
        "holdfast_store_size_bytes",
    ] {
        assert!(samples[gauge] > 0.0, "{gauge}");
    }
    assert!(samples["process_start_time_seconds"] > 1e9 && samples.contains_key("holdfast_store_waiting"));
    // Whatever is requested, no label is a node, a customer or a path.
    assert!(!answer.body.contains("acme") && !answer.body.contains("nosuch"), "{}", answer.body);
    let names: BTreeSet<_> = samples.keys().map(|sample| sample.split('{').next().unwrap()).collect();
    assert!(
        names.iter().all(|name| name.starts_with("holdfast_") || name.starts_with("process_")),
        "{names:?}"
    );
}
