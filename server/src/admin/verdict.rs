//! What became of a commit, for the person who pushed it: it is in force, in force except for some nodes, or refused.

use holdfast_catalog::certname::Certname;
use holdfast_catalog::commit::CommitId;
use holdfast_catalog::harmless;
use serde::{Deserialize, Serialize};

use super::AdminContext;
use crate::check;
use crate::diagnose;
use crate::diagnostic::{Diagnostic, Severity};
use crate::fleet::InventoryView as _;
use crate::inventory::Departures;
use crate::repo;
use crate::store;
use crate::store::commit::{CommitRow, CommitStatus};
use crate::store::node::NodeState;

/// What became of a commit.
#[derive(Debug, Serialize, Deserialize)]
pub struct CommitVerdict {
    pub commit: CommitId,
    /// Whether it is in force.
    pub outcome: VerdictOutcome,
    /// Whether any commit is in force now: this one or the last good one.
    pub stands: bool,
    /// The nodes that it does not reach.
    pub kept: Vec<KeptBackNode>,
    /// The machines that it removes from the inventory or gives to another customer, if it is in force.
    pub leaving: Departures,
    /// All errors and warnings.
    pub problems: Vec<Diagnostic>,
    /// The problems as text, with the lines that they are about.
    pub shown: String,
}

/// Whether a commit is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictOutcome {
    /// It is in force, and nothing is wrong with it.
    InForce,
    /// It is in force, but some nodes keep what they have: because of errors in tenants' data, or because the inventory
    /// no longer has them where they were added.
    InForceWithFaults,
    /// It is not in force, because of errors in operators' files. The last good commit, if there is one, stays in force.
    Refused,
}

/// A node that a commit does not reach: its data has an error, or the inventory no longer has it where it was added.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeptBackNode {
    pub certname: Certname,
    /// The commit of the catalog that it keeps; `None` if it never had one.
    pub commit: Option<CommitId>,
    pub problems: Vec<Diagnostic>,
}

/// The verdict on a commit that was judged.
///
/// # Errors
/// Returns an error if the store fails.
pub(super) async fn of(
    context: &AdminContext,
    judged: CommitRow,
    shown: String,
) -> store::Result<CommitVerdict> {
    let kept = match judged.status {
        CommitStatus::Good => kept(context, &judged.id).await?,
        CommitStatus::Broken => Vec::new(),
    };
    let has_errors = judged.diagnostics.iter().any(|problem| problem.severity == Severity::Error);
    let outcome = match judged.status {
        CommitStatus::Broken => VerdictOutcome::Refused,
        CommitStatus::Good if has_errors || !kept.is_empty() => VerdictOutcome::InForceWithFaults,
        CommitStatus::Good => VerdictOutcome::InForce,
    };
    let now = context.control.in_force();
    let stands = now.is_some();
    let in_force = now.filter(|in_force| *in_force.commit() == judged.id);
    let leaving = in_force.map(|in_force| in_force.leaving().clone()).unwrap_or_default();
    Ok(CommitVerdict {
        commit: judged.id,
        outcome,
        stands,
        kept,
        leaving,
        problems: judged.diagnostics,
        shown,
    })
}

async fn kept(context: &AdminContext, commit: &CommitId) -> store::Result<Vec<KeptBackNode>> {
    let in_force = context.control.in_force().filter(|in_force| in_force.commit() == commit);
    let Some(in_force) = in_force else { return Ok(Vec::new()) };
    // If it is not known yet, as after a restart, it is computed now, which takes time with many nodes.
    let program = in_force.clone();
    let find = move || in_force.checked().nodes.clone();
    let mut nodes = tokio::task::spawn_blocking(find).await.unwrap_or_default();
    for member in super::nodes::members(context).await? {
        if let Some(row) = member.row.filter(|row| row.node.state != NodeState::Revoked)
            && let Some((_, problems)) = context.control.problems_of(&row.node).filter(|(at, _)| at == commit)
        {
            nodes.entry(member.certname).or_insert(problems);
        }
    }
    let mut kept = Vec::with_capacity(nodes.len());
    for (certname, problems) in nodes {
        let node = context.store.node(certname.clone()).await?;
        let served = match node {
            Some(node) => context.store.served_catalogs(node.id).await?,
            None => Vec::new(),
        };
        let commit = served.into_iter().next().map(|catalog| catalog.commit);
        let at_tenants = |problem| check::at_tenants(program.program(), problem);
        let problems = problems.into_iter().map(at_tenants).collect();
        kept.push(KeptBackNode { certname, commit, problems });
    }
    Ok(kept)
}

impl CommitVerdict {
    /// The verdict in words.
    pub fn text(&self) -> String {
        let commit = &self.commit;
        let first = match (self.outcome, &self.kept[..]) {
            (VerdictOutcome::Refused, _) if self.stands => {
                format!("commit {commit} is broken, and the last good one stays in force")
            }
            (VerdictOutcome::Refused, _) => format!("commit {commit} is broken, and no commit is in force"),
            (_, []) if self.outcome == VerdictOutcome::InForce => format!("{commit} is in force"),
            (_, []) => format!("{commit} is in force, with errors in tenants' data"),
            (_, [one]) => format!("{commit} is in force; {}", one.text()),
            (_, several) => {
                let lines: String = several.iter().map(|kept| format!("\n  {}", kept.text())).collect();
                format!("{commit} is in force; {} nodes do not get it:{lines}", several.len())
            }
        };
        let left: String = self.leaving.lines().iter().map(|line| format!("\n{line}")).collect();
        match self.shown.is_empty() {
            true => first + &left,
            false => {
                let hint = diagnose::hint(&self.problems).unwrap_or_default();
                format!("{first}{left}\n\n{}\n\n{hint}", self.shown.trim_end())
            }
        }
    }
}

impl KeptBackNode {
    fn text(&self) -> String {
        let keeps = match &self.commit {
            Some(commit) => format!("keeps commit {}", repo::short(commit)),
            None => "has no catalog yet".to_owned(),
        };
        let first = self.problems.first();
        let why = first.map_or_else(String::new, ToString::to_string);
        // A key in a tenant's data may contain anything, such as lines that look like other nodes, or a sequence that
        // clears the terminal.
        harmless::line(&format!("{} {keeps}: {why}", self.certname)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Code;

    #[test]
    fn what_a_tenant_calls_a_key_is_one_line_about_one_node() {
        let key = "x` is not a key\n  web1.birch.example keeps commit 0000000000: y\u{1b}[2J\u{202e}";
        let kept = KeptBackNode {
            certname: "web1.acme.example".parse().unwrap(),
            commit: None,
            problems: vec![Diagnostic::error(Code::UnknownKey, format!("`{key}` is not a key"), None)],
        };
        let text = kept.text();
        assert!(text.starts_with("web1.acme.example has no catalog yet: "), "{text}");
        assert!(!text.contains(harmless::steers), "{text}");
    }
}
