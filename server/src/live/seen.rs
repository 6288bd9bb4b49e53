//! When nodes were last seen, collected in memory: an unchanged poll must not cost a write.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::Live;
use crate::store::node::NodeId;

/// How often it is written down.
const PAUSE: Duration = Duration::from_secs(5);

/// What is not written down yet.
#[derive(Default)]
pub struct Seen(Mutex<HashMap<NodeId, Timestamp>>);

impl Seen {
    fn note(&self, node: NodeId, now: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(node, now);
    }

    fn take(&self) -> Vec<(NodeId, Timestamp)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).drain().collect()
    }
}

impl Live {
    /// Notes that a node spoke.
    pub fn see(&self, node: NodeId, now: Timestamp) {
        self.seen.note(node, now);
    }

    /// Writes down what was seen.
    pub async fn write_seen(&self) {
        let seen = self.seen.take();
        if !seen.is_empty()
            && let Err(error) = self.store.nodes_seen(seen).await
        {
            tracing::error!(%error, "cannot note when nodes were last seen");
        }
    }

    /// Writes down what was seen now and then, for ever.
    pub async fn keep_writing_seen(&self) {
        loop {
            tokio::time::sleep(PAUSE).await;
            self.write_seen().await;
        }
    }
}
