//! What the catalog names, beside the resource at hand: what others claim, and other resources of a type.

use std::sync::{Arc, OnceLock};

use holdfast_catalog::resource::Typed;

use super::spared::{Claimed, Spared};
use super::{Error, Want};
use crate::system::Inspect;

/// All resources of a catalog, and what they claim, gathered when first asked for.
pub struct Named<'a> {
    all: &'a [Typed],
    claimed: OnceLock<Arc<Claimed>>,
}

impl<'a> Named<'a> {
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

    /// All resources of one type, in the catalog's order: for types that several resources make one thing of.
    pub fn of_type<W: Want>(&self) -> impl Iterator<Item = &'a W> + use<'a, W> {
        self.all.iter().filter_map(W::of)
    }
}
