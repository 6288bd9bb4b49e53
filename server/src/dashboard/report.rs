//! The page of one run: first what failed, then what changed and why, then what was left alone. In pages, since it may
//! be long.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use askama::Template;
use holdfast_catalog::certname::Certname;
use holdfast_catalog::report::{Cause, Counts, Event, Mode, Report, Source, Status as EventStatus};
use holdfast_catalog::run::RunId;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::page::{Error, Tab, View};
use super::page_request::PageRequest;
use super::report_query::{EventFilter, ReportQuery};
use super::size;
use super::text::{self, Commit, Shown, When};
use crate::request;
use crate::store::node::NodeRow;
use crate::store::report::ReportRow;

mod change; // one event

use change::{EventLine, MAX_REASON};

/// The most events on a page.
const PAGE: usize = 50;

/// The room for the events of a page; an event that takes more in the API is alone on its page.
const MAX_BYTES: usize = 60_000;

/// The longest commit that is shown of those that this server does not know, in characters.
const MAX_UNKNOWN: usize = 80;

/// The most phases and types to include, the longest ones.
const MAX_TIMES: usize = 32;

/// The most phases and types to show on the page, the longest ones; the API has [`MAX_TIMES`] of each.
const MAX_SHOWN_TIMES: usize = 8;

/// Events with the same outcome.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Group")]
pub struct EventGroup {
    /// The name of the outcome.
    pub title: &'static str,
    /// The number of such events.
    pub count: usize,
    /// Those on this page.
    pub changes: Vec<EventLine>,
}

/// The page of a run.
#[derive(Debug, Serialize, JsonSchema, Template)]
#[template(path = "report.html")]
#[schemars(rename = "Report")]
pub struct ReportPage {
    /// The node.
    pub node: String,
    /// The agent's id of the run.
    pub run: RunId,
    /// When the report arrived.
    pub received: When,
    /// When the run began, by the node's clock.
    pub started: When,
    /// How long the run took, in milliseconds.
    pub duration_ms: i64,
    /// Whether the run corrected anything.
    pub mode: Mode,
    /// Where the catalog came from.
    pub source: Source,
    /// The commit of the catalog.
    pub commit: Option<Commit>,
    /// The commit that the node reported, if this server does not know that commit.
    pub unknown_commit: Option<Shown>,
    /// The environment.
    pub environment: Option<Shown>,
    /// The agent's version.
    pub agent: Shown,
    /// Why there was no run, or why it used an old catalog.
    pub error: Option<Shown>,
    /// The number of resources by outcome.
    pub counts: Counts,
    /// Milliseconds for each phase, the longest ones.
    pub phases: BTreeMap<String, u64>,
    /// Milliseconds for each type of resource, the longest ones.
    pub types: BTreeMap<String, u64>,
    /// The number of phases that are left out; none of them took longer than those included.
    pub more_phases: usize,
    /// The number of types that are left out; none of them took longer than those included.
    pub more_types: usize,
    /// The part of the report that was asked for.
    pub part: ReportQuery,
    /// The number of events in that part.
    pub count: usize,
    /// The number of the first event on this page, counted from 1.
    pub first: usize,
    /// The events on this page, failures first.
    pub groups: Vec<EventGroup>,
    /// The address of the previous page.
    pub previous: Option<String>,
    /// The address of the next page.
    pub next: Option<String>,
    /// The number of events of each kind.
    #[serde(skip)]
    tallies: Vec<(EventFilter, usize)>,
}

impl View for ReportPage {
    fn title(&self) -> String {
        format!("Run of {}", self.node)
    }
    fn tab(&self) -> Tab {
        Tab::Nodes
    }
}

impl ReportPage {
    fn took(&self) -> String {
        text::duration(self.duration_ms)
    }

    fn is_audit(&self) -> bool {
        self.mode == Mode::Audit
    }

    /// Whether the run used a cached catalog; a run without any catalog did not.
    fn is_cached(&self) -> bool {
        self.source == Source::Cache && (self.commit.is_some() || self.unknown_commit.is_some())
    }

    fn is_file(&self) -> bool {
        self.source == Source::File
    }

    /// Whether there was a run and each of its resources was as it should be.
    fn was_in_order(&self) -> bool {
        self.counts.unchanged > 0 && self.counts.unchanged + self.counts.off == self.counts.total
    }

