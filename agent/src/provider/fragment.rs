//! `fragment`: a part of a file. It needs no work of its own: the file contains it, and is compared with the machine.

use holdfast_catalog::resource::Fragment;

use super::{Applied, Error, Left, Provider, Reading, Writing};

/// The provider of `fragment`.
pub struct Fragments;

type Change = super::Change<std::convert::Infallible>;
type Plan = super::Plan<std::convert::Infallible>;

impl Provider for Fragments {
    type Want = Fragment;
    type Seen = ();
    type Property = std::convert::Infallible;

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

#[cfg(test)]
mod tests {
    use holdfast_catalog::report::{Mode, Status};
    use holdfast_catalog::value::{Kind, Sensitive, Value};

    use crate::enforce::bench::Bench;

    #[test]
    fn a_secret_of_a_fragment_is_not_told_by_the_validator_of_its_file() {
        let mut bench = Bench::live();
        let path = bench.dir().join("x").display().to_string();
        let secret = Value::from(Kind::Sensitive(Sensitive::text("hunter2-of-a-part")));
        bench.add("fragment", "a", &[("target", path.as_str().into()), ("content", secret)].into());
        let file = [("fragments", true.into()), ("validate", "cat % >&2; false".into())];
        bench.add("file", &path, &file.into());
        let events = bench.run(Mode::Enforce).events;
        let [event] = &events[..] else { panic!("{events:?}") };
        let why = event.reason.as_deref().unwrap();
        assert!(event.status == Status::Failed && why.contains("[sensitive]"), "{event:?}");
        assert!(event.diff.is_none() && !format!("{event:?}").contains("hunter2"), "{event:?}");
    }
}
