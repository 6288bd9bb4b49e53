//! The audit log's head, told to the journal: anyone who cuts the log's end off, or writes all of it anew, has another head
//! than the one that was told, and `holdfast audit --verify --head` says so.

use std::time::Duration;

use crate::store::Store;

/// How often it is told, where it is another one.
const PAUSE: Duration = Duration::from_secs(600);

/// Tells it at the start, and then whenever it has moved, for ever.
pub async fn keep_telling(store: Store) {
    let mut told = None;
    loop {
        match store.audit_head().await {
            Ok(Some(head)) if told.as_ref() != Some(&head) => {
                tracing::info!(entries = head.seq, head = head.hash, "the audit log");
                told = Some(head);
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "the audit log cannot be read"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
