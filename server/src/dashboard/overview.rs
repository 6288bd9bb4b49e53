//! The overview page. Each number is a link to the nodes that it counts.

use actix_web::HttpResponse;
use askama::Template;
use holdfast_catalog::state::State;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::badge::{self, Badge};
use super::diagnostics::DiagnosticView;
use super::filter::{Did, Filter, NodeOrder, Period};
use super::nodes::{self, NodeLine};
use super::page::{Error, Tab, View};
use super::page_request::PageRequest;
use super::text::{self, Commit, Shown, When};
use crate::control::RepositoryFailure;
use crate::fleet::Member;
use crate::store::commit::{CommitRow, EnvironmentHead};

/// The most nodes that need attention to name here.
const MAX_NAMED: usize = 8;

/// The room for a commit's subject.
const MAX_SUBJECT: usize = 300;

/// A number, and the address of the list that it counts.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Tally {
    /// The number.
    pub count: usize,
    /// The address of the list.
    pub href: String,
}

/// The number of nodes in one state.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StateTally {
    /// The state.
    pub state: State,
    /// The number of nodes.
    pub tally: Tally,
}

/// The nodes to which something happened.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Activity {
    /// What happened.
    pub did: Did,
    /// Within the last hour.
    pub hour: Tally,
    /// Within the last day.
    pub day: Tally,
}

impl Activity {
    fn words(&self) -> &'static str {
        match self.did {
            Did::Drifted => "drifted",
            Did::Changed => "changed, not drift",
            Did::Failed => "failed",
        }
    }

    fn state(&self) -> State {
        match self.did {
            Did::Drifted => State::Drifted,
            Did::Changed => State::Changed,
            Did::Failed => State::Failed,
        }
    }
}

/// A commit in one line. Author, subject and errors are only for those who see everything, since they reveal something
/// about others.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CommitLine {
    /// Its id.
    pub id: Commit,
    /// Its author.
    pub author: Option<Shown>,
    /// The first line of its message.
    pub subject: Option<Shown>,
    /// When it arrived at the server.
    pub seen: When,
}

impl CommitLine {
    /// Makes a line from a commit, as the caller may see it.
    pub fn of(commit: &CommitRow, asked: &PageRequest) -> Self {
        let open = |text: &Option<String>, most| {
            let text = text.as_deref().filter(|_| asked.sees_everything());
            text.map(|text| Shown::from(text).short(most))
        };
        Self {
            id: commit.id.clone().into(),
            author: open(&commit.author, 100),
            subject: open(&commit.subject, MAX_SUBJECT),
            seen: When::seen(commit.seen_at, asked.now),
        }
    }
}

/// A commit with its errors.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BrokenCommit {
    /// The commit.
    pub commit: CommitLine,
    /// The errors.
    pub faults: Vec<DiagnosticView>,
    /// The number of errors that are left out.
    pub more: usize,
}

impl BrokenCommit {
    /// Makes it from a broken commit, as the caller may see it.
    pub fn of(commit: &CommitRow, asked: &PageRequest) -> Self {
        let diagnostics = if asked.sees_everything() { commit.diagnostics.as_slice() } else { &[] };
        let faults = DiagnosticView::all(diagnostics, &commit.id, asked);
        Self { commit: CommitLine::of(commit, asked), more: diagnostics.len() - faults.len(), faults }
    }
}

/// The environment that the server follows.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Environment {
    /// Its name.
    pub name: Shown,
    /// The commit in force.
    pub in_force: Option<CommitLine>,
    /// The nodes that run it, as they reported.
    pub running: Option<Tally>,
    /// A newer commit that did not come into force.
    pub broken: Option<BrokenCommit>,
}

/// Why no commit can come into force.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Frozen {
    /// Since when.
    pub since: When,
    /// The reason, only for those who see everything.
    pub why: Option<Shown>,
}

/// A node and a time.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Edge")]
pub struct NodeTime {
    /// The node.
    pub node: String,
    /// The time.
    pub at: When,
    /// The address of the list that begins with this node.
    pub href: String,
}

/// The overview.
#[derive(Debug, Serialize, JsonSchema, Template)]
#[template(path = "overview.html")]
pub struct Overview {
    /// The number of all nodes.
    pub nodes: usize,
    /// Why the repository cannot be read; `None` if it can.
    pub frozen: Option<Frozen>,
    /// Some of the nodes that need attention.
    pub attention: Vec<NodeLine>,
    /// All nodes that need attention.
    pub wanting: Tally,
    /// The number of nodes in each state, which add up to all nodes.
    pub states: Vec<StateTally>,
    /// The number of nodes with resources that a policy switches off, as their last runs reported: these resources are
    /// not checked.
    pub switched_off: usize,
    /// Whose nodes are shown; `None` if all are.
    pub of: Option<String>,
    /// What happened recently.
    pub activity: Vec<Activity>,
    /// The state of the environment.
    pub environments: Vec<Environment>,
    /// The node without contact for the longest time, among those that were ever heard from.
    pub silence: Option<NodeTime>,
    /// The node whose certificate ends first.
    pub certificate: Option<NodeTime>,
}

