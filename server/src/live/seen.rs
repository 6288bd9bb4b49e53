//! When nodes were last seen, collected in memory: an unchanged poll must not cost a write.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::Live;
use crate::store::node::NodeId;

/// What is not written down yet.
#[derive(Default)]
pub struct Seen(Mutex<HashMap<NodeId, Timestamp>>);

impl Seen {
    fn note(&self, node: NodeId, now: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(node, now);
    }

    /// Puts back what could not be written, beside what came meanwhile.
    fn put_back(&self, seen: Vec<(NodeId, Timestamp)>) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (node, at) in seen {
            noted.entry(node).and_modify(|now| *now = at.max(*now)).or_insert(at);
        }
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
            && let Err(error) = self.store.nodes_seen(seen.clone()).await
        {
            self.seen.put_back(seen);
            tracing::error!(%error, "cannot note when nodes were last seen");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::identity::token::Key;
    use crate::store::Store;

    #[actix_web::test]
    async fn what_the_store_could_not_write_is_written_later() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("server.db");
        let store = Store::open(&file).unwrap();
        let config = super::super::Config {
            interval: Duration::from_secs(1_800),
            environment: "main".into(),
            compiles: 1,
            kept: None,
        };
        let live = Live::new(config, store, Key::new([7; 32]));
        let node: NodeId = serde_json::from_str("1").unwrap();
        let at = Timestamp::UNIX_EPOCH;
        live.see(node, at);
        std::fs::rename(&file, directory.path().join("aside")).unwrap();
        live.write_seen().await;
        assert_eq!(live.seen.take(), [(node, at)], "it waits for a store that can write");
        live.see(node, at + Duration::from_secs(9));
        live.seen.put_back(vec![(node, at)]);
        assert_eq!(live.seen.take(), [(node, at + Duration::from_secs(9))], "the later one holds");
    }
}
