//! One run: what failed first, then what changed and why, then what was left alone.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use askama::Template;
use holdfast_catalog::report::{Cause, Counts, Event, Mode, Source, Status as EventStatus};
use holdfast_catalog::state::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::asked::Asked;
use super::badge;
use super::page::{Error, Tab, View};
use super::text::{self, Commit, Shown, When};

/// A line of a diff.
#[derive(Debug, PartialEq, Eq)]
pub struct DiffLine<'a> {
    /// As the style calls it.
    pub kind: &'static str,
    /// What stands there.
    pub text: &'a str,
}

/// An event.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Change {
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
    fn of(event: Event) -> Self {
        let place = |origin: &holdfast_catalog::origin::Origin| match &origin.level {
            Some(level) => format!("{origin} ({level})").into(),
            None => origin.to_string().into(),
        };
        Self {
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
            Cause::Corrective => "drift: it was changed by others since the last run",
            Cause::Intentional => "on purpose: what is wanted has changed",
        })
    }

    /// The lines of the diff.
    pub fn diff_lines(&self) -> Vec<DiffLine<'_>> {
        let kind = |line: &str| match line.as_bytes().first() {
            _ if line.starts_with("+++") || line.starts_with("---") => "file",
            Some(b'+') => "added",
            Some(b'-') => "removed",
            Some(b'@') => "place",
            _ => "same",
        };
        let diff = self.diff.as_ref().map_or("", Shown::raw);
        diff.lines().map(|text| DiffLine { kind: kind(text), text }).collect()
    }
}

impl DiffLine<'_> {
    /// The line for a page.
    pub fn shown(&self) -> Shown {
        self.text.into()
    }
}

/// Events of one kind.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Group {
    /// What they are.
    pub title: &'static str,
    /// The events.
    pub changes: Vec<Change>,
}

/// The page.
#[derive(Debug, Serialize, JsonSchema, Template)]
#[template(path = "report.html")]
pub struct Report {
    /// Its number.
    pub report: i64,
    /// The node.
    pub node: String,
    /// The agent's id of the run.
    pub run: String,
    /// When the report came.
    pub received: When,
    /// When the run began, by the node's clock.
    pub started: When,
    /// How long it took.
    pub duration_ms: i64,
    /// Whether it mended.
    pub mode: Mode,
    /// Where the catalog came from.
    pub source: Source,
    /// The commit.
    pub commit: Option<Commit>,
    /// The environment.
    pub environment: Option<Shown>,
    /// The agent's version.
    pub agent: Shown,
    /// Why there was no run, or why on an old catalog.
    pub error: Option<Shown>,
    /// How many resources ended how.
    pub counts: Counts,
    /// Milliseconds by phase.
    pub phases: BTreeMap<String, u64>,
    /// Milliseconds by type of resource.
    pub types: BTreeMap<String, u64>,
    /// The events, failures first.
    pub groups: Vec<Group>,
}

impl View for Report {
    fn title(&self) -> String {
        format!("Run of {}", self.node)
    }
    fn tab(&self) -> Tab {
        Tab::Nodes
    }
}

impl Report {
    fn took(&self) -> String {
        text::duration(self.duration_ms)
    }

    fn is_audit(&self) -> bool {
        self.mode == Mode::Audit
    }

    fn is_cached(&self) -> bool {
        self.source == Source::Cache
    }

    fn is_file(&self) -> bool {
        self.source == Source::File
    }

    /// Whether there was a run, and each of its resources was as it should be.
    fn was_in_order(&self) -> bool {
        self.counts.total > 0 && self.counts.unchanged + self.counts.off == self.counts.total
    }

    fn total(&self) -> usize {
        self.counts.total as usize
    }

    fn on_purpose(&self) -> u32 {
        self.counts.changed.saturating_sub(self.counts.corrective)
    }

    /// The longest phases and types first; they are few, and the rest is small.
    fn slowest(of: &BTreeMap<String, u64>) -> Vec<(Shown, String)> {
        let mut all: Vec<_> = of.iter().collect();
        all.sort_by_key(|(_, millis)| std::cmp::Reverse(**millis));
        let line = |(name, millis): (&String, &u64)| {
            (name.as_str().into(), text::duration(i64::try_from(*millis).unwrap_or(i64::MAX)))
        };
        all.into_iter().take(8).map(line).collect()
    }
}

/// In this order the groups stand.
const GROUPS: [(EventStatus, &str); 6] = [
    (EventStatus::Failed, "Failed"),
    (EventStatus::WouldChange, "Would change"),
    (EventStatus::Changed, "Changed"),
    (EventStatus::Skipped, "Skipped"),
    (EventStatus::NotApplicable, "Not applicable here"),
    (EventStatus::Info, "Said"),
];

fn grouped(events: Vec<Event>) -> Vec<Group> {
    let mut groups = GROUPS.map(|(_, title)| Group { title, changes: Vec::new() });
    for event in events {
        let place = GROUPS.iter().position(|(status, _)| *status == event.status);
        if let Some(group) = place.and_then(|place| groups.get_mut(place)) {
            group.changes.push(Change::of(event));
        }
    }
    for group in &mut groups {
        // Drift before what was wanted: someone should know.
        group.changes.sort_by_key(|change| change.cause.is_none_or(|cause| cause != Cause::Corrective));
    }
    groups.into_iter().filter(|group| !group.changes.is_empty()).collect()
}

/// A run as the caller sees it.
///
/// # Errors
/// Where it does not exist or is not theirs, or the store fails.
pub async fn view(asked: &Asked, id: &str) -> Result<Report, Error> {
    let id: i64 = id.parse().map_err(|_| Error::NotFound)?;
    let (row, body) = asked.state.store.report(id).await?.ok_or(Error::NotFound)?;
    let node = asked.theirs(asked.state.store.node_by_id(row.node).await?)?;
    Ok(Report {
        report: row.id,
        node: node.certname.to_string(),
        run: row.run,
        received: When::seen(row.received_at, asked.now),
        started: When::seen(row.started_at, asked.now),
        duration_ms: row.duration_ms,
        mode: row.mode,
        source: row.source,
        commit: row.commit.map(Commit::from),
        environment: row.environment.map(Shown::from),
        agent: row.agent.into(),
        error: row.error.map(Shown::from),
        counts: row.counts,
        phases: body.phases,
        types: body.types,
        groups: grouped(body.events),
    })
}

/// The page.
pub async fn show(asked: Asked, report: web::Path<String>) -> HttpResponse {
    let view = view(&asked, &report).await;
    asked.answer(view)
}
