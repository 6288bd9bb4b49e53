//! What the server remembers: SQLite behind async functions, one file for each table.
//!
//! One thread writes, and combines what waits into one transaction; readers have connections of their own that cannot
//! write. No type of the driver is in a signature outside this folder, so another database can be added beside this
//! one. The store knows nothing of HTTP and decides nothing about permissions.

use std::path::Path;
use std::sync::Arc;

mod health; // whether it works
mod migrate;
mod pool;
mod restored; // what a restored store learns again
mod writer;

pub mod audit; // who did what: append-only, hash-chained
pub mod catalog; // the last two catalogs of each node, and the content that they refer to
pub mod certificate; // issued to nodes
pub mod commit; // commits that arrived, good or broken
pub mod event; // what runs changed
pub mod facts; // the last facts of each node
pub mod fleet; // all nodes at once, for pages
pub mod founding; // which CA it belongs to
pub mod node; // nodes, by generation
pub mod report; // what runs found and did
pub mod session; // sessions and one-time login links
pub mod token; // one-time tokens of join strings
pub mod user; // who may log in

/// The most reads of pages that may wait.
const MAX_PAGES_WAITING: usize = 64;

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database or the disk failed.
    #[error("the store: {0}")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The store did not take the work, or has been closed.
    #[error("the store does not accept work; see the log")]
    Closed,
    /// Too many pages wait for the store already.
    #[error("too many pages are being read at the moment; try again")]
    Busy,
    /// The work panicked; its changes were rolled back.
    #[error("internal error in the store; see the log")]
    Panicked,
    /// A row contains a value that this program never wrote.
    #[error("the store contains `{value}` as a {what}: it was changed by something else")]
    Corrupt {
        /// The kind of value.
        what: &'static str,
        value: String,
    },
    /// The file is not the one that was opened.
    #[error(
        "{0} was removed or replaced under the running server: stop the server, restore the file, and start it again"
    )]
    Gone(String),
    /// The database has migrations that this program does not know.
    #[error("{0}")]
    Migration(String),
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(Box::new(error))
    }
}

impl Error {
    /// Whether the disk or the system is at fault, and not the content of the file.
    pub fn is_of_the_disk(&self) -> bool {
        use rusqlite::ErrorCode::{CannotOpen, DiskFull, PermissionDenied, ReadOnly, SystemIoFailure};
        let Self::Database(source) = self else { return false };
        let of_database =
            source.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code);
        source.is::<std::io::Error>()
            || of_database.is_some_and(|code| {
                matches!(code, CannotOpen | DiskFull | PermissionDenied | ReadOnly | SystemIoFailure)
            })
    }
}

/// What functions of the store return.
pub type Result<T> = std::result::Result<T, Error>;

/// The store. Clones are handles to the same store.
#[derive(Clone)]
pub struct Store {
    shared: Arc<StoreInner>,
    /// Which readers this handle uses.
    lane: Lane,
}

/// Who reads. Pages have readers of their own, so that nodes and the readiness check never wait behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    Nodes,
    Pages,
}

struct StoreInner {
    writer: writer::StoreWriter,
    place: health::DatabaseFile,
    for_nodes: pool::Readers,
    for_pages: pool::Readers,
}

impl Store {
    /// Opens the database file, creates it if it does not exist, and brings its tables up to date.
    ///
    /// # Errors
    /// Returns an error if the file cannot be opened, or was made by a newer version or by another program.
    pub fn open(file: &Path) -> Result<Self> {
        let connection = pool::open_for_writing(file)?;
        migrate::up(&connection)?;
        let place = health::DatabaseFile::of(file)?;
        let shared = StoreInner {
            writer: writer::StoreWriter::start(connection, place.clone()),
            place,
            for_nodes: pool::Readers::of(file, usize::MAX),
            for_pages: pool::Readers::of(file, MAX_PAGES_WAITING),
        };
        Ok(Self { shared: Arc::new(shared), lane: Lane::Nodes })
    }

    /// A handle to the same store that reads as pages do: one read after another, each with a limit.
    #[must_use]
    pub fn for_pages(&self) -> Self {
        Self { shared: self.shared.clone(), lane: Lane::Pages }
    }

    /// Closes the store: everything that was written is in the database file, and nothing more is accepted.
    pub async fn close(&self) {
        self.shared.writer.close().await;
    }

    /// Runs `work` in a transaction of its own: all of it happens, or nothing does.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.shared.writer.run(work).await
    }

    /// Runs `work` on a connection that cannot write.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        match self.lane {
            Lane::Nodes => self.shared.for_nodes.run(work).await,
            Lane::Pages => self.shared.for_pages.run(work).await,
        }
    }
}

/// Milliseconds since 1970, as the tables store times.
fn millis(at: jiff::Timestamp) -> i64 {
    at.as_millisecond()
}

/// A time from a table.
fn time(millis: i64) -> Result<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(millis)
        .map_err(|_| Error::Corrupt { what: "time", value: millis.to_string() })
}

/// A value with a grammar of its own, from a table.
fn parsed<T: std::str::FromStr>(what: &'static str, text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::Corrupt { what, value: text.to_owned() })
}

/// A word of a closed list, spelled as in the wire format and the tables.
fn word<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        other => unreachable!("{other:?} is not a word"),
    }
}

/// The value of such a word.
fn from_word<T: serde::de::DeserializeOwned>(what: &'static str, word: String) -> Result<T> {
    serde_json::from_value(serde_json::Value::String(word.clone()))
        .map_err(|_| Error::Corrupt { what, value: word })
}

/// A compressed value, for what is read whole and rarely.
struct Packed {
    body: Vec<u8>,
    /// Its size before compression, in bytes.
    unpacked: i64,
}

/// Compresses a value for [`unpack`].
fn pack<T: serde::Serialize>(value: &T) -> Result<Packed> {
    let json = serde_json::to_vec(value).map_err(|error| Error::Database(Box::new(error)))?;
    let body = zstd::encode_all(&*json, 3).map_err(|error| Error::Database(Box::new(error)))?;
    Ok(Packed { body, unpacked: i64::try_from(json.len()).unwrap_or(i64::MAX) })
}

/// Restores a value that [`pack`] compressed.
fn unpack<T: serde::de::DeserializeOwned>(what: &'static str, body: &[u8]) -> Result<T> {
    let corrupt = |error: String| Error::Corrupt { what, value: error };
    let reader = zstd::Decoder::new(body).map_err(|error| corrupt(error.to_string()))?;
    serde_json::from_reader(std::io::BufReader::new(reader)).map_err(|error| corrupt(error.to_string()))
}

#[cfg(test)]
mod plans; // query plans of the pages
#[cfg(test)]
pub(crate) mod tests;
