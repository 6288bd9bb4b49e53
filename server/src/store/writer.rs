//! The one thread that writes: it takes what waits into one transaction, so that many small writes share one sync.
//!
//! Each piece of work stands in a savepoint: one that fails or panics takes back its own changes and nobody else's. An
//! answer is given only after the commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{Error, Result};

/// So many pieces of work share a transaction at most.
const BATCH: usize = 200;

/// So long a transaction stays open at most.
const BATCH_TIME: Duration = Duration::from_millis(5);

/// What an answer waits for: whether the transaction was committed.
type Answer = Box<dyn FnOnce(std::result::Result<(), String>) + Send>;
type Work = Box<dyn FnOnce(&Connection) -> Answer + Send>;

/// The handle to the thread.
pub struct Writer(mpsc::SyncSender<Work>);

impl Writer {
    /// Starts the thread; it ends when the handle is dropped and all work is done.
    pub fn start(connection: Connection) -> Self {
        let (sender, receiver) = mpsc::sync_channel::<Work>(4 * BATCH);
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                while let Ok(first) = receiver.recv() {
                    batch(&connection, first, &receiver);
                }
            })
            .expect("the system starts a thread");
        Self(sender)
    }

    /// Runs `work` and returns what it returns once it is on disk.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = oneshot::channel();
        let work: Work = Box::new(move |connection| {
            let outcome = in_savepoint(connection, work);
            Box::new(move |committed| {
                let outcome = match committed {
                    Ok(()) => outcome,
                    Err(error) => Err(Error::Database(error.into())),
                };
                // Whoever asked may have gone away meanwhile.
                let _ = sender.send(outcome);
            })
        });
        let channel = self.0.clone();
        if let Err(mpsc::TrySendError::Full(work)) = channel.try_send(work) {
            tokio::task::spawn_blocking(move || channel.send(work))
                .await
                .map_err(|_| Error::Closed)?
                .map_err(|_| Error::Closed)?;
        }
        receiver.await.map_err(|_| Error::Closed)?
    }
}

fn batch(connection: &Connection, first: Work, receiver: &mpsc::Receiver<Work>) {
    if let Err(error) = connection.execute_batch("BEGIN IMMEDIATE") {
        // Dropped, the work answers its waiter that it was not taken.
        tracing::error!(%error, "the store cannot begin a transaction");
        return;
    }
    let end = Instant::now() + BATCH_TIME;
    let mut answers = vec![first(connection)];
    while answers.len() < BATCH && Instant::now() < end {
        match receiver.try_recv() {
            Ok(work) => answers.push(work(connection)),
            Err(_) => break,
        }
    }
    let committed = connection.execute_batch("COMMIT").map_err(|error| error.to_string());
    if committed.is_err() && !connection.is_autocommit() {
        // Nothing better can be done where even this fails; the next BEGIN says so to its waiters.
        let _ = connection.execute_batch("ROLLBACK");
    }
    for answer in answers {
        answer(committed.clone());
    }
}

fn in_savepoint<T>(connection: &Connection, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    connection.execute_batch("SAVEPOINT work")?;
    // A bug in one piece of work must not end the thread that all others need. What the work held goes with it; what it
    // did to the database is rolled back.
    let outcome = catch_unwind(AssertUnwindSafe(|| work(connection))).unwrap_or(Err(Error::Panicked));
    let end = if outcome.is_ok() { "RELEASE work" } else { "ROLLBACK TO work; RELEASE work" };
    connection.execute_batch(end)?;
    outcome
}
