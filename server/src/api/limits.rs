//! How much each may ask: a bucket of tokens for each node and kind of request, and for each network that enrols.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::refused::Refused;
use crate::store::node::NodeId;

/// So many buckets are kept; full ones are dropped first, and they say nothing.
const MOST: usize = 100_000;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Polls.
    Poll,
    /// Reports; after an outage a node delivers many.
    Report,
    /// Contents: a first run fetches thousands.
    Content,
    /// Enrolment and renewal.
    Enroll,
}

impl Kind {
    /// How many a second, and how many at once.
    fn allowance(self) -> (f64, f64) {
        match self {
            Self::Poll => (2.0, 60.0),
            Self::Report => (10.0, 200.0),
            Self::Content => (500.0, 5000.0),
            Self::Enroll => (20.0, 200.0),
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    /// A node.
    Node(NodeId),
    /// Where an address belongs, where there is no node yet.
    Network(Option<IpAddr>),
}

/// All buckets.
#[derive(Default)]
pub struct Limits(Mutex<HashMap<(Who, Kind), Bucket>>);

struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Limits {
    /// Takes a token.
    ///
    /// # Errors
    /// Where there is none, with the time to wait.
    pub fn take(&self, who: Who, kind: Kind) -> Result<(), Refused> {
        self.take_at(who, kind, Instant::now()).map_err(Refused::too_many)
    }

    /// Takes more tokens for what turned out large. They may be missing: then whoever asked waits until they are there.
    pub fn charge(&self, who: Who, kind: Kind, tokens: usize) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(&(who, kind)) {
            bucket.tokens -= tokens as f64;
        }
    }

    fn take_at(&self, who: Who, kind: Kind, now: Instant) -> Result<(), u64> {
        let (rate, burst) = kind.allowance();
        let filled = |bucket: &Bucket, rate: f64, burst: f64| {
            (bucket.tokens + now.saturating_duration_since(bucket.at).as_secs_f64() * rate).min(burst)
        };
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST {
            buckets.retain(|(_, kind), bucket| {
                let (rate, burst) = kind.allowance();
                filled(bucket, rate, burst) < burst
            });
        }
        let bucket = buckets.entry((who, kind)).or_insert(Bucket { tokens: burst, at: now });
        bucket.tokens = filled(bucket, rate, burst);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            return Err((((1.0 - bucket.tokens) / rate).ceil() as u64).max(1));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_was_large_is_waited_for_afterwards() {
        let limits = Limits::default();
        let (start, one) = (Instant::now(), Who::Network(None));
        assert_eq!(limits.take_at(one, Kind::Report, start), Ok(()));
        limits.charge(one, Kind::Report, 256);
        assert_eq!(limits.take_at(one, Kind::Report, start), Err(6));
        assert_eq!(limits.take_at(one, Kind::Report, start + Duration::from_secs(6)), Ok(()));
    }

    #[test]
    fn who_asks_too_much_waits_and_nobody_else_does() {
        let limits = Limits::default();
        let (start, one) = (Instant::now(), Who::Network(Some([127, 0, 0, 1].into())));
        for _ in 0..60 {
            assert_eq!(limits.take_at(one, Kind::Poll, start), Ok(()));
        }
        assert_eq!(limits.take_at(one, Kind::Poll, start), Err(1));
        assert_eq!(limits.take_at(one, Kind::Report, start), Ok(()));
        assert_eq!(limits.take_at(Who::Network(None), Kind::Poll, start), Ok(()));
        assert_eq!(limits.take_at(one, Kind::Poll, start + Duration::from_secs(1)), Ok(()));
    }
}
