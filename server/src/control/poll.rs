//! Polls: which catalog a node gets, or that nothing changed. In most cases the answer comes from memory.

use std::sync::Arc;
use std::time::Instant;

use holdfast_catalog::commit::CommitId;
use holdfast_catalog::count::counted;
use holdfast_catalog::facts::Facts;
use holdfast_catalog::run::RunId;
use holdfast_catalog::wire::{CatalogAnswer, CatalogRequest};
use jiff::Timestamp;

use super::delivery::{CatalogBasis, GRACE, NodeDelivery};
use super::inventory::{displaced, not_in_inventory};
use super::{CommitInForce, Control, StateChange, slot};
use crate::check;
use crate::compile::{Compiled, compile};
use crate::diagnostic::Diagnostic;
use crate::identity::Caller;
use crate::inventory::Node;
use crate::language::problems::total;
use crate::metrics::PollResult;
use crate::store::catalog::{CompileErrorRow, ServedCatalog};
use crate::{request, store};

/// Why a poll gets no catalog. The text that the node sees reveals nothing of the repository.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// The server has no good commit yet.
    #[error("the server has no good commit yet: its operator can run `holdfast check`")]
    NothingInForce,
    /// The facts do not match their hash.
    #[error("the facts do not match the hash that was sent with them")]
    FactsDiffer,
    /// The node is not in the inventory.
    #[error("commit {commit} does not have this node in its inventory: the operator must add it")]
    NotInInventory {
        /// The commit in force.
        commit: CommitId,
    },
    /// In the inventory, the node belongs to another customer.
    #[error(
        "the inventory of commit {commit} and the server disagree about the owner of this node: the operator can see more"
    )]
    PlaceDisagrees {
        /// The commit in force.
        commit: CommitId,
    },
    /// The catalog does not compile.
    #[error(
        "this node's catalog does not compile at commit {commit} ({}): its operator sees more",
        counted(*errors, "error", "errors")
    )]
    Broken {
        commit: CommitId,
        /// The number of errors.
        errors: usize,
    },
    /// The compile panicked.
    #[error("internal error: compiling failed")]
    Panicked,
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl PollError {
    /// The commit that has no catalog for the node.
    pub fn commit(&self) -> Option<&CommitId> {
        match self {
            Self::NotInInventory { commit }
            | Self::PlaceDisagrees { commit }
            | Self::Broken { commit, .. } => Some(commit),
            Self::NothingInForce | Self::FactsDiffer | Self::Panicked | Self::Store(_) => None,
        }
    }
}

impl Control {
    /// Answers a poll.
    ///
    /// # Errors
    /// Returns an error if the node gets no catalog; it then keeps the one that it has.
    pub async fn poll(&self, caller: &Caller, request: CatalogRequest) -> Result<CatalogAnswer, PollError> {
        let answer = self.answer(caller, request).await;
        self.metrics.polled(match &answer {
            Ok(CatalogAnswer::Catalog { .. }) => PollResult::Catalog,
            Ok(CatalogAnswer::Unchanged { .. }) => PollResult::Unchanged,
            Ok(CatalogAnswer::FactsWanted) => PollResult::FactsWanted,
            Err(PollError::Broken { .. }) => PollResult::Broken,
            Err(PollError::Panicked | PollError::Store(_)) => PollResult::Failed,
            Err(_) => PollResult::Refused,
        });
        answer
    }

