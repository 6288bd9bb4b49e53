//! Providers: one file or folder a resource type; `registry` says which stands for which. What several types share is in rooms
//! beside them: `text`, `database`, `claimed`.
//!
//! A provider answers four questions and knows no others: what is there ([`Provider::observe`]), what would correct it
//! ([`Provider::plan`]), correct it ([`Provider::apply`]), and what a notification means ([`Provider::refresh`]). Policy,
//! events, redaction, timing, order and failure are [`crate::enforce`]'s.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use holdfast_catalog::resource::Typed;
use holdfast_catalog::resource::claim::Claim;

use crate::content::ContentSource;
use crate::system::{self, Inspect, Invocation, Output, System};

mod alternatives;
mod apt;
mod apt_key;
mod apt_pin;
mod apt_repository;
mod archive;
mod authorized_key;
mod change;
mod claimed;
#[cfg(test)]
mod contract;
mod cron;
mod database;
mod deployment;
mod erased;
mod error;
mod exec;
mod file;
mod file_line;
mod firewall;
mod fragment;
mod git_checkout;
mod group;
mod host;
mod hostname;
mod ini_setting;
mod kept;
mod kept_out;
mod kernel_module;
mod locale;
mod mount;
mod mysql;
mod notify;
mod package;
mod postgresql;
mod property;
mod registry;
mod service;
mod sysctl;
mod systemd_unit;
pub mod text;
mod tidy;
mod timezone;
#[cfg(test)]
pub(crate) mod trial;
mod unit_path;
mod user;

pub use change::{Change, ChangeKind, DisplayValue, Former};
pub use claimed::{CatalogClaims, Spared};
pub(crate) use claimed::{DeclaredLinks, PathAliases, inside, split};
pub use erased::{AnyProvider, AnySeen};
pub use error::Error;
pub(crate) use kept::let_go;
pub use property::Property;
use property::properties;
pub use registry::provider_of;

/// Removes what was kept in the clear of what resources now call secret.
///
/// # Errors
/// Something of it is still there.
pub(crate) fn forget_secrets(all: &[Typed], state_dir: &Path) -> system::Result<()> {
    let files = all.iter().filter_map(|typed| match typed {
        Typed::File(file) => Some(file),
        _ => None,
    });
    file::forget_secrets(files, state_dir)
}

/// What planning may use: nothing of it can write.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    pub machine: &'a dyn Inspect,
    /// File contents by hash.
    pub content: &'a dyn ContentSource,
    /// What the resources of the catalog name.
    pub named: &'a CatalogClaims<'a>,
    /// The agent's state directory, of this machine and never of another root.
    pub state_dir: &'a Path,
}

/// What applying may use.
#[derive(Clone, Copy)]
pub struct Writing<'a> {
    pub machine: &'a dyn System,
    /// File contents by hash.
    pub content: &'a dyn ContentSource,
    /// What the resources of the catalog name.
    pub named: &'a CatalogClaims<'a>,
    /// The agent's state directory, of this machine and never of another root: backups are kept in it.
    pub state_dir: &'a Path,
    /// Paths where an earlier catalog put a secret that the machine may still have.
    pub once_secret: &'a BTreeSet<String>,
}

impl<'a> Writing<'a> {
    /// What reading may use, for who looks again while applying.
    pub fn reading(self) -> Reading<'a> {
        let Self { machine, content, named, state_dir, .. } = self;
        Reading { machine, content, named, state_dir }
    }

    /// Runs a command that must succeed.
    ///
    /// # Errors
    /// It could not be run, or failed: with its last words.
    pub fn run(&self, command: &Invocation) -> Result<Output, Error> {
        let output = self.machine.run(command)?;
        if output.succeeded() {
            Ok(output)
        } else {
            Err(Error::command(command, &output).explained(self.machine))
        }
    }
}

impl Reading<'_> {
    /// Runs a command that only reads and must succeed.
    ///
    /// # Errors
    /// It could not be run, or failed: with its last words.
    pub fn probe(&self, command: &Invocation) -> Result<Output, Error> {
        let output = self.machine.probe(command)?;
        if output.succeeded() { Ok(output) } else { Err(Error::command(command, &output)) }
    }
}

/// Runs a command that only reads, and whose exit code is a part of its answer.
///
/// # Errors
/// It could not be run, or was ended before it had answered: that is not an answer, and no `no`.
fn answer(machine: &dyn Inspect, command: &Invocation) -> Result<Output, Error> {
    let output = machine.probe(command)?;
    match output.exit {
        system::Exit::Code(_) => Ok(output),
        system::Exit::Signal(_) | system::Exit::TimedOut(_) | system::Exit::Stopped(_) => {
            Err(Error::command(command, &output))
        }
    }
}

/// What would correct a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan<P = Cow<'static, str>> {
    /// Nothing; perhaps with something to say ([`ChangeKind::Note`]).
    InSync(Vec<Change<P>>),
    Changes(Vec<Change<P>>),
    /// It cannot be known yet, and why: something it needs is not there. Where nothing before it will bring that, it is a failure.
    Pending(String),
    /// It cannot be done here: what is missing, and what would provide it. Below another root than `/` it is not applicable; on
    /// a machine it is a failure.
    NotApplicable(String),
}

impl<P> Plan<P> {
    /// In sync without a word.
    pub const IN_SYNC: Self = Self::InSync(Vec::new());

    /// In sync where there is nothing to change.
    pub fn of(changes: Vec<Change<P>>) -> Self {
        let to_do = changes.iter().any(|change| change.kind != ChangeKind::Note);
        if to_do { Self::Changes(changes) } else { Self::InSync(changes) }
    }
}

