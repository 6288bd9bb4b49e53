//! All nodes at once, with everything that pages and lists count, sort and filter by. It is one query, so that a number
//! and its list agree. It reads no events and no history: what these mean for a node is stored with the node when its
//! report arrives.

use holdfast_catalog::commit::CommitId;
use holdfast_catalog::report::{Counts, Mode, Source, took_place};
use holdfast_catalog::run::RunId;
use jiff::Timestamp;
use rusqlite::{Row, params};

use super::node::{self, NodeId, NodeRow};
use super::user::UserScope;
use super::{Result, Store, from_word, parsed, time};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::language::problems::total;

/// A node and its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetRow {
    pub node: NodeRow,
    /// The result of its last run.
    pub last: Option<LastRunRow>,
    /// Why it has no new catalog.
    pub kept_back: Option<KeptBackRow>,
    /// Until when its newest certificate is valid.
    pub certificate_until: Option<Timestamp>,
    /// When something last happened to it.
    pub lately: RecentActivity,
    /// Whether this server knows the commit that the node reported to run on.
    pub knows_commit: bool,
    /// When a certificate of it that had been replaced was last refused.
    pub refused: Option<Timestamp>,
}

/// The result of a node's last run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRunRow {
    /// The agent's id of the run, by which its report is found.
    pub run: Option<RunId>,
    /// When its report arrived.
    pub received_at: Timestamp,
    pub mode: Mode,
    /// Where the catalog came from.
    pub source: Source,
    /// The commit that it used.
    pub commit: Option<CommitId>,
    /// The number of resources by outcome.
    pub counts: Counts,
    /// The beginning of the reason why there was no run, or why it used an old catalog.
    pub error: Option<String>,
    /// The commit that had no catalog for it, as it was told.
    pub refused_commit: Option<CommitId>,
    /// The beginning of what it noted beside that.
    pub besides: Option<String>,
}

impl LastRunRow {
    /// Whether the run took place.
    pub fn took_place(&self) -> bool {
        took_place(self.commit.as_ref())
    }
}

/// Why a node has no new catalog, in short form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBackRow {
    /// The commit that it does not get.
    pub commit: CommitId,
    /// The file of the first error.
    pub file: Option<String>,
    /// The code of the first error.
    pub code: Option<Code>,
    /// The message of the first error.
    pub message: String,
    /// The number of errors.
    pub errors: u32,
}

impl KeptBackRow {
    /// Whether the reason is the node's place in the inventory, and not its own data.
    pub fn is_of_place(&self) -> bool {
        matches!(self.code, Some(Code::NotInInventory | Code::PlaceDisagrees))
    }

    /// Makes the short form.
    pub fn of(commit: &CommitId, problems: &[Diagnostic]) -> Self {
        let is_error = |problem: &&Diagnostic| problem.severity == Severity::Error;
        let first = problems.iter().find(is_error).or(problems.first());
        Self {
            commit: commit.clone(),
            file: first.and_then(|first| first.origin.as_ref()).map(|origin| origin.file.to_string()),
            code: first.map(|first| first.code),
            message: first.map(|first| first.message.clone()).unwrap_or_default(),
            errors: u32::try_from(total(problems)).unwrap_or(u32::MAX),
        }
    }
}

/// When something last happened to a node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecentActivity {
    pub drifted: Option<Timestamp>,
    /// When something was changed that was not drift.
    pub changed: Option<Timestamp>,
    pub failed: Option<Timestamp>,
}

/// The columns after those of the node.
const COLUMNS: &str = "last_run.received_at, last_run.mode, last_run.source, last_run.commit_id, last_run.total,
   last_run.unchanged, last_run.changed, last_run.corrective, last_run.would_change, last_run.failed, last_run.skipped,
   last_run.not_applicable, last_run.\"off\", last_run.refreshed, last_run.dropped, last_run.error,
   compile_error.commit_id, compile_error.code, compile_error.message, compile_error.errors,
   (SELECT max(not_after) FROM certificate WHERE certificate.node = node.id AND certificate.retired_at IS NULL),
   node.drifted_at, node.changed_at, node.failed_at, compile_error.file,
   EXISTS (SELECT 1 FROM commit_seen WHERE commit_seen.id = node.runs_on), node.refused_at, last_run.run,
   last_run.refused_commit, last_run.besides, last_run.would_refresh";

