//! The page of one node: its state, whom it belongs to, what it runs, what happened to it, and its facts.

use actix_web::{HttpResponse, web};
use askama::Template;
use holdfast_catalog::certname::Certname;
use holdfast_catalog::commit::CommitId;
use holdfast_catalog::report::{Cause, Status as EventStatus};
use holdfast_catalog::run::RunId;
use holdfast_catalog::state::State;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::badge::{self, Badge};
use super::diagnostics::DiagnosticView;
use super::history::{self, Bar, RunLine};
use super::nodes;
use super::page::{Error, Tab, View};
use super::page_request::PageRequest;
use super::text::{self, Commit, Shown, When};
use crate::control::slot;
use crate::fleet::{Member, NodeFunction};
use crate::request;
use crate::store::catalog::CompileErrorRow;
use crate::store::certificate::CertificateRow;
use crate::store::event::EventRow;
use crate::store::node::NodeRow;
use crate::store::report::ReportRow;

mod certificate; // what lets it in
mod facts; // the node's facts

use certificate::CertificateLine;
use facts::FactsView;

/// The most runs in the chart.
const MAX_RUNS: u32 = 90;

/// The room for all of them, each with the node's name in its link; and the markup of one.
const MAX_DRAWING: usize = 20_000;
const BAR: usize = 160;

/// The most runs in the list, with quiet ones folded.
const MAX_LISTED: usize = 40;

/// The most labels to show.
const MAX_LABELS: usize = 30;

/// The most events to list; their full texts are in the report.
const MAX_EVENTS: u32 = 20;
const MAX_NAME: usize = 300;
const MAX_REASON: usize = 400;

/// Something that happened to the node.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Happened")]
pub struct NodeEvent {
    /// The id of the run that was reported.
    pub run: RunId,
    /// Its position in the report, from 0.
    pub position: u32,
    /// When it happened.
    pub at: When,
    /// The resource.
    pub resource: Shown,
    /// The property, with the path if it is below a directory.
    pub property: Option<Shown>,
    /// The outcome.
    pub status: EventStatus,
    /// Why it changed.
    pub cause: Option<Cause>,
    /// The reason, as a sentence.
    pub reason: Option<Shown>,
}

impl NodeEvent {
    /// The state that it is shown as.
    pub fn state(&self) -> State {
        badge::of_event(self.status, self.cause)
    }

    /// The outcome in words.
    pub fn words(&self) -> &'static str {
        match (self.status, self.cause) {
            (EventStatus::Failed, _) => "failed",
            (EventStatus::WouldChange, _) => "would change",
            (EventStatus::Changed, Some(Cause::Corrective)) => "drifted",
            (EventStatus::Changed, _) => "changed",
            (EventStatus::Skipped, _) => "skipped",
            (EventStatus::NotApplicable, _) => "not applicable",
            (EventStatus::Info, _) => "said",
        }
    }

    fn of(row: EventRow, now: Timestamp) -> Self {
        let property = match (row.property, row.path) {
            (Some(property), Some(path)) => Some(format!("{path}: {property}")),
            (property, path) => property.or(path),
        };
        Self {
            run: row.run,
            position: row.position,
            at: When::seen(row.received_at, now),
            resource: Shown::from(row.resource).short(MAX_NAME),
            property: property.map(|property| Shown::from(property).short(MAX_NAME)),
            status: row.status,
            cause: row.cause,
            reason: row.reason.map(|reason| Shown::from(reason).short(MAX_REASON)),
        }
    }
}

/// Why the node has no new catalog.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CompileError {
    /// The commit with the errors.
    pub commit: Commit,
    /// Since when it fails.
    pub since: When,
    /// The errors.
    pub faults: Vec<DiagnosticView>,
    /// The number of errors that are left out.
    pub more: usize,
}

