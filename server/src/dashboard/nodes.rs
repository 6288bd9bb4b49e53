//! The list of nodes: filtered, sorted, in pages.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::{HttpResponse, web};
use askama::Template;
use holdfast_catalog::run::RunId;
use holdfast_catalog::state::State;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::badge::{self, Badge};
use super::filter::{Did, Filter, NodeOrder, Period};
use super::page::{Error, Tab, View};
use super::page_request::PageRequest;
use super::text::{self, Commit, Shown, When};
use crate::fleet::{self, FleetQuery, Member};
use crate::store::fleet::LastRunRow;
use crate::store::node::NodeId;

/// The most nodes on a page.
const PAGE: usize = 40;

/// The room for a reason in a line; it is complete on the node's page.
const MAX_REASON: usize = 300;

/// The room in a line for the commit that a node reported to run on.
const MAX_COMMIT: usize = 40;

/// The most names to offer as choices; if there are more, the name must be typed.
const MAX_CHOICES: usize = 60;

/// The longest text in a filter, in bytes.
const MAX_QUERY: usize = 256;

/// All nodes that the caller sees.
///
/// # Errors
/// Returns an error if the store fails.
pub async fn members(asked: &PageRequest) -> Result<Arc<Vec<Member>>, Error> {
    asked.state.census.members(&asked.user.scope).await
}

/// One of the nodes that the caller sees.
///
/// # Errors
/// Returns an error if there is none, or if the store fails.
pub async fn member(asked: &PageRequest, node: NodeId) -> Result<Member, Error> {
    let (state, scope) = (&asked.state, asked.user.scope.clone());
    let look = FleetQuery { scope, only: Some(node), now: asked.now, interval: state.interval };
    fleet::members(&state.store, &*state.server_view, look).await?.pop().ok_or(Error::NotFound)
}

/// A node in the list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NodeLine {
    /// The name of the node.
    pub node: String,
    /// The state of the node.
    pub state: State,
    /// The reason for the state.
    pub reason: Shown,
    /// The reseller.
    pub reseller: String,
    /// The customer.
    pub customer: String,
    /// The role.
    pub role: Option<String>,
    /// The stage.
    pub stage: Option<String>,
    /// When it was last heard from.
    pub seen: Option<When>,
    /// The commit that it reported to run on.
    pub commit: Option<Commit>,
    /// The commit that it reported to run on, if this server does not know that commit.
    pub unknown_commit: Option<Shown>,
    /// Until when its certificate is valid.
    pub certificate: Option<When>,
    /// The agent's id of its last run.
    pub run: Option<RunId>,
    /// The outcome of that run, in a few words.
    pub last: Option<String>,
    /// Whether it was added; otherwise it is only in the inventory.
    pub is_added: bool,
}

impl NodeLine {
    /// Makes a line from a node.
    pub fn of(member: &Member, now: Timestamp) -> Self {
        let function = member.function.as_ref();
        Self {
            node: member.certname.to_string(),
            state: member.state(),
            reason: Shown::from(member.judgement.reason.as_str()).short(MAX_REASON),
            reseller: member.tenancy.reseller.to_string(),
            customer: member.tenancy.customer.to_string(),
            role: function.map(|function| function.role.clone()),
            stage: function.map(|function| function.stage.clone()),
            seen: member.seen().map(|at| When::seen(at, now)),
            commit: member.runs_on().cloned().map(Commit::from),
            unknown_commit: member
                .unknown_commit()
                .map(|commit| Shown::from(commit.as_str()).short(MAX_COMMIT)),
            certificate: member.certificate_until().map(|at| When::seen(at, now)),
            run: member.last().and_then(|run| run.run),
            last: member.last().map(last_words),
            is_added: member.row.is_some(),
        }
    }

    /// Whether to show the reason, because the node needs attention.
    pub fn wants_words(&self) -> bool {
        self.state.wants_attention()
    }
}

fn last_words(run: &LastRunRow) -> String {
    let counts = &run.counts;
    let on_purpose = counts.changed.saturating_sub(counts.corrective);
    let parts = [
        (counts.failed, "failed"),
        (counts.skipped, "skipped"),
        (counts.would_change, "would change"),
        (counts.not_applicable, "not applicable"),
        (counts.corrective, "corrected"),
        (on_purpose, "changed"),
        (counts.refreshed, "refreshed"),
    ];
    let said: Vec<_> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    match said.join(", ") {
        _ if !run.took_place() => "no run".to_owned(),
        nothing if nothing.is_empty() && counts.off > 0 && counts.off == counts.total => {
            "all switched off".to_owned()
        }
        nothing if nothing.is_empty() && counts.total == 0 => "nothing is managed".to_owned(),
        nothing if nothing.is_empty() => "nothing to do".to_owned(),
        said => said,
    }
}

