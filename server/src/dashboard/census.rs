//! Reads all machines for everyone who asks at the same time. Pages that renew themselves never do the same work twice,
//! and however many are open, there is only one reading of each scope at a time.
//!
//! The result was always read after it was asked for. Anyone who asks during a reading waits for the next one, which
//! all who wait share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::page::Error;
use super::server_view::ServerView;
use crate::fleet::{self, FleetQuery, Member};
use crate::store::Store;
use crate::store::user::UserScope;

/// The shared readings.
pub struct Census {
    store: Store,
    server_view: Arc<dyn ServerView>,
    interval: Duration,
    readings: Mutex<HashMap<UserScope, Arc<ScopeReading>>>,
}

/// The readings of one scope.
#[derive(Default)]
struct ScopeReading {
    /// How many are waiting for a turn.
    waiting: AtomicUsize,
    /// The last reading with the time when it began, kept as long as someone waits who may use it.
    last: tokio::sync::Mutex<Option<(Instant, Arc<Vec<Member>>)>>,
}

/// Counts someone who waits, until it is dropped.
struct Waiter<'a>(&'a AtomicUsize);

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl ScopeReading {
    fn waiter(&self) -> Waiter<'_> {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        Waiter(&self.waiting)
    }
}

impl Census {
    /// The census of a server with this store, whose agents poll once in each `interval`.
    pub fn of(store: Store, server_view: Arc<dyn ServerView>, interval: Duration) -> Self {
        Self { store, server_view, interval, readings: Mutex::default() }
    }

    /// All machines of a scope, by name, as they are now.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn members(&self, scope: &UserScope) -> Result<Arc<Vec<Member>>, Error> {
        let asked = Instant::now();
        let reading = self.reading(scope);
        let waiter = reading.waiter();
        let mut last = reading.last.lock().await;
        drop(waiter);
        let members = match &*last {
            Some((begun, members)) if *begun >= asked => members.clone(),
            _ => {
                let begun = Instant::now();
                let members = self.read(scope).await?;
                *last = Some((begun, members.clone()));
                members
            }
        };
        if reading.waiting.load(Ordering::Acquire) == 0 {
            // Nobody is left who could share it.
            *last = None;
        }
        Ok(members)
    }

    /// How many wait for a reading of a scope to end.
    #[cfg(test)]
    pub fn waiting(&self, scope: &UserScope) -> usize {
        self.reading(scope).waiting.load(Ordering::Acquire)
    }

    fn reading(&self, scope: &UserScope) -> Arc<ScopeReading> {
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        readings.entry(scope.clone()).or_default().clone()
    }

    /// Computes the states on a thread for blocking work: with many machines, it would take too long on the threads
    /// that answer nodes.
    async fn read(&self, scope: &UserScope) -> Result<Arc<Vec<Member>>, Error> {
        let look =
            FleetQuery { scope: scope.clone(), only: None, now: Timestamp::now(), interval: self.interval };
        let server_view = self.server_view.clone();
        let rows = self.store.fleet(scope.clone(), None, server_view.environment().to_owned()).await?;
        let judged = actix_web::web::block(move || fleet::judged(rows, &*server_view, &look)).await;
        Ok(Arc::new(judged.map_err(|_| Error::Unforeseen)?))
    }
}
