//! All machines with their states: those in the store, and those that are in the inventory but were never added. Pages,
//! metrics and the operators' commands all use it.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use holdfast_catalog::certname::Certname;
use holdfast_catalog::commit::CommitId;
use holdfast_catalog::report::{NOTES, Source};
use holdfast_catalog::state::{self, Judgement, Membership, NodeRecord, ResolvedFault, State};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnostic::Diagnostic;
use crate::repo::short;
use crate::store::fleet::{FleetRow, KeptBackRow, LastRunRow, RecentActivity};
use crate::store::node::{NodeId, NodeRow, NodeState, Tenancy};
use crate::store::user::UserScope;
use crate::store::{self, Store};

/// What a node is for, as the inventory has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Function")]
pub struct NodeFunction {
    pub role: String,
    pub stage: String,
    pub labels: BTreeMap<String, String>,
}

/// What has changed since an earlier commit kept a node back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBackUpdate {
    /// The commit in force.
    pub commit: CommitId,
    /// The commit that corrected the fault, if it is known to have been corrected.
    pub corrected_by: Option<CommitId>,
    /// When the node's next poll is due.
    pub next_poll: Option<Timestamp>,
}

/// What the commit in force has about machines.
pub trait InventoryView: Send + Sync {
    /// What a node at this place is for; `None` if the commit in force does not have it there. If the name belongs to
    /// another customer now, that is not for those who see this place.
    fn function(&self, node: &Certname, tenancy: &Tenancy) -> Option<NodeFunction>;

    /// All machines of the commit in force, each with its place.
    fn machines(&self) -> Vec<(Certname, Tenancy)>;

    /// The environment that the server follows.
    fn environment(&self) -> &str;

    /// When the node was last heard from, if the store does not have that yet.
    fn heard(&self, node: NodeId) -> Option<Timestamp>;

    /// Why the commit in force has no catalog for a node: found when the commit was judged, or because of its place in
    /// the inventory.
    fn broken(&self, node: &NodeRow) -> Option<KeptBackRow>;

    /// All problems that keep a node from a catalog, and the commit that has them.
    fn problems_of(&self, node: &NodeRow) -> Option<(CommitId, Vec<Diagnostic>)>;

    /// What has changed since an earlier commit kept a node back; `None` if it is the commit in force that keeps it back.
    fn since(&self, node: &NodeRow, kept_back: &KeptBackRow) -> Option<KeptBackUpdate>;
}

/// The note of a run that had no catalog, where the reason is shown beside it.
const NO_CATALOG: &str = "no catalog was available";

/// A machine with its function and its state.
#[derive(Debug, Clone)]
pub struct Member {
    pub certname: Certname,
    pub tenancy: Tenancy,
    /// Its row in the store; `None` if it was never added.
    pub row: Option<FleetRow>,
    pub function: Option<NodeFunction>,
    /// Why it has no new catalog, as found by its poll or when the commit was judged.
    pub kept_back: Option<KeptBackRow>,
    /// Its state, and the reason.
    pub judgement: Judgement,
}

impl Member {
    /// Its state.
    pub fn state(&self) -> State {
        self.judgement.state
    }

    /// When it was last heard from.
    pub fn seen(&self) -> Option<Timestamp> {
        self.row.as_ref()?.node.seen_at
    }

    /// The commit that it reported to run on, if this server knows that commit.
    pub fn runs_on(&self) -> Option<&CommitId> {
        self.row.as_ref().filter(|row| row.knows_commit)?.node.runs_on.as_ref()
    }

    /// The commit that it reported to run on, if this server does not know that commit. A machine may report anything,
    /// and a store that was restored does not have the commits since its backup.
    pub fn unknown_commit(&self) -> Option<&CommitId> {
        self.row.as_ref().filter(|row| !row.knows_commit)?.node.runs_on.as_ref()
    }

    /// The result of its last run.
    pub fn last(&self) -> Option<&LastRunRow> {
        self.row.as_ref()?.last.as_ref()
    }

    /// The latest events of the node: when something last changed, drifted or failed.
    pub fn lately(&self) -> RecentActivity {
        self.row.as_ref().map_or_else(RecentActivity::default, |row| row.lately)
    }

    /// Until when its newest certificate is valid.
    pub fn certificate_until(&self) -> Option<Timestamp> {
        self.row.as_ref()?.certificate_until
    }

