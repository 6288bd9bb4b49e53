//! When nodes were last seen, collected in memory, since an unchanged poll must not cost a write. Times that are not in
//! the store yet, or cannot be written, are still available here: a server with a full disk still hears its machines.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::Control;
use crate::store::node::NodeId;

/// The times that are not in the store yet.
#[derive(Default)]
pub struct LastContacts(Mutex<HashMap<NodeId, Timestamp>>);

impl LastContacts {
    fn note(&self, node: NodeId, now: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(node, now);
    }

    /// When a node was last seen, if that is not in the store yet.
    pub fn of(&self, node: NodeId) -> Option<Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&node).copied()
    }

    fn all(&self) -> Vec<(NodeId, Timestamp)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|(node, at)| (*node, *at)).collect()
    }

    /// Forgets what has been written, except what was added meanwhile.
    fn forget(&self, written: &[(NodeId, Timestamp)]) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (node, at) in written {
            if noted.get(node) == Some(at) {
                noted.remove(node);
            }
        }
    }
}

impl Control {
    /// Records that a node was heard from.
    pub fn see(&self, node: NodeId, now: Timestamp) {
        self.last_contacts.note(node, now);
    }

    /// Writes the collected times to the store.
    pub async fn write_contacts(&self) {
        let seen = self.last_contacts.all();
        if seen.is_empty() {
            return;
        }
        match self.store.nodes_seen(seen.clone()).await {
            Ok(()) => self.last_contacts.forget(&seen),
            Err(error) => tracing::error!(%error, "cannot record when nodes were last seen"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fleet::InventoryView as _;
    use crate::identity::token::TokenKey;
    use crate::store::Store;

    #[actix_web::test]
    async fn what_the_store_could_not_write_is_written_later() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("server.db");
        let store = Store::open(&file).unwrap();
        let config = super::super::ControlConfig {
            interval: Duration::from_secs(1_800),
            environment: "main".into(),
            compiles: 1,
            kept: None,
        };
        let control = Control::new(config, store, TokenKey::new([7; 32]));
        let node: NodeId = serde_json::from_str("1").unwrap();
        let at = Timestamp::UNIX_EPOCH;
        control.see(node, at);
        std::fs::rename(&file, directory.path().join("aside")).unwrap();
        control.write_contacts().await;
        assert_eq!(control.last_contacts.all(), [(node, at)], "it waits for a store that can write");
        assert_eq!(control.heard(node), Some(at), "and is known meanwhile");
        let later = at + Duration::from_secs(9);
        control.see(node, later);
        control.last_contacts.forget(&[(node, at)]);
        assert_eq!(control.last_contacts.all(), [(node, later)], "what came meanwhile stays");
        control.last_contacts.forget(&[(node, later)]);
        assert_eq!(control.heard(node), None);
    }
}
