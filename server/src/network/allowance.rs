//! How often each may ask: buckets of tokens, in memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// So many buckets are kept; full ones are dropped first, and they say nothing.
const MOST: usize = 100_000;

/// What fills a bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Allowance {
    /// Tokens a second.
    pub rate: f64,
    /// Tokens at once.
    pub burst: f64,
}

/// A bucket for each who asks for something.
pub struct Buckets<K>(Mutex<HashMap<K, Bucket>>);

struct Bucket {
    tokens: f64,
    at: Instant,
    allowance: Allowance,
}

impl Bucket {
    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.allowance.rate).min(self.allowance.burst);
        self.at = now;
    }

    /// Whether a token is in it, or for how many seconds to wait.
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
    /// Where there is none: how many seconds to wait.
    pub fn take(&self, who: K, allowance: Allowance, now: Instant) -> Result<(), u64> {
        let mut buckets = self.buckets();
        if buckets.len() >= MOST {
            buckets.retain(|_, bucket| {
                bucket.fill(now);
                bucket.tokens < bucket.allowance.burst
            });
        }
        let full = Bucket { tokens: allowance.burst, at: now, allowance };
        let bucket = buckets.entry(who).or_insert(full);
        bucket.fill(now);
        bucket.enough()?;
        bucket.tokens -= 1.0;
        Ok(())
    }

    /// Whether there is a token; whoever has no bucket has never taken one.
    ///
    /// # Errors
    /// Where there is none: how many seconds to wait.
    pub fn look(&self, who: &K, now: Instant) -> Result<(), u64> {
        self.buckets().get_mut(who).map_or(Ok(()), |bucket| {
            bucket.fill(now);
            bucket.enough()
        })
    }

    /// Takes more tokens for what turned out large. They may be missing: then whoever asked waits until they are there.
    pub fn charge(&self, who: &K, tokens: usize) {
        if let Some(bucket) = self.buckets().get_mut(who) {
            bucket.tokens -= tokens as f64;
        }
    }

    fn buckets(&self) -> MutexGuard<'_, HashMap<K, Bucket>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const ALLOWANCE: Allowance = Allowance { rate: 2.0, burst: 5.0 };

    #[test]
    fn what_was_large_is_waited_for_afterwards() {
        let (buckets, start) = (Buckets::default(), Instant::now());
        assert_eq!(buckets.take("one", ALLOWANCE, start), Ok(()));
        buckets.charge(&"one", 16);
        assert_eq!(buckets.take("one", ALLOWANCE, start), Err(7));
        assert_eq!(buckets.take("one", ALLOWANCE, start + Duration::from_secs(7)), Ok(()));
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