/// What became of changes that were applied: all were made, except for these.
#[derive(Debug, Default)]
pub struct Applied {
    /// Changes that failed, by index, and why.
    pub failed: Vec<(usize, Error)>,
    /// What more is to be said of a change, by index.
    pub said: Vec<(usize, String)>,
}

/// A resource of a batch, and what would correct it.
#[derive(Debug)]
pub struct Job<'a, W, P> {
    pub want: &'a W,
    /// What was planned just now.
    pub changes: &'a [Change<P>],
}

/// How resources of a type are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    Singly,
    /// As many as are ready, in one go: one transaction of the package manager.
    Together,
}

/// How resources of a type are planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planned {
    /// Several at a time.
    InParallel,
    /// One at a time: planning runs commands.
    OneByOne,
}

/// What a notification asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notice {
    Reload,
    Refresh,
}

/// What a notification came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshed {
    /// It was acted on: what was done, such as `restarted`.
    Done(String),
    /// There was nothing to act on, and why, such as `it was started in this run`.
    NotNeeded(String),
}

/// What a resource claims by a name that only the machine knows: the unit that an alias stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct Alias {
    pub claim: Claim,
    /// Why it is the resource's, for people.
    pub why: Arc<str>,
}

impl Alias {
    /// Claims that are a resource's for one reason.
    pub fn all(claims: impl IntoIterator<Item = Claim>, why: impl Into<Arc<str>>) -> Vec<Self> {
        let why = why.into();
        claims.into_iter().map(|claim| Self { claim, why: why.clone() }).collect()
    }
}

/// Properties and their values.
pub type Left<'a> = Vec<(Cow<'static, str>, Cow<'a, str>)>;

/// A resource type on this machine.
pub trait Provider: Sync {
    /// The type's attributes.
    type Want: Want;
    /// What [`Provider::observe`] reads.
    type Seen: Send + Sync + 'static;
    /// What its plans speak of.
    type Property: Property;

    /// How its resources are planned.
    const PLANNED: Planned = Planned::InParallel;
    /// How its resources are applied.
    const TAKEN: Taken = Taken::Singly;
    /// Whether a resource acts at most once a run, though it may still be off then: a command is not run twice.
    const ACTS_ONCE: bool = false;

    /// Whether its resources are looked at before all others: it waits for what others depend on.
    const FIRST: bool = false;

    /// Whether it runs programs that may change whatever they like: an operator's command, a package's script, a service.
    const ACTS_ANYWHERE: bool = false;

    /// Reads what the machine has, once for all resources of the type. Called again before correcting, when something was
    /// changed since: then with the resources at hand alone.
    ///
    /// # Errors
    /// Fails all of them; what is wrong with one is for [`Provider::plan`].
    fn observe(&self, all: &[&Self::Want], reading: Reading<'_>) -> Result<Self::Seen, Error>;

    /// Compares one resource with the machine. It cannot write, and must not run what writes.
    ///
    /// # Errors
    /// What cannot be read.
    fn plan(
        &self,
        want: &Self::Want,
        seen: &Self::Seen,
        reading: Reading<'_>,
    ) -> Result<Plan<Self::Property>, Error>;

    /// Makes the changes that were planned just now. Returns only when they last, or will after [`System::settle`].
    ///
    /// # Errors
    /// Nothing of it could be done; where only some failed, they are in [`Applied::failed`].
    fn apply(
        &self,
        want: &Self::Want,
        changes: &[Change<Self::Property>],
        writing: Writing<'_>,
    ) -> Result<Applied, Error>;

    /// Makes the changes of several resources; only called where [`Provider::TAKEN`] is [`Taken::Together`].
    /// Answers once for each, in their order.
    fn apply_together(
        &self,
        jobs: &[Job<'_, Self::Want, Self::Property>],
        writing: Writing<'_>,
    ) -> Vec<Result<Applied, Error>> {
        jobs.iter().map(|job| self.apply(job.want, job.changes, writing)).collect()
    }

    /// Acts on a notification, after the resource's own turn, which made the changes `corrected` (none if it was in sync).
    ///
    /// # Errors
    /// It could not be acted on; it stays owed and is tried at the next run.
    fn refresh(
        &self,
        _want: &Self::Want,
        _notice: Notice,
        _corrected: &[Change<Self::Property>],
        _writing: Writing<'_>,
    ) -> Result<Refreshed, Error> {
        Ok(Refreshed::NotNeeded("this type ignores notifications".to_owned()))
    }

    /// What a resource is at that follows what moves by itself: the version of a package that is wanted in the newest one.
    fn stands_at(&self, _want: &Self::Want, _seen: &Self::Seen) -> Option<(Self::Property, String)> {
        None
    }

    /// Files that the resource writes, or parts of.
    fn names<'a>(&self, _want: &'a Self::Want) -> Vec<&'a str> {
        Vec::new()
    }

    /// What the resource claims by names that only the machine knows, beside what its type says. Links on the way to a path
    /// are not its matter.
    fn aliases(&self, _want: &Self::Want, _seen: &Self::Seen, _reading: Reading<'_>) -> Vec<Alias> {
        Vec::new()
    }

    /// What the resource's properties are once it is in sync, each as [`Change::is`] or one of
    /// [`Change::also`] would show it: the next run tells
    /// by it whether someone changed what this run left. Secrets as they are: only a keyed fingerprint is kept.
    fn left<'a>(&self, want: &'a Self::Want) -> Left<'a>;
}

/// The attributes of one type, out of the enum of all.
pub trait Want: Sync + Sized + 'static {
    /// The attributes, if they are of this type.
    fn of(typed: &Typed) -> Option<&Self>;
}
