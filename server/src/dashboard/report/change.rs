//! One event of a run, as a page shows it: cut where it is long, and with the lines of its diff.

use holdfast_catalog::report::{Cause, Event, Status as EventStatus};
use holdfast_catalog::state::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::badge;
use super::super::size;
use super::super::text::Shown;

/// What is shown of a text on a page: of a name, a value, a reason, a diff, a place.
const NAME: usize = 1_000;
const VALUE: usize = 4_000;
pub(super) const REASON: usize = 8_000;
const DIFF: usize = 20_000;
const PLACE: usize = 300;

/// So many places are shown of an event.
const PLACES: usize = 8;

/// The markup of an event, and of a line of a diff.
const EVENT: usize = 900;
const LINE: usize = 40;

/// A line of a diff.
#[derive(Debug, PartialEq, Eq)]
pub struct DiffLine {
    /// As the style calls it.
    pub kind: &'static str,
    /// What is there; where it is cut, it says how much is missing.
    pub text: Shown,
}

/// An event.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Change {
    /// Its place in the report, from 0.
    pub position: usize,
    /// The resource.
    pub resource: Shown,
    /// The property.
    pub property: Option<Shown>,
    /// The path below a directory.
    pub path: Option<Shown>,
    /// What the machine had.
    pub is: Option<Shown>,
    /// What is wanted.
    pub should: Option<Shown>,
    /// What became of it.
    pub status: EventStatus,
    /// Why it changed.
    pub cause: Option<Cause>,
    /// A sentence.
    pub reason: Option<Shown>,
    /// A unified diff.
    pub diff: Option<Shown>,
    /// Where the resource is declared, as `file:line:column`.
    pub declared: Option<Shown>,
    /// Where the value was set, with the level of the hierarchy.
    pub sources: Vec<Shown>,
    /// How long it took.
    pub duration_ms: u64,
}

impl Change {
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

    /// How it is drawn.
    pub fn state(&self) -> State {
        badge::of_event(self.status, self.cause)
    }

    /// Why it changed, in words.
    pub fn cause_words(&self) -> Option<&'static str> {
        self.cause.map(|cause| match cause {
            Cause::Corrective => "drift: it was changed outside Holdfast since the last run in enforce mode",
            Cause::Intentional => "not drift: the catalog changed, or the last run did not leave it in order",
        })
    }

    /// The lines of the diff, as far as they are shown.
    pub fn diff_lines(&self) -> Vec<DiffLine> {
        let kind = |line: &str| match line.as_bytes().first() {
            _ if line.starts_with("+++") || line.starts_with("---") => "file",
            Some(b'+') => "added",
            Some(b'-') => "removed",
            Some(b'@') => "place",
            _ => "same",
        };
        let lines = size::fitting(self.all_diff_lines(), DIFF, |line| size::cost(line) + LINE);
        lines
            .into_iter()
            .map(|text| DiffLine { kind: kind(text), text: size::short(text, DIFF).into() })
            .collect()
    }

    /// How many lines of the diff are not shown.
    pub fn diff_more(&self) -> usize {
        self.all_diff_lines().count() - self.diff_lines().len()
    }

    fn all_diff_lines(&self) -> std::str::Lines<'_> {
        self.diff.as_ref().map_or("", Shown::raw).lines()
    }

    pub(super) fn name(text: &Shown) -> Shown {
        text.short(NAME)
    }

    pub(super) fn value(text: &Shown) -> Shown {
        text.short(VALUE)
    }

    pub(super) fn why(text: &Shown) -> Shown {
        text.short(REASON)
    }

    pub(super) fn place(text: &Shown) -> Shown {
        text.short(PLACE)
    }

    /// Where its value was set, as far as that is shown.
    pub(super) fn places(&self) -> impl Iterator<Item = Shown> {
        self.sources.iter().take(PLACES).map(Self::place)
    }

    /// How many of those places are not shown.
    pub(super) fn places_more(&self) -> usize {
        self.sources.len().saturating_sub(PLACES)
    }

    /// What it takes on a page, or whole in the API.
    pub(super) fn cost(&self) -> usize {
        let texts =
            [&self.property, &self.path, &self.is, &self.should, &self.reason, &self.diff, &self.declared];
        let texts = texts.into_iter().flatten().chain([&self.resource]).chain(&self.sources);
        let lines = self.all_diff_lines().count();
        EVENT + texts.map(|text| size::cost(text.raw())).sum::<usize>() + LINE * lines
    }
}
