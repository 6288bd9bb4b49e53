//! `archive`: the definition alone; its provider is not here yet.

use holdfast_catalog::resource::Archive;

use super::{Applied, Change, Error, Left, Plan, Provider, Reading, Writing};

/// The provider of `archive`.
pub struct Archives;

impl Provider for Archives {
    type Want = Archive;
    type Seen = ();

    fn observe(&self, _: &[&Archive], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, _: &Archive, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        Err(Error::Refused("archives are not here yet".to_owned()))
    }

    fn apply(&self, _: &Archive, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Err(Error::Refused("archives are not here yet".to_owned()))
    }

    fn left<'a>(&self, _: &'a Archive) -> Left<'a> {
        Left::new()
    }
}
