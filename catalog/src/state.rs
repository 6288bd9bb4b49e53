//! The state of a machine: one word, and the reason. Agent, command line, pages, API and metrics all get it from
//! [`judge`].

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::report::{Counts, Source};

mod judgement;
#[cfg(test)]
mod tests;

pub use judgement::judge;

/// The state of a machine. The states that an operator looks at first at three in the morning come first: a machine
/// that is silent may be down, and whatever else is known about it is old.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// A poll or a report is overdue.
    Late,
    /// Its last run failed in part, did not end, or did not take place.
    Failed,
    /// Its catalog does not compile.
    Broken,
    /// Its last run used an older catalog.
    KeptBack,
    /// Some resources do not apply to the root that it manages.
    NotApplicable,
    /// It is only watched, and something differs; or what kept it back is corrected, and it has not polled since.
    Pending,
    /// All of its resources are switched off by policy, so nothing is looked at.
    SwitchedOff,
    /// Its last run saw all of its resources, and had other problems.
    Trouble,
    /// It has polled, and no run has been reported yet.
    NoRun,
    /// It was added, and has never connected.
    NeverSeen,
    /// The inventory has it, and it was never added.
    NotAdded,
    /// Something drifted within the last day, and was corrected.
    Drifted,
    /// Something was changed within the last hour that was not drift.
    Changed,
    /// Its certificates are revoked.
    Revoked,
    /// Everything was seen as it should be.
    InOrder,
}

/// The reason if there is nothing to report.
pub const IN_ORDER: &str = "the last run found everything as it should be";

/// How long drift stays visible.
pub const DRIFT_SHOWS: SignedDuration = SignedDuration::from_hours(24);

/// How long a change that is not drift stays visible.
pub const CHANGE_SHOWS: SignedDuration = SignedDuration::from_hours(1);

impl State {
    /// All states, in order.
    pub const ALL: [Self; 15] = [
        Self::Late,
        Self::Failed,
        Self::Broken,
        Self::KeptBack,
        Self::NotApplicable,
        Self::Pending,
        Self::SwitchedOff,
        Self::Trouble,
        Self::NoRun,
        Self::NeverSeen,
        Self::NotAdded,
        Self::Drifted,
        Self::Changed,
        Self::Revoked,
        Self::InOrder,
    ];

    /// The form in addresses, options, metrics, the API and style sheets.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Failed => "failed",
            Self::Broken => "broken",
            Self::KeptBack => "kept-back",
            Self::NotApplicable => "not-applicable",
            Self::Pending => "pending",
            Self::SwitchedOff => "switched-off",
            Self::Trouble => "trouble",
            Self::NoRun => "no-run",
            Self::NeverSeen => "never-seen",
            Self::NotAdded => "not-added",
            Self::Drifted => "drifted",
            Self::Changed => "changed",
            Self::Revoked => "revoked",
            Self::InOrder => "in-order",
        }
    }

    /// The form for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::KeptBack => "kept back",
            Self::NotApplicable => "not applicable",
            Self::SwitchedOff => "switched off",
            Self::NoRun => "no run yet",
            Self::NeverSeen => "never seen",
            Self::NotAdded => "not added",
            Self::InOrder => "in order",
            other => other.slug(),
        }
    }

    /// What it means, in a sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Late => "no poll or no report came for two intervals",
            Self::Failed => "the last run failed in part, did not end, or did not take place",
            Self::Broken => "no new catalog: an error in the machine's own data or modules",
            Self::KeptBack => "the last run used an older catalog: it got no new one",
            Self::NotApplicable => "resources do not apply to the root that it works on",
            Self::Pending => {
                "something differs and is left alone, or what kept it back was corrected and it has not polled since"
            }
            Self::SwitchedOff => "all of its resources are switched off by policy: nothing was checked",
            Self::Trouble => "the last run had problems besides its resources",
            Self::NoRun => "it connected, but no run has been reported yet",
            Self::NeverSeen => "added, but never heard from",
            Self::NotAdded => "in the inventory, but not added",
            Self::Drifted => "something was changed outside Holdfast within the last day, and was corrected",
            Self::Changed => "something was changed within the last hour, and it was not drift",
            Self::Revoked => "its certificates are refused",
            Self::InOrder => "the last run found everything that is not switched off as it should be",
        }
    }

    /// Whether someone should look.
    pub fn wants_attention(self) -> bool {
        self <= Self::NotAdded
    }
}

impl std::str::FromStr for State {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let slugs = || Self::ALL.map(Self::slug);
        Self::ALL.into_iter().find(|state| state.slug() == text).ok_or_else(|| {
            let near = crate::spelling::nearest(text, slugs());
            let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            format!("`{text}` is not a state; {near}the states are {}", slugs().join(", "))
        })
    }
}

/// The relation of a machine to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// The inventory has it, and it was never added.
    NotAdded,
    /// It was added, or has enrolled.
    Added,
    /// Its certificates are revoked.
    Revoked,
}

/// Why a machine has no new catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBack {
    /// Whether its catalog does not compile; otherwise the server has another reason.
    pub broken: bool,
    pub why: String,
}

/// What kept a machine back is corrected, and it has not polled since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedFault {
    /// What corrected it, and when its next poll is due.
    pub words: String,
    /// Whether it was the reason why the last run used an older catalog, or did not take place.
    pub explains_last: bool,
}

/// How a machine's last run went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRun {
    /// When it was reported, or ended.
    pub at: Timestamp,
    /// Where its catalog came from.
    pub source: Source,
    /// Whether it took place: [`crate::report::took_place`].
    pub took_place: bool,
    /// How many resources ended in which way.
    pub counts: Counts,
    /// Why there was no run, why the catalog is an old one, or what else went wrong.
    pub error: Option<String>,
}

/// What is known about a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRecord {
    /// Its relation to the server.
    pub standing: Membership,
    /// When it last talked to the server.
    pub heard: Option<Timestamp>,
    /// Why it has no new catalog.
    pub kept_back: Option<KeptBack>,
    /// Set if what kept it back is corrected, and its next poll is awaited.
    pub corrected: Option<ResolvedFault>,
    /// How its last run went.
    pub last: Option<LastRun>,
    /// When something last drifted and was corrected.
    pub drifted: Option<Timestamp>,
    /// When something was last changed that was not drift.
    pub changed: Option<Timestamp>,
}

impl NodeRecord {
    /// Whether the last run had no catalog for a reason that is now corrected.
    fn is_excused(&self) -> bool {
        self.corrected.as_ref().is_some_and(|corrected| corrected.explains_last)
    }
}

/// The state of a machine, with everything that is not in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// The worst of it.
    pub state: State,
    /// The reasons: the worst first, then everything else that is not in order.
    pub reason: String,
}

/// A duration in words.
pub fn span(duration: SignedDuration) -> String {
    match duration.as_secs().max(0) {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}
