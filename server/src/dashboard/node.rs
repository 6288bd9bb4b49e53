//! One node: how it is, whose it is, what it runs, what happened to it, and what it says about itself.

use actix_web::{HttpResponse, web};
use askama::Template;
use holdfast_catalog::certname::Certname;
use holdfast_catalog::report::{Cause, Status as EventStatus};
use holdfast_catalog::state::State;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::asked::Asked;
use super::badge::{self, Badge};
use super::diagnostics::Fault;
use super::history::{self, Bar, Run};
use super::nodes;
use super::page::{Error, Tab, View};
use super::text::{self, Commit, Shown, When};
use crate::fleet::{Function, Member};
use crate::live::slot;
use crate::request;
use crate::store::catalog::CompileErrorRow;
use crate::store::certificate::CertificateRow;
use crate::store::event::EventRow;
use crate::store::node::NodeRow;
use crate::store::report::ReportRow;

mod facts; // what it says about itself

use facts::Facts;

/// So many runs are drawn.
const RUNS: u32 = 90;

/// What they take together, each with the node's name in its link; and the markup of one.
const DRAWING: usize = 20_000;
const BAR: usize = 160;

/// So many of them are listed, quiet ones folded.
const LISTED: usize = 40;

/// So many labels are shown.
const LABELS: usize = 30;

/// So many events are listed; their texts are whole in the report.
const EVENTS: u32 = 20;
const NAME: usize = 300;
const REASON: usize = 400;

/// Something that happened to the node.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Happened {
    /// The run whose report tells it.
    pub run: String,
    /// Its place in the report, from 0.
    pub position: u32,
    /// When.
    pub at: When,
    /// The resource.
    pub resource: Shown,
    /// The property, with the path below a directory.
    pub property: Option<Shown>,
    /// What became of it.
    pub status: EventStatus,
    /// Why it changed.
    pub cause: Option<Cause>,
    /// A sentence.
    pub reason: Option<Shown>,
}

impl Happened {
    /// How it is drawn.
    pub fn state(&self) -> State {
        badge::of_event(self.status, self.cause)
    }

    /// What became of it, in words.
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
            resource: Shown::from(row.resource).short(NAME),
            property: property.map(|property| Shown::from(property).short(NAME)),
            status: row.status,
            cause: row.cause,
            reason: row.reason.map(|reason| Shown::from(reason).short(REASON)),
        }
    }
}

/// Why the node has no new catalog.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CompileError {
    /// The commit.
    pub commit: Commit,
    /// Since when.
    pub since: When,
    /// What is wrong.
    pub faults: Vec<Fault>,
    /// How many faults there are beyond those.
    pub more: usize,
}

/// A certificate that is in use or may come into use.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Certificate {
    /// Its serial number.
    pub serial: String,
    /// Until when it is valid.
    pub until: When,
    /// Whether the node has used it.
    pub used: bool,
}

/// The page.
#[derive(Debug, Serialize, JsonSchema, Template)]
#[template(path = "node.html")]
pub struct Node {
    /// Its name.
    pub node: String,
    /// Which machine of this name it is, counted from 1; none where nobody added it.
    pub generation: Option<u32>,
    /// How it is.
    pub state: State,
    /// Why it is called so.
    pub reason: Shown,
    /// Its reseller.
    pub reseller: String,
    /// Its customer.
    pub customer: String,
    /// What it is for.
    pub function: Option<Function>,
    /// When it was added; none where nobody did.
    pub added: Option<When>,
    /// When it was last heard from.
    pub seen: Option<When>,
    /// When its next poll is due, in its own slot of the interval.
    pub due: Option<When>,
    /// The commit that it runs on: of its last enforcing run, as it reported.
    pub commit: Option<Commit>,
    /// What it says to run on, where this server does not know that commit.
    pub unknown_commit: Option<Shown>,
    /// The commit that its last run only looked at, if that is another.
    pub looked_at: Option<Commit>,
    /// The commit in force, if that is another.
    pub in_force: Option<Commit>,
    /// Why it has no new catalog.
    pub compile_errors: Vec<CompileError>,
    /// Why there was no run, or why on an old catalog.
    pub run_error: Option<Shown>,
    /// Its last runs, newest first; quiet ones are folded.
    pub runs: Vec<Run>,
    /// What happened to it, newest first.
    pub events: Vec<Happened>,
    /// Its certificates.
    pub certificates: Vec<Certificate>,
    /// What it says about itself.
    pub facts: Option<Facts>,
    #[serde(skip)]
    bars: Vec<Bar>,
    /// Whether there are runs before those that are drawn, and events before those that are listed.
    #[serde(skip)]
    has_earlier: Earlier,
}

/// What of a node there is beyond its page.
#[derive(Debug, Default)]
struct Earlier {
    runs: bool,
    events: bool,
}

impl View for Node {
    fn title(&self) -> String {
        self.node.clone()
    }
    fn tab(&self) -> Tab {
        Tab::Nodes
    }
}

impl Node {
    fn badge(&self) -> Badge {
        Badge(self.state)
    }

    /// Its labels, as far as they are shown.
    fn labels(function: &Function) -> Vec<(Shown, Shown)> {
        let short = |text: &String| Shown::from(text.as_str()).short(100);
        function.labels.iter().take(LABELS).map(|(name, value)| (short(name), short(value))).collect()
    }

    /// How many labels are not shown.
    fn labels_more(function: &Function) -> usize {
        function.labels.len().saturating_sub(LABELS)
    }