    fn was_off(&self) -> bool {
        self.counts.off > 0 && self.counts.off == self.counts.total
    }

    fn total(&self) -> usize {
        self.counts.total as usize
    }

    fn on_purpose(&self) -> u32 {
        self.counts.changed.saturating_sub(self.counts.corrective)
    }

    fn last(&self) -> usize {
        self.first + self.groups.iter().map(|group| group.changes.len()).sum::<usize>().saturating_sub(1)
    }

    fn is_only(&self, only: &EventFilter) -> bool {
        self.part.only == Some(*only)
    }

    /// The address of all events, or of those of one kind.
    fn address(&self, only: Option<&EventFilter>) -> String {
        ReportQuery { only: only.copied(), ..ReportQuery::default() }.address(&self.node, self.run)
    }

    /// The longest phases or types first; only few are shown, since the others are small.
    fn slowest(of: &BTreeMap<String, u64>) -> Vec<(Shown, String)> {
        let mut all: Vec<_> = of.iter().collect();
        all.sort_by_key(|(_, millis)| std::cmp::Reverse(**millis));
        let line = |(name, millis): (&String, &u64)| {
            (name.as_str().into(), text::duration(i64::try_from(*millis).unwrap_or(i64::MAX)))
        };
        all.into_iter().take(MAX_SHOWN_TIMES).map(line).collect()
    }

    /// The number of phases or types that are not shown, and the longest time that one of them may have taken: that of
    /// the last one shown.
    fn quicker(of: &BTreeMap<String, u64>, left_out: &usize) -> Option<(usize, String)> {
        let more = left_out + of.len().saturating_sub(MAX_SHOWN_TIMES);
        let (_, most) = Self::slowest(of).pop().filter(|_| more > 0)?;
        Some((more, most))
    }

    fn dropped(&self) -> usize {
        self.counts.dropped as usize
    }
}

/// The groups, in order.
const GROUPS: [(EventStatus, &str); 6] = [
    (EventStatus::Failed, "Failed"),
    (EventStatus::WouldChange, "Would change"),
    (EventStatus::Changed, "Changed"),
    (EventStatus::Skipped, "Skipped"),
    (EventStatus::NotApplicable, "Not applicable here"),
    (EventStatus::Info, "Said"),
];

/// The rank of an event: by its group, and drift before intended changes, since someone should look at it.
fn rank(event: &Event) -> (usize, bool) {
    let group = GROUPS.iter().position(|(status, _)| *status == event.status);
    (group.unwrap_or(GROUPS.len()), event.cause != Some(Cause::Corrective))
}

/// The events that are asked for, in the order of the pages.
fn arranged(events: Vec<Event>, only: Option<EventFilter>) -> Vec<EventLine> {
    let fits = |event: &Event| only.is_none_or(|only| only.takes(event.status, event.cause));
    let mut events: Vec<_> = events.into_iter().enumerate().filter(|(_, event)| fits(event)).collect();
    events.sort_by_key(|(_, event)| rank(event));
    events.into_iter().map(EventLine::of).collect()
}

fn grouped(changes: Vec<EventLine>, counts: &BTreeMap<EventStatus, usize>) -> Vec<EventGroup> {
    let mut groups = GROUPS.map(|(status, title)| {
        let count = counts.get(&status).copied().unwrap_or_default();
        (status, EventGroup { title, count, changes: Vec::new() })
    });
    for change in changes {
        if let Some((_, group)) = groups.iter_mut().find(|(status, _)| *status == change.status) {
            group.changes.push(change);
        }
    }
    groups.into_iter().map(|(_, group)| group).filter(|group| !group.changes.is_empty()).collect()
}

/// The longest times, with names that are shortened.
fn longest(times: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut all: Vec<_> = times.into_iter().collect();
    all.sort_by_key(|(_, millis)| std::cmp::Reverse(*millis));
    all.into_iter().take(MAX_TIMES).map(|(name, millis)| (size::short(&name, 100), millis)).collect()
}

