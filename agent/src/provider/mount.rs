//! `mount`: mounts.

use holdfast_catalog::resource::Mount;

use super::{Applied, Change, Error, Left, Plan, Provider, Reading, Writing};

/// The provider of `mount`.
pub struct Mounts;

impl Provider for Mounts {
    type Want = Mount;
    type Seen = ();

    fn observe(&self, _: &[&Mount], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, _: &Mount, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        Err(Error::Refused("`mount` is not here yet".to_owned()))
    }

    fn apply(&self, _: &Mount, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Err(Error::Refused("`mount` is not here yet".to_owned()))
    }

    fn left<'a>(&self, _: &'a Mount) -> Left<'a> {
        Left::new()
    }
}