    /// How many of the drawn runs the list ends before.
    fn not_listed(&self) -> usize {
        let listed: usize = self.runs.iter().map(|run| 1 + run.quiet_before).sum();
        self.bars.len().saturating_sub(listed)
    }

    /// How the drawn runs ended, each once, the worst first.
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

/// A node as the caller sees it.
///
/// # Errors
/// Where it does not exist or is not theirs, or the store fails.
pub async fn view(asked: &Asked, name: &str) -> Result<Node, Error> {
    let certname = Certname::parse(name).map_err(|_| Error::NotFound)?;
    request::is_of_node(&certname);
    let store = &asked.state.store;
    let Some(node) = store.node(certname.clone()).await?.filter(|node| asked.sees(&node.place)) else {
        return not_added(asked, &certname).await;
    };
    let member = nodes::member(asked, node.id).await?;
    let rows = Rows {
        // One more than is shown tells whether there are earlier ones.
        reports: store.reports_of(node.id, RUNS + 1).await?,
        events: store.events_of(node.id, EVENTS + 1).await?,
        certificates: store.certificates(node.id).await?,
        compile_errors: compile_errors(asked, &node, &member).await?,
        facts: facts::of(asked, node.id).await?,
        in_force: in_force(asked, node.runs_on.as_deref()).await?,
        node,
        member,
    };
    let (state, asked) = (asked.state.clone(), asked.clone());
    state.apart(move || rows.arranged(&asked)).await
}

/// What the store has of a node.
struct Rows {
    node: NodeRow,
    member: Member,
    reports: Vec<ReportRow>,
    events: Vec<EventRow>,
    certificates: Vec<CertificateRow>,
    compile_errors: Vec<CompileErrorRow>,
    facts: Option<Facts>,
    in_force: Option<Commit>,
}

impl Rows {
    fn arranged(self, asked: &Asked) -> Node {
        let Self { node, member, mut reports, mut events, .. } = self;
        let now = asked.now;
        let drawn = (RUNS as usize).min(DRAWING / (BAR + node.certname.as_str().len()));
        let has_earlier = Earlier { runs: reports.len() > drawn, events: events.len() > EVENTS as usize };
        reports.truncate(drawn);
        events.truncate(EVENTS as usize);
        let due = |seen| seen + slot::next_run(&node.certname, asked.state.interval, seen);
        let runs: Vec<Run> = reports.iter().map(|report| Run::of(report, now)).collect();
        let looked_at = reports.first().and_then(|report| report.commit.clone());
        Node {
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
            runs: history::folded(&runs).into_iter().take(LISTED).collect(),
            events: events.into_iter().map(|event| Happened::of(event, now)).collect(),
            certificates: self.certificates.into_iter().map(|row| Certificate::of(row, now)).collect(),
            facts: self.facts,
            has_earlier,
            ..Node::of(member, now)
        }
    }
}

/// A machine of the inventory that nobody added.
async fn not_added(asked: &Asked, certname: &Certname) -> Result<Node, Error> {
    let members = nodes::members(asked).await?;
    let member = members.iter().find(|member| member.certname == *certname).ok_or(Error::NotFound)?;
    Ok(Node { in_force: in_force(asked, None).await?, ..Node::of(member.clone(), asked.now) })
}

impl Node {
    /// What the list knows.
    fn of(member: Member, now: Timestamp) -> Self {
        Self {
            node: member.certname.to_string(),
            generation: None,
            state: member.state(),
            reason: member.judgement.reason.as_str().into(),
            reseller: member.place.reseller.to_string(),
            customer: member.place.customer.to_string(),
            added: None,
            seen: member.seen().map(|at| When::seen(at, now)),
            commit: member.runs_on().map(Commit::from),
            unknown_commit: member.unknown_commit().map(|commit| Shown::from(commit).short(NAME)),
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
    fn of(row: CompileErrorRow, asked: &Asked) -> Self {
        let faults = Fault::all(&row.diagnostics, &row.commit, asked);
        Self {
            more: row.diagnostics.len() - faults.len(),
            faults,
            commit: row.commit.into(),
            since: When::seen(row.since, asked.now),
        }
    }
}

impl Certificate {
    fn of(row: CertificateRow, now: Timestamp) -> Self {
        Self { serial: row.serial, until: When::seen(row.not_after, now), used: row.confirmed_at.is_some() }
    }
}

/// As its last poll found, and as the judgement of the commit in force did: the next poll will find the same.
async fn compile_errors(
    asked: &Asked,
    node: &NodeRow,
    member: &Member,
) -> Result<Vec<CompileErrorRow>, Error> {
    let environment = asked.state.estate.environment();
    let mut rows = asked.state.store.compile_errors(node.id).await?;
    // What is corrected is not an error any more.
    rows.retain(|row| row.environment == environment && member.kept_back.is_some());
    let is_known = |commit: &String| member.kept_back.as_ref().is_some_and(|kept| kept.commit == *commit);
    let is_new = |commit: &String| is_known(commit) && rows.iter().all(|row| row.commit != *commit);
    let judged = asked.state.estate.problems_of(node).filter(|(commit, _)| is_new(commit));
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

/// The commit in force, where the node runs on another.
async fn in_force(asked: &Asked, runs_on: Option<&str>) -> Result<Option<Commit>, Error> {
    let head = asked.head().await?;
    let in_force = head.and_then(|head| head.in_force).map(|commit| commit.id);
    Ok(in_force.filter(|id| runs_on != Some(id)).map(Commit::from))
}

/// The page.
pub async fn show(asked: Asked, node: web::Path<String>) -> HttpResponse {
    let view = view(&asked, &node).await;
    asked.answer(view).await
}
