//! How a node is: one word, from what the store knows, by what wants attention first.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use askama::filters::HtmlSafe;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::store::fleet::FleetRow;
use crate::store::node::{Liveness, NodeState};

/// How a node is. In this order people want to see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Its last run failed in part, or did not take place.
    Failed,
    /// It has no new catalog: its own data or modules have an error.
    Broken,
    /// It owes a word.
    Late,
    /// It never spoke.
    NeverSeen,
    /// Its certificates are refused.
    Revoked,
    /// It is only watched, and something differs.
    Pending,
    /// Something had drifted within the last day.
    Drifted,
    /// Something was changed on purpose within the last hour.
    Changed,
    /// Nothing to say.
    Ok,
}

/// Drift stays in view so long.
const DRIFT_SHOWS: Duration = Duration::from_secs(24 * 3600);

/// A change on purpose stays in view so long.
const CHANGE_SHOWS: Duration = Duration::from_secs(3600);

impl Status {
    /// All of them, in order.
    pub const ALL: [Self; 9] = [
        Self::Failed,
        Self::Broken,
        Self::Late,
        Self::NeverSeen,
        Self::Revoked,
        Self::Pending,
        Self::Drifted,
        Self::Changed,
        Self::Ok,
    ];

    /// How a node is at `now`, where agents poll `interval` apart.
    pub fn of(row: &FleetRow, now: Timestamp, interval: Duration) -> Self {
        let within = |at: Option<Timestamp>, window: Duration| {
            at.is_some_and(|at| now.duration_since(at).unsigned_abs() <= window)
        };
        let last = |test: fn(&crate::store::fleet::LastRun) -> bool| row.last.as_ref().is_some_and(test);
        match row.node.liveness(now, interval) {
            _ if row.node.state == NodeState::Revoked => Self::Revoked,
            Liveness::NeverSeen => Self::NeverSeen,
            Liveness::Late => Self::Late,
            Liveness::OnTime if last(|run| run.failed > 0 || (run.error && run.total == 0)) => Self::Failed,
            Liveness::OnTime if row.broken => Self::Broken,
            Liveness::OnTime if last(|run| run.would_change > 0) => Self::Pending,
            Liveness::OnTime if within(row.lately.drifted, DRIFT_SHOWS) => Self::Drifted,
            Liveness::OnTime if within(row.lately.changed, CHANGE_SHOWS) => Self::Changed,
            Liveness::OnTime => Self::Ok,
        }
    }

    /// As it stands in addresses, metrics and the style.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Broken => "broken",
            Self::Late => "late",
            Self::NeverSeen => "never-seen",
            Self::Revoked => "revoked",
            Self::Pending => "pending",
            Self::Drifted => "drifted",
            Self::Changed => "changed",
            Self::Ok => "ok",
        }
    }

    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::NeverSeen => "never seen",
            Self::Ok => "in order",
            other => other.slug(),
        }
    }

    /// What it means, in a sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Failed => "the last run failed in part or did not take place",
            Self::Broken => "no new catalog: an error in this node's own data or modules",
            Self::Late => "nothing was heard for two intervals",
            Self::NeverSeen => "added, but has not spoken yet",
            Self::Revoked => "its certificates are refused",
            Self::Pending => "audit: something differs and is left alone",
            Self::Drifted => "something had been changed by others within the last day",
            Self::Changed => "something was changed on purpose within the last hour",
            Self::Ok => "as it should be",
        }
    }

    /// A sign beside the word: colour alone says nothing to many.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Failed => "✕",
            Self::Broken => "!",
            Self::Late => "◔",
            Self::NeverSeen => "○",
            Self::Revoked => "⊘",
            Self::Pending => "≠",
            Self::Drifted => "↺",
            Self::Changed => "△",
            Self::Ok => "✓",
        }
    }
}

/// As a badge.
impl Display for Status {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<span class=\"badge {}\" title=\"{}\"><span aria-hidden=\"true\">{}</span> {}</span>",
            self.slug(),
            self.meaning(),
            self.sign(),
            self.word()
        )
    }
}

impl HtmlSafe for Status {}
