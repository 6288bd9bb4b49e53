//! Types whose provider is not in this build: their resources fail, and say so.

use std::marker::PhantomData;

use super::{Applied, Change, Error, Left, Plan, Provider, Reading, Want, Writing};

/// The provider of a type that this build does not support.
pub struct Unsupported<W>(PhantomData<fn() -> W>);

impl<W> Unsupported<W> {
    /// The one value.
    pub const TYPE: Self = Self(PhantomData);
}

fn refused() -> Error {
    Error::Refused("this type is not supported by this agent build; upgrade the agent".to_owned())
}

impl<W: Want> Provider for Unsupported<W> {
    type Want = W;
    type Seen = ();

    fn observe(&self, _: &[&W], _: Reading<'_>) -> Result<(), Error> {
        Err(refused())
    }

    fn plan(&self, _: &W, (): &(), _: Reading<'_>) -> Result<Plan, Error> {
        Err(refused())
    }

    fn apply(&self, _: &W, _: &[Change], _: Writing<'_>) -> Result<Applied, Error> {
        Err(refused())
    }

    fn left<'a>(&self, _: &'a W) -> Left<'a> {
        Vec::new()
    }
}
