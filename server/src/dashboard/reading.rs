//! Large things, such as a report of two thousand events: each user reads one at a time, by however many connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::page::Error;

/// How long somebody waits for what they asked for before.
const PATIENCE: Duration = Duration::from_secs(10);

/// So many wait behind the one that is read; who opens more pages than that at once is told to try again.
const WAITING: usize = 8;

/// Who reads what is large.
#[derive(Default)]
pub struct Reading(Mutex<HashMap<i64, Arc<Turns>>>);

/// The turns of one user.
struct Turns {
    one: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Reading {
    /// A user's turn, until it is dropped.
    ///
    /// # Errors
    /// Where too much that was asked for before has not been read.
    pub async fn turn(&self, user: i64) -> Result<OwnedSemaphorePermit, Error> {
        let turns = self.of(user);
        let _waiting = turns.waiting.try_acquire().map_err(|_| Error::Busy)?;
        let permit = tokio::time::timeout(PATIENCE, turns.one.clone().acquire_owned()).await;
        permit.ok().and_then(Result::ok).ok_or(Error::Busy)
    }

    /// There are as many as users: none is forgotten while the server runs.
    fn of(&self, user: i64) -> Arc<Turns> {
        let turns = || Arc::new(Turns { one: Arc::new(Semaphore::new(1)), waiting: Semaphore::new(WAITING) });
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(user).or_insert_with(turns).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;

    #[actix_web::test]
    async fn a28_a_user_reads_one_large_thing_at_a_time_and_others_go_on() {
        let reading = Reading::default();
        let first = reading.turn(1).await.unwrap();
        assert!(reading.turn(2).await.is_ok());
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(reading.turn(1))).collect();
        for next in &mut waiting {
            assert!(matches!(once(next).await, Poll::Pending));
        }
        assert!(matches!(reading.turn(1).await, Err(Error::Busy)));
        drop(first);
        assert!(waiting.remove(0).await.is_ok());
    }

    /// Looks once at what may not be ready.
    async fn once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        std::future::poll_fn(|context| Poll::Ready(std::pin::Pin::new(&mut *future).poll(context))).await
    }
}
