//! The one thread that writes. It combines what waits into one transaction, so that many small writes share one sync.
//!
//! Each piece of work is in a savepoint: if one fails or panics, only its own changes are rolled back. An answer is
//! given only after the commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::health::DatabaseFile;
use super::{Error, Result};

/// The most pieces of work in one transaction.
const MAX_BATCH: usize = 200;

/// How long a transaction stays open at most.
const BATCH_TIME: Duration = Duration::from_millis(5);

/// Answers a caller, given whether the transaction was committed.
type Completion = Box<dyn FnOnce(std::result::Result<(), String>) + Send>;
/// Work, which gets the connection, or the error that keeps the transaction from beginning.
type Work = Box<dyn FnOnce(Result<&Connection>) -> Completion + Send>;

/// A request to the thread.
enum WriterMessage {
    /// Work for a transaction.
    Work(Work),
    /// End, and confirm it.
    Close(oneshot::Sender<()>),
}

/// The handle to the thread.
pub struct StoreWriter {
    orders: mpsc::SyncSender<WriterMessage>,
    waiting: AtomicUsize,
}

/// Counts a caller that waits, as long as this exists.
struct QueuedJob<'a>(&'a AtomicUsize);

impl<'a> QueuedJob<'a> {
    fn among(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for QueuedJob<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl StoreWriter {
    /// Starts the thread. It ends when it is closed, or when the handle is dropped and all work is done.
    pub fn start(connection: Connection, place: DatabaseFile) -> Self {
        let (sender, receiver) = mpsc::sync_channel::<WriterMessage>(4 * MAX_BATCH);
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || serve(&connection, &place, &receiver))
            .expect("the system starts a thread");
        Self { orders: sender, waiting: AtomicUsize::new(0) }
    }

    /// The number of callers that wait.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Ends the thread after the work that waits, and moves everything that was written into the database file.
    pub async fn close(&self) {
        let (sender, receiver) = oneshot::channel();
        let channel = self.orders.clone();
        // If it was closed before, there is nothing to do.
        let _ = tokio::task::spawn_blocking(move || channel.send(WriterMessage::Close(sender))).await;
        let _ = receiver.await;
    }

    /// Runs `work`, and returns its result once it is on disk.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let _waits = QueuedJob::among(&self.waiting);
        let (sender, receiver) = oneshot::channel();
        let work = WriterMessage::Work(Box::new(move |connection| {
            let outcome = connection.and_then(|connection| in_savepoint(connection, work));
            Box::new(move |committed| {
                let outcome = match committed {
                    Ok(()) => outcome,
                    Err(error) => Err(Error::Database(error.into())),
                };
                // The caller may have gone away in the meantime.
                let _ = sender.send(outcome);
            })
        }));
        let channel = self.orders.clone();
        if let Err(mpsc::TrySendError::Full(work)) = channel.try_send(work) {
            tokio::task::spawn_blocking(move || channel.send(work))
                .await
                .map_err(|_| Error::Closed)?
                .map_err(|_| Error::Closed)?;
        }
        receiver.await.map_err(|_| Error::Closed)?
    }
}

fn serve(connection: &Connection, place: &DatabaseFile, receiver: &mpsc::Receiver<WriterMessage>) {
    let mut next = receiver.recv().ok();
    while let Some(order) = next {
        next = match order {
            WriterMessage::Work(first) => {
                batch(connection, place, first, receiver).or_else(|| receiver.recv().ok())
            }
            WriterMessage::Close(done) => {
                bring_into_the_file(connection);
                // The caller may have gone away in the meantime.
                let _ = done.send(());
                return;
            }
        };
    }
}

/// Moves what was written into the database file, and empties the file beside it.
fn bring_into_the_file(connection: &Connection) {
    let busy = |row: &rusqlite::Row<'_>| row.get::<_, bool>(0);
    let left = match connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], busy) {
        Ok(false) => return,
        Ok(true) => "someone is reading it".to_owned(),
        Err(error) => error.to_string(),
    };
    tracing::error!("the store's last changes are still in `server.db-wal`: {left}");
}

/// Runs what waits in one transaction; returns the next order if that is not work.
fn batch(
    connection: &Connection,
    place: &DatabaseFile,
    first: Work,
    receiver: &mpsc::Receiver<WriterMessage>,
) -> Option<WriterMessage> {
    let begun = place.check().and_then(|()| Ok(connection.execute_batch("BEGIN IMMEDIATE")?));
    if let Err(error) = begun {
        tracing::error!(%error, "the store cannot begin a transaction");
        first(Err(error))(Ok(()));
        return None;
    }
    let end = Instant::now() + BATCH_TIME;
    let (mut answers, mut next) = (vec![first(Ok(connection))], None);
    while answers.len() < MAX_BATCH && Instant::now() < end {
        match receiver.try_recv() {
            Ok(WriterMessage::Work(work)) => answers.push(work(Ok(connection))),
            Ok(close) => {
                next = Some(close);
                break;
            }
            Err(_) => break,
        }
    }
    let committed = connection.execute_batch("COMMIT").map_err(|error| error.to_string());
    if committed.is_err() && !connection.is_autocommit() {
        // If even this fails, nothing better can be done; the callers of the next BEGIN get the error.
        let _ = connection.execute_batch("ROLLBACK");
    }
    for answer in answers {
        answer(committed.clone());
    }
    next
}

fn in_savepoint<T>(connection: &Connection, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    connection.execute_batch("SAVEPOINT work")?;
    // A bug in one piece of work must not end the thread that all others need. What the work held is dropped, and its
    // changes to the database are rolled back.
    let outcome = catch_unwind(AssertUnwindSafe(|| work(connection))).unwrap_or(Err(Error::Panicked));
    let end = if outcome.is_ok() { "RELEASE work" } else { "ROLLBACK TO work; RELEASE work" };
    connection.execute_batch(end)?;
    outcome
}
