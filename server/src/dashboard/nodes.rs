//! The list of nodes: filtered, sorted, in pages. Numbers elsewhere are counted by the same filter that their links
//! carry, so that a number and its list agree.

use std::cmp::Reverse;

use actix_web::{HttpResponse, web};
use askama::Template;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::asked::Asked;
use super::estate::Function;
use super::page::{Error, Tab, View};
use super::status::Status;
use super::text::{self, Commit, Shown, When};
use crate::store::fleet::FleetRow;
use crate::store::node::NodeId;

/// So many nodes stand on a page.
const PAGE: usize = 50;

/// How far back happenings are looked for.
const BACK: SignedDuration = SignedDuration::from_hours(24);

/// What happened to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Did {
    /// Something had drifted.
    Drifted,
    /// Something was changed on purpose.
    Changed,
    /// Something failed.
    Failed,
}

/// Within what time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Within {
    /// The last hour.
    Hour,
    /// The last day.
    Day,
}

/// The order of the list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// By name.
    #[default]
    Name,
    /// What wants attention first.
    Status,
    /// By customer.
    Customer,
    /// Who has been silent longest first.
    Silence,
    /// The certificate that ends first.
    Certificate,
}

/// Which nodes, in what order, and which page of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// How the node is.
    #[serde(deserialize_with = "blank_is_none", skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Its reseller.
    #[serde(deserialize_with = "blank_is_none", skip_serializing_if = "Option::is_none")]
    pub reseller: Option<String>,
    /// Its customer.
    #[serde(deserialize_with = "blank_is_none", skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// Its role.
    #[serde(deserialize_with = "blank_is_none", skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What happened to it, within the last day where nothing else is said.
    #[serde(deserialize_with = "blank_is_none", skip_serializing_if = "Option::is_none")]
    pub did: Option<Did>,
    /// Within what time it happened.
    #[serde(deserialize_with = "blank_is_none", skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
    /// The commit that it was last given.
    #[serde(deserialize_with = "blank_is_none", skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Words that its name, place, role and labels must hold, each of them.
    #[serde(deserialize_with = "blank_is_none", skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// The order.
    #[serde(skip_serializing_if = "is_default")]
    pub sort: Sort,
    /// The page, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<usize>,
}

/// Forms send what is left open as an empty text.
fn blank_is_none<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    use serde::de::IntoDeserializer as _;
    match String::deserialize(deserializer)? {
        text if text.trim().is_empty() => Ok(None),
        text => T::deserialize(text.into_deserializer()).map(Some),
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Filter {
    /// Nodes of one status.
    pub fn of_status(status: Status) -> Self {
        Self { status: Some(status), ..Self::default() }
    }

    /// Nodes to which something happened.
    pub fn that_did(did: Did, within: Within) -> Self {
        Self { did: Some(did), within: Some(within), ..Self::default() }
    }

    /// The address of its list.
    pub fn address(&self) -> String {
        let pairs = match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(pairs)) => pairs,
            _ => serde_json::Map::new(),
        };
        let text =
            |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let pairs: Vec<_> =
            pairs.iter().map(|(name, value)| format!("{name}={}", text::in_query(&text(value)))).collect();
        if pairs.is_empty() { "/nodes".to_owned() } else { format!("/nodes?{}", pairs.join("&")) }
    }

    /// The same in another order, from its first page.
    fn sorted(&self, sort: Sort) -> Self {
        Self { sort, page: None, ..self.clone() }
    }

    /// Whether a node is meant.
    pub fn takes(&self, member: &Member, now: Timestamp) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
        let node = &member.row.node;
        self.status.is_none_or(|status| status == member.status)
            && is(&self.reseller, node.place.reseller.as_str())
            && is(&self.customer, node.place.customer.as_str())
            && is(&self.role, member.function.as_ref().map_or("", |function| &function.role))
            && is(&self.commit, node.commit.as_deref().unwrap_or_default())
            && self.did.is_none_or(|did| member.did(did, self.within.unwrap_or(Within::Day), now))
            && self.q.as_ref().is_none_or(|words| member.holds(words))
    }
}

