//! Whether polls and reports can be served now: there is a good commit, and the store can be read and written. Anyone
//! may ask, so one check answers everyone who asks within a moment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::server_view::ServerView;
use crate::clock::Clock;
use crate::store::Store;

/// How long the result of a check is used.
const FRESH: Duration = Duration::from_secs(1);

/// How long a check may take: a slower store cannot serve nodes.
const PATIENCE: Duration = Duration::from_secs(5);

/// The result of a check; an error for the operator.
type ReadinessResult = Result<(), String>;

/// The last check.
pub struct Readiness {
    store: Store,
    server_view: Arc<dyn ServerView>,
    /// The clock, if anything is known about the time.
    clock: Option<Clock>,
    last: tokio::sync::Mutex<Option<(Instant, ReadinessResult)>>,
}

impl Readiness {
    /// For a server with this store; the handle must not be that of pages.
    pub fn of(store: Store, server_view: Arc<dyn ServerView>) -> Self {
        Self { store, server_view, clock: None, last: tokio::sync::Mutex::default() }
    }

    /// Sets the clock, for a server whose certificates can be valid only at certain times.
    pub fn by(self, clock: Clock) -> Self {
        Self { clock: Some(clock), ..self }
    }

    /// Checks, or returns the result of a check from just now.
    ///
    /// # Errors
    /// Returns the reason for the operator.
    pub async fn look(&self) -> ReadinessResult {
        if !self.server_view.has_commit() {
            return Err("no good commit is in force: nodes get no catalog until there is one".into());
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

    /// Checks the store: a server that can read but not write cannot enrol nodes or store reports.
    async fn try_store(&self) -> ReadinessResult {
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
