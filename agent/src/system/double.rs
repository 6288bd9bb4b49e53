//! A machine for the tests of providers: a temporary root that claims to be live, whose commands are answered by the
//! test.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::machine::lock;
use super::name_service::NameService;
use super::{
    Accounts, ClockTrust, Exit, HeldPath, Inspect, Invocation, Liveness, Machine, Met, OpenFile, Output,
    Permissions, Real, Result, Staged, StagedTree, Stat, System, WalkStep,
};
use crate::stop::{RunEnd, StopReason};

type Answer = Arc<dyn Fn(&Invocation) -> Option<Output> + Send + Sync>;

/// A temporary root with commands that only seem to run.
pub(crate) struct Double {
    /// The root's directory on this machine.
    pub(crate) root: tempfile::TempDir,
    machine: Machine,
    answer: Answer,
    ran: Mutex<Vec<String>>,
    later: AtomicI64,
    looks: Arc<AtomicUsize>,
}

impl Double {
    /// A double whose commands are answered by `answer`. If that returns `None`, the command fails with code 127. What
    /// a command would change, `answer` itself can change in the root.
    pub(crate) fn new(answer: impl Fn(&Invocation) -> Option<Output> + Send + Sync + 'static) -> Self {
        Self::at(tempfile::tempdir().unwrap(), answer)
    }

    /// A double with this directory as its root.
    pub(crate) fn at(
        root: tempfile::TempDir,
        answer: impl Fn(&Invocation) -> Option<Output> + Send + Sync + 'static,
    ) -> Self {
        let machine = Machine::open(root.path()).unwrap();
        let (ran, later, looks) = (Mutex::default(), AtomicI64::new(0), Arc::default());
        let answer: Answer = Arc::new(answer);
        let asked = answer.clone();
        let names = NameService::new(move |command| Ok(answered(&*asked, command)));
        assert!(machine.accounts.others.set(Some(Arc::new(names))).is_ok(), "it is new");
        Self { root, machine, answer, ran, later, looks }
    }

    /// Limits the run to this end.
    pub(crate) fn until(mut self, end: RunEnd) -> Self {
        self.machine = self.machine.until(end);
        self
    }

    /// Sets how far the clock can be believed.
    pub(crate) fn with_clock(mut self, clock: ClockTrust) -> Self {
        self.machine = self.machine.with_clock(clock);
        self
    }

    /// The counter of files that were looked at.
    pub(crate) fn looks(&self) -> Arc<AtomicUsize> {
        self.looks.clone()
    }

    /// The commands that were run to change something, in order, without probes.
    pub(crate) fn ran(&self) -> Vec<String> {
        lock(&self.ran).clone()
    }

    /// Lets time pass, only on this machine's clock.
    pub(crate) fn pass(&self, seconds: i64) {
        self.later.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Puts a file into the root, with its directories.
    pub(crate) fn put(&self, path: &str, text: &str) {
        let place = self.root.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, text).unwrap();
    }
}

/// An output with this standard output and code 0.
pub(crate) fn said(text: &str) -> Output {
    Output { exit: Exit::Code(0), stdout: text.into(), stderr: Vec::new() }
}

/// An output with this code and standard error.
pub(crate) fn failed(code: i32, text: &str) -> Output {
    Output { exit: Exit::Code(code), stdout: Vec::new(), stderr: text.into() }
}

fn answered(answer: &dyn Fn(&Invocation) -> Option<Output>, command: &Invocation) -> Output {
    answer(command).unwrap_or_else(|| failed(127, "not answered by the test"))
}

impl Inspect for Double {
    fn liveness(&self) -> Liveness {
        Liveness::Live
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
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.machine.open_if(path, wanted)
    }
    fn kept_out(&self, path: &Path) -> Option<String> {
        self.machine.kept_out(path)
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
    fn stopping(&self) -> Option<StopReason> {
        self.machine.stopping()
    }
    fn patience(&self, own: Duration) -> Duration {
        self.machine.patience(own)
    }
    fn now(&self) -> i64 {
        self.machine.now() + self.later.load(Ordering::Relaxed)
    }
    fn clock_trust(&self) -> ClockTrust {
        self.machine.clock_trust()
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
        // What its commands mounted only seems to be mounted.
        self.machine.way_beside(path, |_| Ok(true))
    }
    fn probe(&self, command: &Invocation) -> Result<Output> {
        Ok(answered(&*self.answer, command))
    }
}

impl System for Double {
    fn stage(
        &self,
        path: &Path,
        access: Permissions,
        content: &mut dyn Read,
    ) -> Result<Box<dyn Staged + '_>> {
        self.machine.stage(path, access, content)
    }
    fn stage_tree(
        &self,
        path: &Path,
        access: Permissions,
        owner: Option<u32>,
    ) -> Result<Box<dyn StagedTree + '_>> {
        self.machine.stage_tree(path, access, owner)
    }
    fn make_symlink(&self, path: &Path, target: &Path, access: Permissions) -> Result<()> {
        self.machine.make_symlink(path, target, access)
    }
    fn make_dir(&self, path: &Path, access: Permissions) -> Result<()> {
        self.machine.make_dir(path, access)
    }
    fn set_mode(&self, path: &Path, mode: u32) -> Result<()> {
        self.machine.set_mode(path, mode)
    }
    fn set_owner(&self, path: &Path, uid: Option<u32>, gid: Option<u32>, mode: Option<u32>) -> Result<()> {
        self.machine.set_owner(path, uid, gid, mode)
    }
    fn remove(&self, path: &Path) -> Result<()> {
        self.machine.remove(path)
    }
    fn remove_tree(&self, path: &Path) -> Result<()> {
        self.machine.remove_tree(path)
    }
    fn run(&self, command: &Invocation) -> Result<Output> {
        self.machine.acts.fetch_add(1, Ordering::Relaxed);
        lock(&self.ran).push(command.command.to_string());
        self.probe(command)
    }
    fn acts(&self) -> u64 {
        self.machine.acts()
    }
    fn settle(&self) -> Result<()> {
        self.machine.settle()
    }
}

#[test]
fn commands_are_answered_and_what_changes_is_noted() {
    let double = Double::new(|i| (i.command.to_string() == "whoami").then(|| said("root\n")));
    double.put("/etc/passwd", "root:x:0:0::/root:/bin/sh\n");
    assert_eq!(double.probe(&Invocation::new(["whoami"])).unwrap().text(), "root\n");
    assert_eq!(double.run(&Invocation::new(["else"])).unwrap().exit, Exit::Code(127));
    assert_eq!(double.ran(), ["else"]);
    assert_eq!(double.accounts().unwrap().uid("root"), Some(0));
}
