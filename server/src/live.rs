//! The running state: which commit is in force, what each node was last given, and who wants to hear of it.
//!
//! A commit comes into force only when it is checked; a broken one leaves the last good in force and says so. What can
//! be answered from memory never touches the store.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use holdfast_catalog::certname::Certname;
use holdfast_catalog::hash::ContentHash;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::broadcast;

use crate::check::{Checked, check};
use crate::compile::Program;
use crate::identity::{Caller, token};
use crate::inventory::Leaving;
use crate::measure::Measures;
use crate::repo::{History, Kept, Looks, Poke, Snapshot};
use crate::store::Store;
use crate::store::commit::CommitRow;
use crate::store::node::{NodeId, Place};

mod commit;
mod follow;
mod given;
mod inventory;
mod seen;
mod slots;

#[cfg(test)]
mod scene;

pub use commit::Judged;

pub mod poll; // what a node is to be, or that nothing changed
pub mod report; // what a node did
pub mod slot; // when each node's turn is

/// How often what waits in memory is written down.
const PAUSE: Duration = Duration::from_secs(5);

/// What the running state is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// How far apart a node's polls are.
    pub interval: Duration,
    /// The environment's name: the branch, or `directory`.
    pub environment: String,
    /// How many compiles go on at once.
    pub compiles: usize,
    /// Where the last good state is kept, of a directory that has no history.
    pub kept: Option<Kept>,
}

/// Something that pages may want to show at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "happening", rename_all = "kebab-case")]
pub enum Happening {
    /// A commit came into force.
    CommitTaken { commit: String },
    /// A commit has errors and did not come into force.
    CommitBroken { commit: String },
    /// The repository cannot be read, and could before.
    RepositoryUnreadable,
    /// The repository can be read again.
    RepositoryReadable,
    /// A node was added, moved, revoked or removed, or got a certificate.
    NodeChanged { certname: Certname, place: Place },
    /// A node was given an answer to its poll that differs from the last one, or could not be given one.
    CatalogChanged { certname: Certname, place: Place },
    /// A report was stored.
    ReportStored { certname: Certname, place: Place, report: i64 },
}

/// Why the repository cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    pub since: Timestamp,
    pub why: String,
}

/// A commit in force.
pub struct InForce {
    program: Program,
    /// What is wrong with it: found before it came into force, or when it is first asked for.
    checked: OnceLock<Checked>,
    /// The nodes that an earlier one broke, each with the commit that corrected it.
    corrected: Corrected,
    /// Whose machines it took from the one before.
    leaving: Leaving,
    /// Static files by hash, for nodes whose catalog was compiled before the server's last start.
    contents: HashMap<ContentHash, Arc<[u8]>>,
}

/// Nodes that compile again, each with the commit since which they do.
type Corrected = BTreeMap<Certname, String>;

impl InForce {
    fn new(program: Program, checked: OnceLock<Checked>, corrected: Corrected, leaving: Leaving) -> Self {
        let files = program.snapshot().under("modules");
        let contents = files.map(|(_, file)| (file.hash().clone(), file.bytes().clone())).collect();
        Self { program, checked, corrected, leaving, contents }
    }

    /// What is wrong with it. Takes a compile of every node where nobody asked before: not for the threads that answer.
    pub fn checked(&self) -> &Checked {
        self.checked.get_or_init(|| check(&self.program))
    }

    /// Its id.
    pub fn commit(&self) -> &str {
        self.program.snapshot().commit().as_str()
    }

    /// Whose machines it took from the one that was in force before; of one from before the server's last start, nobody knows.
    pub fn leaving(&self) -> &Leaving {
        &self.leaving
    }

    /// What it says.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Where its inventory says that a node belongs.
    pub fn place(&self, certname: &Certname) -> Option<Place> {
        let node = self.program.inventory().get(certname)?;
        Some(Place { reseller: node.reseller.clone(), customer: node.customer.clone() })
    }
}

/// The running state.
pub struct Live {
    config: Config,
    store: Store,
    key: token::Key,
    in_force: ArcSwapOption<InForce>,
    /// The last commit that did not come into force: pages show the lines that are wrong.
    broken: ArcSwapOption<Snapshot>,
    /// The commit that is being judged now.
    judging: ArcSwapOption<String>,
    /// Commits that a newer one took the place of before they were judged, with that one.
    overtaken: Mutex<VecDeque<(String, String)>>,
    /// What became of commits, until it is written down.
    unwritten: Mutex<VecDeque<CommitRow>>,
    /// Held by anyone who writes it down.
    writing: tokio::sync::Mutex<()>,
    /// Why the repository cannot be read, for as long as that is so.
    unreadable: ArcSwapOption<Unreadable>,
    given: Mutex<HashMap<NodeId, given::Given>>,
    seen: seen::Seen,
    compiles: slots::Slots,
    /// A node's turn to compile: one at a time, so that its ever-new facts cannot take all of `compiles`.
    turns: Mutex<HashMap<NodeId, Arc<tokio::sync::Mutex<()>>>>,
    happenings: broadcast::Sender<Happening>,
    poke: OnceLock<Poke>,
    /// How the commits follow one another.
    history: OnceLock<History>,
    measures: Arc<Measures>,
}

