//! Who is who: the server's own CA, one-time tokens, node certificates, and the node states that every request is
//! checked against.
//!
//! A node is identified by its certificate; no request carries a name. The CA's private key stays with one thread
//! ([`authority`]), behind a channel, so that it can move to a process of its own.

use std::time::Duration;

use holdfast_catalog::certname::Certname;
use holdfast_catalog::join::{InvalidJoin, JoinString};
use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use crate::store::audit::NewAuditEntry;
use crate::store::node::{AddOutcome, NodeRow, NodeState, OnConflict, Tenancy};
use crate::store::{self, Store};

mod alarm;
mod request;
mod restored; // certificates that a restored store does not know

pub mod authority; // the CA's key, and signing with it
pub mod enroll; // enrolment and renewal
pub mod name; // a node's name inside its certificate
pub mod registry; // enrolled nodes, in memory
pub mod tls; // TLS: which certificates a connection needs
pub mod token; // one-time secrets

pub use authority::{Authority, AuthorityError};
pub use enroll::EnrollError;
pub use name::NodeUri;
pub use registry::{Caller, Peer, RefusalReason};

/// For how long after its end a certificate may still be used to renew it.
pub const RENEWAL_GRACE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Certificates are valid from a little earlier than now, since clocks differ.
pub const BACKDATED: SignedDuration = SignedDuration::from_mins(10);

/// The least time between two notes that a replaced certificate of a node was refused.
const NOTED: SignedDuration = SignedDuration::from_mins(1);

/// The settings of this module.
#[derive(Debug, Clone)]
pub struct IdentityConfig {
    /// How long a node's certificate is valid.
    pub certificate_lifetime: Duration,
    /// The server's `host:port` as nodes reach it, for join strings.
    pub address: String,
}

/// The server's view of who is who.
pub struct Identity {
    config: IdentityConfig,
    store: Store,
    authority: Authority,
    registry: registry::Registry,
    token_key: token::TokenKey,
    alarm: alarm::Alarm,
    /// Held from a change or a read of the store until memory agrees with it. Otherwise an enrolment that is repeated
    /// just while its node is revoked would restore in memory what it had read before.
    changes: tokio::sync::Mutex<()>,
}

/// Why an operator's request about a node failed.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// A node of this name exists.
    #[error(
        "`{}` already exists ({:?}, {}): `holdfast node move` adds it again, for a rebuilt machine or another customer",
        .0.certname, .0.state, .0.tenancy
    )]
    Present(Box<NodeRow>),
    /// No node has this name.
    #[error("there is no node `{0}`; `holdfast node list` shows all")]
    Unknown(Certname),
    /// The server's own address is unusable.
    #[error("the server's address `{0}` cannot be put into a join string: {1}")]
    Address(String, InvalidJoin),
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// A node that is to join, and what it needs for that.
pub struct Invitation {
    pub node: NodeRow,
    /// The join string. Only the node may see it.
    pub join: Zeroizing<String>,
    /// When the join string expires.
    pub expires_at: Timestamp,
}

