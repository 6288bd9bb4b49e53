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
use crate::store::certificate::CertificateRow;
use crate::store::event::EventRow;
use crate::store::node::NodeRow;

/// So many runs are drawn.
const RUNS: u32 = 90;

/// So many events are listed.
const EVENTS: u32 = 30;

/// So many facts are shown, each so long.
const FACTS: usize = 400;
const FACT_LENGTH: usize = 300;

/// Something that happened to the node.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Happened {
    /// The report that tells it.
    pub report: i64,
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
            report: row.report,
            at: When::seen(row.received_at, now),
            resource: row.resource.into(),
            property: property.map(Shown::from),
            status: row.status,
            cause: row.cause,
            reason: row.reason.map(Shown::from),
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

/// A fact.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Fact {
    /// Where it stands, such as `os.family`.
    pub path: Shown,
    /// What it says, cut where it is long.
    pub value: Shown,
}

/// What a node says about itself.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Facts {
    /// When they came.
    pub received: When,
    /// The facts.
    pub facts: Vec<Fact>,
    /// How many more there are.
    pub more: usize,
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
    let (store, now) = (&asked.state.store, asked.now);
    let Some(node) = store.node(certname.clone()).await?.filter(|node| asked.sees(&node.place)) else {
        return not_added(asked, &certname).await;
    };
    let member = nodes::members(asked, Some(node.id)).await?.pop().ok_or(Error::NotFound)?;
    let reports = store.reports_of(node.id, RUNS).await?;
    let events = store.events_of(node.id, EVENTS).await?;
    let certificates = store.certificates(node.id).await?;
    let runs: Vec<Run> = reports.iter().map(|report| Run::of(report, now)).collect();
    let looked_at = reports.first().and_then(|report| report.commit.clone());
    Ok(Node {
        generation: Some(node.generation),
        added: Some(When::seen(node.added_at, now)),
        in_force: in_force(asked, node.runs_on.as_deref()).await?,
        due: node.seen_at.map(|seen| When::seen(due(asked, &node.certname, seen), now)),
        looked_at: looked_at.filter(|commit| node.runs_on.as_ref() != Some(commit)).map(Commit::from),
        compile_errors: compile_errors(asked, &node).await?,
        run_error: reports.first().and_then(|report| report.error.clone()).map(Shown::from),
        bars: history::bars(&runs),
        runs: history::folded(&runs),
        events: events.into_iter().map(|event| Happened::of(event, now)).collect(),
        certificates: certificates.into_iter().map(|row| Certificate::of(row, now)).collect(),
        facts: facts(asked, node.id).await?,
        ..Node::of(member, now)
    })
}

fn due(asked: &Asked, certname: &Certname, seen: Timestamp) -> Timestamp {
    seen + slot::next_run(certname, asked.state.interval, seen)
}

/// A machine of the inventory that nobody added.
async fn not_added(asked: &Asked, certname: &Certname) -> Result<Node, Error> {
    let members = nodes::members(asked, None).await?;
    let member = members.into_iter().find(|member| member.certname == *certname).ok_or(Error::NotFound)?;
    Ok(Node { in_force: in_force(asked, None).await?, ..Node::of(member, asked.now) })
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
        }
    }
}

impl Certificate {
    fn of(row: CertificateRow, now: Timestamp) -> Self {
        Self { serial: row.serial, until: When::seen(row.not_after, now), used: row.confirmed_at.is_some() }
    }
}

async fn compile_errors(asked: &Asked, node: &NodeRow) -> Result<Vec<CompileError>, Error> {
    let environment = asked.state.estate.environment();
    let mut rows = asked.state.store.compile_errors(Some(node.id)).await?;
    rows.retain(|row| row.environment == environment);
    let error = |row: crate::store::catalog::CompileErrorRow| CompileError {
        faults: Fault::all(&row.diagnostics, &row.commit, asked),
        commit: row.commit.into(),
        since: When::seen(row.since, asked.now),
    };
    Ok(rows.into_iter().map(error).collect())
}

/// The commit in force, where the node runs on another.
async fn in_force(asked: &Asked, runs_on: Option<&str>) -> Result<Option<Commit>, Error> {
    let head = asked.head().await?;
    let in_force = head.and_then(|head| head.in_force).map(|commit| commit.id);
    Ok(in_force.filter(|id| runs_on != Some(id)).map(Commit::from))
}

async fn facts(asked: &Asked, node: crate::store::node::NodeId) -> Result<Option<Facts>, Error> {
    let Some(row) = asked.state.store.facts(node).await? else { return Ok(None) };
    let mut all = Vec::new();
    leaves(String::new(), &serde_json::to_value(row.facts.value()).unwrap_or_default(), &mut all);
    let more = all.len().saturating_sub(FACTS);
    all.truncate(FACTS);
    Ok(Some(Facts { received: When::seen(row.received_at, asked.now), facts: all, more }))
}

/// The facts below a path, flat.
fn leaves(path: String, value: &serde_json::Value, into: &mut Vec<Fact>) {
    use serde_json::Value;
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(map) if !map.is_empty() => {
            map.iter().for_each(|(name, value)| leaves(below(name), value, into));
        }
        Value::Array(list) if list.iter().any(|item| item.is_object() || item.is_array()) => {
            list.iter().enumerate().for_each(|(index, value)| leaves(below(&index.to_string()), value, into));
        }
        value => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            into.push(Fact { path: cut(path).into(), value: cut(text).into() });
        }
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(FACT_LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The page.
pub async fn show(asked: Asked, node: web::Path<String>) -> HttpResponse {
    let view = view(&asked, &node).await;
    asked.answer(view)
}
