//! One run: what failed first, then what changed and why, then what was left alone; in pages, for it may be much.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use askama::Template;
use holdfast_catalog::certname::Certname;
use holdfast_catalog::report::{Cause, Counts, Event, Mode, Report as Body, Source, Status as EventStatus};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::asked::Asked;
use super::page::{Error, Tab, View};
use super::part::{Only, Part};
use super::size;
use super::text::{self, Commit, Shown, When};
use crate::request;
use crate::store::node::NodeRow;
use crate::store::report::ReportRow;

mod change; // an event

use change::{Change, REASON};

/// So many events are on a page at most.
const PAGE: usize = 50;

/// What the events of a page take together; one that takes more in the API stands alone there.
const BUDGET: usize = 60_000;

/// So many phases and types are told, the longest.
const TIMES: usize = 32;

/// So many phases and types are shown, the longest; the API tells [`TIMES`] of each.
const SHOWN_TIMES: usize = 8;

/// Events of one kind.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Group {
    /// What they are.
    pub title: &'static str,
    /// How many there are.
    pub count: usize,
    /// Those of this page.
    pub changes: Vec<Change>,
}

/// The page.
#[derive(Debug, Serialize, JsonSchema, Template)]
#[template(path = "report.html")]
pub struct Report {
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
    /// Whether it corrected.
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
    /// Milliseconds by phase, the longest ones.
    pub phases: BTreeMap<String, u64>,
    /// Milliseconds by type of resource, the longest ones.
    pub types: BTreeMap<String, u64>,
    /// How many phases are left out; none took longer than those.
    pub more_phases: usize,
    /// How many types are left out; none took longer than those.
    pub more_types: usize,
    /// Which events were asked for.
    pub part: Part,
    /// How many those are.
    pub count: usize,
    /// The first one on this page, from 1.
    pub first: usize,
    /// The events of this page, failures first.
    pub groups: Vec<Group>,
    /// The address of the page before.
    pub previous: Option<String>,
    /// The address of the next page.
    pub next: Option<String>,
    /// How many events there are of each kind.
    #[serde(skip)]
    tallies: Vec<(Only, usize)>,
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

    /// Whether it went by the cache: one that had no catalog at all went by nothing.
    fn is_cached(&self) -> bool {
        self.source == Source::Cache && self.commit.is_some()
    }

    fn is_file(&self) -> bool {
        self.source == Source::File
    }

    /// Whether there was a run, and each of its resources was as it should be.
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

    fn is_only(&self, only: &Only) -> bool {
        self.part.only == Some(*only)
    }

    /// The address of all events, or of those of one kind.
    fn address(&self, only: Option<&Only>) -> String {
        Part { only: only.copied(), ..Part::default() }.address(&self.node, &self.run)
    }

    /// The longest phases and types first; they are few, and the rest is small.
    fn slowest(of: &BTreeMap<String, u64>) -> Vec<(Shown, String)> {
        let mut all: Vec<_> = of.iter().collect();
        all.sort_by_key(|(_, millis)| std::cmp::Reverse(**millis));
        let line = |(name, millis): (&String, &u64)| {
            (name.as_str().into(), text::duration(i64::try_from(*millis).unwrap_or(i64::MAX)))
        };
        all.into_iter().take(SHOWN_TIMES).map(line).collect()
    }

    /// How many phases or types are not shown, and how long each of them took at most: as long as the last that is.
    fn quicker(of: &BTreeMap<String, u64>, left_out: &usize) -> Option<(usize, String)> {
        let more = left_out + of.len().saturating_sub(SHOWN_TIMES);
        let (_, most) = Self::slowest(of).pop().filter(|_| more > 0)?;
        Some((more, most))
    }

