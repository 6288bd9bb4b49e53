//! Judges what is known about a machine: one word for it, and every reason, the worst first.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{
    CHANGE_SHOWS, DRIFT_SHOWS, IN_ORDER, Judgement, KeptBack, LastRun, Membership, NodeRecord, State, span,
};
use crate::count::counted;
use crate::report::{Counts, Source};

/// The longest text from outside in a reason, in characters.
const MAX_WORDS: usize = 240;

/// The state of a machine at `now`, if polls are `interval` apart.
pub fn judge(known: &NodeRecord, now: Timestamp, interval: Duration) -> Judgement {
    let mut found: Vec<(State, String)> = match known.standing {
        Membership::NotAdded => vec![(State::NotAdded, State::NotAdded.meaning().to_owned())],
        Membership::Revoked => vec![(State::Revoked, State::Revoked.meaning().to_owned())],
        Membership::Added => [
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

/// What is overdue: a poll from a machine that polled before, or a report from one that polls.
fn late(known: &NodeRecord, now: Timestamp, interval: Duration) -> Option<(State, String)> {
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
            let why = why.as_deref().map(|why| format!(": {}", words_of_node(why))).unwrap_or_default();
            format!("the last run did not take place{why}")
        }
        _ => return None,
    };
    Some((State::Failed, words))
}

fn kept_back(known: &NodeRecord) -> Option<(State, String)> {
    if let Some(KeptBack { broken, why }) = &known.kept_back {
        let state = if *broken { State::Broken } else { State::KeptBack };
        return Some((state, cut(why)));
    }
    let by_cache = |last: &&LastRun| last.source == Source::Cache && last.took_place;
    let last = known.last.as_ref().filter(by_cache).filter(|_| !known.is_excused())?;
    let why = last.error.as_deref().map(|error| format!(": {}", words_of_node(error))).unwrap_or_default();
    Some((State::KeptBack, format!("the last run used the last good catalog{why}")))
}

/// The resources of the last run to which a state applies, counted in words.
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
        (State::SwitchedOff, format!("{words}: nothing was checked"))
    })
}

/// The message if some resources were not looked at, while others were.
fn partly_off(counts: &Counts) -> Option<String> {
    let is_part = counts.off > 0 && counts.off < counts.total;
    is_part.then(|| off_by_policy(counts))
}

fn off_by_policy(counts: &Counts) -> String {
    let are = if counts.off == 1 { "is" } else { "are" };
    format!("{} of {} {are} switched off by policy", counts.off, resources(counts.total))
}

/// What a run that took place reports besides its resources, if no other state includes it.
fn trouble(known: &NodeRecord, last: &LastRun) -> Option<(State, String)> {
    let is_by_another = !last.took_place || (last.source == Source::Cache && known.kept_back.is_none());
    let is_told = is_by_another && !known.is_excused();
    let error = last.error.as_deref().filter(|_| !is_told)?;
    Some((State::Trouble, format!("the last run said: {}", words_of_node(error))))
}

fn unreported(known: &NodeRecord) -> Option<(State, String)> {
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
        true => "at a time in the future (a clock was set back)".to_owned(),
        false => format!("{} ago", span(passed)),
    };
    let words = match state {
        State::Drifted => format!("something had been changed by others and was corrected {when}"),
        _ => format!("something was changed {when}, and that was not drift"),
    };
    Some((state, words))
}

fn in_order(known: &NodeRecord) -> String {
    if known.last.as_ref().is_some_and(|last| last.counts.total == 0) {
        return "the catalog of the last run manages nothing".to_owned();
    }
    match known.last.as_ref().and_then(|last| partly_off(&last.counts)) {
        None => IN_ORDER.to_owned(),
        Some(off) => format!("the last run found the rest as it should be; {off}"),
    }
}

fn resources(count: u32) -> String {
    counted(count, "resource", "resources")
}

/// The words of a node, without what separates the reasons of a state: they are one reason, whatever they say.
fn words_of_node(words: &str) -> String {
    cut(words).replace(';', ",")
}

fn cut(words: &str) -> String {
    let first = words.lines().next().unwrap_or_default();
    match first.char_indices().nth(MAX_WORDS) {
        Some((end, _)) => format!("{}…", &first[..end]),
        None => first.to_owned(),
    }
}
