//! The state of a machine that is enrolled anew: nothing is kept that would continue, or reveal, what it was before.

use super::memory;
use crate::cache::{self, Cache};
use crate::identity::Identity;
use crate::identity::owner::EnrolledNode;
use crate::spool::{self, Spool};
use crate::state::{self, StateDir};
use crate::status;

/// What a run should report about the owner of the state.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TakenOver {
    /// Only for people at this machine: reports go to its present owner. The spool itself says what becomes of the
    /// earlier owner's reports.
    pub(crate) forgotten: Option<String>,
    /// Also for the report: what was damaged belongs to this node.
    pub(crate) note: Option<String>,
}

/// Gives the state to an identity that was just issued. Returns a message for people at this machine only.
///
/// # Errors
/// Fails if something of an earlier owner is left, and so could be used.
pub fn take_over(state: &StateDir, identity: &Identity) -> Result<Option<String>, state::Error> {
    let (owner, before) = (EnrolledNode::of(identity), EnrolledNode::last(state));
    taken(state, &owner, before)
}

/// The same for a run. If the owner of the state cannot be read, a cached catalog for this node shows that it is this
/// node's.
///
/// # Errors
/// Fails if something of an earlier owner is left, and so could be used.
pub(super) fn for_run(state: &StateDir, identity: &Identity) -> Result<TakenOver, state::Error> {
    let owner = EnrolledNode::of(identity);
    match EnrolledNode::load(state) {
        Ok(before) => Ok(TakenOver { forgotten: taken(state, &owner, before)?, ..TakenOver::default() }),
        // That says nothing about the file.
        Err(error) if error.is_shortage() => Err(error),
        Err(error) => {
            let is_own =
                Cache::open(state).is_ok_and(|cache| matches!(cache.look(&identity.certname), Ok(Some(_))));
            let (forgotten, so) = match is_own {
                true => {
                    (None, "the cached catalog is for this node: it is kept, with the memory of earlier runs")
                }
                false => (
                    taken(state, &owner, None)?,
                    "no cached catalog shows that it is this node's: the memory of earlier runs is cleared",
                ),
            };
            keep(state, &owner);
            Ok(TakenOver { forgotten, note: Some(format!("{error}; {so}")) })
        }
    }
}

/// What is wrong with the record of the owner, for commands that only look.
pub(crate) fn fault(state: &StateDir, identity: &Identity) -> Option<String> {
    let owner = EnrolledNode::of(identity);
    match EnrolledNode::load(state) {
        Ok(None) => None,
        Ok(Some(before)) if owner.has(Some(&before)) => None,
        Ok(Some(before)) => Some(format!(
            "the agent's state is from another enrolment, of {}: the next run clears its catalog and the memory of its runs",
            before.certname
        )),
        Err(error) => Some(error.to_string()),
    }
}

fn taken(
    state: &StateDir,
    owner: &EnrolledNode,
    before: Option<EnrolledNode>,
) -> Result<Option<String>, state::Error> {
    let is_own = owner.has(before.as_ref());
    if is_own && before.is_some() {
        return Ok(None);
    }
    let mut had_some = false;
    if !is_own {
        had_some = cache::forget(state)?;
        had_some |= memory::disown(state)?;
        state.discard(status::FILE)?;
        if state.has_directory(spool::DIRECTORY) {
            Spool::open(state)?.disown(owner)?;
        }
    }
    keep(state, owner);
    Ok(had_some.then(|| words(owner, before)))
}

/// Records the owner: nothing of others is left. If this cannot be written, the next run tries again, and loses what
/// this one remembers.
fn keep(state: &StateDir, owner: &EnrolledNode) {
    if let Err(error) = owner.keep(state) {
        tracing::warn!("cannot record which node the agent's state belongs to: {error}");
    }
}

fn words(owner: &EnrolledNode, before: Option<EnrolledNode>) -> String {
    let was = match before.filter(|before| before.certname != owner.certname) {
        Some(before) => before.certname.to_string(),
        None => "an earlier node".to_owned(),
    };
    format!(
        "this machine is {} now: the state of {was} is cleared: its catalog and the memory of its runs",
        owner.certname
    )
}

#[cfg(test)]
mod tests {
    use holdfast_catalog::certname::Certname;

    use super::*;
    use crate::keypair::KeyPair;

    fn identity(enrolment: Option<u128>) -> Identity {
        let current = KeyPair { key: String::new().into(), certificate: String::new() };
        Identity {
            version: 1,
            certname: Certname::parse("web1.acme.example").unwrap(),
            server: "s:1".into(),
            roots: String::new(),
            enrolment: enrolment.map(uuid::Uuid::from_u128),
            current,
            previous: None,
            note: None,
            others: [].into(),
        }
    }

    #[test]
    fn what_an_older_agent_left_is_taken_as_it_is_and_what_another_node_left_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let state = StateDir::open(&parent.path().join("agent")).unwrap();
        let has_status = || state.read(status::FILE, 9).unwrap().is_some();
        assert_eq!(take_over(&state, &identity(Some(1))).unwrap(), None, "there is nothing yet");

        state.remove("owner.json").unwrap();
        state.replace(status::FILE, b"{}").unwrap();
        let cache = state.below("cache").unwrap();
        cache.replace("catalog.sealed", b"x").unwrap();
        assert_eq!(take_over(&state, &identity(None)).unwrap(), None);
        assert!(has_status() && cache.names().unwrap().len() == 1);

        let said = take_over(&state, &identity(Some(2))).unwrap().unwrap();
        assert!(said.contains("of an earlier node is cleared"), "{said}");
        assert!(!has_status() && cache.names().unwrap().is_empty());
        state.replace(status::FILE, b"{}").unwrap();
        assert_eq!(take_over(&state, &identity(Some(2))).unwrap(), None, "it is said once");
        assert!(has_status());
    }
}
