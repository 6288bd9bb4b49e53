//! Whose the agent's state is: of one enrolment of one machine with one server.
//!
//! Reports that wait, the cached catalog and what runs remember are its own alone. A machine that is enrolled anew is
//! another node, perhaps of another customer, and neither delivers nor enforces what it was before.

use holdfast_catalog::certname::Certname;
use serde::{Deserialize, Serialize};

use super::Identity;
use crate::state::{self, StateDir};

/// The file that says so.
const FILE: &str = "owner.json";

/// The most bytes of it.
const LIMIT: u64 = 4096;

/// An enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolledNode {
    /// The name that the server gave.
    pub certname: Certname,
    /// The name in its certificates, which tells the generation; empty where there is none.
    pub uri: String,
    /// What tells it from all others; none where an older agent enrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolment: Option<uuid::Uuid>,
}

impl EnrolledNode {
    /// The enrolment that an identity is of.
    pub fn of(identity: &Identity) -> Self {
        Self {
            certname: identity.certname.clone(),
            uri: identity.current.uri().unwrap_or_default(),
            enrolment: identity.enrolment,
        }
    }

    /// Whose the state is, as far as that is written down.
    pub fn last(state: &StateDir) -> Option<Self> {
        Self::load(state).ok().flatten()
    }

    /// Whose the state is; none where nobody wrote that down.
    ///
    /// # Errors
    /// Where what was written down cannot be read.
    pub fn load(state: &StateDir) -> Result<Option<Self>, state::Error> {
        let Some(bytes) = state.read(FILE, LIMIT)? else { return Ok(None) };
        let damaged = |error: serde_json::Error| state::Error::damaged(state.path().join(FILE), &error);
        serde_json::from_slice(&bytes).map(Some).map_err(damaged)
    }

    /// Whether what names `owner` is its own. What an older agent left names nobody, and belongs to whom that enrolled.
    pub fn has(&self, owner: Option<&Self>) -> bool {
        match owner {
            Some(owner) => owner == self,
            None => self.enrolment.is_none(),
        }
    }

    /// Writes down that the state is its own from now on.
    ///
    /// # Errors
    /// Where that cannot be written.
    pub fn keep(&self, state: &StateDir) -> Result<(), state::Error> {
        if matches!(state.read(FILE, LIMIT), Err(state::Error::NotAFile(_))) {
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