/// A node with what it is for and how it is.
pub struct Member {
    /// From the store.
    pub row: FleetRow,
    /// From the inventory.
    pub function: Option<Function>,
    /// How it is.
    pub status: Status,
}

impl Member {
    fn did(&self, did: Did, within: Within, now: Timestamp) -> bool {
        let lately = &self.row.lately;
        let at = match did {
            Did::Drifted => lately.drifted,
            Did::Changed => lately.changed,
            Did::Failed => lately.failed,
        };
        let window = SignedDuration::from_hours(if within == Within::Hour { 1 } else { 24 });
        at.is_some_and(|at| now.duration_since(at) <= window)
    }

    fn holds(&self, words: &str) -> bool {
        let node = &self.row.node;
        let mut text = format!("{} {}", node.certname, node.place);
        if let Some(function) = &self.function {
            text.push_str(&format!(" {} {}", function.role, function.stage));
            function.labels.iter().for_each(|(name, value)| text.push_str(&format!(" {name}={value}")));
        }
        words.split_whitespace().all(|word| text.contains(&word.to_lowercase()))
    }
}

/// All nodes that the caller sees, or one of them.
///
/// # Errors
/// Where the store fails.
pub async fn members(asked: &Asked, only: Option<NodeId>) -> Result<Vec<Member>, Error> {
    let (state, now) = (&asked.state, asked.now);
    let fleet = state.store.fleet(asked.user.scope.clone(), only, now - BACK).await?;
    let member = |row: FleetRow| Member {
        function: state.estate.function(&row.node.certname, &row.node.place),
        status: Status::of(&row, now, state.interval),
        row,
    };
    Ok(fleet.into_iter().map(member).collect())
}

/// A line of the list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NodeLine {
    /// Its name.
    pub node: String,
    /// How it is.
    pub status: Status,
    /// Its reseller.
    pub reseller: String,
    /// Its customer.
    pub customer: String,
    /// Its role.
    pub role: Option<String>,
    /// Its stage.
    pub stage: Option<String>,
    /// When it was last heard from.
    pub seen: Option<When>,
    /// The commit that it was last given.
    pub commit: Option<Commit>,
    /// Until when its certificate is valid.
    pub certificate: Option<When>,
    /// Its last report.
    pub report: Option<i64>,
    /// How that run ended, in a few words.
    pub last: Option<String>,
}

impl NodeLine {
    /// A node as a line.
    pub fn of(member: &Member, now: Timestamp) -> Self {
        let (node, function) = (&member.row.node, member.function.as_ref());
        Self {
            node: node.certname.to_string(),
            status: member.status,
            reseller: node.place.reseller.to_string(),
            customer: node.place.customer.to_string(),
            role: function.map(|function| function.role.clone()),
            stage: function.map(|function| function.stage.clone()),
            seen: node.seen_at.map(|at| When::seen(at, now)),
            commit: node.commit.as_deref().map(Commit::from),
            certificate: member.row.certificate_until.map(|at| When::seen(at, now)),
            report: node.report,
            last: member.row.last.as_ref().map(last_words),
        }
    }
}

fn last_words(run: &crate::store::fleet::LastRun) -> String {
    let on_purpose = run.changed.saturating_sub(run.corrective);
    let parts = [
        (run.failed, "failed"),
        (run.would_change, "would change"),
        (run.corrective.min(run.changed), "mended"),
        (on_purpose, "changed"),
    ];
    let said: Vec<_> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    match said.join(", ") {
        nothing if nothing.is_empty() && run.error && run.total == 0 => "no run".to_owned(),
        nothing if nothing.is_empty() => "nothing to do".to_owned(),
        said => said,
    }
}

