//! The audit log in pages, newest entry first, for operators who see everything; for anyone else the page does not exist.

use actix_web::{HttpResponse, web};
use askama::Template;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::page::{Error, Tab, View};
use super::page_request::PageRequest;
use super::text::{Shown, When};
use crate::repo;
use crate::store::audit::AuditRow;

/// The most entries on a page.
const PAGE: u32 = 50;

/// The most that a text of an entry takes on the page.
const MAX_TEXT: usize = 300;

/// Which page of the log.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Which")]
pub struct AuditQuery {
    /// Only entries before this one, given by its place.
    pub before: Option<i64>,
}

/// An entry of the log.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditEntry")]
pub struct AuditLine {
    /// Its place in the log, counted from 1.
    pub seq: i64,
    /// When it happened.
    pub at: When,
    /// Who did it.
    pub actor: Shown,
    /// What was done.
    pub action: Shown,
    /// The object that it was done to.
    pub object: Shown,
    /// The commit that was in force.
    pub commit: Option<Shown>,
    /// Details for people.
    pub detail: Option<Shown>,
}

/// A page of the log.
#[derive(Debug, Serialize, JsonSchema, Template)]
#[template(path = "audit.html")]
pub struct Audit {
    /// The entries, newest first.
    pub entries: Vec<AuditLine>,
    /// The hash of the newest entry on the page, which covers all entries before it.
    pub hash: Option<String>,
    /// The address of the newest entries, unless this page has them.
    pub previous: Option<String>,
    /// The address of the page with older entries.
    pub next: Option<String>,
}

impl View for Audit {
    fn title(&self) -> String {
        "Audit log".to_owned()
    }
    fn tab(&self) -> Tab {
        Tab::Audit
    }
}

fn entry(row: &AuditRow, asked: &PageRequest) -> AuditLine {
    let shown = |text: &str| Shown::from(text).short(MAX_TEXT);
    AuditLine {
        seq: row.seq,
        at: When::seen(row.at, asked.now),
        actor: shown(&row.actor),
        action: shown(&row.action),
        object: shown(&row.object),
        commit: row.commit.as_ref().map(|commit| repo::short(commit).into()),
        detail: (!row.detail.is_empty()).then(|| shown(&row.detail)),
    }
}

/// A page of the log, as the caller may see it.
///
/// # Errors
/// Returns that there is no such page unless the caller is an operator who sees everything, or returns an error if the
/// store fails.
pub async fn view(asked: &PageRequest, which: AuditQuery) -> Result<Audit, Error> {
    if !asked.user.sees_the_audit_log() {
        return Err(Error::NotFound);
    }
    // One more than is shown, to tell whether there are older ones.
    let before = which.before.unwrap_or(i64::MAX);
    let mut rows = asked.state.store.audit_before(before, PAGE + 1).await?;
    let has_older = rows.len() > PAGE as usize;
    rows.truncate(PAGE as usize);
    let older = rows.last().filter(|_| has_older).map(|row| format!("/audit?before={}", row.seq));
    let (state, asked) = (asked.state.clone(), asked.clone());
    let arranged = move || Audit {
        hash: rows.first().map(AuditRow::hash),
        entries: rows.iter().map(|row| entry(row, &asked)).collect(),
        previous: which.before.map(|_| "/audit".to_owned()),
        next: older,
    };
    state.apart(arranged).await
}

/// Shows a page of the log.
pub async fn show(
    asked: PageRequest,
    which: Result<web::Query<AuditQuery>, actix_web::Error>,
) -> HttpResponse {
    let view = match which {
        Ok(which) => view(&asked, which.into_inner()).await,
        Err(_) if !asked.user.sees_the_audit_log() => Err(Error::NotFound),
        Err(error) => Err(Error::not_understood(&error)),
    };
    asked.answer(view).await
}