impl Identity {
    /// Loads the state from the store.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn load(
        config: IdentityConfig,
        store: Store,
        authority: Authority,
        token_key: token::TokenKey,
    ) -> store::Result<Self> {
        let registry = registry::Registry::of(authority.instance(), store.certificates_in_force().await?);
        let (alarm, changes) = (alarm::Alarm::default(), tokio::sync::Mutex::default());
        Ok(Self { config, store, authority, registry, token_key, alarm, changes })
    }

    /// The CA.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// A node that has or had a certificate, from memory.
    pub fn node(&self, certname: &Certname) -> Option<NodeRow> {
        self.registry.node(certname)
    }

    /// Adds a node, or its next generation, and makes its join string.
    ///
    /// # Errors
    /// Returns an error if a node of that name exists and `present` is to keep it, or if the store fails.
    pub async fn invite(
        &self,
        certname: Certname,
        tenancy: Tenancy,
        present: OnConflict,
        lifetime: Duration,
        by: &str,
    ) -> Result<Invitation, NodeError> {
        let now = Timestamp::now();
        let fresh = token::FreshToken::make();
        let join = JoinString::new(&self.config.address, *self.authority.pin(), fresh.id(), fresh.secret())
            .map_err(|error| NodeError::Address(self.config.address.clone(), error))?;
        let expires_at = now + SignedDuration::try_from(lifetime).unwrap_or(SignedDuration::from_hours(24));
        let entry = NewAuditEntry {
            at: now,
            actor: by.to_owned(),
            action: if present == OnConflict::Keep { "node-added" } else { "node-moved" },
            object: certname.to_string(),
            commit: None,
            detail: format!("{tenancy}, token {} until {expires_at}", fresh.id()),
        };
        let token = fresh.to_store(&self.token_key, expires_at);
        let _one = self.changes.lock().await;
        match self.store.add_node(certname.clone(), tenancy, present, token, entry).await? {
            AddOutcome::Present(node) => Err(NodeError::Present(Box::new(node))),
            AddOutcome::Node(node) => {
                self.registry.forget(&certname);
                Ok(Invitation { node, join: join.reveal(), expires_at })
            }
        }
    }

    /// Revokes a node: its next request is refused, even on a connection that is open.
    ///
    /// # Errors
    /// Returns an error if there is no such node, or if the store fails.
    pub async fn revoke(&self, certname: Certname, by: &str) -> Result<NodeRow, NodeError> {
        self.end(certname, NodeState::Revoked, "node-revoked", by).await
    }

    /// Removes a node. Its name may be used again, for another generation.
    ///
    /// # Errors
    /// Returns an error if there is no such node, or if the store fails.
    pub async fn remove(&self, certname: Certname, by: &str) -> Result<NodeRow, NodeError> {
        self.end(certname, NodeState::Gone, "node-removed", by).await
    }

    async fn end(
        &self,
        certname: Certname,
        state: NodeState,
        action: &'static str,
        by: &str,
    ) -> Result<NodeRow, NodeError> {
        let entry = NewAuditEntry::new(Timestamp::now(), by, action, certname.as_str());
        let _one = self.changes.lock().await;
        let ended = self.store.end_node(certname.clone(), state, entry).await?;
        match state {
            NodeState::Revoked => self.registry.revoke(&certname),
            _ => self.registry.forget(&certname),
        }
        ended.ok_or(NodeError::Unknown(certname))
    }

    /// Checks a connection's certificate against the state of its node, for this one request.
    ///
    /// The first use of a renewed certificate ends the one before. Anything that looks like a stolen or cloned key
    /// raises an alarm.
    ///
    /// # Errors
    /// Returns why the request is refused.
    pub async fn admit(&self, peer: &Peer, now: Timestamp) -> Result<Caller, RefusalReason> {
        match self.check(peer, now).await {
            Ok((caller, registry::CertificateUse::Known)) => Ok(caller),
            Ok((caller, registry::CertificateUse::First)) => {
                let confirmed =
                    self.store.confirm_certificate(caller.node, peer.certificate.serial.clone(), now).await;
                if let Err(error) = confirmed {
                    // It stays unconfirmed in the store, so the next start tries again.
                    tracing::error!(%error, node = %caller.certname, "cannot record the first use of a certificate");
                }
                Ok(caller)
            }
            Err(refusal) => {
                self.alarm_of(peer, refusal, now).await;
                Err(refusal)
            }
        }
    }

    async fn alarm_of(&self, peer: &Peer, refusal: RefusalReason, now: Timestamp) {
        let action = match refusal {
            RefusalReason::Expired => return,
            RefusalReason::Unknown => "unknown-node-refused",
            RefusalReason::Revoked => "revoked-node-refused",
            RefusalReason::Replaced => "replaced-certificate-refused",
        };
        let object = format!("{} (generation {})", peer.name.certname, peer.name.generation);
        let detail = format!("serial {} from {}", peer.certificate.serial, peer.address);
        // The node's state shows the last time, the audit log only the first in an hour.
        let is_noted = refusal == RefusalReason::Replaced
            && self.alarm.is_due_after(NOTED, "replaced-certificate-noted", &object, now);
        self.sound(action, object, detail, &peer.address, now).await;
        if is_noted {
            let (certname, generation) = (peer.name.certname.clone(), peer.name.generation);
            if let Err(error) = self.store.node_refused(certname, generation, now).await {
                tracing::error!(%error, node = %peer.name.certname, "cannot record that it was refused");
            }
        }
    }

    /// Records something that an operator should look at, once an hour for each object.
    async fn sound(&self, action: &'static str, object: String, detail: String, from: &str, now: Timestamp) {
        if !self.alarm.is_due(action, &object, now) {
            return;
        }
        tracing::warn!(action, %object, %detail, "refused");
        let entry = NewAuditEntry { at: now, actor: from.to_owned(), action, object, commit: None, detail };
        if let Err(error) = self.store.audit(entry).await {
            tracing::error!(%error, "cannot write to the audit log");
        }
    }
}