/// A run as the caller sees it, by its id only. If several nodes have used the same id, the run of the first one.
///
/// # Errors
/// Returns an error if the run does not exist or the caller may not see it, or if the store fails.
pub async fn view(asked: &PageRequest, run: &str, part: ReportQuery) -> Result<ReportPage, Error> {
    let run = run.parse().map_err(|_| Error::NotFound)?;
    // The owner is checked first: what the caller may not see is not read, and takes no longer than what does not exist.
    for (id, owner) in asked.state.store.reports_of_run(run).await? {
        match asked.theirs(asked.state.store.node_by_id(owner).await?) {
            Ok(node) => return read(asked, id, node, part).await,
            Err(Error::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::NotFound)
}

/// A run of a node, as the caller sees it.
///
/// # Errors
/// As [`view`].
pub async fn view_of(
    asked: &PageRequest,
    node: &str,
    run: &str,
    part: ReportQuery,
) -> Result<ReportPage, Error> {
    let certname = Certname::parse(node).map_err(|_| Error::NotFound)?;
    let run = run.parse().map_err(|_| Error::NotFound)?;
    let node = asked.theirs(asked.state.store.node(certname).await?)?;
    let id = asked.state.store.report_of_run(node.id, run).await?.ok_or(Error::NotFound)?;
    read(asked, id, node, part).await
}

async fn read(asked: &PageRequest, id: i64, node: NodeRow, part: ReportQuery) -> Result<ReportPage, Error> {
    request::is_of_node(&node.certname);
    let _turn = asked.state.reading.turn(asked.user.id).await?;
    let (row, body) = asked.state.store.report(id).await?.ok_or(Error::NotFound)?;
    let now = asked.now;
    asked.state.apart(move || of(&node, row, body, part, now)).await
}

fn of(node: &NodeRow, row: ReportRow, body: Report, part: ReportQuery, now: Timestamp) -> ReportPage {
    let tallies = EventFilter::ALL.map(|only| {
        let fits = |event: &&Event| only.takes(event.status, event.cause);
        (only, body.events.iter().filter(fits).count())
    });
    let mut changes = arranged(body.events, part.only);
    let mut counts = BTreeMap::new();
    changes.iter().for_each(|change| *counts.entry(change.status).or_default() += 1);
    let costs: Vec<_> = changes.iter().map(EventLine::cost).collect();
    let pages = size::pages(&costs, PAGE, MAX_BYTES);
    let page = part.page_of(&pages, |event| changes.iter().position(|change| change.position == event));
    let range = pages.get(page - 1).cloned().unwrap_or_default();
    let node = node.certname.to_string();
    let address = |page| part.at(page).address(&node, row.run);
    ReportPage {
        run: row.run,
        received: When::seen(row.received_at, now),
        started: When::seen(row.started_at, now),
        duration_ms: row.duration_ms,
        mode: row.mode,
        source: row.source,
        commit: row.known_commit().cloned().map(Commit::from),
        unknown_commit: row.unknown_commit().map(|commit| Shown::from(commit.as_str()).short(MAX_UNKNOWN)),
        environment: row.environment.map(Shown::from),
        agent: row.agent.into(),
        error: row.error.map(|error| size::short(&error, MAX_REASON).into()),
        counts: row.counts,
        more_phases: body.phases.len().saturating_sub(MAX_TIMES),
        more_types: body.types.len().saturating_sub(MAX_TIMES),
        phases: longest(body.phases),
        types: longest(body.types),
        count: changes.len(),
        first: (range.start + 1).min(changes.len()),
        previous: (page > 1).then(|| address(page - 1)),
        next: (page < pages.len()).then(|| address(page + 1)),
        groups: grouped(changes.drain(range).collect(), &counts),
        tallies: tallies.into_iter().filter(|(_, count)| *count > 0).collect(),
        node,
        part,
    }
}

/// Shows the page of a run.
pub async fn show(
    asked: PageRequest,
    run: web::Path<String>,
    part: Result<web::Query<ReportQuery>, actix_web::Error>,
) -> HttpResponse {
    let view = match part {
        Ok(part) => view(&asked, &run, part.into_inner()).await,
        Err(error) => Err(Error::not_understood(&error)),
    };
    asked.answer(view).await
}

/// Shows the page of a run of a node.
pub async fn show_of(
    asked: PageRequest,
    report: web::Path<(String, String)>,
    part: Result<web::Query<ReportQuery>, actix_web::Error>,
) -> HttpResponse {
    let (node, run) = report.into_inner();
    let view = match part {
        Ok(part) => view_of(&asked, &node, &run, part.into_inner()).await,
        Err(error) => Err(Error::not_understood(&error)),
    };
    asked.answer(view).await
}