/// The page of a node.
#[derive(Debug, Serialize, JsonSchema, Template)]
#[template(path = "node.html")]
#[schemars(rename = "Node")]
pub struct NodePage {
    /// The name of the node.
    pub node: String,
    /// The generation of the name, counted from 1; `None` if the node was never added.
    pub generation: Option<u32>,
    /// The state of the node.
    pub state: State,
    /// The reason for the state.
    pub reason: Shown,
    /// The reseller.
    pub reseller: String,
    /// The customer.
    pub customer: String,
    /// What it is for.
    pub function: Option<NodeFunction>,
    /// When it was added; `None` if it never was.
    pub added: Option<When>,
    /// When it was last heard from.
    pub seen: Option<When>,
    /// When its next poll is due: in its own slot of the interval.
    pub due: Option<When>,
    /// The commit that it runs on: that of its last enforcing run, as it reported.
    pub commit: Option<Commit>,
    /// The commit that it reported to run on, if this server does not know that commit.
    pub unknown_commit: Option<Shown>,
    /// The commit that its last run only audited, if that is another one.
    pub looked_at: Option<Commit>,
    /// The commit in force, if that is another one.
    pub in_force: Option<Commit>,
    /// Why it has no new catalog.
    pub compile_errors: Vec<CompileError>,
    /// Why there was no run, or why it used an old catalog.
    pub run_error: Option<Shown>,
    /// Its last runs, newest first, with quiet ones folded.
    pub runs: Vec<RunLine>,
    /// What happened to it, newest first.
    pub events: Vec<NodeEvent>,
    /// The certificates of the node.
    pub certificates: Vec<CertificateLine>,
    /// Its facts.
    pub facts: Option<FactsView>,
    #[serde(skip)]
    bars: Vec<Bar>,
    /// Whether there are runs before those in the chart, and events before those in the list.
    #[serde(skip)]
    has_earlier: Earlier,
}

/// What there is of a node beyond its page.
#[derive(Debug, Default)]
struct Earlier {
    runs: bool,
    events: bool,
}

impl View for NodePage {
    fn title(&self) -> String {
        self.node.clone()
    }
    fn tab(&self) -> Tab {
        Tab::Nodes
    }
}

impl NodePage {
    fn badge(&self) -> Badge {
        Badge(self.state)
    }

    /// Its labels, as far as they are shown.
    fn labels(function: &NodeFunction) -> Vec<(Shown, Shown)> {
        let short = |text: &String| Shown::from(text.as_str()).short(100);
        function.labels.iter().take(MAX_LABELS).map(|(name, value)| (short(name), short(value))).collect()
    }

    /// The number of labels that are not shown.
    fn labels_more(function: &NodeFunction) -> usize {
        function.labels.len().saturating_sub(MAX_LABELS)
    }

    /// The number of runs in the chart that are not in the list.
    fn not_listed(&self) -> usize {
        let listed: usize = self.runs.iter().map(|run| 1 + run.quiet_before).sum();
        self.bars.len().saturating_sub(listed)
    }

    /// The outcomes of the runs in the chart, each once, the worst first.
    fn outcomes(&self) -> Vec<State> {
        let is_drawn = |state: &State| self.bars.iter().any(|bar| bar.run.outcome == *state);
        State::ALL.into_iter().filter(is_drawn).collect()
    }

    fn drawing_width(&self) -> usize {
        self.bars.len() * history::STEP
    }

    fn drawing_height(&self) -> u32 {
        history::HEIGHT
    }
}

/// The page of a node, as the caller sees it.
///
/// # Errors
/// Returns an error if the node does not exist or the caller may not see it, or if the store fails.
pub async fn view(asked: &PageRequest, name: &str) -> Result<NodePage, Error> {
    let certname = Certname::parse(name).map_err(|_| Error::NotFound)?;
    request::is_of_node(&certname);
    let store = &asked.state.store;
    let Some(node) = store.node(certname.clone()).await?.filter(|node| asked.sees(&node.tenancy)) else {
        return not_added(asked, &certname).await;
    };
    let member = nodes::member(asked, node.id).await?;
    let rows = StoredNode {
        // One more than is shown, to tell whether there are earlier ones.
        reports: store.reports_of(node.id, MAX_RUNS + 1).await?,
        events: store.events_of(node.id, MAX_EVENTS + 1).await?,
        certificates: store.certificates(node.id).await?,
        compile_errors: compile_errors(asked, &node, &member).await?,
        facts: facts::of(asked, node.id).await?,
        in_force: in_force(asked, node.runs_on.as_ref()).await?,
        node,
        member,
    };
    let (state, asked) = (asked.state.clone(), asked.clone());
    state.apart(move || rows.arranged(&asked)).await
}

/// What the store has about a node.
struct StoredNode {
    node: NodeRow,
    member: Member,
    reports: Vec<ReportRow>,
    events: Vec<EventRow>,
    certificates: Vec<CertificateRow>,
    compile_errors: Vec<CompileErrorRow>,
    facts: Option<FactsView>,
    in_force: Option<Commit>,
}

