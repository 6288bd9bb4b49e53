//! How a machine is: one word, and why. Agent, command line, pages, API and metrics all say it by [`judge`].

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::report::{Counts, Source};

mod judgement;
#[cfg(test)]
mod tests;

pub use judgement::judge;

/// How a machine is. What an operator looks at first at three in the morning comes first: a machine that is silent may be
/// down, and whatever else was known of it is old.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It owes a poll or a report.
    Late,
    /// Its last run failed in part, did not end, or did not take place.
    Failed,
    /// Its catalog does not compile.
    Broken,
    /// Its last run went by an older catalog.
    KeptBack,
    /// Resources do not apply to the root that it works on.
    NotApplicable,
    /// It is only watched, and something differs; or what kept it back is corrected, and it has not polled since.
    Pending,
    /// All of its resources are switched off by policy: nothing of it is looked at.
    SwitchedOff,
    /// Its last run saw all of its resources, and met trouble beside them.
    Trouble,
    /// It spoke, and no run has been reported yet.
    NoRun,
    /// It was added, and never spoke.
    NeverSeen,
    /// The inventory has it, and nobody added it.
    NotAdded,
    /// Something had drifted within the last day, and was corrected.
    Drifted,
    /// Something was changed within the last hour, and that was not drift.
    Changed,
    /// Its certificates are refused.
    Revoked,
    /// All of it was seen as it should be.
    InOrder,
}

/// The reason where nothing at all is to be said.
pub const IN_ORDER: &str = "the last run saw everything as it should be";

/// Drift stays in view so long.
pub const DRIFT_SHOWS: SignedDuration = SignedDuration::from_hours(24);

/// A change that is not drift stays in view so long.
pub const CHANGE_SHOWS: SignedDuration = SignedDuration::from_hours(1);

impl State {
    /// All of them, in order.
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

    /// As it is in addresses, options, metrics, the API and the style.
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

    /// For people.
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
            Self::KeptBack => "the last run went by an older catalog: no new one was had",
            Self::NotApplicable => "resources do not apply to the root that it works on",
            Self::Pending => {
                "something differs and is left alone, or what kept it back is corrected and its poll is waited for"
            }
            Self::SwitchedOff => "all of its resources are switched off by policy: nothing was looked at",
            Self::Trouble => "the last run met trouble beside its resources",
            Self::NoRun => "it spoke, and no run has been reported yet",
            Self::NeverSeen => "added, but never heard from",
            Self::NotAdded => "in the inventory, and nobody added it",
            Self::Drifted => "something was changed outside Holdfast within the last day, and was corrected",
            Self::Changed => "something was changed within the last hour, and it was not drift",
            Self::Revoked => "its certificates are refused",
            Self::InOrder => "the last run saw everything that is not switched off as it should be",
        }
    }

    /// Whether somebody should look.
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

/// Where a machine stands with the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The inventory has it, and nobody added it.
    NotAdded,
    /// It was added, or has enrolled.
    Added,
    /// Its certificates are refused.
    Revoked,
}

/// Why a machine has no new catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBack {
    /// Whether its catalog does not compile; else the server has another reason.
    pub broken: bool,
    pub why: String,
}

/// That what kept a machine back is corrected, for as long as it has not polled since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corrected {
    /// By what, and when its next poll is due.
    pub words: String,
    /// Whether it was why the last run went by an older catalog, or did not take place.
    pub explains_last: bool,
}

/// How a machine's last run went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRun {
    /// When it was reported, or ended.
    pub at: Timestamp,
    /// Where the catalog came from.
    pub source: Source,
    /// Whether it took place: [`crate::report::took_place`].
    pub took_place: bool,
    /// How many resources ended how.
    pub counts: Counts,
    /// Why there was no run, why the catalog is an old one, or what else went wrong.
    pub error: Option<String>,
}

/// What is known of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Where it stands with the server.
    pub standing: Standing,
    /// When it and the server last spoke.
    pub heard: Option<Timestamp>,
    /// Why it has no new catalog.
    pub kept_back: Option<KeptBack>,
    /// That what kept it back is corrected, and its poll is waited for.
    pub corrected: Option<Corrected>,
    /// How its last run went.
    pub last: Option<LastRun>,
    /// When something had last drifted and was corrected.
    pub drifted: Option<Timestamp>,
    /// When something was last changed that was not drift.
    pub changed: Option<Timestamp>,
}

impl Known {
    /// Whether the last run lacked a catalog for a reason that is corrected.
    fn is_excused(&self) -> bool {
        self.corrected.as_ref().is_some_and(|corrected| corrected.explains_last)
    }
}

/// How a machine is, and everything that speaks against calling it in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// The worst of it.
    pub state: State,
    /// Why: the worst first, and then whatever else is not in order.
    pub reason: String,
}

/// A time in words, as people say it.
pub fn span(duration: SignedDuration) -> String {
    match duration.as_secs().max(0) {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}
