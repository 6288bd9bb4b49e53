//! `tidy`: tidying.

use holdfast_catalog::resource::Tidy;

use super::{Applied, Change, Error, Left, Plan, Provider, Reading, Writing};

/// The provider of `tidy`.
pub struct Sweeps;

impl Provider for Sweeps {
    type Want = Tidy;
    type Seen = ();

    fn observe(&self, _: &[&Tidy], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, _: &Tidy, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        Err(Error::Refused("`tidy` is not here yet".to_owned()))
    }

    fn apply(&self, _: &Tidy, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Err(Error::Refused("`tidy` is not here yet".to_owned()))
    }

    fn left<'a>(&self, _: &'a Tidy) -> Left<'a> {
        Left::new()
    }
}
