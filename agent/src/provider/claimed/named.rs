//! What the catalog names, beside the resource at hand: what others claim, and other resources of a type.

use std::sync::{Arc, OnceLock};

use holdfast_catalog::resource::attribute::Presence;
use holdfast_catalog::resource::file::FileEnsure;
use holdfast_catalog::resource::{File, Group, Typed, User};

use super::spared::{Claimed, Spared};
use crate::provider::{Error, Want};
use crate::system::Inspect;

/// All resources of a catalog, and what they claim, gathered when first asked for.
pub struct CatalogClaims<'a> {
    all: &'a [Typed],
    claimed: OnceLock<Arc<Claimed>>,
}

impl<'a> CatalogClaims<'a> {
    /// Of these resources.
    pub fn new(all: &'a [Typed]) -> Self {
        Self { all, claimed: OnceLock::new() }
    }

    /// What a purge leaves alone on this machine as it is now.
    ///
    /// # Errors
    /// The users of the machine cannot be read, so nobody knows whose homes there are.
    pub fn spared(&self, machine: &dyn Inspect) -> Result<Spared, Error> {
        let claims = || self.all.iter().map(Typed::claims);
        let claimed = self.claimed.get_or_init(|| Arc::new(Claimed::new(claims())));
        Ok(Spared::new(claimed.clone(), &*machine.accounts()?, machine))
    }

    /// What to do about a file or directory that is not there: nothing, where the catalog is to have it there.
    pub fn unless_has_file<'c>(&self, path: &str, cure: &'c str) -> &'c str {
        let has = |file: &File| file.title.as_str() == path && file.ensured() != FileEnsure::Absent;
        if self.of_type::<File>().any(has) { "" } else { cure }
    }

    /// The same of a user.
    pub fn unless_has_user<'c>(&self, name: &str, cure: &'c str) -> &'c str {
        let has = |user: &User| user.title.as_str() == name && user.ensure == Presence::Present;
        if self.of_type::<User>().any(has) { "" } else { cure }
    }

    /// The same of a group; a user brings that of its own name.
    pub fn unless_has_group<'c>(&self, name: &str, cure: &'c str) -> &'c str {
        let has = |group: &Group| group.title.as_str() == name && group.ensure == Presence::Present;
        if self.of_type::<Group>().any(has) { "" } else { self.unless_has_user(name, cure) }
    }

    /// All resources of one type, in the catalog's order: for types that several resources make one thing of.
    pub fn of_type<W: Want>(&self) -> impl Iterator<Item = &'a W> + use<'a, W> {
        self.all.iter().filter_map(W::of)
    }
}
