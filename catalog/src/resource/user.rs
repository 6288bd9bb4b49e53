//! `user`: an account of the machine.

use super::attribute::{AbsolutePath, Presence, Secret, SystemName, keywords};
use super::define::resource_type;
use super::{Implied, Rules};

keywords! {
    /// How `groups` is meant.
    Membership {
        /// At least these.
        Minimum = "minimum",
        /// Exactly these.
        Inclusive = "inclusive",
    }
}

resource_type! {
    /// An account of the machine. The title is its name.
    User("user"), titled SystemName {
        /// Whether it exists.
        property ensure: Presence = Presence::Present,
        /// Its numeric id.
        property uid: Option<u32>,
        /// Its primary group, by name or numeric id.
        property gid: Option<SystemName>,
        /// Its supplementary groups.
        property groups: Option<Vec<SystemName>>,
        /// Whether `groups` is the least or the whole.
        parameter membership: Membership = Membership::Minimum,
        /// Its home directory.
        property home: Option<AbsolutePath>,
        /// Whether the home directory is made with the account, and removed with it.
        parameter manage_home: bool = false,
        /// Its login shell.
        property shell: Option<AbsolutePath>,
        /// The hash of its password as in the shadow file; `!` locks it. Never shown.
        property password: Option<Secret>,
        /// Its full name or purpose.
        property comment: Option<String>,
        /// Whether a new account gets an id of the system's range.
        parameter system: bool = false,
        /// Whether keys in the `~/.ssh/authorized_keys` that no `authorized_key` of the catalog gives to this user are removed.
        property purge_ssh_keys: bool = false,
    }
}

impl Rules for User {
    fn implied(&self) -> Vec<Implied> {
        if self.ensure == Presence::Absent {
            return Vec::new();
        }
        let groups = self.gid.iter().chain(self.groups.iter().flatten());
        let mut implied: Vec<_> = groups.map(|group| Implied::on("group", group.as_str())).collect();
        implied.extend(self.shell.iter().map(|shell| Implied::on("file", shell.as_str())));
        if let (Some(home), false) = (&self.home, self.manage_home) {
            implied.push(Implied::on_parent(home.as_str()));
        }
        implied
    }
}
