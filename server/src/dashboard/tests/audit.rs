//! The page of the audit log: complete for operators who see everything, and without a trace for others.

use super::*;

#[actix_web::test]
async fn operators_who_see_everything_see_the_audit_log_and_nobody_else_does() {
    let seeded = seeded().await;
    for number in 0..60 {
        let entry = store::audit::NewAuditEntry {
            detail: seed::HOSTILE.to_owned(),
            ..store::audit::NewAuditEntry::new(
                seeded.now,
                "uid 0",
                "node-added",
                &format!("n{number}.acme.example"),
            )
        };
        seeded.store.audit(entry).await.unwrap();
    }
    let page = see(&seeded, "ana", "/audit").await.body;
    assert!(page.contains("n59.acme.example") && page.contains("<code class=\"hash\">"), "{page}");
    assert!(!page.contains("<script>alert") && page.contains("aria-current=\"page\">Audit</a>"), "{page}");
    let first = json(&seeded, "ana", "/audit").await;
    let older = json(&seeded, "ana", first["next"].as_str().unwrap()).await;
    assert_eq!(first["entries"].as_array().unwrap().len(), 50);
    let seq = |page: &serde_json::Value, at: usize| page["entries"][at]["seq"].as_i64().unwrap();
    assert_eq!(seq(&older, 0) + 1, seq(&first, 49));
    let (role, scope) = (store::user::UserRole::Viewer, store::user::UserScope::Everything);
    seeded.store.add_user("vera".into(), role, scope, entry(seeded.now, "user-added")).await.unwrap();
    for (name, path) in
        [("ben", "/audit"), ("cleo", "/audit?x=1"), ("vera", "/audit"), ("vera", "/api/v1/audit")]
    {
        let answer = see(&seeded, name, path).await;
        let missing =
            see(&seeded, name, if path.starts_with("/api") { "/api/v1/nosuch" } else { "/nosuch" }).await;
        assert_eq!((answer.status, &answer.body), (StatusCode::NOT_FOUND, &missing.body), "{name} {path}");
        assert!(!see(&seeded, name, "/").await.body.contains("/audit"), "{name}");
    }
}
