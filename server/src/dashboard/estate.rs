//! What the dashboard asks of the running server beyond the store: what the commit in force says about a node, the
//! files of a commit, and what happens.

use std::collections::BTreeMap;

use holdfast_catalog::certname::Certname;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::broadcast;

use crate::live::{Happening, Live};
use crate::store::node::Place;

/// What a node is for, as the inventory says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Function {
    /// Its role.
    pub role: String,
    /// Its stage.
    pub stage: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// The running server, as far as pages show it.
pub trait Estate: Send + Sync {
    /// What a node of this place is for; none where the commit in force does not have it there: what another customer
    /// makes of the name is no affair of those who see this place.
    fn function(&self, node: &Certname, place: &Place) -> Option<Function>;

    /// A text of a commit, to show the line of an error; none where it is not at hand any more.
    fn source(&self, commit: &str, file: &str) -> Option<String>;

    /// Whether there is a good commit to answer polls from.
    fn has_commit(&self) -> bool;

    /// What happens from now on.
    fn happenings(&self) -> broadcast::Receiver<Happening>;
}

impl Estate for Live {
    fn function(&self, node: &Certname, place: &Place) -> Option<Function> {
        let in_force = self.in_force()?;
        in_force.place(node).filter(|found| found == place)?;
        let node = in_force.program().inventory().get(node)?;
        let labels = node.labels.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        Some(Function {
            role: node.role.to_string(),
            stage: node.stage.to_string(),
            labels: labels.collect(),
        })
    }

    fn source(&self, commit: &str, file: &str) -> Option<String> {
        let snapshot = self.snapshot(commit)?;
        String::from_utf8(snapshot.get(file)?.bytes().to_vec()).ok()
    }

    fn has_commit(&self) -> bool {
        self.in_force().is_some()
    }

    fn happenings(&self) -> broadcast::Receiver<Happening> {
        self.happenings()
    }
}