impl StoredNode {
    fn arranged(self, asked: &PageRequest) -> NodePage {
        let Self { node, member, mut reports, mut events, .. } = self;
        let now = asked.now;
        let drawn = (MAX_RUNS as usize).min(MAX_DRAWING / (BAR + node.certname.as_str().len()));
        let has_earlier = Earlier { runs: reports.len() > drawn, events: events.len() > MAX_EVENTS as usize };
        reports.truncate(drawn);
        events.truncate(MAX_EVENTS as usize);
        let due = |seen| seen + slot::next_run(&node.certname, asked.state.interval, seen);
        let runs: Vec<RunLine> = reports.iter().map(|report| RunLine::of(report, now)).collect();
        let looked_at = reports.first().and_then(|report| report.known_commit().cloned());
        NodePage {
            generation: Some(node.generation),
            added: Some(When::seen(node.added_at, now)),
            in_force: self.in_force,
            due: member.seen().map(|seen| When::seen(due(seen), now)),
            looked_at: looked_at.filter(|commit| node.runs_on.as_ref() != Some(commit)).map(Commit::from),
            compile_errors: self.compile_errors.into_iter().map(|row| CompileError::of(row, asked)).collect(),
            run_error: reports
                .first()
                .and_then(|report| report.error.as_deref())
                .map(|error| Shown::from(error).short(2_000)),
            bars: history::bars(&runs),
            runs: history::folded(&runs).into_iter().take(MAX_LISTED).collect(),
            events: events.into_iter().map(|event| NodeEvent::of(event, now)).collect(),
            certificates: self.certificates.into_iter().map(|row| CertificateLine::of(row, now)).collect(),
            facts: self.facts,
            has_earlier,
            ..NodePage::of(member, now)
        }
    }
}

/// The page of a machine in the inventory that was never added.
async fn not_added(asked: &PageRequest, certname: &Certname) -> Result<NodePage, Error> {
    let members = nodes::members(asked).await?;
    let member = members.iter().find(|member| member.certname == *certname).ok_or(Error::NotFound)?;
    Ok(NodePage { in_force: in_force(asked, None).await?, ..NodePage::of(member.clone(), asked.now) })
}

impl NodePage {
    /// The part of the page that the list of nodes also has.
    fn of(member: Member, now: Timestamp) -> Self {
        Self {
            node: member.certname.to_string(),
            generation: None,
            state: member.state(),
            reason: member.judgement.reason.as_str().into(),
            reseller: member.tenancy.reseller.to_string(),
            customer: member.tenancy.customer.to_string(),
            added: None,
            seen: member.seen().map(|at| When::seen(at, now)),
            commit: member.runs_on().cloned().map(Commit::from),
            unknown_commit: member
                .unknown_commit()
                .map(|commit| Shown::from(commit.as_str()).short(MAX_NAME)),
            function: member.function,
            due: None,
            looked_at: None,
            in_force: None,
            compile_errors: Vec::new(),
            run_error: None,
            runs: Vec::new(),
            events: Vec::new(),
            certificates: Vec::new(),
            facts: None,
            bars: Vec::new(),
            has_earlier: Earlier::default(),
        }
    }
}

impl CompileError {
    fn of(row: CompileErrorRow, asked: &PageRequest) -> Self {
        let faults = DiagnosticView::all(&row.diagnostics, &row.commit, asked);
        Self {
            more: row.diagnostics.len() - faults.len(),
            faults,
            commit: row.commit.into(),
            since: When::seen(row.since, asked.now),
        }
    }
}

/// The compile errors, as its last poll found them, and as the judgement of the commit in force did: the next poll will
/// find the same.
async fn compile_errors(
    asked: &PageRequest,
    node: &NodeRow,
    member: &Member,
) -> Result<Vec<CompileErrorRow>, Error> {
    let environment = asked.state.server_view.environment();
    let mut rows = asked.state.store.compile_errors(node.id).await?;
    // A corrected error is no longer shown.
    rows.retain(|row| row.environment == environment && member.kept_back.is_some());
    let is_known = |commit: &CommitId| member.kept_back.as_ref().is_some_and(|kept| kept.commit == *commit);
    let is_new = |commit: &CommitId| is_known(commit) && rows.iter().all(|row| row.commit != *commit);
    let judged = asked.state.server_view.problems_of(node).filter(|(commit, _)| is_new(commit));
    if let Some((commit, diagnostics)) = judged
        && let Some(in_force) = asked.head().await?.and_then(|head| head.in_force)
    {
        let environment = environment.to_owned();
        let row =
            CompileErrorRow { node: node.id, environment, commit, since: in_force.seen_at, diagnostics };
        rows.insert(0, row);
    }
    Ok(rows)
}

/// The commit in force, if the node runs on another one.
async fn in_force(asked: &PageRequest, runs_on: Option<&CommitId>) -> Result<Option<Commit>, Error> {
    let head = asked.head().await?;
    let in_force = head.and_then(|head| head.in_force).map(|commit| commit.id);
    Ok(in_force.filter(|id| runs_on != Some(id)).map(Commit::from))
}

/// Shows the page of a node.
pub async fn show(asked: PageRequest, node: web::Path<String>) -> HttpResponse {
    let view = view(&asked, &node).await;
    asked.answer(view).await
}
