//! Certificates that a restored store does not know. A store that was restored from a backup lacks the certificates
//! issued since. The CA signed them, and each contains its date: one that is newer than all that the store has of its
//! node is taken back, and no other.
//!
//! Certificates that were replaced according to the store stay replaced, and so do older ones, so a clone is still
//! recognized (`docs/decisions/0015-a-restored-server-takes-its-nodes-back.md`).

use jiff::Timestamp;

use super::registry::{Caller, CertificateUse, Peer, RefusalReason};
use super::{BACKDATED, Identity};
use crate::store::audit::NewAuditEntry;

impl Identity {
    /// Who a connection is; if a restored store lost the certificate, it is taken back first.
    pub(super) async fn check(
        &self,
        peer: &Peer,
        now: Timestamp,
    ) -> Result<(Caller, CertificateUse), RefusalReason> {
        match self.registry.check(peer, now) {
            Err(RefusalReason::Replaced | RefusalReason::Unknown) if self.take_back(peer, now).await => {
                self.registry.check(peer, now)
            }
            checked => checked,
        }
    }

    /// Like [`Identity::check`], for renewal.
    pub(super) async fn check_renewal(
        &self,
        peer: &Peer,
        now: Timestamp,
    ) -> Result<(Caller, CertificateUse), RefusalReason> {
        match self.registry.check_renewal(peer) {
            Err(RefusalReason::Replaced | RefusalReason::Unknown) if self.take_back(peer, now).await => {
                self.registry.check_renewal(peer)
            }
            checked => checked,
        }
    }

    async fn take_back(&self, peer: &Peer, now: Timestamp) -> bool {
        if peer.name.instance != self.registry.instance() {
            return false;
        }
        match self.try_to_take_back(peer, now).await {
            Ok(taken) => taken,
            Err(error) => {
                tracing::error!(%error, node = %peer.name.certname, "cannot look for a certificate");
                false
            }
        }
    }

    async fn try_to_take_back(&self, peer: &Peer, now: Timestamp) -> crate::store::Result<bool> {
        let node = self.store.node(peer.name.certname.clone()).await?;
        let Some(node) = node.filter(|node| node.generation == peer.name.generation) else {
            return Ok(false);
        };
        // A clone may send a replaced certificate in a loop, which must not occupy the writer.
        if self.store.knows_certificate(node.id, peer.certificate.clone()).await? {
            return Ok(false);
        }
        let issued = peer.certificate.not_before + BACKDATED;
        let entry = NewAuditEntry {
            at: now,
            actor: peer.address.clone(),
            action: "certificate-taken-back",
            object: format!("{} (generation {})", node.certname, node.generation),
            commit: None,
            detail: format!("serial {}, issued {issued}, after this store's backup", peer.certificate.serial),
        };
        let _one = self.changes.lock().await;
        if !self.store.take_back(node.id, issued, peer.certificate.clone(), entry).await? {
            return Ok(false);
        }
        tracing::warn!(
            node = %node.certname, serial = peer.certificate.serial,
            "accepted: this CA signed its certificate after the backup that this store was restored from"
        );
        if let Some(row) = self.store.node(node.certname).await? {
            self.registry.put(row, self.store.certificates(node.id).await?);
        }
        Ok(true)
    }
}
