//! How much each may ask: a bucket of tokens for each node and kind of request, and for each network of strangers.

use std::net::IpAddr;
use std::time::Instant;

use holdfast_catalog::certname::Certname;

use super::refused::Refused;
use crate::network::allowance::{Allowance, Buckets};
use crate::store::node::NodeId;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Polls.
    Poll,
    /// Reports; after an outage a node delivers many.
    Report,
    /// Contents: a first run fetches thousands.
    Content,
    /// First certificates.
    Enroll,
    /// The next certificate.
    Renew,
    /// Whatever else is asked without a certificate.
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
    /// A node.
    Node(NodeId),
    /// Whoever holds a certificate of this name, in force or not: strangers behind the same address cost it nothing.
    Named(Certname),
    /// Where an address belongs, where there is no certificate yet.
    Network(Option<IpAddr>),
}

/// All buckets.
#[derive(Default)]
pub struct Limits(Buckets<(Who, Kind)>);

impl Limits {
    /// Takes a token.
    ///
    /// # Errors
    /// Where there is none, with the time to wait.
    pub fn take(&self, who: Who, kind: Kind) -> Result<(), Refused> {
        self.0.take((who, kind), kind.allowance(), Instant::now()).map_err(Refused::too_many)
    }

    /// Takes more tokens for what turned out large. They may be missing: then whoever asked waits until they are there.
    pub fn charge(&self, who: Who, kind: Kind, tokens: usize) {
        self.0.charge(&(who, kind), tokens);
    }
}
