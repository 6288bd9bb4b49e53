//! Whose the agent's state is: it belongs to one enrolment of one machine with one server.
//!
//! Waiting reports, the cached catalog and the memory of runs belong to that enrolment only. A machine that is enrolled
//! anew is another node, perhaps of another customer, and neither delivers nor enforces what it was before.

use holdfast_catalog::certname::Certname;
use serde::{Deserialize, Serialize};

use super::Identity;
use crate::state::{self, StateDir};

/// The file that records the owner.
const FILE: &str = "owner.json";

/// The most bytes of that file.
const MAX_BYTES: u64 = 4096;

/// A node as it was enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolledNode {
    /// The name that the server gave.
    pub certname: Certname,
    /// The URI in its certificates, which contains the generation; empty if there is none.
    pub uri: String,
    /// What distinguishes it from all others; `None` if an older agent enrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolment: Option<uuid::Uuid>,
}

impl EnrolledNode {
    /// The enrolment that an identity belongs to.
    pub fn of(identity: &Identity) -> Self {
        Self {
            certname: identity.certname.clone(),
            uri: identity.current.uri().unwrap_or_default(),
            enrolment: identity.enrolment,
        }
    }

    /// The recorded owner of the state, if it can be read.
    pub fn last(state: &StateDir) -> Option<Self> {
        Self::load(state).ok().flatten()
    }

    /// The recorded owner of the state; `None` if none is recorded.
    ///
    /// # Errors
    /// Fails if the record cannot be read.
    pub fn load(state: &StateDir) -> Result<Option<Self>, state::Error> {
        let Some(bytes) = state.read(FILE, MAX_BYTES)? else { return Ok(None) };
        let damaged = |error: serde_json::Error| state::Error::damaged(state.path().join(FILE), &error);
        serde_json::from_slice(&bytes).map(Some).map_err(damaged)
    }

    /// Whether something with this owner belongs to this enrolment. What an older agent left names no owner, and
    /// belongs to the node that agent enrolled.
    pub fn has(&self, owner: Option<&Self>) -> bool {
        match owner {
            Some(owner) => owner == self,
            None => self.enrolment.is_none(),
        }
    }

    /// Records that the state belongs to this enrolment from now on.
    ///
    /// # Errors
    /// Fails if that cannot be written.
    pub fn keep(&self, state: &StateDir) -> Result<(), state::Error> {
        if matches!(state.read(FILE, MAX_BYTES), Err(state::Error::NotAFile(_))) {
            state.discard(FILE)?;
        }
        state.replace(FILE, &serde_json::to_vec(self).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(uri: &str, enrolment: Option<u128>) -> EnrolledNode {
        let certname = Certname::parse("web1.acme.example").unwrap();
        EnrolledNode { certname, uri: uri.to_owned(), enrolment: enrolment.map(uuid::Uuid::from_u128) }
    }

    #[test]
    fn what_names_nobody_belongs_to_whom_an_older_agent_enrolled() {
        let (old, new) = (owner("gen=1", None), owner("gen=2", Some(7)));
        assert!(old.has(None) && !new.has(None));
        assert!(old.has(Some(&old)) && new.has(Some(&new)));
        assert!(!old.has(Some(&new)) && !new.has(Some(&old)));
        let again = owner("gen=2", Some(8));
        assert!(!again.has(Some(&new)), "a server that was put back gives a generation twice");
    }
}
