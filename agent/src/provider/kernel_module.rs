//! `kernel_module`: not here yet.

use holdfast_catalog::resource::KernelModule;

use super::{Applied, Change, Error, Left, Plan, Provider, Reading, Writing};

/// The provider of `kernel_module`.
pub struct Modules;

impl Provider for Modules {
    type Want = KernelModule;
    type Seen = ();

    fn observe(&self, _: &[&KernelModule], _: Reading<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn plan(&self, _: &KernelModule, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        Err(Error::Refused("`kernel_module` is not here yet".to_owned()))
    }

    fn apply(&self, _: &KernelModule, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Err(Error::Refused("`kernel_module` is not here yet".to_owned()))
    }

    fn left<'a>(&self, _: &'a KernelModule) -> Left<'a> {
        Left::new()
    }
}
