//! The commits that arrived at the server, in pages, and the page of one commit: which nodes run it, and what is wrong
//! with it.

use holdfast_catalog::commit::CommitId;
use std::collections::HashMap;

use actix_web::{HttpResponse, web};
use askama::Template;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::badge::Badge;
use super::filter::Filter;
use super::nodes::{self, NodeLine};
use super::overview::{BrokenCommit, CommitLine, Tally};
use super::page::{Error, Tab, View};
use super::page_request::PageRequest;
use super::text::{self, Shown, When};
use crate::fleet::Member;
use crate::repo;
use crate::request;
use crate::store::commit::{CommitRow, CommitStatus, EnvironmentHead};

/// The most commits on a page.
const PAGE: u32 = 50;

/// The last page that may be asked for, since all commits before it are read.
const MAX_PAGE: u32 = 10_000;

/// The most nodes of a commit to name.
const MAX_NAMED: usize = 20;

/// The standing of a commit in its environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Standing")]
pub enum CommitStanding {
    /// It is the last good one.
    InForce,
    /// It was in force, or was superseded before it could be.
    Earlier,
    /// It has errors.
    Broken,
}

impl CommitStanding {
    fn of(commit: &CommitRow, head: Option<&EnvironmentHead>) -> Self {
        let in_force = |head: &EnvironmentHead| {
            head.environment == commit.environment
                && head.in_force.as_ref().is_some_and(|head| head.id == commit.id)
        };
        match commit.status {
            CommitStatus::Broken => Self::Broken,
            CommitStatus::Good if head.is_some_and(in_force) => Self::InForce,
            CommitStatus::Good => Self::Earlier,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::InForce => "ok",
            Self::Earlier => "quiet",
            Self::Broken => "broken",
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Self::InForce => "✓",
            Self::Earlier => "·",
            Self::Broken => "!",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::InForce => "in force",
            Self::Earlier => "good, earlier",
            Self::Broken => "broken",
        }
    }
}

/// A commit in an environment.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Entry")]
pub struct CommitEntry {
    /// The environment.
    pub environment: Shown,
    /// Its standing in the environment.
    pub standing: CommitStanding,
    /// The commit itself.
    pub commit: CommitLine,
    /// When it was committed.
    pub committed: Option<When>,
    /// The nodes that run it, as they reported.
    pub running: Tally,
    /// The number of errors in tenants' data that did not keep it from coming into force; only for those who see
    /// everything.
    pub errors: usize,
    /// The number of nodes that do not get it because their catalog does not compile at this commit.
    pub kept: usize,
}

impl CommitEntry {
    /// What is wrong although it came into force.
    fn but(&self) -> Option<String> {
        let kept = match self.kept {
            0 => String::new(),
            1 => "1 node does not get it".to_owned(),
            kept => format!("{} nodes do not get it", text::grouped(kept)),
        };
        let errors = match self.errors {
            0 => String::new(),
            errors => text::counted(errors, "error", "errors"),
        };
        let said: Vec<_> = [errors, kept].into_iter().filter(|words| !words.is_empty()).collect();
        (self.standing != CommitStanding::Broken && !said.is_empty()).then(|| said.join(": "))
    }
}

/// Which page of the list.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Which")]
pub struct CommitsQuery {
    /// The page, counted from 1.
    pub page: Option<u32>,
}

/// A page of the list of commits.
#[derive(Debug, Serialize, JsonSchema, Template)]
#[template(path = "commits.html")]
pub struct Commits {
    /// The commits, newest first.
    pub commits: Vec<CommitEntry>,
    /// The address of the previous page.
    pub previous: Option<String>,
    /// The address of the next page.
    pub next: Option<String>,
}

impl View for Commits {
    fn title(&self) -> String {
        "Commits".to_owned()
    }
    fn tab(&self) -> Tab {
        Tab::Commits
    }
}

/// The page of one commit.
#[derive(Debug, Serialize, JsonSchema, Template)]
#[template(path = "commit.html")]
pub struct CommitPage {
    /// Its full id.
    pub id: CommitId,
    /// Its standing in each environment in which it arrived.
    pub entries: Vec<CommitEntry>,
    /// Its errors: if it did not come into force, or for those who see everything.
    pub broken: Option<BrokenCommit>,
    /// Some of the nodes that run it.
    pub running: Vec<NodeLine>,
    /// All nodes that run it.
    pub running_all: Tally,
    /// Some of the nodes that run another commit, if this one is in force.
    pub behind: Vec<NodeLine>,
    /// The number of nodes that run another commit.
    pub behind_count: usize,
}

impl View for CommitPage {
    fn title(&self) -> String {
        format!("Commit {}", repo::short(&self.id))
    }
    fn tab(&self) -> Tab {
        Tab::Commits
    }
}

/// How many nodes run each commit, as they reported, and how many each commit keeps back.
#[derive(Default)]
struct NodeCounts<'m> {
    running: HashMap<&'m CommitId, usize>,
    kept: HashMap<&'m CommitId, usize>,
}