/// The page.
#[derive(Debug, Serialize, JsonSchema, Template)]
#[template(path = "nodes.html")]
pub struct Nodes {
    /// What was asked.
    pub filter: Filter,
    /// How many nodes fit.
    pub count: usize,
    /// The first one on this page, from 1.
    pub first: usize,
    /// The nodes of this page.
    pub nodes: Vec<NodeLine>,
    /// The address of the page before.
    pub previous: Option<String>,
    /// The address of the next page.
    pub next: Option<String>,
    /// Resellers to choose from.
    pub resellers: Vec<Shown>,
    /// Customers to choose from.
    pub customers: Vec<Shown>,
    /// Roles to choose from.
    pub roles: Vec<Shown>,
}

impl View for Nodes {
    fn title(&self) -> String {
        "Nodes".to_owned()
    }
    fn tab(&self) -> Tab {
        Tab::Nodes
    }
}

impl Nodes {
    fn statuses(&self) -> [Status; 9] {
        Status::ALL
    }

    fn last(&self) -> usize {
        self.first + self.nodes.len().saturating_sub(1)
    }

    fn by(&self, sort: Sort) -> String {
        self.filter.sorted(sort).address()
    }

    fn chosen(wanted: &Option<String>, value: &Shown) -> bool {
        wanted.as_deref() == Some(value.raw())
    }

    fn text(wanted: &Option<String>) -> Shown {
        wanted.clone().unwrap_or_default().into()
    }

    fn sorts_by(&self, sort: Sort) -> bool {
        self.filter.sort == sort
    }
}

/// The list as the caller sees it.
///
/// # Errors
/// Where the store fails.
pub async fn view(asked: &Asked, filter: Filter) -> Result<Nodes, Error> {
    let mut members = members(asked, None).await?;
    let choices = |of: fn(&Member) -> Option<&str>| {
        let all: std::collections::BTreeSet<_> = members.iter().filter_map(of).collect();
        all.into_iter().take(500).map(Shown::from).collect::<Vec<_>>()
    };
    let resellers = choices(|member| Some(member.row.node.place.reseller.as_str()));
    let customers = choices(|member| Some(member.row.node.place.customer.as_str()));
    let roles = choices(|member| member.function.as_ref().map(|function| function.role.as_str()));
    members.retain(|member| filter.takes(member, asked.now));
    arrange(&mut members, filter.sort);
    let count = members.len();
    let pages = count.div_ceil(PAGE).max(1);
    let page = filter.page.unwrap_or(1).clamp(1, pages);
    let begin = (page - 1) * PAGE;
    let nodes = members.iter().skip(begin).take(PAGE).map(|member| NodeLine::of(member, asked.now)).collect();
    let address = |page: usize| Filter { page: Some(page), ..filter.clone() }.address();
    Ok(Nodes {
        count,
        first: (begin + 1).min(count),
        nodes,
        previous: (page > 1).then(|| address(page - 1)),
        next: (page < pages).then(|| address(page + 1)),
        filter,
        resellers,
        customers,
        roles,
    })
}

/// The rows come by name, and sorting keeps that order among equals.
fn arrange(members: &mut [Member], sort: Sort) {
    match sort {
        Sort::Name => {}
        Sort::Status => members.sort_by_key(|member| member.status),
        Sort::Customer => members.sort_by(|a, b| a.row.node.place.cmp(&b.row.node.place)),
        Sort::Silence => {
            members.sort_by_key(|member| (member.row.node.seen_at.is_none(), member.row.node.seen_at));
        }
        Sort::Certificate => members.sort_by_key(|member| Reverse(member.row.certificate_until.map(Reverse))),
    }
}

/// The page.
pub async fn show(asked: Asked, filter: Result<web::Query<Filter>, actix_web::Error>) -> HttpResponse {
    let view = match filter {
        Ok(filter) => view(&asked, filter.into_inner()).await,
        Err(error) => Err(Error::Wrong(error.to_string())),
    };
    asked.answer(view)
}
