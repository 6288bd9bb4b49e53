//! One event of a run as a page shows it: shortened if it is long, with the lines of its diff.

use holdfast_catalog::report::{Cause, Event, Status as EventStatus};
use holdfast_catalog::state::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::badge;
use super::super::size;
use super::super::text::Shown;

/// The room on a page for a name, a value, a reason, a diff, and a place.
const MAX_NAME: usize = 1_000;
const MAX_VALUE: usize = 4_000;
pub(super) const MAX_REASON: usize = 8_000;
const MAX_DIFF: usize = 20_000;
const MAX_PLACE: usize = 300;

/// The most places of an event to show.
const MAX_PLACES: usize = 8;

/// The room for the markup of an event, and for that of a line of a diff.
const EVENT: usize = 900;
const LINE: usize = 40;

/// A line of a diff.
#[derive(Debug, PartialEq, Eq)]
pub struct DiffLine {
    /// Its kind, as in the style sheet.
    pub kind: &'static str,
    /// The text; if it is shortened, it ends with how much is missing.
    pub text: Shown,
}

/// An event.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Change")]
pub struct EventLine {
    /// Its position in the report, from 0.
    pub position: usize,
    /// The resource.
    pub resource: Shown,
    /// The property.
    pub property: Option<Shown>,
    /// The path below a directory, for a directory resource.
    pub path: Option<Shown>,
    /// The value on the machine before.
    pub is: Option<Shown>,
    /// The value in the catalog.
    pub should: Option<Shown>,
    /// The outcome.
    pub status: EventStatus,
    /// Why it changed.
    pub cause: Option<Cause>,
    /// The reason, as a sentence.
    pub reason: Option<Shown>,
    /// A unified diff.
    pub diff: Option<Shown>,
    /// Where the resource is declared, as `file:line:column`.
    pub declared: Option<Shown>,
    /// The places where the value was set, each with the level of the hierarchy.
    pub sources: Vec<Shown>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

impl EventLine {
    pub(super) fn of((position, event): (usize, Event)) -> Self {
        let place = |origin: &holdfast_catalog::origin::Origin| match &origin.level {
            Some(level) => format!("{origin} ({level})").into(),
            None => origin.to_string().into(),
        };
        Self {
            position,
            resource: event.resource.to_string().into(),
            property: event.property.map(Shown::from),
            path: event.path.map(Shown::from),
            is: event.is.map(Shown::from),
            should: event.should.map(Shown::from),
            status: event.status,
            cause: event.cause,
            reason: event.reason.map(Shown::from),
            diff: event.diff.map(Shown::from),
            declared: event.origin.as_ref().map(place),
            sources: event
                .sources
                .iter()
                .filter(|origin| Some(*origin) != event.origin.as_ref())
                .map(place)
                .collect(),
            duration_ms: event.duration_ms,
        }
    }

    /// The state that it is shown as.
    pub fn state(&self) -> State {
        badge::of_event(self.status, self.cause)
    }

    /// The cause of the change, in words.
    pub fn cause_words(&self) -> Option<&'static str> {
        self.cause.map(|cause| match cause {
            Cause::Corrective => "drift: it was changed outside Holdfast since the last run in enforce mode",
            Cause::Intentional => "not drift: the catalog changed, or the last run did not leave it in order",
        })
    }

    /// The lines of the diff that are shown.
    pub fn diff_lines(&self) -> Vec<DiffLine> {
        let kind = |line: &str| match line.as_bytes().first() {
            _ if line.starts_with("+++") || line.starts_with("---") => "file",
            Some(b'+') => "added",
            Some(b'-') => "removed",
            Some(b'@') => "place",
            _ => "same",
        };
        let lines = size::fitting(self.all_diff_lines(), MAX_DIFF, |line| size::cost(line) + LINE);
        lines
            .into_iter()
            .map(|text| DiffLine { kind: kind(text), text: size::short(text, MAX_DIFF).into() })
            .collect()
    }

    /// The number of lines of the diff that are not shown.
    pub fn diff_more(&self) -> usize {
        self.all_diff_lines().count() - self.diff_lines().len()
    }

    fn all_diff_lines(&self) -> std::str::Lines<'_> {
        self.diff.as_ref().map_or("", Shown::raw).lines()
    }

    pub(super) fn name(text: &Shown) -> Shown {
        text.short(MAX_NAME)
    }

    pub(super) fn value(text: &Shown) -> Shown {
        text.short(MAX_VALUE)
    }

    pub(super) fn why(text: &Shown) -> Shown {
        text.short(MAX_REASON)
    }

    pub(super) fn place(text: &Shown) -> Shown {
        text.short(MAX_PLACE)
    }

    /// The places where its value was set, as far as they are shown.
    pub(super) fn places(&self) -> impl Iterator<Item = Shown> {
        self.sources.iter().take(MAX_PLACES).map(Self::place)
    }

    /// The number of those places that are not shown.
    pub(super) fn places_more(&self) -> usize {
        self.sources.len().saturating_sub(MAX_PLACES)
    }

    /// The room that it takes, on a page or complete in the API.
    pub(super) fn cost(&self) -> usize {
        let texts =
            [&self.property, &self.path, &self.is, &self.should, &self.reason, &self.diff, &self.declared];
        let texts = texts.into_iter().flatten().chain([&self.resource]).chain(&self.sources);
        let lines = self.all_diff_lines().count();
        EVENT + texts.map(|text| size::cost(text.raw())).sum::<usize>() + LINE * lines
    }
}
