//! The messages on the operators' socket: one request and one answer for each connection.

use holdfast_catalog::certname::Certname;
use holdfast_catalog::commit::CommitId;
use holdfast_catalog::count::counted;
use holdfast_catalog::report::{Counts, Mode, Source, took_place};
use holdfast_catalog::state::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::CommitVerdict;
use crate::store;
use crate::store::audit::{AuditRow, ChainCheck};
use crate::store::node::Tenancy;
use crate::store::user::{UserRole, UserScope};

/// What an operator asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Add a node of the inventory.
    NodeAdd {
        certname: Certname,
        /// For how many seconds its join string works.
        lifetime: u64,
    },
    /// Add the node again, at its present place in the inventory, as another generation.
    NodeMove {
        certname: Certname,
        /// For how many seconds its join string works.
        lifetime: u64,
    },
    NodeList {
        filter: NodeFilter,
    },
    NodeShow {
        certname: Certname,
    },
    /// Refuse a node from now on.
    NodeRevoke {
        certname: Certname,
    },
    NodeRemove {
        certname: Certname,
    },
    /// Add a user, and make a link for the first login.
    UserAdd {
        /// The name to log in with.
        name: String,
        role: UserRole,
        /// Which nodes the user sees.
        scope: UserScope,
    },
    /// Make another link for a user who cannot log in.
    UserLink {
        name: String,
    },
    UserList,
    /// Remove a user, and end all of the user's sessions.
    UserRemove {
        name: String,
    },
    CaShow,
    /// A part of the audit log.
    Audit {
        since: Option<Timestamp>,
        /// Only entries after this place.
        after: i64,
    },
    /// Check the audit log.
    AuditCheck {
        /// The hash of an entry that must be in it, in hex.
        head: Option<String>,
    },
    /// Look at the repository now.
    Poke {
        /// If set, answer when this commit has been judged.
        commit: Option<String>,
    },
}

/// Which nodes: those that match all conditions.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeFilter {
    /// One of these states; any state if empty.
    pub states: Vec<State>,
    pub reseller: Option<String>,
    /// The customer, as `CUSTOMER` or `RESELLER/CUSTOMER`.
    pub customer: Option<String>,
    pub role: Option<String>,
}

/// What the server answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "answer", content = "value", rename_all = "snake_case")]
pub enum Answer {
    /// A node that may join now, with its join string.
    Invited {
        node: Box<NodeView>,
        /// Only the node may see it.
        join: String,
        /// When the join string expires.
        expires_at: Timestamp,
    },
    Nodes(Vec<NodeView>),
    Node(Box<NodeDetail>),
    /// A user's one-time login link.
    Link(LoginLink),
    Users(Vec<UserView>),
    Ca {
        instance: String,
        /// The roots in PEM.
        roots: String,
        /// SHA-256 of the key that nodes pin, in hex.
        pin: String,
    },
    /// Entries of the audit log, oldest first; empty after the last.
    Audit(Vec<AuditEntry>),
    /// The result of a check of the audit log.
    AuditChecked(AuditCheck),
    /// What became of a commit.
    Judged(Box<CommitVerdict>),
    Done(String),
    Refused(String),
}

/// A user's one-time login link.
#[derive(Debug, Serialize, Deserialize)]
pub struct LoginLink {
    pub user: String,
    /// The address to open.
    pub url: String,
    /// When the link expires.
    pub expires_at: Timestamp,
}

/// A node, for people and scripts.
#[derive(Debug, Serialize, Deserialize)]
pub struct NodeView {
    pub certname: Certname,
    pub place: Tenancy,
    /// Its role, if it is in the inventory.
    pub role: Option<String>,
    /// Its generation; `None` if it was never added.
    pub generation: Option<u32>,
    /// `added`, `enrolled` or `revoked`; `None` if it was never added.
    pub enrolment: Option<store::node::NodeState>,
    pub state: State,
    /// The reason for the state.
    pub reason: String,
    pub seen_at: Option<Timestamp>,
    /// The commit that it reported to run on.
    pub commit: Option<CommitId>,
    /// The commit that it reported to run on, if the server does not know that commit.
    pub unknown_commit: Option<CommitId>,
}

