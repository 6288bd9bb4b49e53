//! Commits that reached the server, and one of them: who runs it, and what is wrong with it.

use actix_web::{HttpResponse, web};
use askama::Template;
use schemars::JsonSchema;
use serde::Serialize;

use super::asked::Asked;
use super::badge::Badge;
use super::filter::Filter;
use super::nodes::{self, NodeLine};
use super::overview::{BrokenCommit, CommitLine, Tally};
use super::page::{Error, Tab, View};
use super::text::{self, Shown, When};
use crate::fleet::Member;
use crate::store::commit::{CommitRow, CommitStatus, Head};

/// So many are listed.
const LISTED: u32 = 100;

/// So many nodes of one are named.
const NAMED: usize = 20;

/// Where a commit stands in its environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It is the last good one.
    InForce,
    /// It was, or never had to be.
    Earlier,
    /// It has errors.
    Broken,
}

impl Standing {
    fn of(commit: &CommitRow, head: Option<&Head>) -> Self {
        let in_force = |head: &Head| {
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

/// A commit of an environment.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Entry {
    /// The environment.
    pub environment: Shown,
    /// Where it stands.
    pub standing: Standing,
    /// The commit.
    pub commit: CommitLine,
    /// When it was made.
    pub committed: Option<When>,
    /// Nodes that run it, as they reported.
    pub running: Tally,
}

/// The list.
#[derive(Debug, Serialize, JsonSchema, Template)]
#[template(path = "commits.html")]
pub struct Commits {
    /// The commits, newest first.
    pub commits: Vec<Entry>,
}

impl View for Commits {
    fn title(&self) -> String {
        "Commits".to_owned()
    }
    fn tab(&self) -> Tab {
        Tab::Commits
    }
}

/// One commit.
#[derive(Debug, Serialize, JsonSchema, Template)]
#[template(path = "commit.html")]
pub struct CommitPage {
    /// Its whole hash.
    pub id: String,
    /// Where it stands, in each environment that it reached.
    pub entries: Vec<Entry>,
    /// What is wrong with it.
    pub broken: Option<BrokenCommit>,
    /// Some of the nodes that run it.
    pub running: Vec<NodeLine>,
    /// Some of the nodes that run another, where it is in force.
    pub behind: Vec<NodeLine>,
    /// How many there are of those.
    pub behind_count: usize,
}

impl View for CommitPage {
    fn title(&self) -> String {
        format!("Commit {}", self.id.chars().take(10).collect::<String>())
    }
    fn tab(&self) -> Tab {
        Tab::Commits
    }
}

fn entry(commit: &CommitRow, head: Option<&Head>, members: &[Member], asked: &Asked) -> Entry {
    let filter = Filter { commit: Some(commit.id.clone()), ..Filter::default() };
    Entry {
        environment: commit.environment.as_str().into(),
        standing: Standing::of(commit, head),
        commit: CommitLine::of(commit, asked),
        committed: commit.committed_at.map(|at| When::seen(at, asked.now)),
        running: Tally {
            count: members.iter().filter(|member| filter.takes(member, asked.now)).count(),
            href: filter.address(),
        },
    }
}

/// The commits as the caller may see them.
///
/// # Errors
/// Where the store fails.
pub async fn view(asked: &Asked) -> Result<Commits, Error> {
    let environment = asked.state.estate.environment().to_owned();
    let (commits, head) = (asked.state.store.commits(environment, LISTED).await?, asked.head().await?);
    let members = nodes::members(asked, None).await?;
    let entry = |commit| entry(commit, head.as_ref(), &members, asked);
    Ok(Commits { commits: commits.iter().map(entry).collect() })
}

/// One commit as the caller may see it.
///
/// # Errors
/// Where there is none, or the store fails.
pub async fn view_one(asked: &Asked, id: &str) -> Result<CommitPage, Error> {
    let (rows, head) = (asked.state.store.commit(id.to_owned()).await?, asked.head().await?);
    let members = nodes::members(asked, None).await?;
    let broken = rows.iter().find(|row| row.status == CommitStatus::Broken);
    let broken = broken.or(rows.iter().find(|row| !row.diagnostics.is_empty()));
    let entries: Vec<_> = rows.iter().map(|row| entry(row, head.as_ref(), &members, asked)).collect();
    let newest = entries.first().ok_or(Error::NotFound)?;
    let in_force = newest.standing == Standing::InForce;
    let (running, others): (Vec<_>, Vec<_>) = members
        .iter()
        .filter(|member| member.runs_on().is_some())
        .partition(|member| member.runs_on() == Some(id));
    let behind = if in_force { others } else { Vec::new() };
    let lines = |members: &[&Member]| {
        members.iter().take(NAMED).map(|member| NodeLine::of(member, asked.now)).collect::<Vec<_>>()
    };
    Ok(CommitPage {
        id: id.to_owned(),
        broken: broken.map(|row| BrokenCommit::of(row, asked)),
        running: lines(&running),
        behind: lines(&behind),
        behind_count: behind.len(),
        entries,
    })
}

/// The list.
pub async fn show(asked: Asked) -> HttpResponse {
    let view = view(&asked).await;
    asked.answer(view)
}

/// One commit.
pub async fn show_one(asked: Asked, commit: web::Path<String>) -> HttpResponse {
    let view = view_one(&asked, &commit).await;
    asked.answer(view)
}