    fn dropped(&self) -> usize {
        self.counts.dropped as usize
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

/// Where an event stands: by its group, and drift before what was wanted, for someone should know.
fn rank(event: &Event) -> (usize, bool) {
    let group = GROUPS.iter().position(|(status, _)| *status == event.status);
    (group.unwrap_or(GROUPS.len()), event.cause != Some(Cause::Corrective))
}

/// The events that are asked for, as they are on pages.
fn arranged(events: Vec<Event>, only: Option<Only>) -> Vec<Change> {
    let fits = |event: &Event| only.is_none_or(|only| only.takes(event.status, event.cause));
    let mut events: Vec<_> = events.into_iter().enumerate().filter(|(_, event)| fits(event)).collect();
    events.sort_by_key(|(_, event)| rank(event));
    events.into_iter().map(Change::of).collect()
}

fn grouped(changes: Vec<Change>, counts: &BTreeMap<EventStatus, usize>) -> Vec<Group> {
    let mut groups = GROUPS.map(|(status, title)| {
        let count = counts.get(&status).copied().unwrap_or_default();
        (status, Group { title, count, changes: Vec::new() })
    });
    for change in changes {
        if let Some((_, group)) = groups.iter_mut().find(|(status, _)| *status == change.status) {
            group.changes.push(change);
        }
    }
    groups.into_iter().map(|(_, group)| group).filter(|group| !group.changes.is_empty()).collect()
}

/// The longest, by names that are not too long themselves.
fn longest(times: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut all: Vec<_> = times.into_iter().collect();
    all.sort_by_key(|(_, millis)| std::cmp::Reverse(*millis));
    all.into_iter().take(TIMES).map(|(name, millis)| (size::short(&name, 100), millis)).collect()
}

/// A run as the caller sees it, by its id alone: of several nodes that have used the same one, that of the first.
///
/// # Errors
/// Where it does not exist or is not theirs, or the store fails.
pub async fn view(asked: &Asked, run: &str, part: Part) -> Result<Report, Error> {
    let run = run.parse().map_err(|_| Error::NotFound)?;
    // Whose it is comes first: what others may not see is not read for them, and takes no longer than what is not there.
    for (id, owner) in asked.state.store.reports_of_run(run).await? {
        match asked.theirs(asked.state.store.node_by_id(owner).await?) {
            Ok(node) => return read(asked, id, node, part).await,
            Err(Error::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::NotFound)
}

/// A run of a node as the caller sees it.
///
/// # Errors
/// As [`view`].
pub async fn view_of(asked: &Asked, node: &str, run: &str, part: Part) -> Result<Report, Error> {
    let certname = Certname::parse(node).map_err(|_| Error::NotFound)?;
    let run = run.parse().map_err(|_| Error::NotFound)?;
    let node = asked.theirs(asked.state.store.node(certname).await?)?;
    let id = asked.state.store.report_of_run(node.id, run).await?.ok_or(Error::NotFound)?;
    read(asked, id, node, part).await
}

async fn read(asked: &Asked, id: i64, node: NodeRow, part: Part) -> Result<Report, Error> {
    request::is_of_node(&node.certname);
    let _turn = asked.state.reading.turn(asked.user.id).await?;
    let (row, body) = asked.state.store.report(id).await?.ok_or(Error::NotFound)?;
    let now = asked.now;
    asked.state.apart(move || of(&node, row, body, part, now)).await
}

fn of(node: &NodeRow, row: ReportRow, body: Body, part: Part, now: Timestamp) -> Report {
    let tallies = Only::ALL.map(|only| {
        let fits = |event: &&Event| only.takes(event.status, event.cause);
        (only, body.events.iter().filter(fits).count())
    });
    let mut changes = arranged(body.events, part.only);
    let mut counts = BTreeMap::new();
    changes.iter().for_each(|change| *counts.entry(change.status).or_default() += 1);
    let costs: Vec<_> = changes.iter().map(Change::cost).collect();
    let pages = size::pages(&costs, PAGE, BUDGET);
    let page = part.page_of(&pages, |event| changes.iter().position(|change| change.position == event));
    let range = pages.get(page - 1).cloned().unwrap_or_default();
    let node = node.certname.to_string();
    let address = |page| part.at(page).address(&node, &row.run);
    Report {
        run: row.run.clone(),
        received: When::seen(row.received_at, now),
        started: When::seen(row.started_at, now),
        duration_ms: row.duration_ms,
        mode: row.mode,
        source: row.source,
        commit: row.commit.map(Commit::from),
        environment: row.environment.map(Shown::from),
        agent: row.agent.into(),
        error: row.error.map(|error| size::short(&error, REASON).into()),
        counts: row.counts,
        more_phases: body.phases.len().saturating_sub(TIMES),
        more_types: body.types.len().saturating_sub(TIMES),
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

/// The page of a run.
pub async fn show(
    asked: Asked,
    run: web::Path<String>,
    part: Result<web::Query<Part>, actix_web::Error>,
) -> HttpResponse {
    let view = match part {
        Ok(part) => view(&asked, &run, part.into_inner()).await,
        Err(error) => Err(Error::not_understood(&error)),
    };
    asked.answer(view).await
}

/// The page of a run of a node.
pub async fn show_of(
    asked: Asked,
    report: web::Path<(String, String)>,
    part: Result<web::Query<Part>, actix_web::Error>,
) -> HttpResponse {
    let (node, run) = report.into_inner();
    let view = match part {
        Ok(part) => view_of(&asked, &node, &run, part.into_inner()).await,
        Err(error) => Err(Error::not_understood(&error)),
    };
    asked.answer(view).await
}