impl View for Overview {
    fn title(&self) -> String {
        match self.wanting.count {
            0 => "Overview".to_owned(),
            count => format!("({count}) Overview"),
        }
    }
    fn tab(&self) -> Tab {
        Tab::Overview
    }
}

impl Overview {
    /// Whether nothing needs attention.
    fn is_calm(&self) -> bool {
        self.attention.is_empty() && self.frozen.is_none() && self.broken().is_none() && self.has_commit()
    }

    fn broken(&self) -> Option<&BrokenCommit> {
        self.environments.iter().find_map(|environment| environment.broken.as_ref())
    }

    fn has_commit(&self) -> bool {
        self.environments.iter().any(|environment| environment.in_force.is_some())
    }

    fn more(&self) -> usize {
        self.wanting.count - self.attention.len()
    }

    /// The tiles for the states that are always shown, and for the others that have nodes.
    fn tiles(&self) -> impl Iterator<Item = &StateTally> {
        const ALWAYS: [State; 5] =
            [State::Late, State::Failed, State::Pending, State::Drifted, State::InOrder];
        self.states.iter().filter(|entry| entry.tally.count > 0 || ALWAYS.contains(&entry.state))
    }
}

/// The overview, as the caller sees it.
///
/// # Errors
/// Returns an error if the store fails.
pub async fn view(asked: &PageRequest) -> Result<Overview, Error> {
    let (members, head) = (nodes::members(asked).await?, asked.head().await?);
    let asked = asked.clone();
    let state = asked.state.clone();
    state.apart(move || of(&members, head.as_ref(), &asked)).await
}

fn of(members: &[Member], head: Option<&EnvironmentHead>, asked: &PageRequest) -> Overview {
    let tally = |filter: Filter| Tally {
        count: members.iter().filter(|member| filter.takes(member, asked.now)).count(),
        href: filter.address(),
    };
    let activity = [Did::Drifted, Did::Changed, Did::Failed].map(|did| Activity {
        did,
        hour: tally(Filter::that_did(did, Period::Hour)),
        day: tally(Filter::that_did(did, Period::Day)),
    });
    Overview {
        nodes: members.len(),
        frozen: asked.state.server_view.unreadable().map(|unreadable| frozen(unreadable, asked)),
        attention: attention(members, asked),
        wanting: Tally {
            href: Filter { sort: NodeOrder::State, ..Filter::of_states(wanting()) }.address(),
            ..tally(Filter::of_states(wanting()))
        },
        states: State::ALL.map(|state| StateTally { state, tally: tally(Filter::of_states([state])) }).into(),
        switched_off: members.iter().filter_map(Member::last).filter(|last| last.counts.off > 0).count(),
        of: (!asked.sees_everything()).then(|| asked.user.scope.to_string()),
        activity: activity.into(),
        environments: head.into_iter().map(|head| environment(head, asked, &tally)).collect(),
        silence: first(members, Member::seen, NodeOrder::Silence, asked),
        certificate: first(members, Member::certificate_until, NodeOrder::Certificate, asked),
    }
}

fn wanting() -> impl Iterator<Item = State> {
    State::ALL.into_iter().filter(|state| state.wants_attention())
}

/// The nodes that need attention, worst first, up to the number that are named.
fn attention(members: &[Member], asked: &PageRequest) -> Vec<NodeLine> {
    let mut wanting: Vec<&Member> =
        members.iter().filter(|member| member.state().wants_attention()).collect();
    wanting.sort_by_key(|member| member.state());
    wanting.into_iter().take(MAX_NAMED).map(|member| NodeLine::of(member, asked.now)).collect()
}

/// The enrolled node for which a time comes first.
fn first(
    members: &[Member],
    of: impl Fn(&Member) -> Option<Timestamp>,
    sort: NodeOrder,
    asked: &PageRequest,
) -> Option<NodeTime> {
    let in_service = members.iter().filter(|member| member.is_in_service());
    let (at, member) =
        in_service.filter_map(|member| Some((of(member)?, member))).min_by_key(|(at, _)| *at)?;
    Some(NodeTime {
        node: member.certname.to_string(),
        at: When::seen(at, asked.now),
        href: Filter { sort, ..Filter::default() }.address(),
    })
}

fn frozen(unreadable: RepositoryFailure, asked: &PageRequest) -> Frozen {
    Frozen {
        since: When::seen(unreadable.since, asked.now),
        why: asked.sees_everything().then(|| Shown::from(unreadable.why).short(2_000)),
    }
}

fn environment(head: &EnvironmentHead, asked: &PageRequest, tally: &impl Fn(Filter) -> Tally) -> Environment {
    let running =
        |commit: &CommitRow| tally(Filter { commit: Some(commit.id.to_string()), ..Filter::default() });
    Environment {
        name: head.environment.as_str().into(),
        in_force: head.in_force.as_ref().map(|commit| CommitLine::of(commit, asked)),
        running: head.in_force.as_ref().map(running),
        broken: head.broken.as_ref().map(|commit| BrokenCommit::of(commit, asked)),
    }
}

/// Shows the overview.
pub async fn show(asked: PageRequest) -> HttpResponse {
    let view = view(&asked).await;
    asked.answer(view).await
}
