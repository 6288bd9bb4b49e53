//! Whether polls and reports can be served now: a good commit is there, and the store reads and writes. It is asked by
//! anyone who likes, so one look serves all who ask within a moment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::estate::Estate;
use crate::clock::Clock;
use crate::store::Store;

/// How long a look counts.
const FRESH: Duration = Duration::from_secs(1);

/// A store that takes longer cannot serve nodes.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a look came to.
type Outcome = Result<(), String>;

/// The last look.
pub struct Readiness {
    store: Store,
    estate: Arc<dyn Estate>,
    /// Where anything is known of the time.
    clock: Option<Clock>,
    last: tokio::sync::Mutex<Option<(Instant, Outcome)>>,
}

impl Readiness {
    /// Of a server on this store; the handle must not be that of pages.
    pub fn of(store: Store, estate: Arc<dyn Estate>) -> Self {
        Self { store, estate, clock: None, last: tokio::sync::Mutex::default() }
    }

    /// The same, of a server whose certificates can be valid at these times alone.
    pub fn by(self, clock: Clock) -> Self {
        Self { clock: Some(clock), ..self }
    }

    /// Looks, or says what was seen just now.
    ///
    /// # Errors
    /// What is in the way, for the operator.
    pub async fn look(&self) -> Outcome {
        if !self.estate.has_commit() {
            return Err("no good commit is in force: nodes get no catalog until one comes".into());
        }
        if let Some(doubt) = self.clock.and_then(|clock| clock.doubt(Timestamp::now())) {
            return Err(doubt);
        }
        let mut last = self.last.lock().await;
        if let Some((at, outcome)) = &*last
            && at.elapsed() < FRESH
        {
            return outcome.clone();
        }
        let outcome = self.try_store().await;
        *last = Some((Instant::now(), outcome.clone()));
        outcome
    }

    /// A server that reads but cannot write lets no node in and stores no report.
    async fn try_store(&self) -> Outcome {
        let tried = async {
            self.store.check_reading().await?;
            self.store.check_writing().await
        };
        match tokio::time::timeout(PATIENCE, tried).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::error!(%error, "the server is not ready");
                Err("the store cannot be used; see the server's log".into())
            }
            Err(_) => Err(format!("the store did not answer within {} s", PATIENCE.as_secs())),
        }
    }
}
