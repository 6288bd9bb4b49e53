//! A machine on which an agent dies: after a number of steps nothing more can be changed. This is not a power cut, so
//! nothing needs to reach the disk.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard};

use crate::system::double::said;
use crate::system::{
    Accounts, Error, HeldPath, Inspect, Invocation, Liveness, Machine, Met, OpenFile, Output, Permissions,
    Real, Result, Staged, StagedTree, Stat, System, WalkStep,
};

/// The number of steps that are left; [`FOREVER`] if it should not die.
pub(super) type Steps = Arc<AtomicUsize>;

/// More steps than any test takes.
pub(super) const FOREVER: usize = 1_000_000;

pub(super) struct Dying {
    machine: Machine,
    left: Steps,
}

impl Dying {
    pub(super) fn new(left: Steps) -> Self {
        Self { machine: Machine::open(Path::new("/")).unwrap(), left }
    }

    fn step(&self) -> Result<()> {
        let one_less = |left: usize| left.checked_sub(1);
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::io("living on", Path::new("/"), io::Error::other("the agent was killed"))),
        }
    }
}

impl Inspect for Dying {
    fn liveness(&self) -> Liveness {
        self.machine.liveness()
    }
    fn lstat(&self, path: &Path) -> Result<Option<Stat>> {
        self.machine.lstat(path)
    }
    fn stat(&self, path: &Path) -> Result<Option<Stat>> {
        self.machine.stat(path)
    }
    fn open(&self, path: &Path) -> Result<Option<OpenFile>> {
        self.machine.open(path)
    }
    fn open_if(
        &self,
        path: &Path,
        wanted: &dyn Fn(&Stat) -> bool,
    ) -> Result<Option<(Stat, Option<OpenFile>)>> {
        self.machine.open_if(path, wanted)
    }
    fn real(&self, path: &Path) -> Result<Option<Real>> {
        self.machine.real(path)
    }
    fn read_link(&self, path: &Path) -> Result<PathBuf> {
        self.machine.read_link(path)
    }
    fn list(&self, path: &Path) -> Result<Vec<OsString>> {
        self.machine.list(path)
    }
    fn walk(&self, path: &Path, visit: &mut dyn FnMut(Met<'_>) -> Result<WalkStep>) -> Result<()> {
        self.machine.walk(path, visit)
    }
    fn accounts(&self) -> Result<Arc<Accounts>> {
        self.machine.accounts()
    }
    fn in_vain(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.machine.in_vain()
    }
    fn way_into(&self, path: &Path) -> Result<Option<HeldPath>> {
        self.machine.way_into(path)
    }
    fn way_to_mounted(&self, path: &Path) -> Result<Option<HeldPath>> {
        self.machine.way_to_mounted(path)
    }
    fn probe(&self, command: &Invocation) -> Result<Output> {
        self.machine.probe(command)
    }
}

impl System for Dying {
    fn stage(
        &self,
        path: &Path,
        access: Permissions,
        content: &mut dyn Read,
    ) -> Result<Box<dyn Staged + '_>> {
        self.step()?;
        self.machine.stage(path, access, content)
    }
    fn stage_tree(
        &self,
        path: &Path,
        access: Permissions,
        owner: Option<u32>,
    ) -> Result<Box<dyn StagedTree + '_>> {
        self.step()?;
        self.machine.stage_tree(path, access, owner)
    }
    fn make_symlink(&self, path: &Path, target: &Path, access: Permissions) -> Result<()> {
        self.step()?;
        self.machine.make_symlink(path, target, access)
    }
    fn make_dir(&self, path: &Path, access: Permissions) -> Result<()> {
        self.step()?;
        self.machine.make_dir(path, access)
    }
    fn set_mode(&self, path: &Path, mode: u32) -> Result<()> {
        self.step()?;
        self.machine.set_mode(path, mode)
    }
    fn set_owner(&self, path: &Path, uid: Option<u32>, gid: Option<u32>, mode: Option<u32>) -> Result<()> {
        self.step()?;
        self.machine.set_owner(path, uid, gid, mode)
    }
    fn remove(&self, path: &Path) -> Result<()> {
        self.step()?;
        self.machine.remove(path)
    }
    fn remove_tree(&self, path: &Path) -> Result<()> {
        self.step()?;
        self.machine.remove_tree(path)
    }
    fn run(&self, command: &Invocation) -> Result<Output> {
        self.step()?;
        let is_sync = command.command.to_string().starts_with("sync ");
        if is_sync { Ok(said("")) } else { self.machine.run(command) }
    }
    fn acts(&self) -> u64 {
        self.machine.acts()
    }
    fn settle(&self) -> Result<()> {
        self.step()
    }
}
