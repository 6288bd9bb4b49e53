//! How users log in: links and sessions.

use super::*;

#[actix_web::test]
async fn a_login_link_works_once_and_in_time() {
    let (_directory, store) = empty();
    let user = store
        .add_user("ada".into(), user::UserRole::Operator, user::UserScope::Everything, entry("user-added"))
        .await
        .unwrap()
        .unwrap();
    let later = NOW + SignedDuration::from_mins(10);
    for token in [[1; 32], [2; 32]] {
        store.add_login_link(user.id, token, later, entry("login-link")).await.unwrap();
    }
    assert_eq!(store.use_login_link([1; 32], NOW).await.unwrap().unwrap().name, "ada");
    assert_eq!(store.use_login_link([1; 32], NOW).await.unwrap(), None);
    assert_eq!(store.use_login_link([2; 32], later).await.unwrap(), None);
    assert_eq!(store.use_login_link([3; 32], NOW).await.unwrap(), None);

    let another = NewAuditEntry { at: later, ..entry("login-link") };
    store.add_login_link(user.id, [4; 32], later + SignedDuration::from_mins(10), another).await.unwrap();
    let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
    let kept = store.read(move |it| Ok(it.query_row("SELECT count(*) FROM login_link", [], count)?)).await;
    let kept = kept.unwrap();
    assert_eq!(kept, 1, "what has expired goes with the next one");
}

#[actix_web::test]
async fn a_session_ends_with_its_time_its_password_and_its_user() {
    let (_directory, store) = empty();
    let scope = "alpinhost/acme".parse().unwrap();
    let user = store
        .add_user("ada".into(), user::UserRole::Viewer, scope, entry("user-added"))
        .await
        .unwrap()
        .unwrap();
    let later = NOW + SignedDuration::from_hours(1);
    let begin = async || store.add_session(user.id, [9; 32], later, entry("login")).await.unwrap();
    let open = async |at| store.session_user([9; 32], at).await.unwrap().is_some();
    begin().await;
    assert!(open(NOW).await && !open(later).await);
    store.set_password(user.id, "hash".into(), entry("password")).await.unwrap();
    assert!(!open(NOW).await);
    begin().await;
    assert!(store.remove_user("ada".into(), entry("user-removed")).await.unwrap());
    assert!(!open(NOW).await);
}
