//! `host`: not here yet.

use holdfast_catalog::resource::Host;

use super::{Applied, Change, Error, Left, Plan, Provider, Reading, Writing};

/// The provider of `host`.
pub struct Hosts;

impl Provider for Hosts {
    type Want = Host;
    type Seen = ();

    fn observe(&self, _: &[&Host], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, _: &Host, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        Err(Error::Refused("`host` is not here yet".to_owned()))
    }

    fn apply(&self, _: &Host, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Err(Error::Refused("`host` is not here yet".to_owned()))
    }

    fn left<'a>(&self, _: &'a Host) -> Left<'a> {
        Left::new()
    }
}
