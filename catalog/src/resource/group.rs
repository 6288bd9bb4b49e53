//! `group`: a group of the machine.

use super::attribute::{Presence, SystemName};
use super::define::resource_type;
use super::user::name_error;
use super::{AttributeError, Rules};

resource_type! {
    /// A group of the machine. The title is its name.
    Group("group"), titled SystemName {
        /// Whether it exists.
        property ensure: Presence = Presence::Present,
        /// Its numeric id.
        property gid: Option<u32>,
        /// Whether a new group gets an id of the system's range.
        parameter system: bool = false,
        /// Exactly the users that are members by the group database; left alone without it.
        property members: Option<Vec<SystemName>>,
    }
}

impl Rules for Group {
    fn validate(&self) -> Vec<AttributeError> {
        let is_present = self.ensure == Presence::Present;
        is_present.then(|| name_error(&self.title)).flatten().into_iter().collect()
    }
}
