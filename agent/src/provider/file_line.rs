//! `file_line`: lines of files.

use holdfast_catalog::resource::FileLine;

use super::{Applied, Change, Error, Left, Plan, Provider, Reading, Writing};

/// The provider of `file_line`.
pub struct Lines;

impl Provider for Lines {
    type Want = FileLine;
    type Seen = ();

    fn observe(&self, _: &[&FileLine], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, _: &FileLine, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        Err(Error::Refused("`file_line` is not here yet".to_owned()))
    }

    fn apply(&self, _: &FileLine, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Err(Error::Refused("`file_line` is not here yet".to_owned()))
    }

    fn left<'a>(&self, _: &'a FileLine) -> Left<'a> {
        Left::new()
    }
}
