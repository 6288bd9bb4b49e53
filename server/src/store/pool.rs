//! Connections: one that writes, and a few that only read.

use std::fs::{File, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use super::{Error, Result};

/// How many reads of one kind run at once; further ones wait.
const MAX_READERS: usize = 4;

/// Opens the connection that writes.
pub fn open_for_writing(file: &Path) -> Result<Connection> {
    make_private(file).map_err(|error| Error::Database(Box::new(error)))?;
    let connection = Connection::open(file)?;
    // FULL: a certificate or a used token must survive a power cut; batches make it cheap.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
         PRAGMA busy_timeout = 5000; PRAGMA wal_autocheckpoint = 4000; PRAGMA trusted_schema = OFF;",
    )?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Creates the file for its owner only, whatever the directory allows others; SQLite gives the files beside it the same
/// mode.
fn make_private(file: &Path) -> std::io::Result<()> {
    let opened = File::options().create(true).truncate(false).write(true).mode(0o600).open(file)?;
    opened.set_permissions(Permissions::from_mode(0o600))
}

/// Connections that cannot write, opened when they are needed.
pub struct Readers {
    file: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
    /// Limits how many may wait.
    queue: Semaphore,
}

impl Readers {
    /// Readers of an existing database file; up to `waiting` reads may wait.
    pub fn of(file: &Path, waiting: usize) -> Self {
        let (permits, queue) = (Arc::new(Semaphore::new(MAX_READERS)), waiting.min(Semaphore::MAX_PERMITS));
        Self { file: file.to_owned(), idle: Arc::default(), permits, queue: Semaphore::new(queue) }
    }

    /// Runs `work` on a thread for blocking work.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let waiting = self.queue.try_acquire().map_err(|_| Error::Busy)?;
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| Error::Closed)?;
        drop(waiting);
        let (idle, file) = (self.idle.clone(), self.file.clone());
        let read = move || {
            let _permit = permit;
            let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = taken.map_or_else(|| open_for_reading(&file), Ok)?;
            let outcome = work(&connection);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            outcome
        };
        tokio::task::spawn_blocking(read).await.map_err(|error| Error::Database(Box::new(error)))?
    }
}

/// Opens a connection that cannot write.
pub fn open_for_reading(file: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.execute_batch(
        "PRAGMA query_only = ON; PRAGMA busy_timeout = 5000; PRAGMA mmap_size = 268435456; PRAGMA trusted_schema = OFF;",
    )?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Readers {
        /// Takes all readers, so that others must wait.
        pub async fn hold(&self) -> tokio::sync::OwnedSemaphorePermit {
            self.permits.clone().acquire_many_owned(MAX_READERS as u32).await.unwrap()
        }
    }

    #[actix_web::test]
    async fn no_more_wait_than_may() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("server.db");
        open_for_writing(&file).unwrap();
        let readers = Arc::new(Readers::of(&file, 2));
        let read = async |readers: Arc<Readers>| readers.run(|_| Ok(())).await;
        let held = readers.hold().await;
        let waiting = [(); 2].map(|()| actix_web::rt::spawn(read(readers.clone())));
        while readers.queue.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(read(readers.clone()).await, Err(Error::Busy)));
        drop(held);
        for waits in waiting {
            assert!(waits.await.unwrap().is_ok());
        }
        assert!(read(readers).await.is_ok());
    }
}
