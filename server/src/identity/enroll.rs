//! Certificates for nodes: the first one for a one-time token, the next one for the one in use.
//!
//! A lost reply uses nothing up: the same key gets the same certificate again. Another key is refused, and an operator
//! learns of it.

use holdfast_catalog::certname::Certname;
use holdfast_catalog::wire;
use jiff::{SignedDuration, Timestamp};

use super::registry::{Peer, RefusalReason};
use super::request::{InvalidRequest, public_key};
use super::{AuthorityError, Identity, NodeUri, RENEWAL_GRACE};
use crate::network;
use crate::store;
use crate::store::audit::NewAuditEntry;
use crate::store::certificate::{NewCertificate, Renewal};
use crate::store::node::{NodeRow, NodeState};
use crate::store::token::{ClaimOutcome, TokenRow, TokenUse};

/// Why no certificate is issued.
#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    /// The token is unknown, wrong, void or expired; the caller does not learn which.
    #[error("the join string is not (or no longer) valid: make a new one with `holdfast node add`")]
    Token,
    /// Another key used the token first.
    #[error(
        "the join string of {certname} has been used already, with another key, {how}; if that was this machine (its \
         identity was moved away, or replaced by `--replace`), make a new join string with `holdfast node move \
         {certname}`; if it was not a machine of yours, the same command refuses it from then on, and `holdfast node \
         show {certname}` shows what it has reported",
        how = in_words(how)
    )]
    TokenUsed {
        certname: Certname,
        /// When it was used, and from where.
        how: TokenUse,
    },
    /// The signing request is unusable.
    #[error(transparent)]
    Request(#[from] InvalidRequest),
    /// The certificate with which the node asked is refused.
    #[error(transparent)]
    Refused(#[from] RefusalReason),
    /// The certificate expired too long ago.
    #[error("this certificate expired more than 30 days ago: enrol the node with a new join string")]
    TooLate,
    /// The new key was used before.
    #[error("a renewal needs a new key")]
    KeyUsedBefore,
    /// The node was issued too many certificates.
    #[error("this node has received too many certificates recently: try again later")]
    TooOften,
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Identity {
    /// Issues a node's first certificate.
    ///
    /// # Errors
    /// Returns an error if the token or the key is refused; anything that looks like theft raises an alarm.
    pub async fn enroll(
        &self,
        request: wire::EnrollRequest,
        from: &str,
    ) -> Result<wire::Certificate, EnrollError> {
        let key = public_key(&request.csr)?;
        let token = self.valid_token(&request.token, &request.secret, from).await?;
        let now = Timestamp::now();
        if token.node.state == NodeState::Revoked {
            self.alarm_revoked(&token, from, now).await;
            return Err(RefusalReason::Revoked.into());
        }
        if let Some(how) = token.used.clone().filter(|used| used.key != key.hash) {
            return Err(self.used(&token, how, from, now).await);
        }
        let certificate = self.signed(&token.node, key, now).await?;
        let entry = entry(now, from, "node-enrolled", &token.node, &certificate);
        match self.store.claim_token(token.id.clone(), certificate, entry).await? {
            ClaimOutcome::Granted(pem) => {
                self.put_in_force(&token.node).await?;
                Ok(self.answer(pem, &token.node))
            }
            ClaimOutcome::UsedByAnother(how) => Err(self.used(&token, how, from, now).await),
            ClaimOutcome::Revoked => {
                self.alarm_revoked(&token, from, now).await;
                Err(RefusalReason::Revoked.into())
            }
            ClaimOutcome::Void => Err(EnrollError::Token),
        }
    }

    /// Issues a node's next certificate, for a new key; the present one may have expired a while ago.
    ///
    /// # Errors
    /// Returns an error if the present certificate is not in force, or the key is refused.
    pub async fn renew(
        &self,
        peer: &Peer,
        request: wire::RenewRequest,
    ) -> Result<wire::Certificate, EnrollError> {
        let now = Timestamp::now();
        if now > peer.certificate.not_after + RENEWAL_GRACE {
            return Err(EnrollError::TooLate);
        }
        let (caller, _) = match self.check_renewal(peer, now).await {
            Ok(known) => known,
            Err(refusal) => {
                self.alarm_of(peer, refusal, now).await;
                return Err(refusal.into());
            }
        };
        let node = self.store.node(caller.certname.clone()).await?;
        let node = node.filter(|node| node.id == caller.node).ok_or(RefusalReason::Unknown)?;
        let certificate = self.signed(&node, public_key(&request.csr)?, now).await?;
        let entry = entry(now, &peer.address, "certificate-renewed", &node, &certificate);
        match self.store.renew(node.id, peer.certificate.serial.clone(), certificate, entry).await? {
            Renewal::Granted(pem) => {
                let _one = self.changes.lock().await;
                self.registry.set_certificates(&caller, self.store.certificates(node.id).await?);
                Ok(self.answer(pem, &node))
            }
            Renewal::NotInForce => Err(RefusalReason::Replaced.into()),
            Renewal::TooOften => Err(EnrollError::TooOften),
            Renewal::KeyUsedBefore => Err(EnrollError::KeyUsedBefore),
        }
    }

    async fn valid_token(&self, id: &str, secret: &str, from: &str) -> Result<TokenRow, EnrollError> {
        let now = Timestamp::now();
        let found = self.store.token(id.to_owned()).await?;
        let Some(token) = found.filter(|t| self.token_key.verify(&t.id, secret, &t.secret_mac)) else {
            // By network: with a single IPv6 connection, an address for each attempt would use up all alarms.
            let network = from.parse().map_or_else(|_| from.to_owned(), |ip| network::of(ip).to_string());
            self.sound("unknown-token-refused", format!("from {network}"), String::new(), from, now).await;
            return Err(EnrollError::Token);
        };
        if token.expires_at <= now {
            tracing::info!(node = %token.node.certname, token = token.id, "an expired join string was used");
            return Err(EnrollError::Token);
        }
        Ok(token)
    }

    /// Raises an alarm that a token was used again with another key. It is unknown whether that was the same machine.
    async fn used(&self, token: &TokenRow, how: TokenUse, from: &str, now: Timestamp) -> EnrollError {
        let certname = token.node.certname.clone();
        let detail = format!(
            "token {} was presented again with another key; it was used {}",
            token.id,
            in_words(&how)
        );
        self.sound("token-reuse-refused", certname.to_string(), detail, from, now).await;
        EnrollError::TokenUsed { certname, how }
    }

    async fn alarm_revoked(&self, token: &TokenRow, from: &str, now: Timestamp) {
        let object = format!("{} (generation {})", token.node.certname, token.node.generation);
        let detail = format!("token {} was used again", token.id);
        self.sound("revoked-node-refused", object, detail, from, now).await;
    }

    async fn signed(
        &self,
        node: &NodeRow,
        key: super::request::RequestKey,
        now: Timestamp,
    ) -> Result<NewCertificate, EnrollError> {
        let name = NodeUri {
            instance: self.authority.instance().to_owned(),
            certname: node.certname.clone(),
            generation: node.generation,
        };
        let lifetime = SignedDuration::try_from(self.config.certificate_lifetime)
            .unwrap_or(SignedDuration::from_hours(7 * 24));
        Ok(self.authority.sign_node(key.info, key.hash, name, now + lifetime).await?)
    }

    async fn put_in_force(&self, node: &NodeRow) -> Result<(), EnrollError> {
        let _one = self.changes.lock().await;
        if let Some(row) = self.store.node(node.certname.clone()).await?
            && row.id == node.id
        {
            let certificates = self.store.certificates(node.id).await?;
            self.registry.put(row, certificates);
        }
        Ok(())
    }

    fn answer(&self, certificate: String, node: &NodeRow) -> wire::Certificate {
        wire::Certificate {
            certificate,
            roots: self.authority.pem().to_owned(),
            certname: node.certname.clone(),
        }
    }
}

/// When a token was used and from where, in words.
fn in_words(used: &TokenUse) -> String {
    let at = used.at.strftime("%Y-%m-%d %H:%M:%S UTC");
    used.from.as_ref().map_or_else(|| format!("at {at}"), |from| format!("at {at} from {from}"))
}

fn entry(
    at: Timestamp,
    from: &str,
    action: &'static str,
    node: &NodeRow,
    certificate: &NewCertificate,
) -> NewAuditEntry {
    NewAuditEntry {
        at,
        actor: from.to_owned(),
        action,
        object: format!("{} (generation {})", node.certname, node.generation),
        commit: None,
        detail: format!("serial {} until {}", certificate.serial, certificate.not_after),
    }
}
