//! `cron`: not here yet.

use holdfast_catalog::resource::Cron;

use super::{Applied, Change, Error, Left, Plan, Provider, Reading, Writing};

/// The provider of `cron`.
pub struct Jobs;

impl Provider for Jobs {
    type Want = Cron;
    type Seen = ();

    fn observe(&self, _: &[&Cron], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, _: &Cron, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        Err(Error::Refused("`cron` is not here yet".to_owned()))
    }

    fn apply(&self, _: &Cron, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Err(Error::Refused("`cron` is not here yet".to_owned()))
    }

    fn left<'a>(&self, _: &'a Cron) -> Left<'a> {
        Left::new()
    }
}