/// Only the conditions that are needed are in the query: an optional one would be tried on all nodes. All nodes are
/// read in the order of the table, which is also that of their last runs, and sorted afterwards: by the index of names,
/// each would be far from the next.
pub(super) fn sql(scope: &UserScope, only: Option<NodeId>) -> String {
    let whose = match scope {
        UserScope::Everything => "",
        UserScope::Reseller(_) => "AND node.reseller = ?1",
        UserScope::Customer(_) => "AND node.reseller = ?1 AND node.customer = ?2",
    };
    let which = if only.is_some() { "AND node.id = ?3" } else { "" };
    let walk = if *scope == UserScope::Everything { "NOT INDEXED" } else { "" };
    format!(
        "SELECT {}, {COLUMNS}
         FROM node {walk} LEFT JOIN last_run ON last_run.node = node.id
           LEFT JOIN compile_error ON compile_error.node = node.id AND compile_error.environment = ?4
         WHERE node.state <> 'gone' {whose} {which}",
        node::COLUMNS
    )
}

impl Store {
    /// All living nodes of a scope by name, or one of them. The reason why a node has no new catalog is that in the
    /// environment.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn fleet(
        &self,
        scope: UserScope,
        only: Option<NodeId>,
        environment: String,
    ) -> Result<Vec<FleetRow>> {
        self.read(move |connection| {
            let (reseller, customer) = match &scope {
                UserScope::Everything => (None, None),
                UserScope::Reseller(reseller) => (Some(reseller.as_str()), None),
                UserScope::Customer(tenancy) => {
                    (Some(tenancy.reseller.as_str()), Some(tenancy.customer.as_str()))
                }
            };
            let mut statement = connection.prepare_cached(&sql(&scope, only))?;
            let mut rows =
                statement.query(params![reseller, customer, only.map(|node| node.0), environment])?;
            let mut fleet = Vec::new();
            while let Some(row) = rows.next()? {
                fleet.push(read(row)?);
            }
            fleet.sort_by(|a, b| a.node.certname.cmp(&b.node.certname));
            Ok(fleet)
        })
        .await
    }
}

/// The index of the first column after those of the node.
const FIRST: usize = 11;

fn read(row: &Row<'_>) -> Result<FleetRow> {
    let maybe_time = |index: usize| row.get::<_, Option<i64>>(FIRST + index)?.map(time).transpose();
    let kept_back = row.get::<_, Option<String>>(FIRST + 16)?.map(|commit| kept_back(row, commit.into()));
    Ok(FleetRow {
        node: node::read(row)?,
        last: maybe_time(0)?.map(|received_at| last_run(row, received_at)).transpose()?,
        kept_back: kept_back.transpose()?,
        certificate_until: maybe_time(20)?,
        lately: RecentActivity {
            drifted: maybe_time(21)?,
            changed: maybe_time(22)?,
            failed: maybe_time(23)?,
        },
        knows_commit: row.get(FIRST + 25)?,
        refused: maybe_time(26)?,
    })
}

fn last_run(row: &Row<'_>, received_at: Timestamp) -> Result<LastRunRow> {
    let count = |index: usize| row.get::<_, u32>(FIRST + index);
    Ok(LastRunRow {
        run: row.get::<_, Option<String>>(FIRST + 27)?.map(|run| parsed("run's id", &run)).transpose()?,
        received_at,
        mode: from_word("report's mode", row.get(FIRST + 1)?)?,
        source: from_word("report's source", row.get(FIRST + 2)?)?,
        commit: row.get::<_, Option<String>>(FIRST + 3)?.map(CommitId::from),
        counts: Counts {
            total: count(4)?,
            unchanged: count(5)?,
            changed: count(6)?,
            corrective: count(7)?,
            would_change: count(8)?,
            failed: count(9)?,
            skipped: count(10)?,
            not_applicable: count(11)?,
            off: count(12)?,
            refreshed: count(13)?,
            would_refresh: count(30)?,
            dropped: count(14)?,
        },
        error: row.get(FIRST + 15)?,
        refused_commit: row.get::<_, Option<String>>(FIRST + 28)?.map(CommitId::from),
        besides: row.get(FIRST + 29)?,
    })
}

fn kept_back(row: &Row<'_>, commit: CommitId) -> Result<KeptBackRow> {
    Ok(KeptBackRow {
        commit,
        file: row.get(FIRST + 24)?,
        code: Code::parse(&row.get::<_, String>(FIRST + 17)?),
        message: row.get(FIRST + 18)?,
        errors: row.get(FIRST + 19)?,
    })
}