    async fn answer(&self, caller: &Caller, request: CatalogRequest) -> Result<CatalogAnswer, PollError> {
        let now = Timestamp::now();
        let in_force = self.in_force().ok_or(PollError::NothingInForce)?;
        request::is_of_commit(in_force.commit());
        self.see(caller.node, now);
        let known = self.given().get(&caller.node).and_then(|given| {
            given
                .of(in_force.commit(), &request.facts_hash)
                .filter(|id| request.have.as_ref() == Some(id))
                .cloned()
        });
        if known.is_some() {
            // A node that has this catalog at this commit has not been reset to an older state.
            return Ok(self.unchanged(caller, &in_force, None, now));
        }
        let node = match placed(&in_force, caller) {
            Ok(node) => node,
            Err((error, problem)) => {
                self.failed(caller, &in_force, vec![problem], now).await?;
                return Err(error);
            }
        };
        let facts_hash = request.facts_hash.clone();
        let Some(facts) = self.facts_for(caller, &request, now).await? else {
            return Ok(CatalogAnswer::FactsWanted);
        };
        let Compiled { catalog, contents, .. } = match self.compile(&in_force, node, facts, caller).await? {
            Ok(compiled) => compiled,
            Err(problems) => {
                let errors = total(&problems);
                // no commit in force has errors of operators
                let at_tenants = |problem| check::at_tenants(in_force.program(), problem);
                let problems = problems.into_iter().map(at_tenants).collect();
                self.failed(caller, &in_force, problems, now).await?;
                return Err(PollError::Broken { commit: in_force.commit().clone(), errors });
            }
        };
        let reported = self.store.run_reported_last(caller.node).await?;
        let noted = self.note_served(caller, &catalog, now).await;
        if let Err(error) = &noted {
            // What the node may fetch is also in memory, so a full disk does not keep changes from machines.
            tracing::error!(%error, node = %caller.certname, "cannot record that a catalog was served; serving it anyway");
        }
        // Without the hash of the facts, no later poll is answered from memory, so the next one records it again.
        let facts = noted.map(|()| facts_hash).unwrap_or_default();
        let basis = CatalogBasis { commit: in_force.commit().clone(), facts, catalog: catalog.id.clone() };
        let contents = contents.into_iter().map(|(hash, (_, file))| (hash, file.bytes().clone())).collect();
        self.remember(caller, basis, contents, now);
        if request.have.as_ref() == Some(&catalog.id) {
            return Ok(self.unchanged(caller, &in_force, reported, now));
        }
        let (certname, tenancy) = (caller.certname.clone(), caller.tenancy.clone());
        self.tell(StateChange::CatalogChanged { certname, tenancy });
        Ok(CatalogAnswer::Catalog {
            catalog: Box::new(catalog),
            next_run: self.next_run(caller, now),
            interval: Some(self.config.interval.as_secs()),
            reported,
        })
    }

    fn unchanged(
        &self,
        caller: &Caller,
        in_force: &CommitInForce,
        reported: Option<RunId>,
        now: Timestamp,
    ) -> CatalogAnswer {
        CatalogAnswer::Unchanged {
            commit: in_force.commit().clone(),
            next_run: self.next_run(caller, now),
            interval: Some(self.config.interval.as_secs()),
            reported,
        }
    }

    fn next_run(&self, caller: &Caller, now: Timestamp) -> u64 {
        slot::next_run(&caller.certname, self.config.interval, now).as_secs().max(1)
    }

    /// The facts in the request, checked and stored; if there are none, the stored ones, if they have the hash in the
    /// request.
    async fn facts_for(
        &self,
        caller: &Caller,
        request: &CatalogRequest,
        now: Timestamp,
    ) -> Result<Option<Facts>, PollError> {
        let Some(facts) = &request.facts else {
            let kept = self.store.facts(caller.node).await?;
            return Ok(kept.filter(|kept| kept.hash == request.facts_hash).map(|kept| kept.facts));
        };
        if facts.hash() != request.facts_hash {
            return Err(PollError::FactsDiffer);
        }
        if let Err(error) = self.store.put_facts(caller.node, request.facts_hash.clone(), facts, now).await {
            tracing::error!(%error, node = %caller.certname, "cannot save facts; asking for them again");
        }
        Ok(Some(facts.clone()))
    }

