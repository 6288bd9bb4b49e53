//! `timezone`: not here yet.

use holdfast_catalog::resource::Timezone;

use super::{Applied, Change, Error, Left, Plan, Provider, Reading, Writing};

/// The provider of `timezone`.
pub struct Zones;

impl Provider for Zones {
    type Want = Timezone;
    type Seen = ();

    fn observe(&self, _: &[&Timezone], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, _: &Timezone, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        Err(Error::Refused("`timezone` is not here yet".to_owned()))
    }

    fn apply(&self, _: &Timezone, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Err(Error::Refused("`timezone` is not here yet".to_owned()))
    }

    fn left<'a>(&self, _: &'a Timezone) -> Left<'a> {
        Left::new()
    }
}
