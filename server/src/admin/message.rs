//! What is said over the operators' socket: one request and one answer a connection.

use holdfast_catalog::certname::Certname;
use holdfast_catalog::count::counted;
use holdfast_catalog::report::{Counts, Mode, Source};
use holdfast_catalog::state::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Verdict;
use crate::store;
use crate::store::audit::{AuditRow, Checked};
use crate::store::node::Place;
use crate::store::user::{Role, Scope};

/// What an operator asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// A new node of the inventory.
    NodeAdd {
        certname: Certname,
        /// How many seconds its join string works.
        lifetime: u64,
    },
    /// The node again, where the inventory has it now, as another generation.
    NodeMove {
        certname: Certname,
        /// How many seconds its join string works.
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
    /// A new user, and a link for the first login.
    UserAdd {
        /// The name to log in with.
        name: String,
        /// What the user may do.
        role: Role,
        /// Which nodes the user sees.
        scope: Scope,
    },
    /// Another link for a user who cannot log in.
    UserLink {
        name: String,
    },
    UserList,
    /// Remove a user, and all sessions.
    UserRemove {
        name: String,
    },
    CaShow,
    /// A part of the audit log.
    Audit {
        since: Option<Timestamp>,
        /// Those after this place.
        after: i64,
    },
    /// Check the audit log.
    AuditCheck {
        /// The hash of an entry that must be in it, in hex.
        head: Option<String>,
    },
    /// Look at the repository now.
    Poke {
        /// Answer when this commit has been judged.
        commit: Option<String>,
    },
}

/// Which nodes: those that fit all that is said.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeFilter {
    /// One of these states; any where there are none.
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
    /// A node that waits, with its join string.
    Invited {
        node: Box<NodeView>,
        /// For the node's eyes alone.
        join: String,
        /// Until when it works.
        expires_at: Timestamp,
    },
    Nodes(Vec<NodeView>),
    Node(Box<NodeDetail>),
    /// A user's one-time login link.
    Link(Link),
    Users(Vec<UserView>),
    Ca {
        instance: String,
        /// The roots in PEM.
        roots: String,
        /// SHA-256 of the key that nodes pin, in hex.
        pin: String,
    },
    /// Entries of the audit log, the oldest first; none after the last.
    Audit(Vec<AuditEntry>),
    /// What a check of the audit log came to.
    AuditChecked(AuditCheck),
    /// What became of a commit.
    Judged(Box<Verdict>),
    Done(String),
    Refused(String),
}

/// A user's one-time login link.
#[derive(Debug, Serialize, Deserialize)]
pub struct Link {
    pub user: String,
    /// The address to open.
    pub url: String,
    /// Until when it works.
    pub expires_at: Timestamp,
}

/// A node, for people and scripts.
#[derive(Debug, Serialize, Deserialize)]
pub struct NodeView {
    pub certname: Certname,
    pub place: Place,
    /// Its role, where the inventory has it.
    pub role: Option<String>,
    /// Its generation; none where nobody added it.
    pub generation: Option<u32>,
    /// `added`, `enrolled` or `revoked`; none where nobody added it.
    pub enrolment: Option<store::node::NodeState>,
    pub state: State,
    /// Why it is called so.
    pub reason: String,
    pub seen_at: Option<Timestamp>,
    /// The commit that it runs on, as it reported.
    pub commit: Option<String>,
    /// What it says to run on, where the server does not know that commit.
    pub unknown_commit: Option<String>,
}

/// A node with its certificates and last reports.
#[derive(Debug, Serialize, Deserialize)]
pub struct NodeDetail {
    #[serde(flatten)]
    pub node: NodeView,
    /// When its certificates end.
    pub certificates: Vec<CertificateView>,
    /// Its last reports, newest first.
    pub reports: Vec<ReportView>,
    /// Whether there are older ones than those.
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
    /// When the run began.
    pub started_at: Timestamp,
    /// The commit that it worked on.
    pub commit: Option<String>,
    /// Whether it corrected anything.
    pub mode: Mode,
    /// Where the catalog came from.
    pub source: Source,
    /// How many resources ended how.
    pub counts: Counts,
    /// Why there was no run, or why on an old catalog.
    pub error: Option<String>,
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
    /// The commit that it happened under.
    pub commit: Option<String>,
    pub detail: String,
    /// Covers it and all entries before it, in hex.
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

/// What a check of the audit log came to, for people and scripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditCheck {
    /// How many entries fit together, from the first on.
    pub entries: i64,
    /// The hash of the last of those, in hex.
    pub head: Option<String>,
    /// The first place whose entry was changed, or is missing.
    pub broken_at: Option<i64>,
    /// The hash that had to be among them.
    pub sought: Option<String>,
    /// The place of the entry that has it.
    pub found_at: Option<i64>,
}

impl AuditCheck {
    /// Of a check, and of the hash that was sought.
    pub fn of(checked: Checked, sought: Option<String>) -> Self {
        let Checked { head, broken_at, found } = checked;
        Self {
            entries: head.as_ref().map_or(0, |head| head.seq),
            head: head.map(|head| head.hash),
            broken_at,
            sought,
            found_at: found,
        }
    }

    /// What is wrong with the log; none where nothing is.
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
            "no entry of the audit log has the hash {sought}: its {entries} together, and so its end was cut off, or all of it \
             was written anew"
        ))
    }

    /// That nothing is wrong, in words.
    pub fn words(&self) -> String {
        let Some(head) = &self.head else { return "the audit log has no entry".to_owned() };
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
    pub role: Role,
    /// Which nodes the user sees.
    pub scope: String,
    /// Whether a password is set.
    pub password: bool,
}
