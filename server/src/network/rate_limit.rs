//! How often each caller may ask: token buckets in memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The most buckets to keep. Full ones are dropped first, since they have no information, and then the fuller half of
/// the others.
const MAX_BUCKETS: usize = 100_000;

/// The size of a bucket, and how fast it fills.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    /// Tokens per second.
    pub rate: f64,
    pub burst: f64,
}

/// A bucket for each caller.
pub struct Buckets<K>(Mutex<HashMap<K, Bucket>>);

struct Bucket {
    tokens: f64,
    at: Instant,
    allowance: RateLimit,
}

impl Bucket {
    /// How full it is, from 0 to 1; below 0 if more was taken than there was.
    fn level(&self) -> f64 {
        self.tokens / self.allowance.burst
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.allowance.rate).min(self.allowance.burst);
        self.at = now;
    }

    /// Whether there is a token in it; if not, returns how many seconds to wait.
    fn enough(&self) -> Result<(), u64> {
        if self.tokens >= 1.0 {
            return Ok(());
        }
        Err((((1.0 - self.tokens) / self.allowance.rate).ceil() as u64).max(1))
    }
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Buckets<K> {
    /// Takes a token.
    ///
    /// # Errors
    /// Returns how many seconds to wait if there is none.
    pub fn take(&self, who: K, allowance: RateLimit, now: Instant) -> Result<(), u64> {
        let mut buckets = self.buckets();
        if buckets.len() >= MAX_BUCKETS && !buckets.contains_key(&who) {
            make_room(&mut buckets, now);
        }
        let full = Bucket { tokens: allowance.burst, at: now, allowance };
        let bucket = buckets.entry(who).or_insert(full);
        bucket.fill(now);
        bucket.enough()?;
        bucket.tokens -= 1.0;
        Ok(())
    }

    /// Checks whether there is a token; a caller without a bucket has never taken one.
    ///
    /// # Errors
    /// Returns how many seconds to wait if there is none.
    pub fn look(&self, who: &K, now: Instant) -> Result<(), u64> {
        self.buckets().get_mut(who).map_or(Ok(()), |bucket| {
            bucket.fill(now);
            bucket.enough()
        })
    }

    /// Takes more tokens for a request that turned out to be large. The bucket may go below zero; then the caller waits
    /// until it is filled again.
    pub fn charge(&self, who: &K, tokens: usize) {
        if let Some(bucket) = self.buckets().get_mut(who) {
            bucket.tokens -= tokens as f64;
        }
    }

    fn buckets(&self) -> MutexGuard<'_, HashMap<K, Bucket>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Frees at least half of the room, so that not every new caller costs a walk over all buckets.
fn make_room<K: Eq + Hash>(buckets: &mut HashMap<K, Bucket>, now: Instant) {
    buckets.retain(|_, bucket| {
        bucket.fill(now);
        bucket.tokens < bucket.allowance.burst
    });
    if buckets.len() <= MAX_BUCKETS / 2 {
        return;
    }
    let mut levels: Vec<f64> = buckets.values().map(Bucket::level).collect();
    let (_, middle, _) = levels.select_nth_unstable_by(MAX_BUCKETS / 2, f64::total_cmp);
    let middle = *middle;
    // Of those that are equally full, as many are kept as there is room for beside the emptier ones.
    let emptier = levels.iter().filter(|level| **level < middle).count();
    let mut room = (MAX_BUCKETS / 2).saturating_sub(emptier);
    buckets.retain(|_, bucket| {
        let level = bucket.level();
        let is_one = level == middle && room > 0;
        room -= usize::from(is_one);
        level < middle || is_one
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const ALLOWANCE: RateLimit = RateLimit { rate: 2.0, burst: 5.0 };

    #[test]
    fn what_was_large_is_waited_for_afterwards() {
        let (buckets, start) = (Buckets::default(), Instant::now());
        assert_eq!(buckets.take("one", ALLOWANCE, start), Ok(()));
        buckets.charge(&"one", 16);
        assert_eq!(buckets.take("one", ALLOWANCE, start), Err(7));
        assert_eq!(buckets.take("one", ALLOWANCE, start + Duration::from_secs(7)), Ok(()));
    }

    #[test]
    fn of_more_than_can_be_kept_who_asked_most_is_remembered() {
        let (buckets, start) = (Buckets::default(), Instant::now());
        assert!((0..5).all(|_| buckets.take(0, ALLOWANCE, start).is_ok()));
        for who in 1..2 * MAX_BUCKETS {
            assert_eq!(buckets.take(who, ALLOWANCE, start), Ok(()));
        }
        assert!(buckets.buckets().len() <= MAX_BUCKETS);
        assert_eq!(buckets.take(0, ALLOWANCE, start), Err(1), "it was not forgotten");
    }

    #[test]
    fn who_asks_too_much_waits_and_nobody_else_does() {
        let (buckets, start) = (Buckets::default(), Instant::now());
        assert!((0..5).all(|_| buckets.take("one", ALLOWANCE, start).is_ok()));
        assert_eq!(buckets.take("one", ALLOWANCE, start), Err(1));
        assert_eq!(buckets.take("another", ALLOWANCE, start), Ok(()));
        assert_eq!(buckets.take("one", ALLOWANCE, start + Duration::from_secs(1)), Ok(()));
    }
}
