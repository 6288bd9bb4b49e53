//! What the catalog names beside the current resource: the claims of others, and other resources of a type.

use std::sync::{Arc, OnceLock};

use holdfast_catalog::resource::attribute::Presence;
use holdfast_catalog::resource::claim::{Claim, ClaimTarget, Hold};
use holdfast_catalog::resource::file::FileEnsure;
use holdfast_catalog::resource::{File, Group, TypedResource, User};

use super::spared::{Claimed, Spared};
use crate::provider::{Error, Want};
use crate::system::Inspect;

/// All resources of a catalog, and what they claim, collected on first use.
pub struct CatalogClaims<'a> {
    all: &'a [TypedResource],
    claimed: OnceLock<Arc<Claimed>>,
}

impl<'a> CatalogClaims<'a> {
    /// The claims of these resources.
    pub fn new(all: &'a [TypedResource]) -> Self {
        Self { all, claimed: OnceLock::new() }
    }

    /// What a purge leaves alone on this machine as it is now.
    ///
    /// # Errors
    /// Fails if the users of the machine cannot be read, since their home directories are then unknown.
    pub fn spared(&self, machine: &dyn Inspect) -> Result<Spared, Error> {
        let claims = || self.all.iter().map(TypedResource::claims);
        let claimed = self.claimed.get_or_init(|| Arc::new(Claimed::new(claims())));
        Ok(Spared::new(claimed.clone(), &*machine.accounts()?, machine))
    }

    /// Whether the catalog creates a file, directory or link at this path.
    pub fn has_file(&self, path: &str) -> bool {
        let has = |file: &File| file.title.as_str() == path && file.ensured() != FileEnsure::Absent;
        self.of_type::<File>().any(has)
    }

    /// Advice about a missing file or directory: `cure`, or nothing if the catalog creates it.
    pub fn unless_has_file<'c>(&self, path: &str, cure: &'c str) -> &'c str {
        if self.has_file(path) { "" } else { cure }
    }

    /// Advice about a missing user: `cure`, or nothing if the catalog creates it.
    pub fn unless_has_user<'c>(&self, name: &str, cure: &'c str) -> &'c str {
        let has = |user: &User| user.title.as_str() == name && user.ensure == Presence::Present;
        if self.of_type::<User>().any(has) { "" } else { cure }
    }

    /// Advice about a missing group: `cure`, or nothing if the catalog creates it. A user brings the group of its own
    /// name.
    pub fn unless_has_group<'c>(&self, name: &str, cure: &'c str) -> &'c str {
        let has = |group: &Group| group.title.as_str() == name && group.ensure == Presence::Present;
        if self.of_type::<Group>().any(has) { "" } else { self.unless_has_user(name, cure) }
    }

    /// Whether a resource that is not about keys says what a file holds, or a part of it.
    pub fn is_written(&self, path: &str) -> bool {
        let writes = |hold: &Hold| matches!(hold, Hold::Content | Hold::Seed | Hold::Piece(..));
        let is_here = |claim: &Claim| matches!(&claim.thing, ClaimTarget::Path(own) if own == path);
        let others = self.all.iter().filter(|typed| !matches!(typed, TypedResource::AuthorizedKey(_)));
        others.flat_map(TypedResource::claims).any(|claim| is_here(&claim) && writes(&claim.hold))
    }

    /// All resources of one type, in the catalog's order, for types of which several resources form one thing.
    pub fn of_type<W: Want>(&self) -> impl Iterator<Item = &'a W> + use<'a, W> {
        self.all.iter().filter_map(W::of)
    }
}