/// A page of the list of nodes.
#[derive(Debug, Serialize, JsonSchema, Template)]
#[template(path = "nodes.html")]
pub struct Nodes {
    /// The filter that was asked for.
    pub filter: Filter,
    /// The number of nodes that match.
    pub count: usize,
    /// The number of the first node on this page, counted from 1.
    pub first: usize,
    /// The nodes on this page.
    pub nodes: Vec<NodeLine>,
    /// The address of the previous page.
    pub previous: Option<String>,
    /// The address of the next page.
    pub next: Option<String>,
    /// Resellers to choose from; `None` if there are too many.
    pub resellers: Option<Vec<Shown>>,
    /// Customers to choose from, of the reseller in the filter.
    pub customers: Option<Vec<Shown>>,
    /// Roles to choose from.
    pub roles: Option<Vec<Shown>>,
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
    fn states(&self) -> [State; 15] {
        State::ALL
    }

    fn last(&self) -> usize {
        self.first + self.nodes.len().saturating_sub(1)
    }

    fn by(&self, sort: NodeOrder) -> String {
        self.filter.sorted(sort).address()
    }

    fn chosen(wanted: &Option<String>, value: &Shown) -> bool {
        wanted.as_deref() == Some(value.raw())
    }

    fn is_chosen(&self, state: &State) -> bool {
        self.filter.state.as_ref().is_some_and(|states| states.0 == [*state])
    }

    /// Several states, which a link may ask for but the form does not offer: their names for the address and for people.
    fn several(&self) -> Option<(String, String)> {
        let states = self.filter.state.as_ref().filter(|states| states.0.len() > 1)?;
        let join = |of: fn(State) -> &'static str, between| {
            states.0.iter().map(|state| of(*state)).collect::<Vec<_>>().join(between)
        };
        Some((join(State::slug, ","), join(State::word, ", ")))
    }

    fn text(wanted: &Option<String>) -> Shown {
        wanted.clone().unwrap_or_default().into()
    }

    fn sorts_by(&self, sort: NodeOrder) -> bool {
        self.filter.sort == sort
    }
}

/// A page of the list, as the caller sees it.
///
/// # Errors
/// Returns an error if the store fails.
pub async fn view(asked: &PageRequest, filter: Filter) -> Result<Nodes, Error> {
    let (members, asked) = (members(asked).await?, asked.clone());
    let state = asked.state.clone();
    state.apart(move || of(&members, filter, &asked)).await
}

fn of(members: &[Member], filter: Filter, asked: &PageRequest) -> Nodes {
    let resellers = choices(members.iter().map(|member| member.tenancy.reseller.as_str()));
    let of_reseller = |member: &&Member| {
        filter.reseller.as_deref().is_none_or(|reseller| reseller == member.tenancy.reseller.as_str())
    };
    let customers =
        choices(members.iter().filter(of_reseller).map(|member| member.tenancy.customer.as_str()));
    let roles = choices(members.iter().filter_map(Member::role));
    let mut fit: Vec<&Member> = members.iter().filter(|member| filter.takes(member, asked.now)).collect();
    arrange(&mut fit, filter.sort);
    let count = fit.len();
    let pages = count.div_ceil(PAGE).max(1);
    let page = filter.page.unwrap_or(1).clamp(1, pages);
    let begin = (page - 1) * PAGE;
    let nodes = fit.iter().skip(begin).take(PAGE).map(|member| NodeLine::of(member, asked.now)).collect();
    let address = |page: usize| Filter { page: Some(page), ..filter.clone() }.address();
    Nodes {
        count,
        first: (begin + 1).min(count),
        nodes,
        previous: (page > 1).then(|| address(page - 1)),
        next: (page < pages).then(|| address(page + 1)),
        filter,
        resellers,
        customers,
        roles,
    }
}

/// The different names; `None` if there are too many.
fn choices<'a>(names: impl Iterator<Item = &'a str>) -> Option<Vec<Shown>> {
    let all: BTreeSet<_> = names.collect();
    (all.len() <= MAX_CHOICES).then(|| all.into_iter().map(Shown::from).collect())
}

/// Sorts nodes that are sorted by name; the sort is stable.
fn arrange(members: &mut [&Member], sort: NodeOrder) {
    match sort {
        NodeOrder::Name => {}
        NodeOrder::State => members.sort_by_key(|member| member.state()),
        NodeOrder::Customer => members.sort_by(|a, b| a.tenancy.cmp(&b.tenancy)),
        NodeOrder::Silence => members.sort_by_key(|member| (member.seen().is_none(), member.seen())),
        NodeOrder::Certificate => {
            members.sort_by_key(|member| Reverse(member.certificate_until().map(Reverse)));
        }
    }
}

/// Shows a page of the list.
pub async fn show(asked: PageRequest, filter: Result<web::Query<Filter>, actix_web::Error>) -> HttpResponse {
    let view = match filter {
        Ok(filter) if filter.longest() <= MAX_QUERY => view(&asked, filter.into_inner()).await,
        Ok(_) => Err(Error::Wrong(format!("a filter of a list has at most {MAX_QUERY} bytes"))),
        Err(error) => Err(Error::not_understood(&error)),
    };
    asked.answer(view).await
}
