//! `sysctl`: not here yet.

use holdfast_catalog::resource::Sysctl;

use super::{Applied, Change, Error, Left, Plan, Provider, Reading, Writing};

/// The provider of `sysctl`.
pub struct Settings;

impl Provider for Settings {
    type Want = Sysctl;
    type Seen = ();

    fn observe(&self, _: &[&Sysctl], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, _: &Sysctl, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        Err(Error::Refused("`sysctl` is not here yet".to_owned()))
    }

    fn apply(&self, _: &Sysctl, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Err(Error::Refused("`sysctl` is not here yet".to_owned()))
    }

    fn left<'a>(&self, _: &'a Sysctl) -> Left<'a> {
        Left::new()
    }
}
