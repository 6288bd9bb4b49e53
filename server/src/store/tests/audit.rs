//! The audit log: entries that were changed or cut off are detected.

use super::*;

#[actix_web::test]
async fn the_audit_log_shows_what_was_tampered_with() {
    let (directory, store) = empty();
    for _ in 0..3 {
        store.audit(entry("node-added")).await.unwrap();
    }
    assert_eq!(store.audit_checked(None).await.unwrap().broken_at, None);
    let head = store.audit_head().await.unwrap().unwrap();
    store.audit(entry("node-added")).await.unwrap();
    let checked = store.audit_checked(Some(head.hash.clone())).await.unwrap();
    assert_eq!((head.seq, checked.found, checked.head.unwrap().seq), (3, Some(3), 4));
    let rest = store.audit_after(None, 2, 10).await.unwrap();
    assert_eq!(rest.iter().map(|row| row.seq).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(rest[0].hash(), head.hash);
    let later = Some(NOW + SignedDuration::from_hours(1));
    assert!(store.audit_after(later, 0, 10).await.unwrap().is_empty());
    assert_eq!(store.audit_before(3, 1).await.unwrap()[0].seq, 2);
    let update = store.write(|connection| Ok(connection.execute("UPDATE audit SET object = 'x'", [])?)).await;
    assert!(update.unwrap_err().to_string().contains("append-only"));
    let intruder = rusqlite::Connection::open(directory.path().join("server.db")).unwrap();
    intruder
        .execute_batch("DROP TRIGGER audit_keeps_what_it_says; UPDATE audit SET object = 'x' WHERE seq = 2")
        .unwrap();
    assert_eq!(store.audit_checked(None).await.unwrap().broken_at, Some(2));
}

#[actix_web::test]
async fn a_log_whose_end_was_cut_off_lacks_the_hash_that_was_told_before() {
    let (directory, store) = empty();
    store.audit(entry("node-added")).await.unwrap();
    store.audit(entry("node-revoked")).await.unwrap();
    let told = store.audit_head().await.unwrap().unwrap().hash;
    let intruder = rusqlite::Connection::open(directory.path().join("server.db")).unwrap();
    let triggers: Vec<String> = intruder
        .prepare("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<std::result::Result<_, _>>()
        .unwrap();
    triggers.iter().for_each(|name| intruder.execute_batch(&format!("DROP TRIGGER {name}")).unwrap());
    intruder.execute_batch("DELETE FROM audit WHERE seq = 2").unwrap();
    let cut = store.audit_checked(Some(told.clone())).await.unwrap();
    assert_eq!((cut.broken_at, cut.found, cut.head.as_ref().unwrap().seq), (None, None, 1));
    let said = crate::admin::AuditCheck::of(cut, Some(told)).fault().unwrap();
    assert!(said.contains("its 1 entry fits together, so its end was cut off"), "{said}");
}
