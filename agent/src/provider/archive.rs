//! `archive`: a directory that is unpacked from an archive, or one file; it is fetched and checked first.
//!
//! An archive is unpacked into a directory beside its target, which nobody else can enter, and takes its place by one
//! rename. The agent remembers in its own state what it unpacked, and corrects what was changed in place. Needs a
//! running system, whose programs unpack.

use std::path::Path;
use std::sync::Arc;

use holdfast_catalog::resource::Archive;
use holdfast_catalog::resource::attribute::{AccountName, Presence};

use super::{Applied, Error, Left, Need, Provider, Reading, Spared, Writing, properties};
use crate::system::{Accounts, Liveness};

mod digest;
pub(super) mod fetch;
pub(super) mod friends;
mod install;
mod known;
mod look;
mod marker;
pub(super) mod owners;
pub(super) mod record;
mod restore;
#[cfg(test)]
mod tests;
pub(super) mod unpack;

use friends::Friends;
use owners::Owners;
use record::ArchiveRecord;

/// The provider of `archive`.
pub struct Archives;

/// The accounts of the machine, and what other resources manage.
pub struct Seen {
    pub(super) accounts: Arc<Accounts>,
    pub(super) spared: Spared,
}

impl Seen {
    /// Reads both from the machine as it is now.
    pub(super) fn now(reading: Reading<'_>) -> Result<Self, Error> {
        Ok(Self { accounts: reading.machine.accounts()?, spared: reading.named.spared(reading.machine)? })
    }
}

properties! {
    Ensure => "ensure",
    Sha256 => "sha256",
    Creates => "creates",
    Mode => "mode",
    Owner => "owner",
    Group => "group",
}

impl Provider for Archives {
    type Want = Archive;
    type Seen = Seen;
    type Property = Property;

    fn observe(&self, _: &[&Archive], reading: Reading<'_>) -> Result<Seen, Error> {
        Seen::now(reading)
    }

    fn plan(&self, want: &Archive, seen: &Seen, reading: Reading<'_>) -> Result<Plan, Error> {
        let accounts = &seen.accounts;
        if reading.machine.liveness() != Liveness::Live {
            return Ok(Plan::NotApplicable("archives are unpacked on a running system only".to_owned()));
        }
        if want.ensure == Presence::Absent {
            return Ok(Plan::of(look::to_remove(want, reading.state_dir, reading.machine)?));
        }
        let owners = match Owners::of(want.owner.as_ref(), want.group.as_ref(), accounts) {
            Ok(owners) => owners,
            Err(need) => return Ok(Plan::Pending(need)),
        };
        let changes = look::differences(want, &owners, seen, reading)?;
        if installs(&changes)
            && let Some(path) = want.source.as_ref().and_then(|source| source.path())
            && reading.machine.stat(Path::new(path))?.is_none()
        {
            let why = if look::has_lost_its_record(want, reading)? {
                "; it is needed since the agent's record of what was unpacked is missing or damaged, and what is there must be \
                 compared with it"
            } else {
                ""
            };
            return Ok(Plan::pending(Need::path(path, format!("its source {path} is not there{why}"))));
        }
        Ok(Plan::of(changes))
    }

    fn apply(&self, want: &Archive, changes: &[Change], writing: Writing<'_>) -> Result<Applied, Error> {
        let path = Path::new(want.title.as_str());
        if want.ensure == Presence::Absent {
            writing.machine.remove_tree(path)?;
            ArchiveRecord::remove(want, writing.state_dir)?;
            return Ok(Applied::default());
        }
        let accounts = writing.machine.accounts()?;
        let owners =
            Owners::of(want.owner.as_ref(), want.group.as_ref(), &accounts).map_err(Error::Missing)?;
        let spared = friends::spared(writing)?;
        let friends = Friends::below(want.title.as_str(), &spared, writing.machine);
        if installs(changes) {
            install::install(want, &owners, &friends, writing)?;
            return Ok(Applied::default());
        }
        let is_off = |property| changes.iter().any(|change| change.property == property);
        if is_off(Property::Owner) || is_off(Property::Group) {
            owners.give_all(path, &friends, writing.machine)?;
        }
        if let Some(mode) = want.mode.filter(|_| is_off(Property::Mode)) {
            writing.machine.set_mode(path, mode.0)?;
        }
        if let Some(mut record) = ArchiveRecord::read(want, writing.state_dir) {
            restore::access(want, &record, &friends, writing.machine)?;
            record.refresh(want, writing.machine);
            record.write(want, writing.state_dir)?;
        }
        Ok(Applied::default())
    }

    fn names<'a>(&self, want: &'a Archive) -> Vec<&'a str> {
        vec![want.title.as_str()]
    }

    fn left<'a>(&self, want: &'a Archive) -> Left<'a> {
        let mut left: Left<'a> = vec![("ensure".into(), want.ensure.to_string().into())];
        if want.ensure == Presence::Absent {
            return left;
        }
        left.extend(want.sha256.as_ref().map(|hash| ("sha256".into(), hash.as_str().into())));
        let name = |name: Option<&'a AccountName>| name.map_or("root", AccountName::as_str);
        left.push(("owner".into(), name(want.owner.as_ref()).into()));
        left.push(("group".into(), name(want.group.as_ref()).into()));
        let mode = want.mode.map_or("as unpacked".into(), |mode| mode.to_string().into());
        left.push(("mode".into(), mode));
        left.extend(want.creates.is_some().then_some(("creates".into(), "present".into())));
        left
    }
}

/// Whether these changes require fetching and unpacking.
fn installs(changes: &[Change]) -> bool {
    changes
        .iter()
        .any(|change| matches!(change.property, Property::Ensure | Property::Sha256 | Property::Creates))
}
