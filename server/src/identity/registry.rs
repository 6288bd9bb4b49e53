//! The enrolled nodes, in memory: each request is checked against them without asking the store.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use holdfast_catalog::certname::Certname;
use jiff::Timestamp;

use super::name::NodeUri;
use crate::store::certificate::{CertificateRow, NewCertificate};
use crate::store::node::{NodeId, NodeRow, NodeState, Tenancy};

/// The certificate of a connection, which this CA signed. Whether it is valid *now* is decided by [`Registry::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The name in the certificate.
    pub name: NodeUri,
    pub certificate: NewCertificate,
    /// The address of the caller, for alarms.
    pub address: String,
}

/// A node whose request is admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The id of its generation in the store.
    pub node: NodeId,
    pub certname: Certname,
    pub generation: u32,
    pub tenancy: Tenancy,
    /// The serial number of the certificate of its connection.
    pub serial: String,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusalReason {
    /// There is no such node, or this is an earlier generation of it.
    #[error("this server does not know this node: enrol it with a new join string")]
    Unknown,
    /// An operator revoked it.
    #[error("this node has been revoked: ask the operator for a new join string")]
    Revoked,
    /// The certificate has a successor, which the node has used.
    #[error("this certificate has been replaced by a newer one: was this machine's disk cloned?")]
    Replaced,
    /// The certificate has expired, and may only be renewed.
    #[error("this certificate has expired: renew it")]
    Expired,
}

/// Whether a certificate was used before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateUse {
    Known,
    First,
}

/// All nodes that have or had a certificate.
pub struct Registry {
    instance: String,
    nodes: RwLock<HashMap<Certname, RegistryEntry>>,
}

struct RegistryEntry {
    row: NodeRow,
    /// The certificate in use and its successor, oldest first.
    certificates: Vec<CertificateRow>,
}

impl Registry {
    /// The registry with the nodes of the store.
    pub fn of(instance: &str, nodes: Vec<(NodeRow, Vec<CertificateRow>)>) -> Self {
        let entry =
            |(row, certificates): (NodeRow, _)| (row.certname.clone(), RegistryEntry { row, certificates });
        Self { instance: instance.to_owned(), nodes: RwLock::new(nodes.into_iter().map(entry).collect()) }
    }

    /// The installation that certificates must name.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// A node by its name.
    pub fn node(&self, certname: &Certname) -> Option<NodeRow> {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        nodes.get(certname).map(|entry| entry.row.clone())
    }

    /// Adds a node with these certificates.
    pub fn put(&self, row: NodeRow, certificates: Vec<CertificateRow>) {
        self.write().insert(row.certname.clone(), RegistryEntry { row, certificates });
    }

    /// Marks a node as revoked.
    pub fn revoke(&self, certname: &Certname) {
        if let Some(entry) = self.write().get_mut(certname) {
            entry.row.state = NodeState::Revoked;
        }
    }

    /// Removes a node.
    pub fn forget(&self, certname: &Certname) {
        self.write().remove(certname);
    }

    /// Sets the certificates of a node that are in force now.
    pub fn set_certificates(&self, caller: &Caller, certificates: Vec<CertificateRow>) {
        if let Some(entry) = self.write().get_mut(&caller.certname)
            && entry.row.id == caller.node
        {
            entry.certificates = certificates;
        }
    }

    /// Who a connection is at `now`. An expired certificate passes only [`Registry::check_renewal`].
    pub fn check(&self, peer: &Peer, now: Timestamp) -> Result<(Caller, CertificateUse), RefusalReason> {
        let (caller, known) = self.check_renewal(peer)?;
        if peer.certificate.not_after <= now {
            return Err(RefusalReason::Expired);
        }
        if known == CertificateUse::First {
            self.confirm(peer, now);
        }
        Ok((caller, known))
    }

    /// Who a connection is, for renewal.
    pub fn check_renewal(&self, peer: &Peer) -> Result<(Caller, CertificateUse), RefusalReason> {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        let known = nodes.get(&peer.name.certname).filter(|entry| {
            entry.row.generation == peer.name.generation && self.instance == peer.name.instance
        });
        let entry = known.ok_or(RefusalReason::Unknown)?;
        if entry.row.state != NodeState::Enrolled {
            return Err(RefusalReason::Revoked);
        }
        let certificate = entry
            .certificates
            .iter()
            .find(|c| c.serial == peer.certificate.serial)
            .ok_or(RefusalReason::Replaced)?;
        let caller = Caller {
            node: entry.row.id,
            certname: entry.row.certname.clone(),
            generation: entry.row.generation,
            tenancy: entry.row.tenancy.clone(),
            serial: peer.certificate.serial.clone(),
        };
        Ok((
            caller,
            if certificate.confirmed_at.is_some() { CertificateUse::Known } else { CertificateUse::First },
        ))
    }

    fn confirm(&self, peer: &Peer, now: Timestamp) {
        if let Some(entry) = self.write().get_mut(&peer.name.certname) {
            let position = entry.certificates.iter().position(|c| c.serial == peer.certificate.serial);
            entry.certificates.drain(..position.unwrap_or_default());
            if let Some(used) = entry.certificates.first_mut().filter(|c| c.serial == peer.certificate.serial)
            {
                used.confirmed_at = Some(now);
            }
        }
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<Certname, RegistryEntry>> {
        self.nodes.write().unwrap_or_else(PoisonError::into_inner)
    }
}
