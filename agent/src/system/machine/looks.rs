//! What is looked at on the real machine.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use rustix::io::Errno;

use super::super::command::child;
use super::super::resolve::Last;
use super::super::{
    Accounts, ClockTrust, Error, FileKind, HeldPath, Inspect, Invocation, Liveness, Met, OpenFile, Output,
    Real, Result, Stat, WalkStep, kept_out, tree, way,
};
use super::{Machine, lock, look, open_regular, open_seen};
use crate::stop::StopReason;

impl Inspect for Machine {
    fn liveness(&self) -> Liveness {
        self.liveness
    }

    fn lstat(&self, path: &Path) -> Result<Option<Stat>> {
        self.stat_as(path, Last::Keep)
    }

    fn stat(&self, path: &Path) -> Result<Option<Stat>> {
        self.stat_as(path, Last::Follow)
    }

    fn open(&self, path: &Path) -> Result<Option<OpenFile>> {
        let _call = self.enter(path)?;
        let Some(place) = self.root.place_to_look(path, Last::Follow)? else { return Ok(None) };
        open_regular(&place, path)
    }

    fn open_if(
        &self,
        path: &Path,
        wanted: &dyn Fn(&Stat) -> bool,
    ) -> Result<Option<(Stat, Option<OpenFile>)>> {
        let _call = self.enter(path)?;
        let Some(place) = self.root.place_to_look(path, Last::Keep)? else { return Ok(None) };
        match look(&place, path)? {
            Some(stat) if stat.kind == FileKind::File && wanted(&stat) => {
                Ok(Some((stat, open_seen(&place, path)?)))
            }
            seen => Ok(seen.map(|stat| (stat, None))),
        }
    }

    fn kept_out(&self, path: &Path) -> Option<String> {
        let is_directory =
            |at: &&Path| self.stat(at).ok().flatten().is_some_and(|stat| stat.kind == FileKind::Directory);
        let directory = path.ancestors().find(is_directory)?;
        let place = self.place(&directory.join("lock"), Last::Keep).ok()??;
        if kept_out::is_read_only(&place) {
            return Some(kept_out::read_only(directory));
        }
        kept_out::by_attribute(&self.place(path, Last::Keep).ok()??, path)
    }

    fn real(&self, path: &Path) -> Result<Option<Real>> {
        let _call = self.enter(path)?;
        self.root.real(path)
    }

    fn read_link(&self, path: &Path) -> Result<PathBuf> {
        let _call = self.enter(path)?;
        let failed = |errno| Error::io("reading the link", path, errno);
        let place = self.root.place_to_look(path, Last::Keep)?.ok_or_else(|| failed(Errno::NOENT))?;
        let target = rustix::fs::readlinkat(&place.dir, &place.name, Vec::new()).map_err(failed)?;
        Ok(OsString::from_vec(target.into_bytes()).into())
    }

    fn list(&self, path: &Path) -> Result<Vec<OsString>> {
        let _call = self.enter(path)?;
        let dir = self.open_dir(path)?;
        let names = tree::names(&dir).map(|name| name.map_err(|errno| Error::io("listing", path, errno)));
        let mut names: Vec<_> = names.collect::<Result<_>>()?;
        names.sort_unstable();
        Ok(names)
    }

    fn walk(&self, path: &Path, visit: &mut dyn FnMut(Met<'_>) -> Result<WalkStep>) -> Result<()> {
        let dir = self.open_dir(path)?;
        let real = self.real(path)?.map_or_else(|| path.to_owned(), |real| real.path);
        tree::walk(&dir, path, &|below| self.enter(&real.join(below)), visit)
    }

    fn clock_trust(&self) -> ClockTrust {
        self.clock
    }

    fn stopping(&self) -> Option<StopReason> {
        self.bounds().stopping()
    }

    fn patience(&self, own: Duration) -> Duration {
        self.bounds().patience(own)
    }

    fn in_vain(&self) -> MutexGuard<'_, BTreeSet<String>> {
        lock(&self.in_vain)
    }

    fn accounts(&self) -> Result<Arc<Accounts>> {
        self.read_accounts()
    }

    fn way_into(&self, path: &Path) -> Result<Option<HeldPath>> {
        self.exposed(path)?.map(|place| way::into(&place, path)).transpose()
    }

    fn way_to_mounted(&self, path: &Path) -> Result<Option<HeldPath>> {
        self.way_beside(path, way::is_mount_point)
    }

    fn probe(&self, command: &Invocation) -> Result<Output> {
        self.only_live(command)?;
        self.enter_places_of(command)?;
        child::run(command, &*self.accounts()?, self.bounds())
    }
}
