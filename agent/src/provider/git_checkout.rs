//! `git_checkout`: the definition alone; its provider is not here yet.

use holdfast_catalog::resource::GitCheckout;

use super::{Applied, Change, Error, Left, Plan, Provider, Reading, Writing};

/// The provider of `git_checkout`.
pub struct Checkouts;

impl Provider for Checkouts {
    type Want = GitCheckout;
    type Seen = ();

    fn observe(&self, _: &[&GitCheckout], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, _: &GitCheckout, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        Err(Error::Refused("checkouts are not here yet".to_owned()))
    }

    fn apply(&self, _: &GitCheckout, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Err(Error::Refused("checkouts are not here yet".to_owned()))
    }

    fn left<'a>(&self, _: &'a GitCheckout) -> Left<'a> {
        Left::new()
    }
}
