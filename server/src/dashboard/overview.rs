//! How everything is, in one look. Each number is a link to the nodes that it counts.

use actix_web::HttpResponse;
use askama::Template;
use schemars::JsonSchema;
use serde::Serialize;

use super::asked::Asked;
use super::diagnostics::Fault;
use super::nodes::{self, Did, Filter, Member, NodeLine, Within};
use super::page::{Error, Tab, View};
use super::status::Status;
use super::text::{self, Commit, Shown, When};
use crate::store::commit::{CommitRow, Head};
use crate::store::node::NodeState;

/// So many nodes that want attention are named here.
const NAMED: usize = 8;

/// A number and the address of what it counts.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Tally {
    /// The number.
    pub count: usize,
    /// The list.
    pub href: String,
}

/// Nodes of one status.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StatusTally {
    /// The status.
    pub status: Status,
    /// How many.
    pub tally: Tally,
}

/// Nodes to which something happened.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Activity {
    /// What.
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
            Did::Changed => "changed on purpose",
            Did::Failed => "failed",
        }
    }

    fn status(&self) -> Status {
        match self.did {
            Did::Drifted => Status::Drifted,
            Did::Changed => Status::Changed,
            Did::Failed => Status::Failed,
        }
    }
}

/// A commit in a line. Author, subject and errors are for those who see everything: they tell of others.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CommitLine {
    /// Its hash.
    pub id: Commit,
    /// Its author.
    pub author: Option<Shown>,
    /// The first line of its message.
    pub subject: Option<Shown>,
    /// When it reached the server.
    pub seen: When,
}

impl CommitLine {
    /// A commit as the caller may see it.
    pub fn of(commit: &CommitRow, asked: &Asked) -> Self {
        let open = |text: &Option<String>| text.clone().filter(|_| asked.sees_everything()).map(Shown::from);
        Self {
            id: commit.id.as_str().into(),
            author: open(&commit.author),
            subject: open(&commit.subject),
            seen: When::seen(commit.seen_at, asked.now),
        }
    }
}

/// A commit with its errors.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BrokenCommit {
    /// The commit.
    pub commit: CommitLine,
    /// What is wrong.
    pub faults: Vec<Fault>,
    /// How many faults there are beyond those.
    pub more: usize,
}

impl BrokenCommit {
    /// A broken commit as the caller may see it.
    pub fn of(commit: &CommitRow, asked: &Asked) -> Self {
        let diagnostics = if asked.sees_everything() { commit.diagnostics.as_slice() } else { &[] };
        let faults = Fault::all(diagnostics, &commit.id, asked);
        Self { commit: CommitLine::of(commit, asked), more: diagnostics.len() - faults.len(), faults }
    }
}

/// An environment.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Environment {
    /// Its name.
    pub name: Shown,
    /// What is in force.
    pub in_force: Option<CommitLine>,
    /// Nodes that were given it.
    pub running: Option<Tally>,
    /// A newer commit that did not come into force.
    pub broken: Option<BrokenCommit>,
}

/// A node and a time.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Edge {
    /// The node.
    pub node: String,
    /// The time.
    pub at: When,
    /// The list that begins with it.
    pub href: String,
}

/// The page.
#[derive(Debug, Serialize, JsonSchema, Template)]
#[template(path = "overview.html")]
pub struct Overview {
    /// All nodes.
    pub nodes: usize,
    /// Nodes by status; all of them add up.
    pub statuses: Vec<StatusTally>,
    /// What happened lately.
    pub activity: Vec<Activity>,
    /// Where the environments stand.
    pub environments: Vec<Environment>,
    /// Nodes that want attention.
    pub attention: Vec<NodeLine>,
    /// How many more do.
    pub more_attention: usize,
    /// Who has been silent longest, of those that spoke.
    pub silence: Option<Edge>,
    /// Whose certificate ends first.
    pub certificate: Option<Edge>,
}

impl View for Overview {
    fn title(&self) -> String {
        "Overview".to_owned()
    }
    fn tab(&self) -> Tab {
        Tab::Overview
    }
}

/// How everything is that the caller sees.
///
/// # Errors
/// Where the store fails.
pub async fn view(asked: &Asked) -> Result<Overview, Error> {
    let members = nodes::members(asked, None).await?;
    let heads = asked.state.store.heads().await?;
    let tally = |filter: Filter| Tally {
        count: members.iter().filter(|member| filter.takes(member, asked.now)).count(),
        href: filter.address(),
    };
    let statuses = Status::ALL.map(|status| StatusTally { status, tally: tally(Filter::of_status(status)) });
    let activity = [Did::Drifted, Did::Changed, Did::Failed].map(|did| Activity {
        did,
        hour: tally(Filter::that_did(did, Within::Hour)),
        day: tally(Filter::that_did(did, Within::Day)),
    });
    let environments = heads.iter().map(|head| environment(head, asked, &tally)).collect();
    let mut attention: Vec<&Member> = members.iter().filter(|member| member.status <= Status::Late).collect();
    attention.sort_by_key(|member| member.status);
    let named: Vec<_> = attention.iter().take(NAMED).map(|member| NodeLine::of(member, asked.now)).collect();
    let in_service = || members.iter().filter(|member| member.row.node.state == NodeState::Enrolled);
    let edge = |member: &Member, at, sort| Edge {
        node: member.row.node.certname.to_string(),
        at: When::seen(at, asked.now),
        href: Filter { sort, ..Filter::default() }.address(),
    };
    let first = |of: fn(&Member) -> Option<jiff::Timestamp>, sort| {
        let first = in_service().filter_map(|member| Some((of(member)?, member))).min_by_key(|(at, _)| *at);
        first.map(|(at, member)| edge(member, at, sort))
    };
    Ok(Overview {
        nodes: members.len(),
        statuses: statuses.into(),
        activity: activity.into(),
        environments,
        more_attention: attention.len() - named.len(),
        attention: named,
        silence: first(|member| member.row.node.seen_at, nodes::Sort::Silence),
        certificate: first(|member| member.row.certificate_until, nodes::Sort::Certificate),
    })
}

fn environment(head: &Head, asked: &Asked, tally: &impl Fn(Filter) -> Tally) -> Environment {
    let running = |commit: &CommitRow| tally(Filter { commit: Some(commit.id.clone()), ..Filter::default() });
    Environment {
        name: head.environment.as_str().into(),
        in_force: head.in_force.as_ref().map(|commit| CommitLine::of(commit, asked)),
        running: head.in_force.as_ref().map(running),
        broken: head.broken.as_ref().map(|commit| BrokenCommit::of(commit, asked)),
    }
}

/// The page.
pub async fn show(asked: Asked) -> HttpResponse {
    let view = view(&asked).await;
    asked.answer(view)
}
