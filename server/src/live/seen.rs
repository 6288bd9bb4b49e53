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
pub struct Seen(Mutex<HashMap<NodeId, (Timestamp, Option<String>)>>);

impl Seen {
    fn note(&self, node: NodeId, now: Timestamp, commit: Option<&str>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = seen.entry(node).or_insert((now, None));
        entry.0 = now;
        if let Some(commit) = commit {
            entry.1 = Some(commit.to_owned());
        }
    }

    fn take(&self) -> Vec<(NodeId, Timestamp, Option<String>)> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.drain().map(|(node, (at, commit))| (node, at, commit)).collect()
    }
}

impl Live {
    /// Notes that a node spoke, and the commit that it was given.
    pub fn see(&self, node: NodeId, now: Timestamp, commit: Option<&str>) {
        self.seen.note(node, now, commit);
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
