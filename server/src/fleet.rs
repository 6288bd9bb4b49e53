//! All machines, each with how it is: those of the store, and those of the inventory that nobody added. Pages, numbers
//! and the operators' commands say it from here.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use holdfast_catalog::certname::Certname;
use holdfast_catalog::state::{self, Judgement, Known, Standing, State};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::store::fleet::{FleetRow, KeptBack, LastRun, Lately};
use crate::store::node::{NodeId, NodeState, Place};
use crate::store::user::Scope;
use crate::store::{self, Store};

/// What a node is for, as the inventory says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Function {
    /// Its role.
    pub role: String,
    /// Its stage.
    pub stage: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// What the commit in force says of machines.
pub trait Inventory: Send + Sync {
    /// What a node of this place is for; none where the commit in force does not have it there: what another customer
    /// makes of the name is no affair of those who see this place.
    fn function(&self, node: &Certname, place: &Place) -> Option<Function>;

    /// All machines of the commit in force, with whose they are.
    fn machines(&self) -> Vec<(Certname, Place)>;

    /// The environment that is followed.
    fn environment(&self) -> &str;
}

/// A machine with what it is for and how it is.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its name.
    pub certname: Certname,
    /// Whose it is.
    pub place: Place,
    /// What the store knows; none where nobody added it.
    pub row: Option<FleetRow>,
    /// From the inventory.
    pub function: Option<Function>,
    /// How it is, and why.
    pub judgement: Judgement,
}

impl Member {
    /// How it is.
    pub fn state(&self) -> State {
        self.judgement.state
    }

    /// When it was last heard from.
    pub fn seen(&self) -> Option<Timestamp> {
        self.row.as_ref()?.node.seen_at
    }

    /// The commit that it runs on, as it reported.
    pub fn runs_on(&self) -> Option<&str> {
        self.row.as_ref()?.node.runs_on.as_deref()
    }

    /// How its last run ended.
    pub fn last(&self) -> Option<&LastRun> {
        self.row.as_ref()?.last.as_ref()
    }

    /// What last happened to it.
    pub fn lately(&self) -> Lately {
        self.row.as_ref().map_or_else(Lately::default, |row| row.lately)
    }

    /// Until when its newest certificate is valid.
    pub fn certificate_until(&self) -> Option<Timestamp> {
        self.row.as_ref()?.certificate_until
    }

    /// Its role, where the inventory has it.
    pub fn role(&self) -> Option<&str> {
        self.function.as_ref().map(|function| function.role.as_str())
    }
}

/// Whom to look at, and when.
#[derive(Debug, Clone)]
pub struct Look {
    /// Whose nodes are seen.
    pub scope: Scope,
    /// One node alone.
    pub only: Option<NodeId>,
    /// The time.
    pub now: Timestamp,
    /// How far apart agents poll.
    pub interval: Duration,
}

/// All machines of a scope by name, or one node.
///
/// # Errors
/// Where the store fails.
pub async fn members(
    store: &Store,
    inventory: &(impl Inventory + ?Sized),
    look: Look,
) -> store::Result<Vec<Member>> {
    let environment = inventory.environment().to_owned();
    let rows = store.fleet(look.scope.clone(), look.only, environment).await?;
    Ok(judged(rows, inventory, &look))
}

/// The machines of these rows, and those of the inventory that nobody added.
pub fn judged(rows: Vec<FleetRow>, inventory: &(impl Inventory + ?Sized), look: &Look) -> Vec<Member> {
    let mut members: Vec<Member> = rows.into_iter().map(|row| of_row(row, inventory, look)).collect();
    if look.only.is_none() {
        let added: HashSet<&Certname> = members.iter().map(|member| &member.certname).collect();
        let missing: Vec<_> = inventory
            .machines()
            .into_iter()
            .filter(|(certname, place)| look.scope.covers(place) && !added.contains(certname))
            .collect();
        members.extend(
            missing.into_iter().map(|(certname, place)| nobody_added(certname, place, inventory, look)),
        );
        // Both parts are in this order already, which costs such a sort next to nothing.
        members.sort_by(|a, b| a.certname.cmp(&b.certname));
    }
    members
}

fn of_row(row: FleetRow, inventory: &(impl Inventory + ?Sized), look: &Look) -> Member {
    Member {
        certname: row.node.certname.clone(),
        place: row.node.place.clone(),
        function: inventory.function(&row.node.certname, &row.node.place),
        judgement: state::judge(&known(&row), look.now, look.interval),
        row: Some(row),
    }
}

fn nobody_added(
    certname: Certname,
    place: Place,
    inventory: &(impl Inventory + ?Sized),
    look: &Look,
) -> Member {
    let known = Known {
        standing: Standing::NotAdded,
        heard: None,
        kept_back: None,
        last: None,
        drifted: None,
        changed: None,
    };
    Member {
        function: inventory.function(&certname, &place),
        judgement: state::judge(&known, look.now, look.interval),
        row: None,
        certname,
        place,
    }
}

fn known(row: &FleetRow) -> Known {
    let last = |last: &LastRun| state::LastRun {
        at: last.received_at,
        source: last.source,
        counts: last.counts,
        error: last.error.clone(),
    };
    Known {
        standing: match row.node.state {
            NodeState::Revoked => Standing::Revoked,
            NodeState::Added | NodeState::Enrolled | NodeState::Gone => Standing::Added,
        },
        heard: row.node.seen_at,
        kept_back: row.kept_back.as_ref().map(kept_back),
        last: row.last.as_ref().map(last),
        drifted: row.lately.drifted,
        changed: row.lately.changed,
    }
}

/// What the inventory says of a node's place is no error of its data.
fn kept_back(row: &KeptBack) -> state::KeptBack {
    let commit: String = row.commit.chars().take(10).collect();
    let more = match row.errors.saturating_sub(1) {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    state::KeptBack {
        broken: !matches!(row.code.as_str(), "not-in-inventory" | "place-disagrees"),
        why: format!("no new catalog at commit {commit}: {}{more}", row.message),
    }
}
