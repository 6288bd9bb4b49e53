//! The files that git tracks in a checkout. A provider that removes old files leaves them, since git would miss them.

use std::collections::BTreeSet;
use std::path::Path;

use holdfast_catalog::resource::GitCheckout;
use holdfast_catalog::resource::attribute::Presence;

use super::git::May;
use super::look::refuse_others;
use super::{Stands, git, wanted};
use crate::provider::archive::owners::Owners;
use crate::provider::{Error, PathAliases, Reading, inside};

/// What in a directory inside a checkout of the catalog belongs to git.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::provider) enum Tracked {
    /// These files, by their real paths.
    Files(BTreeSet<String>),
    /// Everything: it is git's own directory.
    All,
}

/// The files that git tracks below a directory, given by its real path; empty if no checkout of the catalog is around
/// it.
pub(in crate::provider) fn tracked_in(place: &str, reading: Reading<'_>) -> Result<Tracked, Error> {
    let mut ways = PathAliases::new(reading.machine);
    let mut all = BTreeSet::new();
    let present = reading.named.of_type::<GitCheckout>().filter(|want| want.ensure == Presence::Present);
    for want in present {
        let top = ways.place(want.title.as_str());
        let Some(below) = place.strip_prefix(&inside(&top, "")) else { continue };
        if below == ".git" || below.starts_with(".git/") {
            return Ok(Tracked::All);
        }
        let path = Path::new(want.title.as_str());
        if matches!(Stands::at(path, reading.machine)?, Stands::Checkout) {
            all.extend(files(want, path, reading)?.iter().map(|file| inside(&top, file)));
        }
    }
    Ok(Tracked::Files(all))
}

fn files(want: &GitCheckout, path: &Path, reading: Reading<'_>) -> Result<Vec<String>, Error> {
    let accounts = reading.machine.accounts()?;
    let owners = Owners::of(want.user.as_ref(), None, &accounts).map_err(Error::Missing)?;
    refuse_others(path, &owners, &accounts, reading.machine)?;
    let (remote, _) = wanted(want)?;
    git(want, remote, path, May::Look(reading)).tracked(want.submodules)
}
