//! How much each caller may ask: a bucket of tokens for each node and kind of request, and for each network of strangers.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use holdfast_catalog::certname::Certname;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::rejection::Rejection;
use crate::network::rate_limit::{Buckets, RateLimit};
use crate::store::node::NodeId;

/// The kind of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestKind {
    Poll,
    /// Reports: after an outage a node delivers many.
    Report,
    /// Contents: a first run fetches thousands.
    Content,
    Enroll,
    Renew,
    /// Everything else that is asked without a certificate, and everything that is refused to a certificate, because it
    /// is no longer in force or asks for something that does not exist.
    Nothing,
}

impl RequestKind {
    fn allowance(self) -> RateLimit {
        let (rate, burst) = match self {
            Self::Poll => (2.0, 60.0),
            Self::Report => (10.0, 200.0),
            Self::Content => (500.0, 5000.0),
            Self::Enroll => (20.0, 200.0),
            // Each makes the server sign a certificate, and a node needs one only every few days.
            Self::Renew => (0.1, 10.0),
            Self::Nothing => (20.0, 200.0),
        };
        RateLimit { rate, burst }
    }
}

/// Who is charged.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Requester {
    Node(NodeId),
    /// Anyone with a certificate of this name, whether or not it is in force. Strangers behind the same address do not
    /// use up its tokens.
    Named(Certname),
    /// A certificate, by its serial number. A revoked one does not use up the tokens of its successor with the same name.
    Certificate(String),
    /// The network of an address, if there is no certificate yet.
    Network(Option<IpAddr>),
}

/// How many large bodies are decompressed and read at once: each takes tens of megabytes until it has been read.
const MAX_DECODERS: usize = 2;

/// All buckets, and the large bodies in work.
pub struct Limits {
    buckets: Buckets<(Requester, RequestKind)>,
    large: Arc<Mutex<HashSet<(Requester, RequestKind)>>>,
    decoders: Arc<Semaphore>,
}

impl Default for Limits {
    fn default() -> Self {
        let decoders = Arc::new(Semaphore::new(MAX_DECODERS));
        Self { buckets: Buckets::default(), large: Arc::default(), decoders }
    }
}

/// Marks that a large body of a caller and kind is in work, until this is dropped.
pub struct LargeBody {
    large: Arc<Mutex<HashSet<(Requester, RequestKind)>>>,
    of: (Requester, RequestKind),
}

impl Drop for LargeBody {
    fn drop(&mut self) {
        self.large.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.of);
    }
}

impl Limits {
    /// Takes a token.
    ///
    /// # Errors
    /// Returns the time to wait if there is no token.
    pub fn take(&self, who: Requester, kind: RequestKind) -> Result<(), Rejection> {
        self.buckets.take((who, kind), kind.allowance(), Instant::now()).map_err(Rejection::too_many)
    }

    /// Checks whether there is a token, without taking it.
    ///
    /// # Errors
    /// Returns the time to wait if there is no token.
    pub fn look(&self, who: Requester, kind: RequestKind) -> Result<(), Rejection> {
        self.buckets.look(&(who, kind), Instant::now()).map_err(Rejection::too_many)
    }

    /// Takes more tokens for a request that turned out to be large. The bucket may go below zero; then the caller waits
    /// until it is filled again.
    pub fn charge(&self, who: Requester, kind: RequestKind, tokens: usize) {
        self.buckets.charge(&(who, kind), tokens);
    }

    /// Like [`Limits::charge`], but also charges callers that never took a token.
    pub fn pay(&self, who: Requester, kind: RequestKind, tokens: usize) {
        // The work is charged for whether or not there is a token.
        if tokens > 0 && self.take(who.clone(), kind).is_ok() {
            self.charge(who, kind, tokens - 1);
        }
    }

    /// Begins with a large body. Each caller may have one of a kind in work at a time, however many connections it has.
    ///
    /// # Errors
    /// Returns an error if another one is in work.
    pub fn hold(&self, who: Requester, kind: RequestKind) -> Result<LargeBody, Rejection> {
        let of = (who, kind);
        let mut large = self.large.lock().unwrap_or_else(PoisonError::into_inner);
        if !large.insert(of.clone()) {
            return Err(Rejection::too_many(1));
        }
        Ok(LargeBody { large: self.large.clone(), of })
    }

    /// Waits for a while until a large body may be decompressed.
    ///
    /// # Errors
    /// Returns an error if others take all that time.
    pub async fn decoder(&self, patience: Duration) -> Result<OwnedSemaphorePermit, Rejection> {
        let permit = tokio::time::timeout(patience, self.decoders.clone().acquire_owned()).await;
        permit.ok().and_then(Result::ok).ok_or_else(|| Rejection::too_many(patience.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a28_of_large_bodies_each_has_one_of_a_kind_in_work() {
        let limits = Limits::default();
        let who = |at: u8| Requester::Network(Some(IpAddr::from([192, 0, 2, at])));
        let held = limits.hold(who(1), RequestKind::Report).ok();
        assert!(held.is_some() && limits.hold(who(1), RequestKind::Report).is_err());
        assert!(
            limits.hold(who(1), RequestKind::Poll).is_ok()
                && limits.hold(who(2), RequestKind::Report).is_ok()
        );
        drop(held);
        assert!(limits.hold(who(1), RequestKind::Report).is_ok());
    }

    #[actix_web::test]
    async fn a28_large_bodies_of_all_are_unpacked_a_few_at_once() {
        let (limits, soon) = (Limits::default(), Duration::from_millis(1));
        let mut permits = Vec::new();
        for _ in 0..MAX_DECODERS {
            permits.push(limits.decoder(soon).await.ok().unwrap());
        }
        assert!(limits.decoder(soon).await.is_err());
        permits.pop();
        assert!(limits.decoder(soon).await.is_ok());
    }
}
