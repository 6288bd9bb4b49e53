//! How much each may ask: a bucket of tokens for each node and kind of request, and for each network of strangers.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use holdfast_catalog::certname::Certname;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refused::Refused;
use crate::network::allowance::{Allowance, Buckets};
use crate::store::node::NodeId;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Poll,
    /// Reports; after an outage a node delivers many.
    Report,
    /// Contents: a first run fetches thousands.
    Content,
    Enroll,
    Renew,
    /// Whatever else is asked without a certificate, and what is refused to one that is in force no more or asks for what
    /// is not there.
    Nothing,
}

impl Kind {
    fn allowance(self) -> Allowance {
        let (rate, burst) = match self {
            Self::Poll => (2.0, 60.0),
            Self::Report => (10.0, 200.0),
            Self::Content => (500.0, 5000.0),
            Self::Enroll => (20.0, 200.0),
            // Each has a certificate made, and a node needs one in days.
            Self::Renew => (0.1, 10.0),
            Self::Nothing => (20.0, 200.0),
        };
        Allowance { rate, burst }
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Who {
    Node(NodeId),
    /// Anyone who holds a certificate of this name, in force or not: strangers behind the same address cost it nothing.
    Named(Certname),
    /// One certificate, by its serial number: what was revoked costs its successor of the same name nothing.
    Certificate(String),
    /// Where an address belongs, where there is no certificate yet.
    Network(Option<IpAddr>),
}

/// So many large bodies are unpacked and read at once: each takes tens of megabytes until it is read.
const DECODERS: usize = 2;

/// All buckets, and the large bodies that are in work.
pub struct Limits {
    buckets: Buckets<(Who, Kind)>,
    large: Arc<Mutex<HashSet<(Who, Kind)>>>,
    decoders: Arc<Semaphore>,
}

impl Default for Limits {
    fn default() -> Self {
        let decoders = Arc::new(Semaphore::new(DECODERS));
        Self { buckets: Buckets::default(), large: Arc::default(), decoders }
    }
}

/// The one large body of a caller and kind that is in work, until this is dropped.
pub struct Held {
    large: Arc<Mutex<HashSet<(Who, Kind)>>>,
    of: (Who, Kind),
}

impl Drop for Held {
    fn drop(&mut self) {
        self.large.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.of);
    }
}

impl Limits {
    /// Takes a token.
    ///
    /// # Errors
    /// Where there is none, with the time to wait.
    pub fn take(&self, who: Who, kind: Kind) -> Result<(), Refused> {
        self.buckets.take((who, kind), kind.allowance(), Instant::now()).map_err(Refused::too_many)
    }

    /// Looks whether there is a token, and takes none.
    ///
    /// # Errors
    /// Where there is none, with the time to wait.
    pub fn look(&self, who: Who, kind: Kind) -> Result<(), Refused> {
        self.buckets.look(&(who, kind), Instant::now()).map_err(Refused::too_many)
    }

    /// Takes more tokens for what turned out large. They may be missing: then anyone who asked waits until they are there.
    pub fn charge(&self, who: Who, kind: Kind, tokens: usize) {
        self.buckets.charge(&(who, kind), tokens);
    }

    /// Charges also anyone who never took a token.
    pub fn pay(&self, who: Who, kind: Kind, tokens: usize) {
        // It is paid for whether or not there is one.
        if tokens > 0 && self.take(who.clone(), kind).is_ok() {
            self.charge(who, kind, tokens - 1);
        }
    }

    /// Begins with a large body. Each has one of a kind in work at a time, however many connections it has.
    ///
    /// # Errors
    /// Where another is.
    pub fn hold(&self, who: Who, kind: Kind) -> Result<Held, Refused> {
        let of = (who, kind);
        let mut large = self.large.lock().unwrap_or_else(PoisonError::into_inner);
        if !large.insert(of.clone()) {
            return Err(Refused::too_many(1));
        }
        Ok(Held { large: self.large.clone(), of })
    }

    /// Waits until a large body may be unpacked, for a while.
    ///
    /// # Errors
    /// Where others take all that time.
    pub async fn decoder(&self, patience: Duration) -> Result<OwnedSemaphorePermit, Refused> {
        let permit = tokio::time::timeout(patience, self.decoders.clone().acquire_owned()).await;
        permit.ok().and_then(Result::ok).ok_or_else(|| Refused::too_many(patience.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a28_of_large_bodies_each_has_one_of_a_kind_in_work() {
        let limits = Limits::default();
        let who = |at: u8| Who::Network(Some(IpAddr::from([192, 0, 2, at])));
        let held = limits.hold(who(1), Kind::Report).ok();
        assert!(held.is_some() && limits.hold(who(1), Kind::Report).is_err());
        assert!(limits.hold(who(1), Kind::Poll).is_ok() && limits.hold(who(2), Kind::Report).is_ok());
        drop(held);
        assert!(limits.hold(who(1), Kind::Report).is_ok());
    }

    #[actix_web::test]
    async fn a28_large_bodies_of_all_are_unpacked_a_few_at_once() {
        let (limits, soon) = (Limits::default(), Duration::from_millis(1));
        let mut permits = Vec::new();
        for _ in 0..DECODERS {
            permits.push(limits.decoder(soon).await.ok().unwrap());
        }
        assert!(limits.decoder(soon).await.is_err());
        permits.pop();
        assert!(limits.decoder(soon).await.is_ok());
    }
}
