//! What the dashboard asks of the running server beyond the store: what the commit in force says about a node, and the
//! files of a commit.

use std::collections::BTreeMap;

use holdfast_catalog::certname::Certname;
use schemars::JsonSchema;
use serde::Serialize;

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

/// The control repository, as far as pages show it.
pub trait Estate: Send + Sync {
    /// What a node is for; none where the commit in force does not name it.
    fn function(&self, node: &Certname) -> Option<Function>;

    /// A text of a commit, to show the line of an error; none where it is not at hand any more.
    fn source(&self, commit: &str, file: &str) -> Option<String>;
}
