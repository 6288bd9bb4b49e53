//! Certificates: how many there may be, which ones are kept, and what a wrong clock must not delete.

use super::*;

/// A certificate that is requested some hours after the first.
fn later(serial: &str, key: u8, hours: i64) -> (NewCertificate, NewAuditEntry) {
    let at = NOW + SignedDuration::from_hours(hours);
    let until = at + SignedDuration::from_hours(24);
    let new = NewCertificate { not_before: at, not_after: until, ..certificate(serial, key) };
    (new, NewAuditEntry { at, ..entry("certificate-renewed") })
}

#[actix_web::test]
async fn a_node_that_renews_without_end_has_no_more_certificates_than_anybody_needs() {
    let (_directory, store) = empty();
    let node = added(&store, "web1").await.id;
    claim(&store, "token-web1", "01", 1).await;
    let renew = async |key: u8, hours: i64| {
        let (new, entry) = later(&format!("n{key}"), key, hours);
        store.renew(node, "01".into(), new, entry).await.unwrap()
    };
    let mut granted = 0;
    for key in 2..=99 {
        granted += usize::from(matches!(renew(key, 0).await, Renewal::Granted(_)));
    }
    assert_eq!((granted, renew(100, 0).await), (19, Renewal::TooOften), "twenty with the first");
    assert!(matches!(renew(20, 0).await, Renewal::Granted(_)), "a lost reply is not a new one");
    assert!(matches!(renew(101, 12).await, Renewal::Granted(_)), "half a life later");
}

#[actix_web::test]
async fn certificates_that_ended_and_were_replaced_are_forgotten_and_still_known_to_be_old() {
    let (_directory, store) = empty();
    let node = added(&store, "web1").await;
    claim(&store, "token-web1", "01", 1).await;
    let (second, renewed) = later("02", 2, 12);
    store.renew(node.id, "01".into(), second.clone(), renewed).await.unwrap();
    let hours = |hours: i64| NOW + SignedDuration::from_hours(hours);
    assert_eq!(
        store.forget_past_certificates(hours(25), 9).await.unwrap(),
        0,
        "its successor was never used"
    );
    store.confirm_certificate(node.id, "02".into(), hours(13)).await.unwrap();
    assert_eq!(store.forget_past_certificates(hours(24), 9).await.unwrap(), 0, "it has not ended");
    assert_eq!(store.forget_past_certificates(hours(25), 9).await.unwrap(), 1);
    assert!(store.knows_certificate(node.id, certificate("01", 1)).await.unwrap(), "a clone of then is told");
    store.end_node(node.certname, NodeState::Revoked, entry("node-revoked")).await.unwrap();
    assert_eq!(store.forget_past_certificates(hours(9_999), 9).await.unwrap(), 0, "the newest stays");
    assert!(store.knows_certificate(node.id, second).await.unwrap());
    assert_eq!(store.audit_checked(None).await.unwrap().broken_at, None);
}

#[actix_web::test]
async fn f29_a_clock_that_is_years_ahead_costs_no_history() {
    let (_directory, store) = empty();
    let node = added(&store, "web1").await.id;
    let days = |days: i64| NOW + SignedDuration::from_hours(days * 24);
    for (run, day) in [(1, 0), (2, 80), (3, 95)] {
        store.put_report(node, report(run, 1), days(day)).await.unwrap();
    }
    let forget = async |clock| store.forget_what_is_past(clock, SignedDuration::ZERO, 9).await.unwrap();
    assert!(!forget(days(5 * 365)).await);
    assert_eq!(kept(&store, node).await, runs([3, 2]), "what is older than ninety days before the last");
    assert!(!forget(days(85)).await, "nor does one that is behind");
    assert_eq!(kept(&store, node).await, runs([3, 2]));
}