impl<'m> NodeCounts<'m> {
    fn of(members: &'m [Member]) -> Self {
        let mut numbers = Self::default();
        for member in members {
            let kept = member.kept_back.as_ref().map(|kept| &kept.commit);
            member.runs_on().into_iter().for_each(|id| *numbers.running.entry(id).or_default() += 1);
            kept.into_iter().for_each(|id| *numbers.kept.entry(id).or_default() += 1);
        }
        numbers
    }
}

fn entry(
    (commit, errors): (&CommitRow, usize),
    head: Option<&EnvironmentHead>,
    numbers: &NodeCounts<'_>,
    asked: &PageRequest,
) -> CommitEntry {
    let filter = Filter { commit: Some(commit.id.to_string()), ..Filter::default() };
    let count = |of: &HashMap<&CommitId, usize>| of.get(&commit.id).copied().unwrap_or_default();
    CommitEntry {
        errors: if asked.sees_everything() { errors } else { 0 },
        kept: count(&numbers.kept),
        environment: commit.environment.as_str().into(),
        standing: CommitStanding::of(commit, head),
        commit: CommitLine::of(commit, asked),
        committed: commit.committed_at.map(|at| When::seen(at, asked.now)),
        running: Tally { count: count(&numbers.running), href: filter.address() },
    }
}

/// A page of the commits, as the caller may see them.
///
/// # Errors
/// Returns an error if the store fails.
pub async fn view(asked: &PageRequest, which: CommitsQuery) -> Result<Commits, Error> {
    let environment = asked.state.server_view.environment().to_owned();
    let page = which.page.unwrap_or(1).clamp(1, MAX_PAGE);
    // One more than is shown, to tell whether there is a next page.
    let mut commits = asked.state.store.commits(environment, (page - 1) * PAGE, PAGE + 1).await?;
    let has_next = commits.len() > PAGE as usize;
    commits.truncate(PAGE as usize);
    let (head, members, asked) = (asked.head().await?, nodes::members(asked).await?, asked.clone());
    let state = asked.state.clone();
    let commits = state.apart(move || {
        let numbers = NodeCounts::of(&members);
        let entry = |(commit, errors): &(_, _)| entry((commit, *errors), head.as_ref(), &numbers, &asked);
        commits.iter().map(entry).collect()
    });
    let address = |page| if page == 1 { "/commits".to_owned() } else { format!("/commits?page={page}") };
    Ok(Commits {
        commits: commits.await?,
        previous: (page > 1).then(|| address(page - 1)),
        next: (has_next && page < MAX_PAGE).then(|| address(page + 1)),
    })
}

/// One commit, as the caller may see it.
///
/// # Errors
/// Returns an error if there is none, or if the store fails.
pub async fn view_one(asked: &PageRequest, id: &CommitId) -> Result<CommitPage, Error> {
    let (rows, head) = (asked.state.store.commit(id.clone()).await?, asked.head().await?);
    rows.first().into_iter().for_each(|row| request::is_of_commit(&row.id));
    let (members, asked, id) = (nodes::members(asked).await?, asked.clone(), id.clone());
    let state = asked.state.clone();
    state.apart(move || page_of(&id, &rows, head.as_ref(), &members, &asked)).await?
}

fn page_of(
    id: &CommitId,
    rows: &[CommitRow],
    head: Option<&EnvironmentHead>,
    members: &[Member],
    asked: &PageRequest,
) -> Result<CommitPage, Error> {
    let broken = rows.iter().find(|row| row.status == CommitStatus::Broken);
    // Even that there is an error in a commit that came into force would reveal something about the tenant who made it.
    let faulty = rows.iter().find(|row| asked.sees_everything() && !row.diagnostics.is_empty());
    let broken = broken.or(faulty);
    let numbers = NodeCounts::of(members);
    let entries: Vec<_> = rows.iter().map(|row| entry((row, row.errors()), head, &numbers, asked)).collect();
    let newest = entries.first().ok_or(Error::NotFound)?;
    let in_force = newest.standing == CommitStanding::InForce;
    let (running, others): (Vec<_>, Vec<_>) = members
        .iter()
        .filter(|member| member.runs_on().or(member.unknown_commit()).is_some())
        .partition(|member| member.runs_on() == Some(id));
    let behind = if in_force { others } else { Vec::new() };
    let lines = |members: &[&Member]| {
        members.iter().take(MAX_NAMED).map(|member| NodeLine::of(member, asked.now)).collect::<Vec<_>>()
    };
    Ok(CommitPage {
        id: id.clone(),
        broken: broken.map(|row| BrokenCommit::of(row, asked)),
        running_all: Tally {
            count: running.len(),
            href: Filter { commit: Some(id.to_string()), ..Filter::default() }.address(),
        },
        running: lines(&running),
        behind: lines(&behind),
        behind_count: behind.len(),
        entries,
    })
}

/// Shows a page of the list.
pub async fn show(
    asked: PageRequest,
    which: Result<web::Query<CommitsQuery>, actix_web::Error>,
) -> HttpResponse {
    let view = match which {
        Ok(which) => view(&asked, which.into_inner()).await,
        Err(error) => Err(Error::not_understood(&error)),
    };
    asked.answer(view).await
}

/// Shows one commit.
pub async fn show_one(asked: PageRequest, commit: web::Path<String>) -> HttpResponse {
    let view = view_one(&asked, &commit.into_inner().into()).await;
    asked.answer(view).await
}
