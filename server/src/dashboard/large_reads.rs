//! Reading large values, such as a report with two thousand events: each user reads one at a time, over however many
//! connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::page::Error;

/// How long a request waits for those before it.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many requests of a user wait behind the one that is reading; if there are more, the user must try again.
const MAX_WAITING: usize = 8;

/// The users who read large values.
#[derive(Default)]
pub struct LargeReads(Mutex<HashMap<i64, Arc<ReadQueue>>>);

/// The turns of one user.
struct ReadQueue {
    one: Arc<Semaphore>,
    waiting: Semaphore,
}

impl LargeReads {
    /// Waits for the user's turn, which lasts until the result is dropped.
    ///
    /// # Errors
    /// Returns an error if too many earlier requests have not been read.
    pub async fn turn(&self, user: i64) -> Result<OwnedSemaphorePermit, Error> {
        let turns = self.of(user);
        let _waiting = turns.waiting.try_acquire().map_err(|_| Error::Busy)?;
        let permit = tokio::time::timeout(PATIENCE, turns.one.clone().acquire_owned()).await;
        permit.ok().and_then(Result::ok).ok_or(Error::Busy)
    }

    /// The turns of a user. They are kept as long as the server runs, since there are only as many as users.
    fn of(&self, user: i64) -> Arc<ReadQueue> {
        let turns =
            || Arc::new(ReadQueue { one: Arc::new(Semaphore::new(1)), waiting: Semaphore::new(MAX_WAITING) });
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
        let reading = LargeReads::default();
        let first = reading.turn(1).await.unwrap();
        assert!(reading.turn(2).await.is_ok());
        let mut waiting: Vec<_> = (0..MAX_WAITING).map(|_| Box::pin(reading.turn(1))).collect();
        for next in &mut waiting {
            assert!(matches!(once(next).await, Poll::Pending));
        }
        assert!(matches!(reading.turn(1).await, Err(Error::Busy)));
        drop(first);
        assert!(waiting.remove(0).await.is_ok());
    }

    /// Polls a future once.
    async fn once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        std::future::poll_fn(|context| Poll::Ready(std::pin::Pin::new(&mut *future).poll(context))).await
    }
}