    /// Whether it is enrolled: only then does it matter if it is silent.
    pub fn is_in_service(&self) -> bool {
        self.row.as_ref().is_some_and(|row| row.node.state == NodeState::Enrolled)
    }

    /// Its role, if it is in the inventory.
    pub fn role(&self) -> Option<&str> {
        self.function.as_ref().map(|function| function.role.as_str())
    }
}

/// Which machines to look at, and at what time.
#[derive(Debug, Clone)]
pub struct FleetQuery {
    /// Only nodes in this scope.
    pub scope: UserScope,
    pub only: Option<NodeId>,
    pub now: Timestamp,
    /// The time between two polls of an agent.
    pub interval: Duration,
}

/// All machines of a scope by name, or one node.
///
/// # Errors
/// Returns an error if the store fails.
pub async fn members(
    store: &Store,
    inventory: &(impl InventoryView + ?Sized),
    look: FleetQuery,
) -> store::Result<Vec<Member>> {
    let environment = inventory.environment().to_owned();
    let rows = store.fleet(look.scope.clone(), look.only, environment).await?;
    Ok(judged(rows, inventory, &look))
}

/// The machines of these rows, and those of the inventory that were never added.
pub fn judged(
    rows: Vec<FleetRow>,
    inventory: &(impl InventoryView + ?Sized),
    look: &FleetQuery,
) -> Vec<Member> {
    let mut members: Vec<Member> = rows.into_iter().map(|row| of_row(row, inventory, look)).collect();
    if look.only.is_none() {
        let added: HashSet<&Certname> = members.iter().map(|member| &member.certname).collect();
        let missing: Vec<_> = inventory
            .machines()
            .into_iter()
            .filter(|(certname, tenancy)| look.scope.covers(tenancy) && !added.contains(certname))
            .collect();
        members.extend(
            missing.into_iter().map(|(certname, tenancy)| nobody_added(certname, tenancy, inventory, look)),
        );
        // Both parts are sorted already, so this sort costs almost nothing.
        members.sort_by(|a, b| a.certname.cmp(&b.certname));
    }
    members
}

fn of_row(mut row: FleetRow, inventory: &(impl InventoryView + ?Sized), look: &FleetQuery) -> Member {
    row.node.seen_at = row.node.seen_at.max(inventory.heard(row.node.id));
    let kept_back = kept_back(&row, inventory);
    let since = kept_back.as_ref().and_then(|kept_back| inventory.since(&row.node, kept_back));
    let is_corrected = since.as_ref().is_some_and(|since| since.corrected_by.is_some());
    let refused = row.refused.filter(|refused| row.node.seen_at.is_none_or(|seen| seen < *refused));
    let refused = refused.filter(|_| row.node.state == NodeState::Enrolled);
    let known = known(&row, kept_back.as_ref().map(|kept_back| (kept_back, since.as_ref())), look.now);
    let judgement = state::judge(&known, look.now, look.interval);
    Member {
        certname: row.node.certname.clone(),
        tenancy: row.node.tenancy.clone(),
        function: inventory.function(&row.node.certname, &row.node.tenancy),
        judgement: match refused {
            Some(at) => of_refused(at, &judgement, look.now),
            None => judgement,
        },
        kept_back: kept_back.filter(|_| !is_corrected),
        row: Some(row),
    }
}

/// The state of a node for which someone showed a certificate that had been replaced, if the node itself was not
/// admitted since. Until its own next poll, it is unknown whether that was the machine or someone else.
fn of_refused(at: Timestamp, rest: &Judgement, now: Timestamp) -> Judgement {
    let ago = state::span(now.duration_since(at));
    let words = format!(
        "a replaced certificate of this node was presented {ago} ago, and refused: if the node does not poll again by \
         itself, it was restored from a copy and needs a new join string; if it does, someone else has a copy of it"
    );
    match rest.state {
        State::InOrder => Judgement { state: State::KeptBack, reason: words },
        state if state > State::KeptBack => {
            Judgement { state: State::KeptBack, reason: format!("{words}; {}", rest.reason) }
        }
        state => Judgement { state, reason: format!("{}; {words}", rest.reason) },
    }
}

