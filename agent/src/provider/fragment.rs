//! `fragment`: a part of a file. There is nothing to do for it: the file holds it, and is compared with the machine.

use holdfast_catalog::resource::Fragment;

use super::{Applied, Change, Error, Left, Plan, Provider, Reading, Writing};

/// The provider of `fragment`.
pub struct Fragments;

impl Provider for Fragments {
    type Want = Fragment;
    type Seen = ();

    fn observe(&self, _: &[&Fragment], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, _: &Fragment, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        Ok(Plan::IN_SYNC)
    }

    fn apply(&self, _: &Fragment, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Ok(Applied::default())
    }

    fn left<'a>(&self, _: &'a Fragment) -> Left<'a> {
        Left::new()
    }
}