    async fn compile(
        &self,
        in_force: &Arc<CommitInForce>,
        node: Arc<Node>,
        facts: Facts,
        caller: &Caller,
    ) -> Result<Result<Compiled, Vec<Diagnostic>>, PollError> {
        // The turn is taken first, so a node that waits for its own compile takes no slot from others. Both are held
        // until the compile ends, even if the caller hangs up.
        let turn = self.turn(caller.node).lock_owned().await;
        let permit = self.compiles.take(&caller.tenancy).await.ok_or(PollError::Panicked)?;
        let (in_force, key) = (in_force.clone(), self.catalog_key(caller));
        let (environment, metrics) = (self.config.environment.clone(), self.metrics.clone());
        let span = tracing::error_span!("compile", node = %caller.certname);
        tokio::task::spawn_blocking(move || {
            let (_held, _within, began) = ((turn, permit), span.entered(), Instant::now());
            let compiled = compile(in_force.program(), &node, &facts, &environment, &key);
            let took = began.elapsed();
            tracing::debug!(?took, is_good = compiled.is_ok(), "compiled");
            metrics.compiled(took);
            compiled
        })
        .await
        .map_err(|_| PollError::Panicked)
    }

    async fn note_served(
        &self,
        caller: &Caller,
        catalog: &holdfast_catalog::catalog::Catalog,
        now: Timestamp,
    ) -> store::Result<()> {
        let served = ServedCatalog {
            id: catalog.id.clone(),
            commit: catalog.commit.clone(),
            environment: catalog.environment.clone(),
            resources: u32::try_from(catalog.resources.len()).unwrap_or(u32::MAX),
            served_at: now,
        };
        self.store.catalog_served(caller.node, served, catalog.content_hashes(), GRACE).await
    }

    fn remember(
        &self,
        caller: &Caller,
        basis: CatalogBasis,
        contents: super::delivery::ContentFiles,
        now: Timestamp,
    ) {
        match self.given().entry(caller.node) {
            std::collections::hash_map::Entry::Occupied(mut given) => {
                given.get_mut().next(basis, contents, now);
            }
            std::collections::hash_map::Entry::Vacant(vacant) => {
                vacant.insert(NodeDelivery::new(basis, contents));
            }
        }
    }

    async fn failed(
        &self,
        caller: &Caller,
        in_force: &CommitInForce,
        diagnostics: Vec<Diagnostic>,
        now: Timestamp,
    ) -> store::Result<()> {
        tracing::warn!(errors = total(&diagnostics), "no catalog");
        let row = CompileErrorRow {
            node: caller.node,
            environment: self.config.environment.clone(),
            commit: in_force.commit().clone(),
            since: now,
            diagnostics,
        };
        if let Err(error) = self.store.compile_failed(row).await {
            tracing::error!(%error, node = %caller.certname, "cannot record why a node has no catalog");
        }
        let (certname, tenancy) = (caller.certname.clone(), caller.tenancy.clone());
        self.tell(StateChange::CatalogChanged { certname, tenancy });
        Ok(())
    }
}

/// The node in the inventory, if the inventory and the store agree on its place.
fn placed(in_force: &CommitInForce, caller: &Caller) -> Result<Arc<Node>, (PollError, Diagnostic)> {
    let commit = in_force.commit().clone();
    let Some(node) = in_force.program().inventory().get(&caller.certname) else {
        return Err((
            PollError::NotInInventory { commit },
            not_in_inventory(&caller.certname, &caller.tenancy),
        ));
    };
    let Some(problem) = displaced(in_force, &caller.certname, &caller.tenancy) else {
        return Ok(node.clone());
    };
    // Only the log names the other place: the diagnostic is shown to anyone who sees the node's present place.
    tracing::warn!(node = %caller.certname, bound = %caller.tenancy, inventory = %node.origin, "place disagrees");
    Err((PollError::PlaceDisagrees { commit }, problem))
}

#[cfg(test)]
mod tests;