/// The words for a node that nothing keeps back any more but that has not polled since; `None` otherwise.
fn waiting(since: &KeptBackUpdate, now: Timestamp) -> Option<String> {
    let commit = short(since.corrected_by.as_ref()?);
    let due = match since.next_poll {
        Some(at) if at > now => format!("due in {}", state::span(at.duration_since(now))),
        _ => "due now".to_owned(),
    };
    Some(format!("corrected by commit {commit}; its next poll is {due}"))
}

fn nobody_added(
    certname: Certname,
    tenancy: Tenancy,
    inventory: &(impl InventoryView + ?Sized),
    look: &FleetQuery,
) -> Member {
    let known = NodeRecord {
        standing: Membership::NotAdded,
        heard: None,
        kept_back: None,
        corrected: None,
        last: None,
        drifted: None,
        changed: None,
    };
    Member {
        function: inventory.function(&certname, &tenancy),
        judgement: state::judge(&known, look.now, look.interval),
        row: None,
        kept_back: None,
        certname,
        tenancy,
    }
}

/// Why a node was kept back at its last poll, or else why it will be at the next.
fn kept_back(row: &FleetRow, inventory: &(impl InventoryView + ?Sized)) -> Option<KeptBackRow> {
    let is_newer = |judged: &KeptBackRow| {
        let is_of = |commit: &CommitId| *commit == judged.commit;
        let last = row.last.as_ref().filter(|last| last.source == Source::Server);
        let has_run = last.and_then(|last| last.commit.as_ref()).is_some_and(is_of);
        let has_polled = row.kept_back.as_ref().is_some_and(|polled| is_of(&polled.commit));
        !has_run && !has_polled
    };
    inventory.broken(&row.node).filter(is_newer).or_else(|| row.kept_back.clone())
}

fn known(
    row: &FleetRow,
    kept_back: Option<(&KeptBackRow, Option<&KeptBackUpdate>)>,
    now: Timestamp,
) -> NodeRecord {
    let waiting = kept_back.and_then(|(_, since)| waiting(since?, now));
    let is_told = |last: &LastRunRow| kept_back.is_some_and(|(kept_back, _)| says_the_same(last, kept_back));
    let explains_last = row.last.as_ref().is_some_and(is_told);
    let last = |last: &LastRunRow| {
        let error = match (is_told(last), &last.besides) {
            (false, _) => last.error.clone(),
            // The reason is shown beside it, and there is a catalog again.
            (true, besides) if waiting.is_none() && !last.took_place() => Some(match besides {
                Some(besides) => format!("{NO_CATALOG}{NOTES}{besides}"),
                None => NO_CATALOG.to_owned(),
            }),
            (true, besides) => besides.clone(),
        };
        state::LastRun {
            at: last.received_at,
            source: last.source,
            took_place: last.took_place(),
            counts: last.counts,
            error,
        }
    };
    NodeRecord {
        standing: match row.node.state {
            NodeState::Revoked => Membership::Revoked,
            NodeState::Added | NodeState::Enrolled | NodeState::Gone => Membership::Added,
        },
        heard: row.node.seen_at,
        kept_back: kept_back.filter(|_| waiting.is_none()).map(|(kept_back, since)| why(kept_back, since)),
        last: row.last.as_ref().map(last),
        corrected: waiting.map(|words| ResolvedFault { words, explains_last }),
        drifted: row.lately.drifted,
        changed: row.lately.changed,
    }
}

/// Whether what a run said of its catalog is what kept the node back: that is said beside it, and better.
fn says_the_same(last: &LastRunRow, kept_back: &KeptBackRow) -> bool {
    last.refused_commit.as_ref() == Some(&kept_back.commit)
}

/// The reason to show. A wrong place in the inventory is not counted as an error in the node's data.
fn why(row: &KeptBackRow, since: Option<&KeptBackUpdate>) -> state::KeptBack {
    let commit = short(&row.commit);
    let file = row.file.as_ref().map(|file| format!("{file}: ")).unwrap_or_default();
    let more = match row.errors.saturating_sub(1) {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let later = since.map(|since| {
        format!(
            "commit {} has come into force since then, and the next poll shows more; ",
            short(&since.commit)
        )
    });
    state::KeptBack {
        broken: !row.is_of_place(),
        why: format!(
            "{}no new catalog at commit {commit}: {file}{}{more}",
            later.unwrap_or_default(),
            row.message
        ),
    }
}
