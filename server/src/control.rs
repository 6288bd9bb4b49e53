//! The running state: which commit is in force, what each node was last given, and who listens for changes.
//!
//! A commit comes into force only after it was checked. If it is broken, the last good one stays in force and the error
//! is reported. Answers that can come from memory never touch the store.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use holdfast_catalog::certname::Certname;
use holdfast_catalog::commit::CommitId;
use holdfast_catalog::hash::ContentHash;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::broadcast;

use crate::check::{CheckFindings, check};
use crate::compile::Program;
use crate::identity::{Caller, token};
use crate::inventory::Departures;
use crate::metrics::Metrics;
use crate::repo::{History, LookCounts, PokeHandle, Snapshot, SnapshotCache};
use crate::store::Store;
use crate::store::commit::CommitRow;
use crate::store::node::{NodeId, Tenancy};

mod commit;
mod follow;
mod delivery;
mod inventory;
mod last_contacts;
mod slots;

#[cfg(test)]
mod fixture;

pub use commit::CommitOutcome;

pub mod poll; // polls: which catalog a node gets
pub mod report; // reports of runs
pub mod slot; // when each node polls

/// How often what waits in memory is written to the store.
const PAUSE: Duration = Duration::from_secs(5);

/// The settings of the running state.
#[derive(Debug, Clone)]
pub struct ControlConfig {
    /// The time between two polls of a node.
    pub interval: Duration,
    /// The environment's name: the branch, or `directory`.
    pub environment: String,
    /// How many compiles may run at once.
    pub compiles: usize,
    /// Where the last good state is kept, for a directory that has no history.
    pub kept: Option<SnapshotCache>,
}

/// An event that open pages may want to show at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "happening", rename_all = "kebab-case")]
pub enum StateChange {
    /// A commit came into force.
    CommitTaken { commit: CommitId },
    /// A commit has errors and did not come into force.
    CommitBroken { commit: CommitId },
    /// The repository, which could be read before, cannot be read.
    RepositoryUnreadable,
    /// The repository can be read again.
    RepositoryReadable,
    /// A node was added, moved, revoked or removed, or got a certificate.
    NodeChanged { certname: Certname, tenancy: Tenancy },
    /// A node got another answer to its poll than last time, or could not be given one.
    CatalogChanged { certname: Certname, tenancy: Tenancy },
    /// A report was stored.
    ReportStored { certname: Certname, tenancy: Tenancy, report: i64 },
}

/// Why the repository cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryFailure {
    pub since: Timestamp,
    pub why: String,
}

/// The commit in force.
pub struct CommitInForce {
    program: Program,
    /// The result of its check, from before it came into force or from when it is first needed.
    checked: OnceLock<CheckFindings>,
    /// The nodes that an earlier commit broke, each with the commit that corrected it.
    corrected: CorrectedNodes,
    /// The machines that it removed, compared with the commit before it.
    leaving: Departures,
    /// Static files by hash, for nodes whose catalog was compiled before the server was last started.
    contents: HashMap<ContentHash, Arc<[u8]>>,
}

/// Nodes that compile again, each with the commit since which they do.
type CorrectedNodes = BTreeMap<Certname, CommitId>;

impl CommitInForce {
    fn new(
        program: Program,
        checked: OnceLock<CheckFindings>,
        corrected: CorrectedNodes,
        leaving: Departures,
    ) -> Self {
        let files = program.snapshot().under("modules");
        let contents = files.map(|(_, file)| (file.hash().clone(), file.bytes().clone())).collect();
        Self { program, checked, corrected, leaving, contents }
    }

    /// The result of its check. If it is not known yet, every node is compiled, so the threads that answer must not
    /// call this.
    pub fn checked(&self) -> &CheckFindings {
        self.checked.get_or_init(|| check(&self.program))
    }

    /// The id of the commit.
    pub fn commit(&self) -> &CommitId {
        self.program.snapshot().commit()
    }

    /// The machines that it removed, compared with the commit before it. If that was in force before the server was
    /// last started, they are unknown.
    pub fn leaving(&self) -> &Departures {
        &self.leaving
    }

    /// The program of the commit.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The place of a node in the inventory of this commit.
    pub fn tenancy(&self, certname: &Certname) -> Option<Tenancy> {
        let node = self.program.inventory().get(certname)?;
        Some(Tenancy { reseller: node.reseller.clone(), customer: node.customer.clone() })
    }
}

/// The running state.
pub struct Control {
    config: ControlConfig,
    store: Store,
    key: token::TokenKey,
    in_force: ArcSwapOption<CommitInForce>,
    /// The last commit that did not come into force: pages show the lines with its errors.
    broken: ArcSwapOption<Snapshot>,
    /// The commit that is being judged now.
    judging: ArcSwapOption<CommitId>,
    /// Commits that were replaced by a newer one before they were judged, each with that newer one.
    overtaken: Mutex<VecDeque<(CommitId, CommitId)>>,
    /// The results of commits that are not in the store yet.
    unwritten: Mutex<VecDeque<CommitRow>>,
    /// Held while these are written.
    writing: tokio::sync::Mutex<()>,
    /// Why the repository cannot be read, as long as it cannot.
    unreadable: ArcSwapOption<RepositoryFailure>,
    given: Mutex<HashMap<NodeId, delivery::NodeDelivery>>,
    last_contacts: last_contacts::LastContacts,
    compiles: slots::CompileSlots,
    /// A lock for each node while it compiles: one compile at a time, so that a node that keeps sending new facts
    /// cannot take all of `compiles`.
    turns: Mutex<HashMap<NodeId, Arc<tokio::sync::Mutex<()>>>>,
    state_changes: broadcast::Sender<StateChange>,
    poke: OnceLock<PokeHandle>,
    /// How the commits follow one another.
    history: OnceLock<History>,
    metrics: Arc<Metrics>,
}

