//! Holds around a transaction: released if a version is asked for, and set again.

use holdfast_catalog::resource::Package;
use holdfast_catalog::resource::package::{PackageEnsure, PackageState};

use super::super::asked_hold;
use super::super::dpkg_status::DpkgStatus;
use super::super::holds::Released;
use super::{Apt, quietly, wants_apt};
use crate::provider::Error;

impl Apt<'_> {
    /// Releases holds that are in the way. apt refuses to change what is held, but a version or removal that the data
    /// asks for overrides a hold, which is set again unless it should not be. Returns the packages whose hold was
    /// released, now or by a run that was killed.
    pub(super) fn release_holds(
        &mut self,
        wants: &[&Package],
        status: &DpkgStatus,
    ) -> Result<Released, Error> {
        let held = |want: &&&Package| {
            status.package(want.title.as_str()).is_some_and(|package| package.held)
                && (wants_apt(want, status) || asked_hold(want) == Some(false))
        };
        let now: Vec<&str> = wants.iter().filter(held).map(|want| want.title.as_str()).collect();
        let released = Released::read(self.state_dir).and(now.iter().copied());
        if !now.is_empty()
            && let Err(error) = released.write(self.state_dir)
        {
            self.said.push(format!(
                "its hold was released, but that could not be recorded: if the run is killed now, it stays released ({error})"
            ));
        }
        self.mark("unhold", now.into_iter())?;
        Ok(released)
    }

    /// Sets the holds that are asked for, and those that were released and that no resource manages.
    pub(super) fn hold(&self, wants: &[&Package], released: &Released) -> Result<(), Error> {
        let held = PackageEnsure::State(PackageState::Held);
        let status = self.status()?;
        let asks = |want: &&&Package| {
            let is_there = status.installed(want.title.as_str()).is_some();
            is_there && (want.ensure == held || want.hold == Some(true))
        };
        let speaking = [wants, self.catalog].concat();
        let mut titles = released.titles(&speaking, &status);
        titles.extend(wants.iter().filter(asks).map(|want| want.title.as_str()));
        titles.sort_unstable();
        titles.dedup();
        self.mark("hold", titles.into_iter())
    }

    pub(super) fn mark<'a>(&self, how: &'a str, titles: impl Iterator<Item = &'a str>) -> Result<(), Error> {
        let mut arguments = vec!["apt-mark", how, "--"];
        let options = arguments.len();
        arguments.extend(titles);
        if arguments.len() == options {
            return Ok(());
        }
        let mark = quietly(arguments);
        let output = self.unlocked(&mark)?;
        self.has_waited(&output);
        if output.succeeded() { Ok(()) } else { Err(Error::command(&mark, &output).explained(self.machine)) }
    }
}