impl Live {
    /// A state in which no commit is in force.
    pub fn new(config: Config, store: Store, key: token::Key) -> Arc<Self> {
        Arc::new(Self {
            compiles: slots::Slots::new(config.compiles),
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
            seen: seen::Seen::default(),
            happenings: broadcast::channel(1024).0,
            poke: OnceLock::new(),
            history: OnceLock::new(),
            measures: Arc::default(),
        })
    }

    /// What is counted of the server's work.
    pub fn measures(&self) -> &Arc<Measures> {
        &self.measures
    }

    /// How looking at the repository went so far.
    pub fn looks(&self) -> Looks {
        self.poke.get().map(Poke::looks).unwrap_or_default()
    }

    /// The commit in force.
    pub fn in_force(&self) -> Option<Arc<InForce>> {
        self.in_force.load_full()
    }

    /// A commit's files: of the one in force, or the last that was broken.
    pub fn snapshot(&self, commit: &str) -> Option<Snapshot> {
        let in_force = self.in_force().map(|in_force| in_force.program().snapshot().clone());
        let broken = self.broken.load_full().map(|snapshot| (*snapshot).clone());
        in_force.into_iter().chain(broken).find(|snapshot| snapshot.commit().as_str() == commit)
    }

    /// Why the repository cannot be read, where that is so.
    pub fn unreadable(&self) -> Option<Unreadable> {
        self.unreadable.load_full().map(|unreadable| (*unreadable).clone())
    }

    /// The environment's name.
    pub fn environment(&self) -> &str {
        &self.config.environment
    }

    /// How far apart a node's polls are.
    pub fn interval(&self) -> Duration {
        self.config.interval
    }

    /// What happens from now on. Anyone who is too slow misses some, and is told how many.
    pub fn happenings(&self) -> broadcast::Receiver<Happening> {
        self.happenings.subscribe()
    }

    /// Tells anyone who listens.
    pub fn tell(&self, happening: Happening) {
        // Nobody listening is not an error.
        let _ = self.happenings.send(happening);
    }

    /// Writes down what waits in memory now and then, for ever: who was seen, and what became of commits.
    pub async fn keep_writing(&self) {
        loop {
            tokio::time::sleep(PAUSE).await;
            self.write_seen().await;
            self.write_commits().await;
        }
    }

    /// Looks at the repository at once, as after a push.
    pub fn poke(&self) {
        if let Some(poke) = self.poke.get() {
            poke.poke();
        }
    }

    /// Forgets what was given to a node of which another generation comes.
    pub fn forget(&self, node: NodeId) {
        self.given().remove(&node);
        self.turns().remove(&node);
    }

    /// The bytes of content that one of the caller's own last catalogs names; none where it names no such content,
    /// whether or not there is any.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn content(
        &self,
        caller: &Caller,
        hash: ContentHash,
    ) -> crate::store::Result<Option<Arc<[u8]>>> {
        if let Some(bytes) = self.given().get(&caller.node).and_then(|given| given.content(&hash)) {
            return Ok(Some(bytes));
        }
        // After a restart memory is empty, and the store still knows what the node may ask for.
        if !self.store.names_content(caller.node, hash.clone()).await? {
            return Ok(None);
        }
        Ok(self.in_force().and_then(|in_force| in_force.contents.get(&hash).cloned()))
    }

    fn given(&self) -> std::sync::MutexGuard<'_, HashMap<NodeId, given::Given>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a node holds while something is compiled for it.
    pub(crate) fn turn(&self, node: NodeId) -> Arc<tokio::sync::Mutex<()>> {
        self.turns().entry(node).or_default().clone()
    }

    fn turns(&self) -> std::sync::MutexGuard<'_, HashMap<NodeId, Arc<tokio::sync::Mutex<()>>>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key of a node's catalog ids: of this generation alone.
    fn catalog_key(&self, caller: &Caller) -> [u8; 32] {
        self.key.derive(&format!("catalog:{}:{}", caller.certname, caller.generation))
    }
}