impl Control {
    /// A state in which no commit is in force.
    pub fn new(config: ControlConfig, store: Store, key: token::TokenKey) -> Arc<Self> {
        Arc::new(Self {
            compiles: slots::CompileSlots::new(config.compiles),
            config,
            store,
            key,
            in_force: ArcSwapOption::empty(),
            broken: ArcSwapOption::empty(),
            judging: ArcSwapOption::empty(),
            overtaken: Mutex::default(),
            unwritten: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            unreadable: ArcSwapOption::empty(),
            given: Mutex::default(),
            turns: Mutex::default(),
            last_contacts: last_contacts::LastContacts::default(),
            state_changes: broadcast::channel(1024).0,
            poke: OnceLock::new(),
            history: OnceLock::new(),
            metrics: Arc::default(),
        })
    }

    /// The counters of the server's work.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// How often the repository was looked at so far, and with which result.
    pub fn looks(&self) -> LookCounts {
        self.poke.get().map(PokeHandle::looks).unwrap_or_default()
    }

    /// The commit in force.
    pub fn in_force(&self) -> Option<Arc<CommitInForce>> {
        self.in_force.load_full()
    }

    /// The files of a commit, if it is the one in force or the last broken one.
    pub fn snapshot(&self, commit: &CommitId) -> Option<Snapshot> {
        let in_force = self.in_force().map(|in_force| in_force.program().snapshot().clone());
        let broken = self.broken.load_full().map(|snapshot| (*snapshot).clone());
        in_force.into_iter().chain(broken).find(|snapshot| snapshot.commit() == commit)
    }

    /// Why the repository cannot be read; `None` if it can.
    pub fn unreadable(&self) -> Option<RepositoryFailure> {
        self.unreadable.load_full().map(|unreadable| (*unreadable).clone())
    }

    /// The environment's name.
    pub fn environment(&self) -> &str {
        &self.config.environment
    }

    /// The time between two polls of a node.
    pub fn interval(&self) -> Duration {
        self.config.interval
    }

    /// Subscribes to what happens from now on. A receiver that is too slow misses some events, and learns how many.
    pub fn state_changes(&self) -> broadcast::Receiver<StateChange> {
        self.state_changes.subscribe()
    }

    /// Sends an event to everyone who listens.
    pub fn tell(&self, state_change: StateChange) {
        // It is not an error if no one listens.
        let _ = self.state_changes.send(state_change);
    }

    /// Writes what waits in memory to the store from time to time, for ever: when nodes were seen, and what became of
    /// commits.
    pub async fn keep_writing(&self) {
        loop {
            tokio::time::sleep(PAUSE).await;
            self.write_contacts().await;
            self.write_commits().await;
        }
    }

    /// Makes the server look at the repository at once.
    pub fn poke(&self) {
        if let Some(poke) = self.poke.get() {
            poke.poke();
        }
    }

    /// Makes the server look at the repository at once, as after a push, and waits for what comes of it.
    ///
    /// # Errors
    /// Returns why it cannot be read.
    pub async fn look(&self) -> Result<(), String> {
        match self.poke.get() {
            Some(poke) => poke.look().await,
            None => Ok(()),
        }
    }

    /// Forgets what was given to a node, because a new generation of it comes.
    pub fn forget(&self, node: NodeId) {
        self.given().remove(&node);
        self.turns().remove(&node);
    }

    /// The bytes of content that one of the caller's own last catalogs refers to. `None` if none of them refers to it,
    /// whether or not the content exists.
    ///
    /// # Errors
    /// Returns an error if the store fails.
    pub async fn content(
        &self,
        caller: &Caller,
        hash: ContentHash,
    ) -> crate::store::Result<Option<Arc<[u8]>>> {
        if let Some(bytes) = self.given().get(&caller.node).and_then(|given| given.content(&hash)) {
            return Ok(Some(bytes));
        }
        // After a restart memory is empty, but the store still knows what the node may ask for.
        if !self.store.names_content(caller.node, hash.clone()).await? {
            return Ok(None);
        }
        Ok(self.in_force().and_then(|in_force| in_force.contents.get(&hash).cloned()))
    }

    fn given(&self) -> std::sync::MutexGuard<'_, HashMap<NodeId, delivery::NodeDelivery>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock that a node holds while something is compiled for it.
    pub(crate) fn turn(&self, node: NodeId) -> Arc<tokio::sync::Mutex<()>> {
        self.turns().entry(node).or_default().clone()
    }

    fn turns(&self) -> std::sync::MutexGuard<'_, HashMap<NodeId, Arc<tokio::sync::Mutex<()>>>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key for the ids of a node's catalogs, different for each generation.
    fn catalog_key(&self, caller: &Caller) -> [u8; 32] {
        self.key.derive(&format!("catalog:{}:{}", caller.certname, caller.generation))
    }
}
