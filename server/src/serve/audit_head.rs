//! Writes the head of the audit log to the journal. If someone cuts off the end of the log, or rewrites all of it, its
//! head is another than in the journal, and `holdfast audit --verify --head` reports it.

use std::time::Duration;

use crate::store::Store;

/// How often it is written, if it has changed.
const PAUSE: Duration = Duration::from_secs(600);

/// Writes it at the start, and then whenever it has changed, for ever.
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
