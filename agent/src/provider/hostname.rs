//! `hostname`: not here yet.

use holdfast_catalog::resource::Hostname;

use super::{Applied, Change, Error, Left, Plan, Provider, Reading, Writing};

/// The provider of `hostname`.
pub struct Names;

impl Provider for Names {
    type Want = Hostname;
    type Seen = ();

    fn observe(&self, _: &[&Hostname], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, _: &Hostname, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        Err(Error::Refused("`hostname` is not here yet".to_owned()))
    }

    fn apply(&self, _: &Hostname, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Err(Error::Refused("`hostname` is not here yet".to_owned()))
    }

    fn left<'a>(&self, _: &'a Hostname) -> Left<'a> {
        Left::new()
    }
}
