//! The harness: everything that is the same for every resource type.
//!
//! Checks all resources first, read-only; then mends what is off, in the order of the edges, and checks each again just
//! before. Policy, events, redaction, timing, refresh and failure are here and in no provider.

use std::collections::BTreeMap;
use std::path::Path;

use holdfast_catalog::catalog::{Catalog, InvalidCatalog};
use holdfast_catalog::report::{Counts, Event, Mode};

use crate::content::ContentSource;
use crate::system::System;

/// What a run works with.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// What the node is to be.
    pub catalog: &'a Catalog,
    /// The most that is done: audit lowers every resource's policy to it.
    pub mode: Mode,
    /// The machine.
    pub system: &'a dyn System,
    /// File contents by hash.
    pub content: &'a dyn ContentSource,
    /// Where what the last run left, refreshes that are owed, and backups are kept.
    pub state_dir: &'a Path,
}

/// What a run found and did: the harness's part of a report.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// How many resources ended how.
    pub counts: Counts,
    /// What changed, would change, failed or was skipped.
    pub events: Vec<Event>,
    /// Milliseconds by phase: `check`, `mend`.
    pub phases: BTreeMap<String, u64>,
    /// Milliseconds by resource type.
    pub types: BTreeMap<String, u64>,
}

/// Why there was no run at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The catalog cannot be used.
    #[error(transparent)]
    Catalog(#[from] InvalidCatalog),
    /// The state directory cannot be used.
    #[error("the agent's state cannot be used: {0}")]
    State(#[from] crate::system::Error),
}