/// A node with its certificates and last reports.
#[derive(Debug, Serialize, Deserialize)]
pub struct NodeDetail {
    #[serde(flatten)]
    pub node: NodeView,
    /// Its certificates, with their ends.
    pub certificates: Vec<CertificateView>,
    /// Its last reports, newest first.
    pub reports: Vec<ReportView>,
    /// Whether there are older reports than these.
    pub has_older_reports: bool,
}

/// A certificate, for people and scripts.
#[derive(Debug, Serialize, Deserialize)]
pub struct CertificateView {
    /// Its serial number in hex.
    pub serial: String,
    pub not_after: Timestamp,
}

/// A report's numbers, for people and scripts.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReportView {
    /// When the report arrived.
    pub received_at: Timestamp,
    /// When the run began, by the node's clock.
    pub started_at: Timestamp,
    /// The commit that it worked on, if the server knows that commit.
    pub commit: Option<CommitId>,
    /// The commit that it reported to work on, if the server does not know that commit.
    pub unknown_commit: Option<CommitId>,
    /// Whether it corrected anything.
    pub mode: Mode,
    /// Where the catalog came from.
    pub source: Source,
    /// The number of resources by outcome.
    pub counts: Counts,
    /// Why there was no run, or why it used an old catalog.
    pub error: Option<String>,
}

impl ReportView {
    /// Whether the run took place.
    pub fn took_place(&self) -> bool {
        took_place(self.commit.as_ref().or(self.unknown_commit.as_ref()))
    }
}

/// An entry of the audit log, for people and scripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its place in the log, from 1.
    pub seq: i64,
    pub at: Timestamp,
    pub actor: String,
    pub action: String,
    pub object: String,
    /// The commit that was in force then.
    pub commit: Option<CommitId>,
    pub detail: String,
    /// A hash of this entry and all before it, in hex.
    pub hash: String,
}

impl From<AuditRow> for AuditEntry {
    fn from(row: AuditRow) -> Self {
        Self {
            hash: row.hash(),
            seq: row.seq,
            at: row.at,
            actor: row.actor,
            action: row.action,
            object: row.object,
            commit: row.commit,
            detail: row.detail,
        }
    }
}

/// The result of a check of the audit log, for people and scripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditCheck {
    /// How many entries are intact, from the first on.
    pub entries: i64,
    /// The hash of the last of these, in hex.
    pub head: Option<String>,
    /// The place of the first entry that was changed or is missing.
    pub broken_at: Option<i64>,
    /// The hash that must be in the log.
    pub sought: Option<String>,
    /// The place of the entry with that hash.
    pub found_at: Option<i64>,
}

impl AuditCheck {
    /// Makes the result of a check, and of the search for a hash.
    pub fn of(checked: ChainCheck, sought: Option<String>) -> Self {
        let ChainCheck { head, broken_at, found } = checked;
        Self {
            entries: head.as_ref().map_or(0, |head| head.seq),
            head: head.map(|head| head.hash),
            broken_at,
            sought,
            found_at: found,
        }
    }

    /// What is wrong with the log; `None` if nothing is.
    pub fn fault(&self) -> Option<String> {
        if let Some(place) = self.broken_at {
            return Some(format!(
                "the audit log is broken at entry {place}: that entry, or one before it, was changed or removed since it was \
                 written"
            ));
        }
        let sought = self.sought.as_ref().filter(|_| self.found_at.is_none())?;
        let entries = counted(self.entries, "entry fits", "entries fit");
        Some(format!(
            "no entry of the audit log has the hash {sought}: its {entries} together, so its end was cut off, or all \
             of it was written again"
        ))
    }

    /// The words for a log in which nothing is wrong.
    pub fn words(&self) -> String {
        let Some(head) = &self.head else { return "the audit log has no entries".to_owned() };
        let entries = counted(self.entries, "entry fits", "entries fit");
        let since = match self.found_at.map(|place| self.entries - place) {
            None => String::new(),
            Some(0) => "; it is the one that was given".to_owned(),
            Some(more) => {
                format!("; {} after the one that was given", counted(more, "entry came", "entries came"))
            }
        };
        format!("{entries} together; the last has the hash {head}{since}")
    }
}

/// A user, for people and scripts.
#[derive(Debug, Serialize, Deserialize)]
pub struct UserView {
    /// The name to log in with.
    pub name: String,
    /// What the user may do.
    pub role: UserRole,
    /// Which nodes the user sees.
    pub scope: String,
    /// Whether a password is set.
    pub password: bool,
}
