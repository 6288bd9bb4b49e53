//! `authorized_key`: not here yet.

use holdfast_catalog::resource::AuthorizedKey;

use super::{Applied, Change, Error, Left, Plan, Provider, Reading, Writing};

/// The provider of `authorized_key`.
pub struct Keys;

impl Provider for Keys {
    type Want = AuthorizedKey;
    type Seen = ();

    fn observe(&self, _: &[&AuthorizedKey], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, _: &AuthorizedKey, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        Err(Error::Refused("`authorized_key` is not here yet".to_owned()))
    }

    fn apply(&self, _: &AuthorizedKey, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Err(Error::Refused("`authorized_key` is not here yet".to_owned()))
    }

    fn left<'a>(&self, _: &'a AuthorizedKey) -> Left<'a> {
        Left::new()
    }
}
