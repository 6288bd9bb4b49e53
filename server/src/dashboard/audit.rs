//! The audit log in pages, the newest entry first: for operators who see everything, and for nobody else there.

use actix_web::{HttpResponse, web};
use askama::Template;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::asked::Asked;
use super::page::{Error, Tab, View};
use super::text::{Shown, When};
use crate::repo;
use crate::store::audit::AuditRow;

/// So many are on a page.
const PAGE: u32 = 50;

/// A text of an entry takes no more than this of its page.
const MOST_TEXT: usize = 300;

/// Which page of the log.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Which {
    /// The entries before this one.
    pub before: Option<i64>,
}

/// An entry.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AuditEntry {
    /// Its place in the log, from 1.
    pub seq: i64,
    /// When.
    pub at: When,
    /// Who.
    pub actor: Shown,
    /// What.
    pub action: Shown,
    /// To what.
    pub object: Shown,
    /// The commit that it happened under.
    pub commit: Option<Shown>,
    /// The rest.
    pub detail: Option<Shown>,
}

/// The log.
#[derive(Debug, Serialize, JsonSchema, Template)]
#[template(path = "audit.html")]
pub struct Audit {
    /// Entries, the newest first.
    pub entries: Vec<AuditEntry>,
    /// The hash of the newest of them, which covers all before it.
    pub hash: Option<String>,
    /// The address of the newest entries, where these are others.
    pub previous: Option<String>,
    /// The address of older ones.
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

fn entry(row: &AuditRow, asked: &Asked) -> AuditEntry {
    let shown = |text: &str| Shown::from(text).short(MOST_TEXT);
    AuditEntry {
        seq: row.seq,
        at: When::seen(row.at, asked.now),
        actor: shown(&row.actor),
        action: shown(&row.action),
        object: shown(&row.object),
        commit: row.commit.as_deref().map(|commit| repo::short(commit).into()),
        detail: (!row.detail.is_empty()).then(|| shown(&row.detail)),
    }
}

/// The log as the caller may see it.
///
/// # Errors
/// To others than operators who see everything there is no such page; and where the store fails.
pub async fn view(asked: &Asked, which: Which) -> Result<Audit, Error> {
    if !asked.user.sees_the_audit_log() {
        return Err(Error::NotFound);
    }
    // One more than is shown tells whether there are older ones.
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

/// The log.
pub async fn show(asked: Asked, which: Result<web::Query<Which>, actix_web::Error>) -> HttpResponse {
    let view = match which {
        Ok(which) => view(&asked, which.into_inner()).await,
        Err(_) if !asked.user.sees_the_audit_log() => Err(Error::NotFound),
        Err(error) => Err(Error::not_understood(&error)),
    };
    asked.answer(view).await
}
