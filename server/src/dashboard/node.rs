//! One node: how it is, whose it is, what it runs, what happened to it, and what it says about itself.

use actix_web::{HttpResponse, web};
use askama::Template;
use holdfast_catalog::certname::Certname;
use holdfast_catalog::report::{Cause, Status as EventStatus};
use schemars::JsonSchema;
use serde::Serialize;

use super::asked::Asked;
use super::diagnostics::Fault;
use super::estate::Function;
use super::history::{self, Bar, Run};
use super::nodes;
use super::page::{Error, Tab, View};
use super::status::Status;
use super::text::{self, Commit, Shown, When};
use crate::store::event::EventRow;
use crate::store::node::NodeRow;
use crate::store::report::ReportRow;

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
    pub fn badge(&self) -> Status {
        badge(self.status, self.cause)
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

    fn of(row: EventRow, now: jiff::Timestamp) -> Self {
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

/// How an event is drawn: as the status that is nearest to it.
pub fn badge(status: EventStatus, cause: Option<Cause>) -> Status {
    match (status, cause) {
        (EventStatus::Failed, _) => Status::Failed,
        (EventStatus::WouldChange, _) => Status::Pending,
        (EventStatus::Changed, Some(Cause::Corrective)) => Status::Drifted,
        (EventStatus::Changed, _) => Status::Changed,
        (EventStatus::Skipped, _) => Status::Late,
        (EventStatus::NotApplicable, _) => Status::Revoked,
        (EventStatus::Info, _) => Status::Ok,
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
    /// Which machine of this name it is, counted from 1.
    pub generation: u32,
    /// How it is.
    pub status: Status,
    /// Its reseller.
    pub reseller: String,
    /// Its customer.
    pub customer: String,
    /// What it is for.
    pub function: Option<Function>,
    /// When it was added.
    pub added: When,
    /// When it was last heard from.
    pub seen: Option<When>,
    /// The commit that it was last given.
    pub commit: Option<Commit>,
    /// The commit in force where its last run came from, if that is another.
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
    let node = asked.theirs(store.node(certname).await?)?;
    let member = nodes::members(asked, Some(node.id)).await?.pop().ok_or(Error::NotFound)?;
    let reports = store.reports_of(node.id, RUNS).await?;
    let events = store.events_of(node.id, EVENTS).await?;
    let compile_errors = compile_errors(asked, &node).await?;
    let certificates = store.certificates(node.id).await?;
    let runs: Vec<Run> = reports.iter().map(|report| Run::of(report, now)).collect();
    Ok(Node {
        node: node.certname.to_string(),
        generation: node.generation,
        status: member.status,
        reseller: node.place.reseller.to_string(),
        customer: node.place.customer.to_string(),
        function: member.function,
        added: When::seen(node.added_at, now),
        seen: node.seen_at.map(|at| When::seen(at, now)),
        in_force: behind(asked, &node, reports.first()).await?,
        commit: node.commit.map(Commit::from),
        compile_errors,
        run_error: reports.first().and_then(|report| report.error.clone()).map(Shown::from),
        bars: history::bars(&runs),
        runs: history::folded(&runs),
        events: events.into_iter().map(|event| Happened::of(event, now)).collect(),
        certificates: certificates
            .into_iter()
            .map(|row| Certificate {
                serial: row.serial,
                until: When::seen(row.not_after, now),
                used: row.confirmed_at.is_some(),
            })
            .collect(),
        facts: facts(asked, node.id).await?,
    })
}

async fn compile_errors(asked: &Asked, node: &NodeRow) -> Result<Vec<CompileError>, Error> {
    let rows = asked.state.store.compile_errors(Some(node.id)).await?;
    let error = |row: crate::store::catalog::CompileErrorRow| CompileError {
        faults: Fault::all(&row.diagnostics, &row.commit, asked),
        commit: row.commit.into(),
        since: When::seen(row.since, asked.now),
    };
    Ok(rows.into_iter().map(error).collect())
}

/// The commit in force, where the node was last given another one.
async fn behind(asked: &Asked, node: &NodeRow, last: Option<&ReportRow>) -> Result<Option<Commit>, Error> {
    let heads = asked.state.store.heads().await?;
    let environment = last.and_then(|report| report.environment.as_deref());
    let head = match environment {
        Some(environment) => heads.iter().find(|head| head.environment == environment),
        None => heads.first().filter(|_| heads.len() == 1),
    };
    let in_force = head.and_then(|head| head.in_force.as_ref()).map(|commit| &commit.id);
    Ok(in_force.filter(|id| node.commit.as_ref() != Some(*id)).map(|id| id.as_str().into()))
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
