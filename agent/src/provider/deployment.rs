//! `deployment`: the definition alone; its provider is not here yet.

use holdfast_catalog::resource::Deployment;

use super::{Applied, Change, Error, Left, Plan, Provider, Reading, Writing};

/// The provider of `deployment`.
pub struct Deployments;

impl Provider for Deployments {
    type Want = Deployment;
    type Seen = ();

    fn observe(&self, _: &[&Deployment], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, _: &Deployment, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        Err(Error::Refused("deployments are not here yet".to_owned()))
    }

    fn apply(&self, _: &Deployment, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Err(Error::Refused("deployments are not here yet".to_owned()))
    }

    fn left<'a>(&self, _: &'a Deployment) -> Left<'a> {
        Left::new()
    }
}
