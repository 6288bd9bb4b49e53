//! `alternatives`: alternatives.

use holdfast_catalog::resource::Alternatives;

use super::{Applied, Change, Error, Left, Plan, Provider, Reading, Writing};

/// The provider of `alternatives`.
pub struct Choices;

impl Provider for Choices {
    type Want = Alternatives;
    type Seen = ();

    fn observe(&self, _: &[&Alternatives], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, _: &Alternatives, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        Err(Error::Refused("`alternatives` is not here yet".to_owned()))
    }

    fn apply(&self, _: &Alternatives, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Err(Error::Refused("`alternatives` is not here yet".to_owned()))
    }

    fn left<'a>(&self, _: &'a Alternatives) -> Left<'a> {
        Left::new()
    }
}
