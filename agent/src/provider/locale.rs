//! `locale`: not here yet.

use holdfast_catalog::resource::Locale;

use super::{Applied, Change, Error, Left, Plan, Provider, Reading, Writing};

/// The provider of `locale`.
pub struct Locales;

impl Provider for Locales {
    type Want = Locale;
    type Seen = ();

    fn observe(&self, _: &[&Locale], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, _: &Locale, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        Err(Error::Refused("`locale` is not here yet".to_owned()))
    }

    fn apply(&self, _: &Locale, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Err(Error::Refused("`locale` is not here yet".to_owned()))
    }

    fn left<'a>(&self, _: &'a Locale) -> Left<'a> {
        Left::new()
    }
}
