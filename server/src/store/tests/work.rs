//! Work for the store that fails, cannot begin or panics.

use super::*;

#[actix_web::test]
async fn work_that_fails_takes_back_only_its_own_changes() {
    let (_directory, store) = empty();
    let (bad, good) = tokio::join!(
        store.write(|connection| {
            connection.execute("INSERT INTO user (name, role, created_at) VALUES ('a', 'viewer', 0)", [])?;
            Err::<(), _>(Error::Closed)
        }),
        store.write(|connection| {
            connection.execute("INSERT INTO user (name, role, created_at) VALUES ('b', 'viewer', 0)", [])?;
            Ok(())
        }),
    );
    assert!(bad.is_err() && good.is_ok());
    let names: Vec<_> = store.users().await.unwrap().into_iter().map(|user| user.name).collect();
    assert_eq!(names, ["b"]);
}

#[actix_web::test]
async fn work_that_cannot_begin_is_told_why() {
    let (directory, _store) = empty();
    let file = directory.path().join("server.db");
    let connection = pool::open_for_writing(&file).unwrap();
    connection.busy_timeout(std::time::Duration::ZERO).unwrap();
    let writer = writer::StoreWriter::start(connection, health::DatabaseFile::of(&file).unwrap());
    let write = async || writer.run(|connection| Ok(connection.execute_batch("DELETE FROM user")?)).await;
    let other = rusqlite::Connection::open(&file).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let refused = write().await.unwrap_err().to_string();
    assert_eq!(refused, "the store: database is locked");
    other.execute_batch("ROLLBACK").unwrap();
    write().await.unwrap();
}

#[actix_web::test]
async fn work_that_panics_fails_alone() {
    let (_directory, store) = empty();
    let panicked = store.write(|connection| -> Result<()> {
        connection.execute("INSERT INTO user (name, role, created_at) VALUES ('a', 'viewer', 0)", [])?;
        panic!("a bug")
    });
    assert!(matches!(panicked.await, Err(Error::Panicked)));
    store.check_writing().await.unwrap();
    assert!(store.users().await.unwrap().is_empty());
}
