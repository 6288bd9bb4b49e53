//! How a machine is: one word, and why. Agent, command line, pages, API and metrics all say it by [`judge`].

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::count::counted;
use crate::report::{Counts, Source};

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

/// The longest text of others that is in a reason, in characters.
const MOST_WORDS: usize = 240;

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
            let near = crate::diagnostic::nearest(text, slugs());
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

/// How a machine is at `now`, where polls are `interval` apart.
pub fn judge(known: &Known, now: Timestamp, interval: Duration) -> Judgement {
    let mut found: Vec<(State, String)> = match known.standing {
        Standing::NotAdded => vec![(State::NotAdded, State::NotAdded.meaning().to_owned())],
        Standing::Revoked => vec![(State::Revoked, State::Revoked.meaning().to_owned())],
        Standing::Added => [
            late(known, now, interval),
            known.last.as_ref().filter(|last| last.took_place || !known.is_excused()).and_then(failed),
            kept_back(known),
            known.last.as_ref().and_then(|last| share(&last.counts, State::NotApplicable)),
            known.corrected.as_ref().map(|corrected| (State::Pending, corrected.words.clone())),
            known.last.as_ref().and_then(|last| share(&last.counts, State::Pending)),
            known.last.as_ref().and_then(|last| switched_off(&last.counts)),
            known.last.as_ref().and_then(|last| trouble(known, last)),
            unreported(known),
            lately(known.drifted, now, DRIFT_SHOWS, State::Drifted),
            lately(known.changed, now, CHANGE_SHOWS, State::Changed),
        ]
        .into_iter()
        .flatten()
        .collect(),
    };
    found.sort_by_key(|(state, _)| *state);
    let state = found.first().map_or(State::InOrder, |(state, _)| *state);
    let reason = match found.is_empty() {
        true => in_order(known),
        false => {
            let off = known.last.as_ref().and_then(|last| partly_off(&last.counts));
            let words = found.into_iter().map(|(_, words)| words).chain(off);
            words.collect::<Vec<_>>().join("; ")
        }
    };
    Judgement { state, reason }
}

/// What is owed: a poll by a machine that spoke before, a report by one that polls.
fn late(known: &Known, now: Timestamp, interval: Duration) -> Option<(State, String)> {
    let allowed = SignedDuration::try_from(2 * interval).unwrap_or(SignedDuration::MAX);
    let over = |at: Timestamp| Some(now.duration_since(at)).filter(|passed| *passed > allowed);
    let words = match (over(known.heard?), known.last.as_ref().and_then(|last| over(last.at))) {
        (Some(silent), _) => format!("nothing was heard for {}", span(silent)),
        (None, Some(old)) => format!("it polls, and its last report is {} old", span(old)),
        (None, None) => return None,
    };
    Some((State::Late, words))
}

fn failed(last: &LastRun) -> Option<(State, String)> {
    let counts = &last.counts;
    let words = match &last.error {
        _ if counts.failed > 0 => {
            let skipped = match counts.skipped {
                0 => String::new(),
                skipped => format!(" and {}", counted(skipped, "was skipped", "were skipped")),
            };
            format!("{} of {} failed in the last run{skipped}", counts.failed, resources(counts.total))
        }
        _ if counts.skipped > 0 => {
            let were = if counts.skipped == 1 { "was" } else { "were" };
            format!(
                "the last run did not end: {} of {} {were} skipped",
                counts.skipped,
                resources(counts.total)
            )
        }
        why if !last.took_place => {
            let why = why.as_deref().map(|why| format!(": {}", cut(why))).unwrap_or_default();
            format!("the last run did not take place{why}")
        }
        _ => return None,
    };
    Some((State::Failed, words))
}

fn kept_back(known: &Known) -> Option<(State, String)> {
    if let Some(KeptBack { broken, why }) = &known.kept_back {
        let state = if *broken { State::Broken } else { State::KeptBack };
        return Some((state, cut(why)));
    }
    let by_cache = |last: &&LastRun| last.source == Source::Cache && last.took_place;
    let last = known.last.as_ref().filter(by_cache).filter(|_| !known.is_excused())?;
    let why = last.error.as_deref().map(|error| format!(": {}", cut(error))).unwrap_or_default();
    Some((State::KeptBack, format!("the last run went by the last good catalog{why}")))
}

/// How many resources of the last run are what a state says.
fn share(counts: &Counts, state: State) -> Option<(State, String)> {
    let (count, words) = match (state, counts) {
        (State::Pending, Counts { would_change: 1, .. }) => (1, "differs and is left alone"),
        (State::Pending, _) => (counts.would_change, "differ and are left alone"),
        (_, Counts { not_applicable: 1, .. }) => (1, "does not apply here"),
        _ => (counts.not_applicable, "do not apply here"),
    };
    (count > 0).then(|| (state, format!("{count} of {} {words}", resources(counts.total))))
}

fn switched_off(counts: &Counts) -> Option<(State, String)> {
    let is_all = counts.off > 0 && counts.off == counts.total;
    is_all.then(|| {
        let words = off_by_policy(counts);
        (State::SwitchedOff, format!("{words}: nothing was looked at"))
    })
}

/// What nobody looked at, beside others that were.
fn partly_off(counts: &Counts) -> Option<String> {
    let is_part = counts.off > 0 && counts.off < counts.total;
    is_part.then(|| off_by_policy(counts))
}

fn off_by_policy(counts: &Counts) -> String {
    let are = if counts.off == 1 { "is" } else { "are" };
    format!("{} of {} {are} switched off by policy", counts.off, resources(counts.total))
}

/// What a run that took place says beside its resources, where no other state tells it.
fn trouble(known: &Known, last: &LastRun) -> Option<(State, String)> {
    let is_by_another = !last.took_place || (last.source == Source::Cache && known.kept_back.is_none());
    let is_told = is_by_another && !known.is_excused();
    let error = last.error.as_deref().filter(|_| !is_told)?;
    Some((State::Trouble, format!("the last run said: {}", cut(error))))
}

fn unreported(known: &Known) -> Option<(State, String)> {
    let state = match (known.heard, &known.last) {
        (_, Some(_)) => return None,
        (None, None) => State::NeverSeen,
        (Some(_), None) => State::NoRun,
    };
    Some((state, state.meaning().to_owned()))
}

fn lately(
    at: Option<Timestamp>,
    now: Timestamp,
    window: SignedDuration,
    state: State,
) -> Option<(State, String)> {
    let passed = at.map(|at| now.duration_since(at)).filter(|passed| *passed <= window)?;
    let when = match passed.is_negative() {
        true => "at a time that has not come yet (a clock was set back)".to_owned(),
        false => format!("{} ago", span(passed)),
    };
    let words = match state {
        State::Drifted => format!("something had been changed by others and was corrected {when}"),
        _ => format!("something was changed {when}, and that was not drift"),
    };
    Some((state, words))
}

fn in_order(known: &Known) -> String {
    if known.last.as_ref().is_some_and(|last| last.counts.total == 0) {
        return "the catalog of the last run manages nothing".to_owned();
    }
    match known.last.as_ref().and_then(|last| partly_off(&last.counts)) {
        None => IN_ORDER.to_owned(),
        Some(off) => format!("the last run saw the rest as it should be; {off}"),
    }
}

fn resources(count: u32) -> String {
    counted(count, "resource", "resources")
}

fn cut(words: &str) -> String {
    let first = words.lines().next().unwrap_or_default();
    match first.char_indices().nth(MOST_WORDS) {
        Some((end, _)) => format!("{}…", &first[..end]),
        None => first.to_owned(),
    }
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

#[cfg(test)]
mod tests;
